"""All descriptions of a folder → results: compiled, written, imported and held to `mypy --strict`.

Each description is compiled in a process of its own with a limit on time and memory; two at a time. What was done is kept by
the digest of the description and of the compiler, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.corpus.blame import Blame
from tests.corpus.folder import Spec
from tests.published.processes import run
from tests.shared import REPOSITORY
from vitesse.openapi import list_operations, read_document

PACKAGE = "corpus"
_LIMIT_S = 600
_LINES_TOGETHER = 60_000
"""Lines of derived code that mypy sees at once."""
_ERROR = re.compile(r"(?P<file>[^:\n]+\.py):(?P<line>\d+): error: (?P<message>.*)")


@dataclass(slots=True, kw_only=True)
class Result:
    """One description. `operations` are those that were taken, in the file's order."""

    spec: Spec
    found: dict[str, Any]
    broken: dict[str, list[str]] = field(default_factory=dict)
    """Operation → what Python or mypy said of code that was proved."""

    @property
    def total(self) -> int:
        return len(self.found["operations"])

    @property
    def compiled(self) -> int:
        return sum(one["compiles"] and one["id"] not in self.broken for one in self.found["operations"])


def run_corpus(
    specs: Sequence[Spec], work: Path, *, only: dict[str, list[str]] | None = None, workers: int = 2
) -> list[Result]:
    """Compile, write, import and type-check.

    Args:
        only: Spec name → ids of the operations to take; all when it is None.
    """
    compiler = _compiler_digest()
    folder = work / "package" / PACKAGE
    lay_out(folder)
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(lambda spec: _compiled(spec, work, folder, compiler, only), specs))
        batches = list(_batches(results, folder))
        for broken in pool.map(lambda batch: _imported(batch, folder), batches):
            _add(broken, folder)
    for batch in batches:  # one after the other: mypy takes the memory of both
        _add(_typed(batch, folder, work), folder)
    return results


def sample(specs: Sequence[Spec], count: int, seed: int) -> dict[str, list[str]]:
    """So many operations, a dozen of each of some descriptions, the same for the same seed."""
    chance = random.Random(seed)
    order = list(specs)
    chance.shuffle(order)
    taken: dict[str, list[str]] = {}
    left = count
    for spec in order:
        if left <= 0:
            break
        try:
            ids = [entry.id for entry in list_operations(read_document(spec.path, folder=spec.bounds))]
        except Exception as error:  # a description that is refused is a result of the run, not of the choice
            print(f"{spec.name}: {type(error).__name__}", file=sys.stderr)
            continue
        if ids:
            taken[spec.name] = sorted(chance.sample(ids, min(12, left, len(ids))))
            left -= len(taken[spec.name])
    return taken


def _compiled(spec: Spec, work: Path, folder: Path, compiler: str, only: dict[str, list[str]] | None) -> Result:
    ids = only[spec.name] if only is not None else None
    key = hashlib.sha256(json.dumps([compiler, _digest(spec), ids]).encode()).hexdigest()[:20]
    kept = work / "results" / f"{spec.slug}.json"
    if kept.is_file():
        before = json.loads(kept.read_text(encoding="utf-8"))
        if before["key"] == key and all((folder / module).is_file() for module in before["found"]["modules"]):
            return Result(spec=spec, found=before["found"])
    for old in (*folder.glob(f"clients/{spec.slug}*.py"), *folder.glob(f"models/{spec.slug}_*.py")):
        old.unlink()
    answer = work / "results" / f"{spec.slug}.answer.json"
    answer.unlink(missing_ok=True)
    answer.parent.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [sys.executable, "-m", "tests.corpus.one", spec.path, folder, answer, spec.slug]
    if spec.bounds is not None:
        command += ["--bounds", spec.bounds]
    if ids is not None:
        chosen = work / "results" / f"{spec.slug}.only.json"
        chosen.write_text(json.dumps(ids), encoding="utf-8")
        command += ["--only", chosen]
    done = run(command, folder=REPOSITORY, environment=_environment(), limit_s=_LIMIT_S)
    if done.code or not answer.is_file():
        why = f"it took more than {_LIMIT_S} s" if done.out_of_time else done.text.strip()[-2000:]
        raise RuntimeError(f"{spec.name} broke the compiler: {why}")
    found = json.loads(answer.read_text(encoding="utf-8"))
    answer.unlink()
    kept.write_text(json.dumps({"key": key, "found": found}), encoding="utf-8")
    print(f"{spec.name}: {len(found['operations'])} operations, {found.get('cpu_s', 0)} s", file=sys.stderr, flush=True)
    return Result(spec=spec, found=found)


