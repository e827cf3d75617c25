"""Promises of what follows a delivery whose write's outcome is unknown: it is found out soon, by itself, and nothing is done twice."""

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

from runtime.clock import SystemClock
from runtime.declare import Stream
from runtime.engine import RunRequest
from runtime.engine.opened import Opened, opened
from runtime.engine.recover import MAX_ATTEMPTS
from runtime.inbox import InboxWorker, InboxWriter
from runtime.server import Service
from runtime.settling import ASLEEP_S, ATTEMPTS_LEFT, BUSY_S, FIRST_S, LONGEST_S, TRIES, Settling
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.fakes import Credo, FakeClock, Shopify
from tests.runtime.sample.app import CUSTOMERS, INTEGRATION
from tests.runtime.test_server import SECRET, TOKEN, Served
from tests.runtime.two_way import Between
from tests.waiting import until

TO = CUSTOMERS.destination
WITHOUT_KEY = replace(
    CUSTOMERS, destination=replace(TO, batch=None, create=replace(TO.create, idempotency_header=None))
)
"""An outcome is looked up by match."""
NOT_TO_BE_FOUND = replace(
    WITHOUT_KEY, adopt="never", match=(), destination=replace(WITHOUT_KEY.destination, find=None, list=None)
)
APPENDED = replace(WITHOUT_KEY, mode="append", adopt="never")


def lagging(request: httpx.Request) -> httpx.Response | None:
    """The destination finds nothing of what was written just now."""
    if request.method == "GET" and request.url.path.endswith("/contacts"):
        return httpx.Response(200, json={"contacts": [], "next_cursor": None})
    return None


class Delivered:
    """Deliveries, what works on them, and time that passes when a test says so."""

    def __init__(self, found: Opened, shopify: Shopify, credo: Credo, clock: FakeClock) -> None:
        self.found, self.shopify, self.credo, self.clock = found, shopify, credo, clock
        self.writer = InboxWriter(found.state)
        self.worker = InboxWorker(found.engine, self.writer)

    async def deliver(self, number: int, *, name: str = "d") -> None:
        """One delivery, carried out."""
        body = json.dumps(self.shopify.customers[number]).encode()
        await self.writer.put({
            "stream": "customers", "topic": "customers/update", "delivery_id": f"{name}{number}", "body": body,
            "state": "waiting", "error": None,
        })  # fmt: skip
        await self.worker.drain("customers")

    async def lose(self, number: int, *, name: str = "d") -> None:
        """One delivery whose write is carried out; its answer is lost, and the record cannot be looked up yet."""
        self.credo.lose.append(lambda request: True)
        self.credo.fail.append(lagging)
        await self.deliver(number, name=name)
        self.credo.fail.remove(lagging)

    async def follow(self, turns: int = 1) -> list[float]:
        """So often what is open is looked at, with the waits asked for in between; the waits."""
        waits = []
        for _ in range(turns):
            waits.append(await self.worker.settling.turn())
            self.clock.moment += waits[-1]
        return waits

    async def open(self) -> list[Any]:
        """Requests whose outcome is not known."""
        return await self.found.state.call(lambda: self.found.state.store.intents("customers"))

    async def runs(self, trigger: str = "settle") -> list[dict[str, Any]]:
        """The runs with a trigger, the last one first."""
        rows = await self.found.state.call(lambda: self.found.state.runs.latest("customers", limit=100))
        return [row for row in rows if row["trigger"] == trigger]


@pytest.fixture
def delivered_to(tmp_path: Path) -> Callable[..., Any]:
    shopify, credo, clock = Shopify(12), Credo(), FakeClock(time.time())

    @asynccontextmanager
    async def make(stream: Stream[Any, Any] = CUSTOMERS) -> AsyncIterator[Delivered]:
        """One life of the process; a second one finds the state and the vendors of the first."""
        url = f"sqlite:///{tmp_path / 's.db'}"
        environ = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": "hook_planted", "DATABASE_URL": url, "MAX_ATTEMPTS": "1"}
        transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
        integration = replace(INTEGRATION, streams=(stream,))
        async with opened(integration, environ, transports=transports, clock=clock) as found:
            yield Delivered(found, shopify, credo, clock)

    return make


def lost(request: httpx.Request) -> bool:
    return True


