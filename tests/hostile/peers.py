"""The same documents on other generators: what each makes of them, by the same rule as far as it can be asked of it.

Each runs as its users run it, from its own environment, under the same guard. What it wrote is parsed and imported, its models
read and write a record with every property, and its functions are called against the same recorder.
"""

from __future__ import annotations

import ast
import json
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from benchmarks.peers import peers

from . import outline
from .children import CPU_S, MEMORY_MB, run_watched
from .corpus import Case
from .judge import MARKERS
from .recorder import free_port

Peer: TypeAlias = Literal["openapi-python-client", "datamodel-code-generator"]
PEERS: tuple[Peer, ...] = ("openapi-python-client", "datamodel-code-generator")

EXERCISE = Path(__file__).with_name("peer_exercise.py")
_CALLS = frozenset({"exec", "eval", "compile", "__import__", "open"})


@dataclass(slots=True, kw_only=True)
class PeerVerdict:
    """What a generator made of a case."""

    id: str
    group: str
    expected: str
    outcome: Literal["data", "refused", "failed"]
    kinds: tuple[str, ...]
    """Of its failures: executed, escaped, network, crashed, cost, broken, dropped, accepted, refused, wire."""
    faults: tuple[str, ...]


def try_peers(cases: Sequence[Case], work: Path, workers: int) -> dict[str, list[dict[str, Any]]]:
    """Try every case on every peer; their verdicts as plain data, by peer."""
    home = peers()
    results: dict[str, list[dict[str, Any]]] = {}
    for peer in PEERS:
        with ThreadPoolExecutor(workers) as pool:
            verdicts = list(pool.map(lambda case, peer=peer: try_case(peer, case, work / peer, home), cases))  # type: ignore[misc]
        results[peer] = [asdict(verdict) for verdict in verdicts]
    return results


def try_case(peer: Peer, case: Case, work: Path, home: Path) -> PeerVerdict:
    """Generate, look, import, call."""
    place = work / case.id
    out = place / "out"
    out.mkdir(parents=True)
    done = run_watched(
        _command(peer, case.file, out, place), place=place / "room", writable=[out], python=str(home / "python")
    )
    found: list[tuple[str, str]] = []
    if done.has_traceback:
        found.append(("crashed", done.error.strip()[-200:]))
    if done.cpu_s > CPU_S or done.memory_mb > MEMORY_MB:
        found.append(("cost", f"{done.cpu_s:.1f} s, {done.memory_mb:.0f} MB"))
    found += [
        ("network" if kind == "network" else "escaped", f"{kind}: {what}")
        for kind, what in done.events
        if kind != "process"
    ]
    is_refused = done.code != 0
    if not is_refused:
        found += list(_look(peer, case, out))
        found += list(_exercise(peer, case, out, place, home))
        if case.expected == "error":
            found.append(("accepted", "accepted in silence"))
    elif case.expected == "safe" and not done.has_traceback:
        found.append(("refused", (done.error or done.out).strip()[-200:]))
    for pattern in MARKERS:
        found += [("executed" if "ESC" not in path.name else "escaped", path.name) for path in place.rglob(pattern)]
    shutil.rmtree(place, ignore_errors=True)
    return PeerVerdict(
        id=case.id,
        group=case.group,
        expected=case.expected,
        outcome="failed" if found else "refused" if is_refused else "data",
        kinds=tuple(dict.fromkeys(kind for kind, _ in found)),
        faults=tuple(f"{kind}: {what}"[:400] for kind, what in found),
    )


def _command(peer: Peer, file: Path, out: Path, place: Path) -> list[str]:
    if peer == "datamodel-code-generator":
        return [
            "-m", "datamodel_code_generator", "--input", str(file), "--input-file-type", "openapi", "--output", str(out / "models.py"),
            "--output-model-type", "pydantic_v2.BaseModel", "--disable-timestamp", "--formatters", "builtin",
        ]  # fmt: skip
    config = place / "config.json"
    config.write_text(json.dumps({"post_hooks": [], "project_name_override": "peer", "package_name_override": "peer"}))
    return [
        "-m", "openapi_python_client", "generate", "--path", str(file), "--output-path", str(out / "project"),
        "--config", str(config),
    ]  # fmt: skip


def _look(peer: Peer, case: Case, out: Path) -> Iterator[tuple[str, str]]:
    """Every file parses, calls nothing it should not, and every operation is there."""
    texts: dict[str, str] = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            texts[path.relative_to(out).as_posix()] = path.read_text("utf-8", "replace")
    code = {name: text for name, text in texts.items() if name.endswith(".py")}
    if not code:
        yield "dropped", "no Python came out"
    for name, text in code.items():
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError) as error:
            yield "broken", f"{name}: {error}"
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
                yield "escaped", f"{name}: a call of {node.func.id}"
            elif isinstance(node, (ast.Import, ast.ImportFrom)) and "CANARY" in ast.unparse(node):
                yield "escaped", f"{name}: {ast.unparse(node)}"
    if peer == "openapi-python-client":
        yield from _project(texts)
        document = _document(case)
        methods = [one.id for one in outline.operations(document)]
        made = [name for name in code if "/api/" in name and not name.endswith("__init__.py")]
        if len(made) < len(methods):
            yield "dropped", f"{len(made)} of {len(methods)} operations came out"


def _project(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    text = next((text for name, text in texts.items() if name.endswith("pyproject.toml")), None)
    if text is None:
        return
    try:
        keys = tomllib.loads(text).keys()
    except ValueError as error:
        yield "broken", f"pyproject.toml: {error}"
        return
    if extra := set(keys) - {"tool", "build-system", "project"}:
        yield "escaped", f"pyproject.toml has {sorted(extra)}"


def _document(case: Case) -> Any:
    try:
        return json.loads(case.file.read_bytes())
    except (ValueError, RecursionError):
        return None


def _exercise(peer: Peer, case: Case, out: Path, place: Path, home: Path) -> Iterator[tuple[str, str]]:
    document = _document(case)
    wanted = place / "wanted.json"
    wanted.write_text(json.dumps(_wanted(document)), encoding="utf-8")
    findings = place / "findings.json"
    port = free_port()
    command = [str(EXERCISE), peer, str(out), str(wanted), str(port), str(findings)]
    done = run_watched(
        command, place=place / "yard", writable=[findings], ports=[port], python=str(home / "python"),
        environ={"PYTHONPATH": str(EXERCISE.parent)},
    )  # fmt: skip
    for kind, what in done.events:
        yield "network" if kind == "network" else "escaped", f"{kind} while running: {what}"
    if findings.is_file():
        yield from (tuple(one) for one in json.loads(findings.read_text("utf-8")))
    else:
        yield "broken", f"running it ends with {done.code}: {done.error.strip()[-200:]}"


def _wanted(document: Any) -> dict[str, Any]:
    """Operations with their parameters and, where they have a body, records of it with every property."""
    operations = []
    for one in outline.operations(document):
        records = []
        members = outline.properties(document, one.body) if one.body is not None else {}
        if 0 < len(members) <= 500:
            values = {
                name: outline.samples(document, member, f"v{n}") for n, (name, member) in enumerate(members.items())
            }
            count = max(map(len, values.values()))
            records = [{name: some[n % len(some)] for name, some in values.items()} for n in range(count)]
        parameters = [{"name": p.name, "location": p.location} for p in one.parameters]
        operations.append({"method": one.method, "path": one.path, "parameters": parameters, "records": records})
    return {"operations": operations}