def lay_out(folder: Path) -> None:
    for name in ("", "clients", "models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "__init__.py").touch()
    shutil.rmtree(folder / "_runtime", ignore_errors=True)
    shutil.copytree(
        REPOSITORY / "runtime_template" / "runtime", folder / "_runtime", ignore=shutil.ignore_patterns("__pycache__")
    )


def _batches(results: Iterable[Result], folder: Path) -> Iterable[list[Result]]:
    batch: list[Result] = []
    lines = 0
    for result in results:
        if not result.found["modules"]:
            continue
        batch.append(result)
        lines += sum((folder / module).read_text(encoding="utf-8").count("\n") for module in result.found["modules"])
        if lines > _LINES_TOGETHER:
            yield batch
            batch, lines = [], 0
    if batch:
        yield batch


Broken = list[tuple[Result, str, int, str]]
"""(description, module, line, message); line 0 for the module as a whole."""


def _imported(batch: list[Result], folder: Path) -> Broken:
    owners = {_dotted(module): (result, module) for result in batch for module in result.found["modules"]}
    command = [sys.executable, REPOSITORY / "tests" / "corpus" / "importing.py", PACKAGE, *owners]
    done = run(command, folder=folder.parent, environment={**_environment(), "PYTHONPATH": "."}, limit_s=_LIMIT_S)
    if done.code:
        raise RuntimeError(f"importing {', '.join(owners)} ended with {done.code}: {done.text[-2000:]}")
    return [(*owners[module], 0, what) for module, what in json.loads(done.output).items()]


def _typed(batch: list[Result], folder: Path, work: Path) -> Broken:
    owners = {f"{PACKAGE}/{module}": (result, module) for result in batch for module in result.found["modules"]}
    command: list[str | Path] = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary"]
    command += ["--no-pretty", "--show-absolute-path", "--cache-dir", work / "mypy", *owners]
    done = run(command, folder=folder.parent, environment={**_environment(), "PYTHONPATH": ""}, limit_s=2 * _LIMIT_S)
    broken: Broken = []
    for found in _ERROR.finditer(done.output):
        name = Path(found["file"]).relative_to(folder.parent).as_posix()
        if name not in owners:
            raise RuntimeError(f"mypy found something outside the derived code: {found[0]}")
        broken.append((*owners[name], int(found["line"]), f"{found['message']} ({found['file']}:{found['line']})"))
    if done.code not in (0, 1) or (done.code == 1 and not broken):
        raise RuntimeError(f"mypy ended with {done.code}: {done.text[-2000:]}")
    return broken


def _add(broken: Broken, folder: Path) -> None:
    """Charge what is broken to the operations that stand on it."""
    for result, module, line, message in broken:
        shown = Blame(folder, result.found["modules"]).operations(module, line)
        for one in result.found["operations"]:
            if " ".join(one["id"].split()) in shown:
                result.broken.setdefault(one["id"], []).append(message)


def _dotted(module: str) -> str:
    return module.removesuffix(".py").replace("/", ".")


def _environment() -> dict[str, str]:
    path = os.pathsep.join(str(REPOSITORY / part) for part in ("compiler", "runtime_template", "."))
    return {**os.environ, "PYTHONPATH": path}


def _digest(spec: Spec) -> str:
    files = sorted(spec.bounds.rglob("*")) if spec.bounds is not None else [spec.path]
    digest = hashlib.sha256()
    for path in files:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


_ROOMS = ("api", "diagnostics", "openapi", "ingest", "plan", "render", "verify", "workflow/prove.py", "yaml.py")
"""What an inspection stands on, in the compiler."""


def _compiler_digest() -> str:
    digest = hashlib.sha256()
    compiler = REPOSITORY / "compiler" / "vitesse"
    roots = [*(compiler / room for room in _ROOMS), REPOSITORY / "runtime_template" / "modules"]
    for root in (*roots, REPOSITORY / "tests" / "corpus" / "one.py"):
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.suffix in (".py", ".jinja"):
                digest.update(path.read_bytes())
    return digest.hexdigest()