@pytest.mark.parametrize("stream", [CUSTOMERS, WITHOUT_KEY], ids=["by-key", "by-match"])
async def test_creation_whose_answer_was_lost_is_found_out_in_seconds(delivered_to: Any, stream: Any) -> None:
    """Without reading the source; the record is made once and linked."""
    async with delivered_to(stream) as it:
        await it.lose(3)
        assert len(await it.open()) == 1
        read = len(it.shopify.requests)

        [wait_s] = await it.follow()
        assert wait_s <= FIRST_S
        await it.follow()

        assert await it.open() == []
        [run] = await it.runs()
        assert (run["state"], run["resolved"], run["read"]) == ("done", 1, 0)
        assert it.credo.created() == ["Person3@Example.com"]
        assert len(it.shopify.requests) == read
        assert await it.follow() == [ASLEEP_S]
        report = await it.found.engine.run(RunRequest(stream="customers", ids=("3",)))
        assert (report.counts.unchanged, len(it.credo.contacts)) == (1, 1)


async def test_update_whose_answer_was_lost_is_found_out_in_seconds(delivered_to: Any) -> None:
    async with delivered_to() as it:
        await it.deliver(3)
        it.shopify.put(3, first_name="Newer")
        await it.lose(3, name="again")
        assert len(await it.open()) == 1
        await it.follow(2)

        assert await it.open() == []
        assert [contact["first_name"] for contact in it.credo.contacts.values()] == ["Newer"]


async def test_service_finds_out_by_itself_what_became_of_a_delivery(tmp_path: Path) -> None:
    """Through the application, on the machine's own clock, without a schedule and without another request."""
    shopify, credo = Shopify(5), Credo()
    environ = {
        **ENVIRON,
        "SHOPIFY_WEBHOOK_SECRET": SECRET,
        "DATABASE_URL": f"sqlite:///{tmp_path / 's.db'}",
        "MAX_ATTEMPTS": "1",
    }
    transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
    async with opened(INTEGRATION, environ, transports=transports, clock=SystemClock()) as found:
        service = Service(found, token=TOKEN, public_url=None, with_schedule=False)
        async with service.running():
            served = Served(found, service, shopify, credo)
            credo.lose.append(lost)
            credo.fail.append(lagging)
            await served.deliver(json.dumps(shopify.customers[3]).encode())
            assert await served.settled() == {"done": 1}
            credo.fail.clear()
            run = await until(lambda: _followed(served))
            assert run["state"] == "done"
            [stream] = (await served.get("/status")).json()["streams"]
            assert stream["unknown_outcomes"] == 0
    assert credo.created() == ["Person3@Example.com"]


async def _followed(served: Served) -> dict[str, Any] | None:
    """The run that followed up, once it has ended."""
    runs: list[dict[str, Any]] = (await served.get("/runs")).json()["runs"]
    return next((run for run in runs if run["trigger"] == "settle" and run["state"] != "running"), None)


async def test_bug_in_a_run_that_follows_up_does_not_make_it_follow_for_ever(delivered_to: Any) -> None:
    async with delivered_to() as it:
        await it.lose(3)
        tried = 0

        async def raising(request: Any) -> Any:
            nonlocal tried
            tried += 1
            raise ZeroDivisionError

        it.found.engine.run = raising
        for _ in range(3 * TRIES):
            it.clock.moment += LONGEST_S
            try:
                await it.worker.settling.turn()
            except ZeroDivisionError:
                continue
        assert tried == TRIES


async def test_restart_forgets_nothing_that_is_open(delivered_to: Any) -> None:
    """The next process looks at once."""
    async with delivered_to(WITHOUT_KEY) as it:
        await it.lose(3)
    async with delivered_to(WITHOUT_KEY) as it:
        assert len(await it.open()) == 1
        await it.follow()
        assert await it.open() == []
        assert it.credo.created() == ["Person3@Example.com"]


async def test_run_of_the_stream_that_is_under_way_is_waited_for(delivered_to: Any) -> None:
    """No run follows up beside another one, however long that takes, and waiting is no try."""
    async with delivered_to(WITHOUT_KEY) as it:
        await it.lose(3)
        leases, call = it.found.state.leases, it.found.state.call
        lease = await call(lambda: leases.acquire("stream:customers", "another", 3000))
        sent = len(it.credo.requests)
        assert (await it.follow(2 * TRIES))[1:] == [BUSY_S] * (2 * TRIES - 1)
        assert (len(it.credo.requests), await it.runs()) == (sent, [])
        await call(lambda: leases.release(lease))
        await it.follow()
        assert await it.open() == []


async def test_run_that_found_it_out_meanwhile_leaves_nothing_to_follow(delivered_to: Any) -> None:
    async with delivered_to() as it:
        await it.lose(3)
        await it.found.engine.run(RunRequest(stream="customers", trigger="schedule"))
        assert (await it.follow(2))[-1] == ASLEEP_S
        assert await it.runs() == []


