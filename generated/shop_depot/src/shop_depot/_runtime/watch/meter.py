"""Counts of what one process did: records by fate, requests by outcome, how long they took, runs and how they ended.

Plain numbers under names that are declared (streams, APIs, operations, statuses by class), so there are never more of them
than the package has; no record, no address and no secret among them. `metrics.py` shows them to Prometheus, `health.py` to
people.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from ..clock import Clock
from ..declare import Operation
from ..errors import IntegrationError
from .watching import Exchange, Watcher

if TYPE_CHECKING:
    from ..engine.report import Counts, RunReport

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the latency histogram."""
FATES = ("created", "updated", "deleted", "unchanged", "skipped", "dead", "unknown", "held")


@dataclass(slots=True)
class Latency:
    """How long the requests of one operation took."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total_s: float = 0.0

    def see(self, seconds: float) -> None:
        """One more."""
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.total_s += seconds

    def quantile(self, share: float) -> float:
        """An upper bound of the quantile: the edge of its bucket."""
        wanted, seen = share * sum(self.counts), 0
        for count, edge in zip(self.counts, (*BUCKETS_S, BUCKETS_S[-1]), strict=True):
            seen += count
            if seen and seen >= wanted:
                return edge
        return 0.0


@dataclass(slots=True)
class Reach:
    """How the last requests to one API ended."""

    answered_at: float | None = None
    failed_at: float | None = None
    failure: str = ""
    """Of the last request that failed: a status, or the kind of error."""

    @property
    def is_well(self) -> bool:
        """Whether the last request was answered by more than an error of the server."""
        return self.failed_at is None or (self.answered_at or 0.0) >= self.failed_at


class Meter(Watcher):
    """All counts since the process began."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.requests: Counter[tuple[str, str, str]] = Counter()
        """(API, operation, `2xx` … `5xx` or `error`) → requests, each attempt."""
        self.latency: dict[tuple[str, str], Latency] = {}
        self.reach: dict[str, Reach] = {}
        self.fates: Counter[tuple[str, str]] = Counter()
        """(stream, fate) → records, of runs that ended."""
        self.drift: Counter[str] = Counter()
        self.runs: Counter[tuple[str, str, str]] = Counter()
        """(stream, how it ended, failure class or nothing) → runs."""

    async def exchange(self, send: Exchange, request: httpx.Request, operation: Operation, api: str) -> httpx.Response:
        began = self._clock.monotonic()
        try:
            response = await send(request, operation)
        except IntegrationError as error:
            self._see(api, operation.id, "error", began, type(error).__name__)
            raise
        status = response.status_code
        self._see(api, operation.id, f"{status // 100}xx", began, f"status {status}" if status >= 500 else "")
        return response

    def _see(self, api: str, operation: str, outcome: str, began: float, failure: str) -> None:
        self.requests[api, operation, outcome] += 1
        latency = self.latency.get((api, operation))
        if latency is None:
            latency = self.latency[api, operation] = Latency()
        latency.see(self._clock.monotonic() - began)
        reach = self.reach.get(api)
        if reach is None:
            reach = self.reach[api] = Reach()
        if failure:
            reach.failed_at, reach.failure = self._clock.now(), failure
        else:
            reach.answered_at = self._clock.now()

    @contextmanager
    def run(self, stream: str, run_id: str, trigger: str) -> Iterator[None]:
        try:
            yield
        except IntegrationError:
            raise
        except BaseException as bug:  # cancelled, or a bug: there is no report then
            is_bug = isinstance(bug, Exception)
            self.runs[stream, "failed" if is_bug else "stopped", "bug" if is_bug else "stopped"] += 1
            raise

    def ended(self, report: RunReport) -> None:
        self.runs[report.stream, report.state, report.failure or ""] += 1
        if report.dry_run:
            return
        for fate, count in fates_of(report.counts).items():
            self.fates[report.stream, fate] += count
        self.drift[report.stream] += report.counts.drift

    def p95_s(self) -> float:
        """95 of 100 requests of all operations took no longer than this, by the histogram's edges."""
        whole = Latency()
        for latency in self.latency.values():
            whole.counts = [one + other for one, other in zip(whole.counts, latency.counts, strict=True)]
        return whole.quantile(0.95)


def fates_of(counts: Counts) -> dict[str, int]:
    """The fates of a run's records."""
    return {fate: getattr(counts, fate) for fate in FATES}


def memory_bytes() -> int:
    """What the process holds of the machine's memory now."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        import resource
        import sys

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    import os

    return pages * os.sysconf("SC_PAGE_SIZE")


def memory_limit_bytes() -> int | None:
    """What a container may hold, by its control group; None outside of one."""
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limit = int(Path(file).read_text("ascii"))
        except (OSError, ValueError):
            continue
        return limit if limit < 1 << 50 else None
    return None
