"""What a worker process of `vitesse build` or `check` runs: a request a line in, a reply a line out, until the input ends.

Started by `vitesse.workflow.pool`. The reply's stream is kept apart: whatever else is printed here goes to the error stream.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Serve until the input ends; SIGTERM ends it too, after what is half written was put away."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        signal.signal(signal.SIGTERM, _leave)
        gc.disable()  # collected between builds, when most of it is gone at once
        try:
            for line in sys.stdin.buffer:
                replies.write(json.dumps(_reply(json.loads(line))) + "\n")
                replies.flush()
                gc.collect()
                gc.freeze()  # what stays is modules and their tables
        except BrokenPipeError:
            os._exit(1)


def _leave(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _reply(request: dict[str, Any]) -> dict[str, Any]:
    """`cpu_s` and `peak_mib` are the worker's since it began."""
    folder, colour = Path(request["folder"]), request["colour"]
    try:
        reply = _checked(request) if request["task"] == "check" else _built(request, folder, colour=colour)
    except Exception as error:
        reply = _failure(error, folder, colour=colour)
    return {**reply, "worker": os.getpid(), "cpu_s": time.process_time(), "peak_mib": _peak_mib()}


def _checked(request: dict[str, Any]) -> dict[str, Any]:
    from .check import check_one

    return {"checked": check_one(request)}


def _built(request: dict[str, Any], folder: Path, *, colour: bool) -> dict[str, Any]:
    from .build import build_one

    memo = request["memo"]
    done = build_one(
        folder,
        Path(request["target"]),
        draft=request["draft"],
        discard=request["discard"],
        memo=Path(memo) if memo is not None else None,
    )
    return {"result": done.result, **_found(done.warnings, folder, colour=colour)}


def _failure(error: Exception, folder: Path, *, colour: bool) -> dict[str, Any]:
    from ..diagnostics import DiagnosticError

    if isinstance(error, DiagnosticError):
        return {"result": None, **_found(error.diagnostics, folder, colour=colour)}
    import traceback

    return {
        "result": None,
        "bug": {"what": f"{type(error).__name__}: {error}", "trace": "".join(traceback.format_exception(error))},
    }


def _found(diagnostics: Any, folder: Path, *, colour: bool) -> dict[str, Any]:
    if not diagnostics:
        return {}
    from ..diagnostics.forms import diagnostic_forms
    from ..diagnostics.terminal import render_terminal

    return {
        "said": render_terminal(diagnostics, folder, colour=colour),
        "diagnostics": diagnostic_forms(diagnostics),
    }


def _peak_mib() -> int:
    try:
        import resource
    except ImportError:  # not on every system
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> (20 if sys.platform == "darwin" else 10)
