"""One case, both roles: build, look at everything that came out, exercise it → what became of it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from tests.shared import REPOSITORY
from tests.yardstick import slowness

from . import structure
from .children import CPU_S, MEMORY_MB, Finished, run_watched
from .corpus import BASELINE, Case
from .integration import ROLES, Role, write_integration
from .quick import of_document
from .recorder import free_port
from .twins import twin_faults

Outcome: TypeAlias = Literal["data", "refused", "failed"]
"""data: compiled, and all of the text stayed data. refused: an error with a code and a place. failed: anything else."""

EXERCISE = Path(__file__).with_name("exercise.py")
MARKERS = ("VTS_PWNED*", "VTS_ESC*", "PWNED*")
ENVIRON = {"PYTHONPATH": os.pathsep.join(str(REPOSITORY / name) for name in ("compiler", "runtime_template"))}

_ERROR = re.compile(r"^error\[(V\d{3})\]: (.*)\n +--> (\S+)", re.MULTILINE)


@dataclass(slots=True, kw_only=True)
class Tried:
    """One case in one role."""

    role: Role
    is_usable: bool
    """Whether the document has anything to use in this role."""
    outcome: Outcome = "failed"
    has_twin: bool = False
    """Whether its package was compared with that of a harmless twin."""
    codes: tuple[str, ...] = ()
    faults: list[str] = field(default_factory=list)
    cpu_s: float = 0.0
    wall_s: float = 0.0
    memory_mb: float = 0.0


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What became of a case."""

    id: str
    group: str
    expected: str
    outcome: Outcome
    faults: tuple[str, ...]
    tried: tuple[Tried, ...]


def judge(case: Case, work: Path, baselines: Mapping[Role, structure.Files]) -> Verdict:
    """Try a case in both roles and compare with what is expected of it."""
    tried = tuple(try_role(case, role, work / case.id, baselines[role]) for role in ROLES)
    faults = [f"{one.role}: {fault}" for one in tried for fault in one.faults]
    refused = [one for one in tried if one.outcome == "refused"]
    if case.expected == "safe":
        faults += [f"{one.role}: refused with {', '.join(one.codes)}" for one in refused]
    if case.expected == "error" and not refused and not faults:
        faults.append("accepted in silence")
    outcome: Outcome = "failed" if faults else "refused" if refused else "data"
    shutil.rmtree(work / case.id, ignore_errors=True)
    return Verdict(
        id=case.id, group=case.group, expected=case.expected, outcome=outcome, faults=tuple(faults), tried=tried
    )


def baseline_files(case: Case, work: Path) -> dict[Role, structure.Files]:
    """The packages of the document that a case was made from. They have to be in order by the same rules."""
    benign = Case(id=BASELINE, group="", slot="", expected="safe", file=case.baseline, baseline=case.baseline)
    found: dict[Role, structure.Files] = {}
    for role in ROLES:
        place = work / BASELINE
        tried = try_role(benign, role, place, None)
        if tried.outcome != "data":
            raise SystemExit(
                f"the document without anything hostile fails as the {role}: {tried.faults or tried.codes}"
            )
        found[role] = structure.read_files(place / role / "out" / "integration")[0]
    return found


def try_role(case: Case, role: Role, work: Path, baseline: structure.Files | None) -> Tried:
    """Build the case in one role and look at what came out; without a baseline, it is its own."""
    place = work / role
    wanted = write_integration(place / "integration", case.file.read_bytes(), case.file.suffix, role)
    tried = Tried(role=role, is_usable=wanted is not None)
    out, room = place / "out", place / "room"
    out.mkdir()
    command = ["-m", "vitesse", "build", str(place / "integration"), "--draft", "--out", str(out)]
    built = run_watched(command, place=room, writable=[out], environ=ENVIRON)
    _measure(tried, built)
    package = out / "integration"
    if built.code == 1:
        _refusal(tried, built)
        if package.exists():
            tried.faults.append("refused, and a package was written all the same")
    elif built.code == 0:
        files, odd = structure.read_files(package)
        tried.faults += odd
        assert wanted is not None
        tried.faults += structure.faults(files, baseline if baseline is not None else files, list(wanted.fields))
        if baseline is not None and (twin := twin_faults(case, role, files, work / "twins" / role)) is not None:
            tried.has_twin = True
            tried.faults += twin
        _exercise(tried, package, wanted.as_json(), place)
        tried.outcome = "data"
    else:
        tried.faults.append(f"exit code {built.code}: {built.error.strip()[-300:]}")
    for pattern in MARKERS:
        tried.faults += [f"the marker {found.name} was made" for found in place.rglob(pattern)]
    tried.faults += [f"outside its folder: {found}" for found in _outside(place, out, room)]
    if tried.faults:
        tried.outcome = "failed"
    return tried


def _measure(tried: Tried, built: Finished) -> None:
    tried.cpu_s, tried.wall_s, tried.memory_mb = built.cpu_s, built.wall_s, built.memory_mb
    if built.has_traceback:
        tried.faults.append(f"a traceback: {built.error.strip()[-300:]}")
    if built.cpu_s > CPU_S and built.cpu_s > CPU_S * slowness():
        tried.faults.append(f"{built.cpu_s:.1f} s of CPU")
    if built.memory_mb > MEMORY_MB:
        tried.faults.append(f"{built.memory_mb:.0f} MB")
    tried.faults += [f"{kind} while building: {what}" for kind, what in built.events]


def _refusal(tried: Tried, built: Finished) -> None:
    """An error has a code and a place, and is about the document."""
    found = _ERROR.findall(built.error)
    tried.codes = tuple(dict.fromkeys(code for code, _, _ in found))
    about = of_document(tried.codes, is_usable=tried.is_usable)
    tried.outcome = "refused" if about else "data"
    if not found:
        tried.faults.append(f"refused without a code and a place: {built.error.strip()[:300]}")
    elif not about and tried.is_usable:
        tried.faults.append(f"the harness could not use it: {[(code, message[:160]) for code, message, _ in found]}")


def _exercise(tried: Tried, package: Path, wanted: dict[str, object], place: Path) -> None:
    told, findings = place / "wanted.json", place / "findings.json"
    told.write_text(json.dumps(wanted), encoding="utf-8")
    port = free_port()
    command = [str(EXERCISE), str(package / "src"), str(told), str(port), str(findings)]
    done = run_watched(command, place=place / "yard", writable=[findings], ports=[port])
    tried.faults += [f"{kind} while running: {what}" for kind, what in done.events]
    if findings.is_file():
        tried.faults += json.loads(findings.read_text("utf-8"))
    else:
        tried.faults.append(f"running it ends with {done.code}: {done.error.strip()[-300:]}")


def _outside(place: Path, out: Path, room: Path) -> list[str]:
    """What stands where nothing should: beside the package, in the folder the build ran in, beside the integration."""
    expected = {"integration", "out", "room", "yard", "wanted.json", "findings.json"}
    found = [path.name for path in place.iterdir() if path.name not in expected]
    found += [f"out/{path.name}" for path in out.iterdir() if path.name != "integration"]
    found += [f"room/{path.name}" for path in room.iterdir() if path.name != ".scratch"]
    allowed = {"integration.yaml", "specs", "facts", "mappings"}
    found += [f"integration/{path.name}" for path in (place / "integration").iterdir() if path.name not in allowed]
    return found
