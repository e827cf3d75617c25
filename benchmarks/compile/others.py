"""The peers' command lines for one document, and the floor below all of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from benchmarks.measure import Command, Unfit
from benchmarks.peers import older, peers
from benchmarks.places import WORK

from .documents import Document

SHAKEN = "datamodel-code-generator, shaken"
_OUTPUT = WORK / "compile" / "output"
_HERE = Path(__file__).parent


Extent: TypeAlias = Literal["quick", "more", "full"]


def others(document: Document, extent: Extent) -> list[Command]:
    """datamodel-code-generator whole and shaken to one path, openapi-python-client; `quick` and `more` leave out the slowest."""
    found = [
        _models(document, SHAKEN, "--formatters", "builtin", *_shaken(document)),
        _models(document, "datamodel-code-generator, whole", "--formatters", "builtin"),
        _client(document, "openapi-python-client, literal enums", "literal_enums: true\n"),
    ]
    if extent != "quick":
        found.append(_client(document, "openapi-python-client"))
    if extent == "full":
        found += [
            _models(document, "datamodel-code-generator, shaken, black + isort", *_shaken(document)),
            _models(document, "datamodel-code-generator, whole, black + isort", max_runs=2),
        ]
    if extent == "full" and document.is_json:  # from YAML it takes minutes
        found.append(
            _models(document, "datamodel-code-generator 0.86, shaken", *_shaken(document), old=True, max_runs=2)
        )
    return found


def floor(document: Document) -> list[Command]:
    """Parsing alone."""
    parsers = ("json",) if document.is_json else ("ryaml", "PyYAML")
    python = str(peers() / "python")
    return [
        Command(name=f"parsing only, {parser}", argv=(python, str(_HERE / "floor.py"), parser, str(document.path)))
        for parser in parsers
    ]


def _shaken(document: Document) -> tuple[str, ...]:
    return ("--openapi-scopes", "paths", "--openapi-include-paths", document.operation)


def _models(document: Document, name: str, *options: str, old: bool = False, max_runs: int | None = None) -> Command:
    folder = older() if old else peers()
    output = _OUTPUT / "models"
    if old:
        options = ("--formatters", "builtin", *options)
    argv = (
        *(str(folder / "datamodel-codegen"), "--input", str(document.path), "--input-file-type", "openapi"),
        *("--output-model-type", "pydantic_v2.BaseModel", *options, "--output", str(output)),
    )
    return Command(
        name=name,
        argv=argv,
        before=lambda: clear(output),
        check=written(output, str(peers() / "python")),
        max_runs=max_runs,
        timeout_s=600,
    )


def _client(document: Document, name: str, settings: str = "") -> Command:
    output, config = _OUTPUT / "client", _OUTPUT / "client.yaml"

    def before() -> None:
        clear(output)
        config.write_text(settings or "{}\n")

    argv = (
        *(str(peers() / "openapi-python-client"), "generate", "--path", str(document.path), "--meta", "none"),
        *("--config", str(config), "--output-path", str(output)),
    )
    # It formats with ruff, which it looks for on the search path.
    env = {"PATH": f"{peers()}:/usr/bin:/bin"}
    check = written(output, str(peers() / "python"))
    return Command(name=name, argv=argv, env=env, before=before, check=check, timeout_s=600, max_runs=2)


def clear(output: Path) -> None:
    """Nothing of an earlier turn is left."""
    shutil.rmtree(output, ignore_errors=True)
    output.unlink(missing_ok=True)
    output.parent.mkdir(parents=True, exist_ok=True)


def written(output: Path, python: str) -> Callable[[str], dict[str, float]]:
    """A check: something was written, and how much of it imports. Importing is tried once; turns write the same."""
    known: dict[str, float] = {}

    def check(_: str) -> dict[str, float]:
        if output.is_file():
            # One module: it stands for itself, under a name that can be imported.
            module = output.with_name("models.py")
            output.rename(module)
            output.mkdir()
            module.rename(output / "__init__.py")
        files = [path for path in output.rglob("*.py") if path.is_file()]
        if not files:
            raise Unfit("exit 0, but no Python was written")
        if not known:
            done = subprocess.run([python, str(_HERE / "imports.py"), str(output)], capture_output=True, check=True)
            found = json.loads(done.stdout)
            known.update(lines=0.0, modules=found["modules"], failed_imports=found["failures"])
        known["lines"] = sum(path.read_bytes().count(b"\n") for path in files)
        return dict(known)

    return check
