"""Promises of the scheduler: due runs start, missed ones coalesce, overlapping ones are left out."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from runtime.scheduler import Scheduler
from tests.runtime.engine.conftest import World, world
from tests.runtime.fakes import Shopify

__all__ = ["world"]


async def scheduled(world: World, rounds: int, *, advance: float = 0.0) -> list[str]:
    """Let the scheduler go until it has slept so often; returns the triggers of all runs."""
    engine = world.engine()
    world.clock.moment += advance
    scheduler = Scheduler(engine)
    before = len(world.clock.slept)
    task = asyncio.create_task(scheduler.run())
    for _ in range(100_000):
        if len(world.clock.slept) - before >= rounds:
            break
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return [run["trigger"] for run in world.state.runs.latest(limit=100)]


async def test_stream_that_never_ran_is_run_at_once(world: World) -> None:
    """The first sync does not wait for the hour."""
    world.shopify = Shopify(3)
    assert await scheduled(world, 1) == ["schedule"]
    assert len(world.credo.contacts) == 3


async def test_hourly_stream_runs_once_an_hour(world: World) -> None:
    """Three hours pass: three runs after the first."""
    world.shopify = Shopify(1)
    triggers = await scheduled(world, 3 * 120 + 60)
    assert 3 <= len(triggers) <= 5


async def test_moments_that_were_missed_are_one_run(world: World) -> None:
    """The process was down for a day."""
    world.shopify = Shopify(1)
    await world.sync()
    assert await scheduled(world, 1, advance=86_400) == ["schedule", "cli"]


async def test_stream_that_is_being_run_is_left_out(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """No queue builds up behind a long run."""
    world.shopify = Shopify(1)
    world.state.leases.acquire("stream:customers", "another", ttl_s=3600)
    assert await scheduled(world, 3) == []
    assert world.credo.contacts == {}
