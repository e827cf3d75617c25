"""Bounds that no other test is about: see bounds.py, which lists them all."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.engine.opened import opened
from runtime.engine.surroundings import GROUP_RECORDS, PAGES_AHEAD
from runtime.http.session import open_api
from runtime.inbox import ATTEMPTS, InboxWorker, InboxWriter
from runtime.settings import resolve
from runtime.state import State, StateUnavailable, connect
from runtime.state.rows import Commit, Found
from tests.runtime.engine.conftest import ENVIRON, SINGLE, World, world
from tests.runtime.fakes import Credo, FakeClock, Shopify
from tests.runtime.http.test_session import API, GET
from tests.runtime.sample.app import INTEGRATION
from tests.runtime.sample.clients import shopify
from tests.runtime.virtual_time import VirtualClock, run_virtual
from tests.waiting import PATIENCE_S

__all__ = ["world"]


def test_request_gives_up_after_its_whole_time() -> None:
    """A hundred attempts are allowed, each asks to wait a minute and a half: the whole is over after ten minutes."""

    async def start(clock: VirtualClock) -> float:
        def slow(request: httpx.Request) -> httpx.Response:
            return httpx.Response(503, headers={"Retry-After": "90"})

        settings = resolve((API,), {"CRM_TOKEN": "tok-0123456789", "MAX_ATTEMPTS": "100"})
        async with open_api(API, settings, transport=httpx.MockTransport(slow), clock=clock) as session:
            began = clock.monotonic()
            with pytest.raises(Exception, match="503"):
                await session.page(GET)
            return clock.monotonic() - began

    assert 400 < run_virtual(start) <= 600


@pytest.mark.parametrize(("size", "together", "ahead"), [(250, {}, 4), (250, SINGLE, 2), (50, {}, PAGES_AHEAD)])
async def test_source_is_read_a_group_ahead_of_a_slow_destination(
    world: World, size: int, together: dict[str, Any], ahead: int
) -> None:
    """However slow the writing is: the pages that wait do not grow in number."""
    world.shopify = Shopify(12 * size)
    world.shopify.page_size = size
    paging = replace(shopify.LIST_CUSTOMERS.paging, max=size)
    most = 0

    def watch(request: httpx.Request) -> None:
        nonlocal most
        if request.method == "POST":
            most = max(most, len(world.shopify.requests) - len(world.credo.created()) // size)

    world.credo.fail.append(watch)
    changes = {"source__list": replace(shopify.LIST_CUSTOMERS, paging=paging), **together}
    assert (await world.sync(changes=changes)).counts.created == 12 * size
    assert most <= 2 * ahead + 1  # those of the group that is written, as many in the queue, one being asked for


async def test_crash_leaves_at_most_one_group_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the page size: so many outcomes can be unknown afterwards, no more."""

    class Killed(BaseException):
        pass

    world.shopify = Shopify(2000)
    world.shopify.page_size = 2000
    commit, count = world.state.store.commit, 0

    def dying(work: Commit) -> Found:
        nonlocal count
        count += 1
        if count == 6:
            raise Killed
        return commit(work)

    monkeypatch.setattr(world.state.store, "commit", dying)
    with pytest.raises(Killed):
        await world.sync(changes=SINGLE)
    world.crash()
    rows = world.state.store.intents("customers")
    records = sum(len(items) for row in rows for _, _, items, *_ in json.loads(bytes(row.requests)))
    assert 0 < records <= GROUP_RECORDS


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_batches_are_as_large_as_the_setting_at_most(world: World, size: int) -> None:
    """Never more than the destination takes either."""
    world.environ["BATCH_SIZE"] = str(size)
    world.shopify = Shopify(230)
    assert (await world.sync()).counts.created == 230
    sizes = [
        len(json.loads(request.content)["contacts"])
        for request in world.credo.requests
        if request.url.path.endswith("/batch")
    ]
    assert max(sizes, default=1) <= size


async def worker_over(folder: Path, shopify: Shopify, credo: Credo, work: Any) -> dict[str, int]:
    """Let `work` do something with a worker over an inbox of one delivery; returns the deliveries by state."""
    url = f"sqlite:///{folder / 's.db'}"
    environ = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": "hook_planted", "DATABASE_URL": url, "MAX_ATTEMPTS": "1"}
    transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
    async with opened(INTEGRATION, environ, transports=transports, clock=FakeClock(time.time())) as found:
        writer = InboxWriter(found.state)
        await writer.put({
            "stream": "customers", "topic": "customers/update", "delivery_id": "d1", "body": b'{"id": 3}',
            "state": "waiting", "error": None,
        })  # fmt: skip
        await work(found, InboxWorker(found.engine, writer))
        counts: dict[str, int] = await found.state.call(found.state.inbox.counts)
        return counts


async def test_delivery_that_fails_each_time_is_dead_after_its_attempts(tmp_path: Path) -> None:
    """The source refuses the record for good: so many attempts, then it is kept as dead."""
    shopify = Shopify(5)
    shopify.fail.append(lambda request: httpx.Response(422))

    async def work(found: Any, worker: InboxWorker) -> None:
        for _ in range(ATTEMPTS + 2):
            found.engine.clock.moment += await worker.drain("customers")

    assert await worker_over(tmp_path, shopify, Credo(), work) == {"dead": 1}
    assert len(shopify.requests) <= ATTEMPTS


async def test_names_of_deliveries_are_forgotten_after_their_time(tmp_path: Path) -> None:
    """What was carried out is kept as long as the retention says; what waits is never forgotten."""

    async def work(found: Any, worker: InboxWorker) -> None:
        now, kept_s = found.engine.clock.now(), found.integration.retention.deliveries_s
        assert await found.state.call(lambda: found.state.inbox.forget_before(now + kept_s)) == 0
        await worker.drain("customers")
        assert await found.state.call(lambda: found.state.inbox.forget_before(now - kept_s)) == 0
        assert await found.state.call(lambda: found.state.inbox.forget_before(now + 60)) == 1

    assert await worker_over(tmp_path, Shopify(5), Credo(), work) == {}
    await asyncio.sleep(0)


def test_write_lock_of_another_process_is_waited_for_and_then_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for ever, and with a sentence; when the lock is free again, the next write goes through."""
    monkeypatch.setattr(connect, "BUSY_TIMEOUT_MS", 100)
    state = State(f"sqlite:///{tmp_path / 's.db'}", name="locked")
    state.prepare()
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StateUnavailable):
        state.leases.acquire("stream:customers", "me")
    assert 0.1 <= time.monotonic() - began < PATIENCE_S
    other.execute("ROLLBACK")
    state.leases.acquire("stream:customers", "me")
    other.close()
    state.close()
