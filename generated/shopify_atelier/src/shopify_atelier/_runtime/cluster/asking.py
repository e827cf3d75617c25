"""`sync` where workers carry out the runs: ask for them one after another, and tell how each ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ..actions.runs import configure_logging
from ..declare import Integration
from ..engine import RunReport, RunRequest
from ..engine.opened import Opened, opened
from ..engine.report import Counts
from .queue import ENDED, Order, Placed, Queue, queue_of

ASKED_S = 1.0
"""How often a run's end is asked for."""


async def sync_by_workers(
    integration: Integration, stream: str | None, options: Mapping[str, Any]
) -> AsyncIterator[RunReport]:
    """The reports of runs that workers carried out, of one stream or of all in order.

    Being stopped ends the wait, not the run.

    Raises:
        RunQueued: a run of the stream is waiting or under way already.
        RequestRefused: as `Engine.check`.
    """
    async with opened(integration) as found:
        configure_logging(found.settings, quiet=True)
        queue = queue_of(integration, found.settings)
        try:
            for name in [stream] if stream is not None else [each.name for each in integration.streams]:
                request = RunRequest(stream=name, run_id=found.engine.new_run_id(), **options)
                await found.engine.check(request)
                yield await _carried_out(found, queue, request)
        finally:
            queue.close()


async def _carried_out(found: Opened, queue: Queue, request: RunRequest) -> RunReport:
    order = Order.of(request)
    await asyncio.to_thread(queue.put, order)
    while True:
        placed = await asyncio.to_thread(queue.find, order.run_id)
        if placed is None or placed.state in ENDED:
            return await _report(found, order, placed)
        await asyncio.sleep(ASKED_S)


async def _report(found: Opened, order: Order, placed: Placed | None) -> RunReport:
    result: dict[str, Any] = placed.result if placed is not None and isinstance(placed.result, dict) else {}
    attempts = await found.state.call(lambda: found.state.runs.attempts(order.run_id))
    run_id = result.get("run_id") or (attempts[-1] if attempts else order.run_id)
    row = await found.state.call(lambda: found.state.runs.get(run_id))
    if row is None:
        return RunReport(
            run_id=run_id, stream=order.stream, kind="full", state="failed", dry_run=order.dry_run, counts=Counts(),
            seconds=0.0, failure="not started", error=result.get("error", "the worker did not start it"),
        )  # fmt: skip
    return RunReport(
        run_id=run_id,
        stream=order.stream,
        kind=row["kind"],
        state=row["state"],
        dry_run=bool(row["dry_run"]),
        counts=Counts(**{name: row[name] for name in Counts().as_columns() if name != "written"}),
        seconds=row["seconds"],
        failure=row["failure"],
        error=row["error"],
    )
