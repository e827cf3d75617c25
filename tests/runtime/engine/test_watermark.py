"""Promises of the checkpoint and the watermark, seen through runs."""

from __future__ import annotations

from typing import Any

import httpx

from tests.runtime.engine.conftest import World
from tests.runtime.fakes import Shopify, iso


def stop_at(world: World, number: int) -> None:
    """The source answers 401 from the page behind this customer on."""
    world.shopify.fail.append(
        lambda request: httpx.Response(401) if f"page_info={number}-" in str(request.url) else None
    )


async def test_watermark_moves_only_when_an_unsorted_pass_is_complete(world: World) -> None:
    """A later page may hold an older version."""
    world.shopify = Shopify(600)
    world.shopify.page_size = 200
    stop_at(world, 400)
    await world.sync()
    point = world.state.store.checkpoint("customers")
    assert point.watermark is None
    assert point.cursor is not None
    world.shopify.fail.clear()
    await world.sync()
    point = world.state.store.checkpoint("customers")
    assert (point.watermark, point.cursor) == (world.shopify.customers[600]["updated_at"], None)


async def test_watermark_moves_page_by_page_when_the_list_is_sorted(world: World) -> None:
    """Then everything up to it was seen."""
    world.shopify = Shopify(600)
    world.shopify.page_size = 200
    stop_at(world, 400)
    await world.sync(changes={"source__sorted_by_version": True})
    assert world.state.store.checkpoint("customers").watermark == world.shopify.customers[400]["updated_at"]


async def test_resumed_pass_keeps_what_it_saw_before(world: World) -> None:
    """The highest version may have been on a page of the run that failed."""
    world.shopify = Shopify(600)
    world.shopify.page_size = 200
    newest = world.shopify.put(3)["updated_at"]
    stop_at(world, 400)
    await world.sync()
    world.shopify.fail.clear()
    report = await world.sync()
    assert report.counts.read == 200
    assert world.state.store.checkpoint("customers").watermark == newest


async def test_record_that_changes_during_the_pass_is_read_again(world: World) -> None:
    """The watermark stays at the server's time when the pass began, minus the overlap."""
    world.shopify = Shopify(600)
    world.shopify.page_size = 200
    changed = []

    def change(request: httpx.Request) -> None:
        if "page_info=400" in str(request.url) and not changed:
            changed.append(world.shopify.put(5, first_name="Late"))
            world.shopify.put(599, updated_at=iso(world.shopify.now_s + 86_400))

    world.shopify.fail.append(change)
    await world.sync()
    report = await world.sync()
    assert report.kind == "incremental"
    assert [c["first_name"] for c in world.credo.by_email("person5@example.com")] == ["Late"]


async def test_offset_paging_begins_again_after_a_failure(world: World) -> None:
    """Records that were deleted meanwhile would have moved others past the stored offset."""
    from dataclasses import replace

    from runtime.declare import Paging
    from tests.runtime.sample.clients.shopify import LIST_CUSTOMERS

    world.shopify = Shopify(30)
    listing: Any = replace(LIST_CUSTOMERS, paging=Paging(style="offset", limit="limit", max=10, offset="offset"))
    pages: list[str] = []

    def by_offset(request: httpx.Request) -> httpx.Response | None:
        start = int(request.url.params["offset"])
        pages.append(str(start))
        if start == 20 and pages.count("20") == 1:
            return httpx.Response(401)
        found = list(world.shopify.customers.values())[start : start + 10]
        return httpx.Response(200, json={"customers": found})

    world.shopify.fail.append(by_offset)
    changes = {"source__list": listing, "source__since": None}
    assert (await world.sync(changes=changes)).counts.created == 20
    del world.shopify.customers[1]
    report = await world.sync(changes=changes)
    assert (report.counts.unchanged, report.counts.created) == (19, 10)
