"""Commands → what each cost as a whole process: CPU, wall, peak memory.

CPU is user + system time of the process and of the children it waited for, as the kernel accounts it when the process is
reaped (`wait4`). Commands run in turn, A B A B, so that a slower quarter of an hour falls on all of them alike; ratios are
taken within a turn. This process imports the standard library only: on Linux a child starts with its parent's peak memory on
its account.
"""

from __future__ import annotations

import os
import resource
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_NOT_OURS = frozenset({"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"})
"""Settings of whoever measures that would slow a start: what is installed has its bytecode beside it."""
_LAST_WORDS = 2000
"""Characters of a failed command's output that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One thing to measure."""

    name: str
    argv: tuple[str, ...]
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to this process's environment."""
    cpu: int | None = None
    """Pinned to this processor."""
    timeout_s: float = 120.0
    max_runs: int | None = None
    """For what is so slow that fewer turns must do."""
    before: Callable[[], None] | None = None
    """Runs before each turn, not measured."""
    check: Callable[[str], Mapping[str, float]] | None = None
    """Takes standard output after each turn and gives figures to keep with it; raises `Unfit` when the work was not done."""
    shown: str | None = None
    """The command line to print, where `argv` would not say it well."""


class Unfit(Exception):
    """The command ended, but what it was to make is not there or not right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One turn of one command."""

    cpu_s: float
    wall_s: float
    max_rss_mb: float | None
    """Mebibytes, of the process or the largest of the children that it waited for. None: less than this process holds."""
    figures: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None
    """None: it did what it was asked to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median and range of some samples."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """From one value or more."""
        numbers = sorted(values)
        return cls(median=statistics.median(numbers), low=numbers[0], high=numbers[-1])


@dataclass(slots=True)
class Measured:
    """All turns of one command."""

    command: Command
    samples: list[Sample] = field(default_factory=list)

    @property
    def failure(self) -> str | None:
        """Why the figures are not worth showing."""
        return next((sample.failure for sample in self.samples if sample.failure), None)

    def spread(self, of: Callable[[Sample], float]) -> Spread | None:
        """Of the turns that did the work; None without any."""
        values = [of(sample) for sample in self.samples if not sample.failure]
        return Spread.of(values) if values else None


def ratio(of: Measured, to: Measured, figure: Callable[[Sample], float]) -> Spread | None:
    """How many times `to` is `of`, turn by turn: 10 means that `of` needs a tenth."""
    pairs = [
        figure(base) / figure(own)
        for own, base in zip(of.samples, to.samples, strict=False)
        if not own.failure and not base.failure and figure(own) > 0
    ]
    return Spread.of(pairs) if pairs else None


def cpu_s(sample: Sample) -> float:
    """The figure that matters most on a busy machine."""
    return sample.cpu_s


def in_turn(commands: Sequence[Command], runs: int, say: Callable[[str], None] = print) -> list[Measured]:
    """Run every command `runs` times, one after the other, A B A B. What failed once is not asked again."""
    measured = [Measured(command) for command in commands]
    for turn in range(runs):
        for each in measured:
            command = each.command
            if each.failure or (command.max_runs is not None and turn >= command.max_runs):
                continue
            sample = run_once(command)
            each.samples.append(sample)
            told = sample.failure.splitlines()[0] if sample.failure else f"{sample.max_rss_mb or 0:.0f} MiB"
            say(f"  {turn + 1}/{runs} {command.name}: {sample.cpu_s:.3f} s CPU, {sample.wall_s:.2f} s, {told}")
    return measured


def run_once(command: Command) -> Sample:
    """Run one command to its end, or to its time limit, and take what it cost."""
    if command.before:
        command.before()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = _start(command, out, err)
        expired = threading.Event()
        timer = threading.Timer(command.timeout_s, _end, (process.pid, expired))
        timer.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            _end(process.pid, expired)
            raise
        finally:
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - started
        figures: Mapping[str, float] = {}
        failure = None
        if expired.is_set():
            failure = f"not done after {command.timeout_s:.0f} s"
        elif process.returncode:
            failure = f"exit {process.returncode}\n{_tail(err) or _tail(out)}"
        elif command.check:
            out.seek(0)
            try:
                figures = command.check(out.read().decode(errors="replace"))
            except Unfit as fault:
                failure = f"{fault}\n{_tail(err)}"
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Sample(
        cpu_s=used.ru_utime + used.ru_stime,
        wall_s=wall_s,
        max_rss_mb=used.ru_maxrss / 1024 if used.ru_maxrss > own else None,
        figures=figures,
        failure=failure,
    )


def _start(command: Command, out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
    """In a process group of its own. A child inherits the processors of the thread that starts it."""
    allowed = os.sched_getaffinity(0)
    if command.cpu is not None:
        os.sched_setaffinity(0, {command.cpu})
    try:
        process = subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env={name: value for name, value in os.environ.items() if name not in _NOT_OURS} | dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    finally:
        os.sched_setaffinity(0, allowed)
    _as_urgent(process.pid)
    return process


def _as_urgent(pid: int) -> None:
    """Give a child that has a session of its own the priority of ours: the scheduler weighs sessions, not their processes."""
    with suppress(OSError):
        own = Path("/proc/self/autogroup").read_text().rpartition(" ")[2].strip()
        if own not in ("", "0"):
            Path(f"/proc/{pid}/autogroup").write_text(own)


def _end(group: int, expired: threading.Event) -> None:
    expired.set()
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        expired.clear()


def _tail(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace")[-_LAST_WORDS:].strip()
