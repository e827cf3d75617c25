"""A holder that stood still past its lease writes nothing to the destination when it wakes."""

from __future__ import annotations

import httpx

from tests.runtime.engine.conftest import SINGLE, World
from tests.runtime.fakes import Shopify


async def test_process_that_wakes_after_its_lease_sends_nothing_more(world: World) -> None:
    """Its state is fenced; the destination is not, so it has to know by itself (seed 173 of the simulator)."""
    world.shopify = Shopify(30)
    world.environ["SYNC_MAX_CONCURRENT"] = "1"
    sent: list[httpx.Request] = []

    def stall(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST":
            sent.append(request)
            if len(sent) == 3:
                world.clock.moment += 61
        return None

    world.credo.fail.append(stall)
    report = await world.sync(changes=SINGLE)
    assert report.state == "failed"
    assert "was taken over" in (report.error or "")
    assert len(sent) == 3


async def test_lease_that_is_held_lets_everything_through(world: World) -> None:
    """Just before its end counts as held."""
    world.shopify = Shopify(5)
    world.environ["SYNC_MAX_CONCURRENT"] = "1"

    def slow(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST":
            world.clock.moment += 10
        return None

    world.credo.fail.append(slow)
    assert (await world.sync(changes=SINGLE)).counts.created == 5
