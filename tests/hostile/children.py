"""Starting a child with limits, watched and measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")
STARTER = Path(__file__).with_name("starter.py")

CPU_S = 10.0
MEMORY_MB = 512.0
"""What a case may cost: more is a failure of its own."""

_KILL_CPU_S = 30
_KILL_WALL_S = 180
_KILL_MEMORY_MB = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What became of a child."""

    code: int
    """Its exit code; negative when a signal ended it."""
    out: str
    error: str
    cpu_s: float
    wall_s: float
    memory_mb: float
    """The largest resident set, of this process alone."""
    events: tuple[tuple[str, str], ...]
    """(kind, what) that the guard wrote down: write, read, process, network."""

    @property
    def has_traceback(self) -> bool:
        return "Traceback (most recent call last)" in self.error or "Traceback (most recent call last)" in self.out


def run_watched(
    command: Sequence[str],
    *,
    place: Path,
    writable: Sequence[Path] = (),
    ports: Sequence[int] = (),
    python: str = sys.executable,
    environ: Mapping[str, str] | None = None,
) -> Finished:
    """Run a Python program (`-m module …` or `file.py …`) under the guard.

    Args:
        place: Its working folder, made when it is not there. It may write there and in `writable`.
        ports: Loopback ports that it may connect to.
        environ: Variables beside the few that any program needs.
    """
    place.mkdir(parents=True, exist_ok=True)
    scratch = place / ".scratch"
    scratch.mkdir(exist_ok=True)
    report = scratch / f"report-{len(list(scratch.iterdir()))}"
    folders = ":".join(str(folder) for folder in (place, *writable))
    full = [python, str(GUARD), str(report), folders, ",".join(map(str, ports)), "--", *command]
    variables = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **(environ or {}),
    }
    out, error = scratch / f"{report.name}.out", scratch / f"{report.name}.err"
    used = scratch / f"{report.name}.used"
    limits = [str(_KILL_CPU_S), str(_KILL_MEMORY_MB), str(_KILL_WALL_S)]
    starter = [sys.executable, "-I", "-S", str(STARTER), str(used), *limits, *full]
    with out.open("wb") as to_out, error.open("wb") as to_error:
        subprocess.run(
            starter, cwd=place, env=variables, stdin=subprocess.DEVNULL, stdout=to_out, stderr=to_error,
            start_new_session=True, check=True,
        )  # fmt: skip
    told = json.loads(used.read_text("utf-8"))
    return Finished(
        code=told["code"],
        out=out.read_text("utf-8", "replace"),
        error=error.read_text("utf-8", "replace"),
        cpu_s=told["cpu_s"],
        wall_s=told["wall_s"],
        memory_mb=told["memory_mb"],
        events=_events(report),
    )


def _events(report: Path) -> tuple[tuple[str, str], ...]:
    if not report.is_file():
        return ()
    lines = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    return tuple(dict.fromkeys((line["kind"], line["what"]) for line in lines))
