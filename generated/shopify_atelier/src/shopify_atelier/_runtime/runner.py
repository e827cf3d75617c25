"""Who carries out runs: this process, or the workers of a cluster. The engine that does it is the same.

`RUNNER=local`: runs are started where they are asked for, one of a stream at a time by its lease; `serve` keeps the schedules.
`RUNNER=cluster`: whoever asks puts the run into a queue on PostgreSQL, and workers carry it out and keep the schedules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from .engine import Engine, RunRequest
from .engine.opened import Opened
from .scheduler import Scheduler

if TYPE_CHECKING:
    from .cluster.queue import Queue

Start: TypeAlias = "Callable[[Sequence[RunRequest]], Awaitable[None]]"


class Runner(Protocol):
    """Takes runs and keeps schedules."""

    next_at: dict[str, float]
    """Stream → when it is due next, as far as this process keeps the schedules."""

    @property
    def queue(self) -> Queue | None:
        """Where runs wait for workers; None without them."""

    async def submit(self, request: RunRequest) -> str:
        """See to it that a run is carried out; returns its identity as soon as it is on record.

        Raises:
            LeaseHeld: the stream is being run.
            StateError: it could not be put on record.
        """

    async def waiting(self, run_id: str) -> dict[str, Any] | None:
        """A run that was taken and is not on record yet, for people; None when there is none."""

    async def keep_schedules(self) -> None:
        """Start what is due, until it is cancelled."""

    def close(self) -> None:
        """Let go of what it holds. Runs that were taken go on."""


class LocalRunner:
    """Runs in this process."""

    queue: Queue | None = None

    def __init__(self, engine: Engine, start: Start, *, interval_s: float | None = None) -> None:
        self._start = start
        self._scheduler = Scheduler(engine, interval_s=interval_s)
        self.next_at = self._scheduler.next_at

    async def submit(self, request: RunRequest) -> str:
        assert request.run_id is not None
        await self._start([request])
        return request.run_id

    async def waiting(self, run_id: str) -> dict[str, Any] | None:
        return None

    async def keep_schedules(self) -> None:
        await self._scheduler.run()

    def close(self) -> None:
        return


class ClusterRunner:
    """Runs in the workers; this process only asks for them. Dry runs, which show records, stay in this process."""

    def __init__(self, queue: Queue, here: LocalRunner) -> None:
        self.queue: Queue = queue
        self._here = here
        self.next_at: dict[str, float] = {}

    async def submit(self, request: RunRequest) -> str:
        from .cluster.queue import Order

        if request.dry_run:
            return await self._here.submit(request)

        return await asyncio.to_thread(self.queue.put, Order.of(request))

    async def waiting(self, run_id: str) -> dict[str, Any] | None:
        placed = await asyncio.to_thread(self.queue.find, run_id)
        if placed is None or placed.order is None:
            return None
        found = {"run_id": run_id, "stream": placed.order.stream, "state": "waiting"}
        return {**found, **placed.result} if isinstance(placed.result, dict) else found

    async def keep_schedules(self) -> None:
        return  # the workers do

    def close(self) -> None:
        self.queue.close()


def runner_of(found: Opened, start: Start) -> Runner:
    """The runner that `RUNNER` names.

    Args:
        start: Lets runs follow one another in this process; returns when the first is on record.
    """
    options = found.settings.options
    here = LocalRunner(found.engine, start, interval_s=options.sync_interval_s)
    if options.runner != "cluster":
        return here
    from .cluster.queue import queue_of

    return ClusterRunner(queue_of(found.integration, found.settings), here)
