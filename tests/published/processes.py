"""Commands with a time limit, their output and the CPU that they and their children took."""

from __future__ import annotations

import fcntl
import itertools
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended. `code` is negative when a signal ended it."""

    code: int
    output: str
    errors: str
    cpu_s: float
    wall_s: float = 0.0
    out_of_time: bool = False

    @property
    def text(self) -> str:
        return f"{self.output}\n{self.errors}"


def run(
    command: Sequence[str | Path], *, folder: Path, environment: Mapping[str, str] | None = None, limit_s: float = 600
) -> Done:
    """Run a command to its end; its children end with it."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=dict(environment) if environment is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        late = threading.Event()

        def stop() -> None:
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(limit_s, stop)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        return Done(
            code=process.returncode,
            output=output.read().decode(errors="replace"),
            errors=errors.read().decode(errors="replace"),
            cpu_s=usage.ru_utime + usage.ru_stime,
            wall_s=time.perf_counter() - started,
            out_of_time=late.is_set(),
        )


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other process or thread holds the lock."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextmanager
def one_of(folder: Path) -> Iterator[Path]:
    """A numbered folder below this one that nobody else works in: the first that is free."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        with (folder / f"{number}.lock").open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder / str(number)
            return


def clean_environment(**more: str) -> dict[str, str]:
    """The environment of a package that knows nothing of this repository."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more}