async def test_destination_that_stays_away_is_asked_less_and_less_often_and_not_for_ever(delivered_to: Any) -> None:
    """What could not even be asked is no attempt at the outcome: the next run has all of them left."""
    async with delivered_to(WITHOUT_KEY) as it:
        await it.lose(3)

        def away(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused")

        it.credo.fail.append(away)
        waits = await it.follow(TRIES + 1)
        assert [round(wait_s, 3) for wait_s in waits[1:]] == [
            *(min(FIRST_S * 2**number, LONGEST_S) for number in range(1, TRIES)),
            ASLEEP_S,
        ]
        assert len(await it.runs()) == TRIES
        [row] = await it.open()
        assert row.attempts == 0
        it.credo.fail.clear()
        it.clock.moment += 3600
        await it.found.engine.run(RunRequest(stream="customers", trigger="schedule", ids=("3",)))
        assert await it.open() == []
        assert it.credo.created() == ["Person3@Example.com"]


async def test_answer_that_is_lost_each_time_leaves_attempts_to_other_runs(delivered_to: Any) -> None:
    """A person is not asked because somebody was in a hurry; and a restart does not begin to count anew."""
    async with delivered_to(WITHOUT_KEY) as it:

        def away(request: httpx.Request) -> httpx.Response | None:
            if request.method == "GET":
                return None
            raise httpx.ReadError("reset", request=request)

        it.credo.fail.append(away)
        await it.deliver(3)
        await it.follow(TRIES)
        assert [row.attempts for row in await it.open()] == [MAX_ATTEMPTS - ATTEMPTS_LEFT]
        sent = len(await it.runs())
    async with delivered_to(WITHOUT_KEY) as it:
        await it.follow(3)
        assert len(await it.runs()) == sent == MAX_ATTEMPTS - ATTEMPTS_LEFT


@pytest.mark.parametrize("stream", [APPENDED, NOT_TO_BE_FOUND], ids=["append", "no-way-to-look"])
async def test_what_no_run_could_find_out_is_left_to_a_person(delivered_to: Any, stream: Any) -> None:
    async with delivered_to(stream) as it:
        await it.lose(3)
        assert await it.follow(2) == [FIRST_S, ASLEEP_S]
        assert (len(await it.open()), await it.runs(), len(it.credo.contacts)) == (1, [], 1)


async def test_sign_in_that_is_due_is_waited_for(delivered_to: Any) -> None:
    async with delivered_to() as it:
        await it.lose(3)
        it.credo.fail.append(lambda request: httpx.Response(401))
        await it.follow(2)
        assert [run["failure"] for run in await it.runs()] == ["auth"]
        await it.follow(3)
        assert len(await it.runs()) == 1
        assert len(await it.open()) == 1


async def test_changed_mapping_that_waits_for_a_decision_is_waited_for(delivered_to: Any) -> None:
    """Nothing goes out under a mapping nobody decided about."""
    async with delivered_to() as it:
        await it.found.engine.run(RunRequest(stream="customers"))
        it.shopify.put(3, first_name="Newer")
        await it.lose(3)
    async with delivered_to(replace(CUSTOMERS, mapping_digest="sha256:another")) as it:
        sent = len(it.credo.requests)
        await it.follow(TRIES + 2)
        assert (len(it.credo.requests), len(await it.open())) == (sent, 1)


async def test_merge_whose_answer_was_lost_is_carried_on_on_both_sides(tmp_path: Path) -> None:
    """Found out, then merged anew with what is there: the record is not read for another reason."""
    between = Between(f"sqlite:///{tmp_path / 'pair.db'}")
    between.shop.put(sku="a", title="A", price="1.00", stock=1)
    await between.both()
    between.shop.put("1", title="Newer")
    between.ledger.put(between.ledger.of("a"), quantity=9)
    between.ledger.lose.append(lost)
    report = await between.sync("products", trigger="webhook", ids=("1",))
    assert report.counts.unknown == 1
    settling = Settling(between.engine(), ["products"])
    between.clock.moment += 10
    await settling.turn()

    assert await between.state.call(lambda: between.state.store.intents("products")) == []
    assert between.agree()
    assert between.shop.view("title", "stock") == {"a": ("Newer", 9)}


async def test_streams_that_a_delivery_may_write_besides_are_looked_at_too(tmp_path: Path) -> None:
    """The other direction of a pair: what is open there was written for the delivery as well."""
    between = Between(f"sqlite:///{tmp_path / 'pair.db'}")
    between.shop.put(sku="a", title="A", price="1.00", stock=1)
    await between.both()
    between.ledger.put(between.ledger.of("a"), quantity=9)
    between.shop.lose.append(lost)
    report = await between.sync("entries", trigger="webhook")
    assert report.counts.unknown == 1
    settling = Settling(between.engine(), ["products"])
    await settling.turn()
    assert await between.state.call(lambda: between.state.store.intents("entries")) == []
    assert between.agree()
