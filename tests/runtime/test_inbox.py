"""Deliveries that cannot be carried out just now: they wait, hold up no others, and end only for what they are."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.engine.opened import Opened, opened
from runtime.inbox import ATTEMPTS, FAILED_RETRY_S, MOST_ASIDE, Aside, InboxWorker, InboxWriter
from runtime.state import LeaseHeld
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.fakes import Credo, FakeClock, Shopify
from tests.runtime.sample.app import CUSTOMERS, INTEGRATION

HANDED_OVER = replace(CUSTOMERS, source=replace(CUSTOMERS.source, get=None))
"""The source cannot be asked for a record: what the delivery says is written."""


class Inbox:
    """Deliveries, the worker over them, and time that passes when a test says so."""

    def __init__(self, found: Opened, shopify: Shopify, credo: Credo, clock: FakeClock) -> None:
        self.found, self.shopify, self.credo, self.clock = found, shopify, credo, clock
        self.writer = InboxWriter(found.state)
        self.worker = InboxWorker(found.engine, self.writer)

    async def deliver(self, *numbers: int, name: str = "d") -> None:
        for number in numbers:
            body = json.dumps(self.shopify.customers[number]).encode()
            await self.writer.put({
                "stream": "customers", "topic": "customers/update", "delivery_id": f"{name}{number}", "body": body,
                "state": "waiting", "error": None,
            })  # fmt: skip

    async def turns(self, count: int) -> None:
        """So often the worker looks, with the waits it asks for in between."""
        for _ in range(count):
            self.clock.moment += await self.worker.drain("customers")

    async def counts(self) -> dict[str, int]:
        return await self.found.state.call(self.found.state.inbox.counts)

    def made(self) -> set[str]:
        return {email.removeprefix("Person").partition("@")[0] for email in self.credo.created()}


@pytest.fixture
def inbox_of(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def make(stream: Any = CUSTOMERS) -> AsyncIterator[Inbox]:
        shopify, credo, clock = Shopify(12), Credo(), FakeClock(time.time())
        url = f"sqlite:///{tmp_path / 's.db'}"
        environ = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": "hook_planted", "DATABASE_URL": url, "MAX_ATTEMPTS": "1"}
        transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
        integration = replace(INTEGRATION, streams=(stream,))
        async with opened(integration, environ, transports=transports, clock=clock) as found:
            yield Inbox(found, shopify, credo, clock)

    return make


@pytest.mark.parametrize("stream", [CUSTOMERS, HANDED_OVER], ids=["asked", "handed-over"])
@pytest.mark.parametrize("status", [402, 429, None])
async def test_outage_of_any_length_ends_no_delivery(inbox_of: Any, stream: Any, status: int | None) -> None:
    """Signed out, unpaid, throttled, down: for much longer than any number of attempts; then all are carried out."""
    async with inbox_of(stream) as inbox:

        def out(request: httpx.Request) -> httpx.Response:
            if status is None:
                raise httpx.ConnectError("refused")
            return httpx.Response(status)

        inbox.credo.fail.append(out)
        await inbox.deliver(1, 2, 3, 4, 5)
        await inbox.turns(2 * ATTEMPTS)
        assert await inbox.counts() == {"waiting": 5}
        inbox.credo.fail.remove(out)
        inbox.clock.moment += 86_400  # a pause that was asked for is over
        await inbox.deliver(6)
        await inbox.turns(8)
        assert await inbox.counts() == {"done": 6}
    assert sorted(inbox.credo.created()) == [f"Person{number}@Example.com" for number in range(1, 7)]


@pytest.mark.parametrize("stream", [CUSTOMERS, HANDED_OVER], ids=["asked", "handed-over"])
async def test_lease_that_another_holds_for_long_is_no_attempt(inbox_of: Any, stream: Any) -> None:
    """A long run of the stream goes on elsewhere: its end is waited for, however often that is looked at."""
    async with inbox_of(stream) as inbox:
        leases = inbox.found.state.leases
        lease = await inbox.found.state.call(lambda: leases.acquire("stream:customers", "another", 3000))
        with pytest.raises(LeaseHeld):
            await inbox.found.state.call(lambda: leases.acquire("stream:customers", "me"))
        await inbox.deliver(1, 2)
        await inbox.turns(3 * ATTEMPTS)
        assert await inbox.counts() == {"waiting": 2}
        await inbox.found.state.call(lambda: leases.release(lease))
        await inbox.turns(1)
        assert await inbox.counts() == {"done": 2}


@pytest.mark.parametrize("status", [422, 503])
async def test_record_that_fails_alone_does_not_hold_up_the_others(inbox_of: Any, status: int) -> None:
    """The source answers for one record with an error each time: the others get through, before and after it."""
    async with inbox_of() as inbox:
        inbox.shopify.fail.append(
            lambda request: httpx.Response(status) if request.url.path.endswith("/2.json") else None
        )
        await inbox.deliver(1, 2, 3, 4)
        await inbox.turns(8)
        assert inbox.made() == {"1", "3", "4"}
        await inbox.deliver(5, 6)
        inbox.shopify.put(2, first_name="Newer")
        await inbox.deliver(2, name="again")
        await inbox.turns(5)
        assert inbox.made() == {"1", "3", "4", "5", "6"}
        await inbox.turns(3 * ATTEMPTS)
        assert await inbox.counts() == {"done": 5, "dead" if status == 422 else "waiting": 2}
        inbox.shopify.fail.clear()
        await inbox.turns(2)
        assert ("2" in inbox.made()) == (status == 503)


async def test_delivery_that_waits_longer_than_they_are_kept_is_dead(inbox_of: Any) -> None:
    """Whoever delivered has long given up, and a poll has found the record or will."""
    async with inbox_of() as inbox:
        inbox.shopify.fail.append(lambda request: httpx.Response(503))
        await inbox.deliver(1)
        await inbox.turns(1)
        inbox.clock.moment += inbox.found.integration.retention.deliveries_s + 3600
        await inbox.turns(1)
        assert await inbox.counts() == {"dead": 1}


async def test_bug_is_counted_and_spares_the_others(inbox_of: Any) -> None:
    """A run raises for one record: that delivery is dead after its attempts."""

    class Bug(Exception):
        pass

    async with inbox_of() as inbox:
        run = inbox.found.engine.run

        async def raising(request: Any) -> Any:
            if "2" in request.ids:
                raise Bug
            return await run(request)

        inbox.found.engine.run = raising
        await inbox.deliver(1, 2, 3)
        for _ in range(3 * ATTEMPTS):
            try:
                await inbox.turns(1)
            except Bug:
                inbox.clock.moment += FAILED_RETRY_S
        assert await inbox.counts() == {"done": 2, "dead": 1}


def test_aside_takes_turns_and_has_an_end() -> None:
    """The one that failed last comes last; no more than so many are aside."""
    aside = Aside()
    for number in range(MOST_ASIDE + 5):
        aside.failed({str(number): (b"", ({"id": number},))}, float(number))
    assert len(aside.rows) == MOST_ASIDE
    assert aside.due(0.0) is None
    late = MOST_ASIDE + FAILED_RETRY_S
    assert aside.due(late) == "0"
    aside.failed({"0": (b"", ({"id": 0}, {"id": 1000}))}, late)
    assert aside.wait_s(late) == FAILED_RETRY_S
    assert aside.due(late + FAILED_RETRY_S) == "1"
    assert aside.rows["0"] == [0, 1000]
    aside.remove(["1", "unknown"])
    assert len(aside.ids()) == MOST_ASIDE
