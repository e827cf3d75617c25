"""Alerts: told once when they begin and once when they end, signed, tried a few times, waited for by nobody."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.engine import RunRequest
from runtime.engine.opened import Opened, opened
from runtime.errors import SettingsError
from runtime.watch.alerts import Alerts, Hook, alerts_of
from runtime.watch.meter import Meter
from runtime.watch.overseeing import overseen
from runtime.watch.watching import watch
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.fakes import Credo, FakeClock, Shopify
from tests.runtime.sample.app import INTEGRATION
from tests.runtime.two_way import Between
from tests.waiting import PATIENCE_S

KEY = b"0123456789abcdef01234567"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
HOOK = {"ALERT_WEBHOOK_URL": "https://hooks.example/T0/planted-path", "ALERT_WEBHOOK_SECRET": SECRET}


class Receiver:
    """Takes deliveries, or refuses them."""

    def __init__(self) -> None:
        self.status = 204
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.status)

    def told(self) -> list[tuple[str, str, str]]:
        """(type, alert, subject) of what was taken, in order."""
        bodies = [json.loads(request.content) for request in self.requests]
        return [(body["type"], body["data"]["alert"], body["data"]["subject"]) for body in bodies]


class Watch:
    """The sample with alerts."""

    def __init__(self, found: Opened, shopify: Shopify, credo: Credo, receiver: Receiver, clock: FakeClock) -> None:
        self.found, self.shopify, self.credo, self.receiver, self.clock = found, shopify, credo, receiver, clock
        self.meter = Meter(clock)
        watch(found.engine, (found.source, found.destination), self.meter)
        self.alerts = self.another()

    def another(self, **environ: str) -> Alerts:
        """Those of another process."""
        made = alerts_of(
            self.found, {**HOOK, **environ}, meter=self.meter, transport=httpx.MockTransport(self.receiver)
        )
        assert made is not None
        return made[0]

    async def sync(self, **request: Any) -> None:
        self.clock.moment += 60
        await self.found.engine.run(RunRequest(stream="customers", **request))
        await self.alerts.look()


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[Watch]:
    shopify, credo, receiver, clock = Shopify(5), Credo(), Receiver(), FakeClock()
    environ = {**ENVIRON, "DATABASE_URL": f"sqlite:///{folder / 's.db'}"}
    transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
    async with opened(INTEGRATION, environ, transports=transports, clock=clock) as found:
        found.state._database.now = clock.now
        clock.moment = shopify.now_s + 60
        yield Watch(found, shopify, credo, receiver, clock)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Watch]:
    async with watching(tmp_path) as made:
        yield made


async def test_failed_run_is_told_once_and_its_end_once(world: Watch) -> None:
    """However often it fails, and by however many processes it is looked at."""
    await world.sync()
    assert world.receiver.told() == []
    world.shopify.fail.append(lambda request: httpx.Response(401, json={}))
    for _ in range(3):
        await world.sync()
        await world.another().look()
    assert world.receiver.told() == [("alert.firing", "run_failed", "customers")]
    world.shopify.fail.clear()
    for _ in range(3):
        await world.sync()
    assert world.receiver.told()[1:] == [("alert.resolved", "run_failed", "customers")]


async def test_delivery_is_signed_as_standard_webhooks_says_and_says_what_is_wrong(world: Watch) -> None:
    world.shopify.fail.append(lambda request: httpx.Response(401, json={"errors": "key planted-excerpt"}))
    await world.sync()
    [request] = world.receiver.requests
    assert str(request.url) == HOOK["ALERT_WEBHOOK_URL"]
    name, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    signed = b".".join((name.encode(), at.encode(), request.content))
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    data = json.loads(request.content)["data"]
    assert (data["integration"], data["state"]) == ("shopify-credo", "firing")
    assert data["text"].startswith("the last run of customers failed (auth): ")
    assert "shpat_planted" not in request.content.decode()


async def test_several_secrets_sign_side_by_side(world: Watch) -> None:
    """While one is replaced."""
    other = "whsec_" + base64.b64encode(b"another").decode()
    alerts = world.another(ALERT_WEBHOOK_SECRET=f"{SECRET} {other}")
    world.shopify.fail.append(lambda request: httpx.Response(401))
    world.clock.moment += 60
    await world.found.engine.run(RunRequest(stream="customers"))
    await alerts.look()
    assert len(world.receiver.requests[0].headers["webhook-signature"].split()) == 2


async def test_breaker_that_opens_and_a_score_that_drops_are_told_and_end(world: Watch) -> None:
    await world.sync()
    world.found.source.breaker._open()
    await world.alerts.look()
    assert world.receiver.told() == [
        ("alert.firing", "breaker_open", "shopify"),
        ("alert.firing", "score_drop", "shopify-credo"),
    ]
    other = world.another()
    other._meter = None
    await other.look()
    world.found.source.breaker._become("closed")
    await world.alerts.look()
    assert [each[:2] for each in world.receiver.told()[2:]] == [
        ("alert.resolved", "breaker_open"),
        ("alert.resolved", "score_drop"),
    ]


async def test_good_health_of_one_process_does_not_end_the_alert_of_another(world: Watch) -> None:
    await world.sync()
    world.found.source.breaker._open()
    await world.alerts.look()
    world.found.source.breaker._become("closed")
    await world.another().look()
    assert len(world.receiver.told()) == 2
    world.clock.moment += 4000
    await world.another().look()
    assert len(world.receiver.told()) == 4


@pytest.mark.parametrize(("changed", "is_told"), [(2, True), (1, False)])
async def test_conflicts_above_the_share_are_told_and_end(tmp_path: Path, changed: int, is_told: bool) -> None:
    """Both sides changed the same field: of ten records one may wait for a person, two are an alert, until a run has none."""
    between = Between(f"sqlite:///{tmp_path / 'other.db'}", conflicts="manual_review")
    receiver = Receiver()
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path / 's.db'}", "ALERT_CONFLICT_SHARE": "0.15", **HOOK}
    transports = (httpx.MockTransport(between.shop), httpx.MockTransport(between.ledger))
    ids = [between.shop.put(sku=f"s{number}", title="first", price="1.00", stock=1) for number in range(10)]
    async with opened(between.integration, environ, transports=transports, clock=between.clock) as found:
        found.state._database.now = between.clock.now
        made = alerts_of(found, environ, transport=httpx.MockTransport(receiver))
        assert made is not None
        alerts = made[0]

        async def sync() -> None:
            between.clock.moment += 60
            await found.engine.run(RunRequest(stream="products", since="2001-01-01T00:00:00Z"))
            await alerts.look()

        await sync()
        assert receiver.told() == []
        for id in ids[:changed]:
            between.shop.put(id, title="by the shop")
            between.ledger.put(str(500 + int(id)), name="by the ledger")
        await sync()
        assert len(await found.state.call(lambda: found.state.conflicts.latest("products"))) == changed
        if not is_told:
            assert receiver.told() == []
            return
        assert receiver.told() == [("alert.firing", "conflict_share", "products")]
        assert "2 of 10 records" in json.loads(receiver.requests[0].content)["data"]["text"]
        for id in ids[:changed]:  # somebody settles them by hand, on both sides
            between.shop.put(id, title="agreed")
            between.ledger.put(str(500 + int(id)), name="agreed")
        await sync()
        assert receiver.told()[1:] == [("alert.resolved", "conflict_share", "products")]
    between.state.close()


async def test_webhook_that_does_not_answer_is_tried_a_few_times_with_growing_waits(world: Watch) -> None:
    """Under one id; then it is only logged."""
    world.receiver.status = 500
    world.shopify.fail.append(lambda request: httpx.Response(401))
    await world.sync()
    asked_at: list[float] = []
    for _ in range(4000):
        before = len(world.receiver.requests)
        await world.alerts.look()
        if len(world.receiver.requests) > before:
            asked_at.append(world.clock.moment)
        world.clock.moment += 30
    assert len(asked_at) == 7
    gaps = [second - first for first, second in itertools.pairwise(asked_at)]
    assert gaps == sorted(gaps)
    assert len({request.headers["webhook-id"] for request in world.receiver.requests}) == 1


async def test_alert_that_nobody_was_told_of_ends_without_a_word(world: Watch) -> None:
    world.receiver.status = 500
    world.shopify.fail.append(lambda request: httpx.Response(401))
    await world.sync()
    world.shopify.fail.clear()
    world.receiver.status, world.receiver.requests = 204, []
    await world.sync()
    world.clock.moment += 3600
    await world.alerts.look()
    assert world.receiver.told() == []


async def test_run_waits_for_no_alert(world: Watch) -> None:
    """A webhook that hangs: the run ends as quickly as without one."""
    hanging = asyncio.Event()

    async def hang(request: httpx.Request) -> httpx.Response:
        await hanging.wait()
        return httpx.Response(204)

    made = alerts_of(world.found, HOOK, transport=httpx.MockTransport(hang))
    assert made is not None
    alerts = made[0]
    world.found.engine.watchers.append(alerts)
    task = asyncio.create_task(alerts.keep())
    world.shopify.fail.append(lambda request: httpx.Response(401))
    for _ in range(3):
        await asyncio.wait_for(world.found.engine.run(RunRequest(stream="customers")), PATIENCE_S)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_command_looks_once_at_its_end(world: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sync` from cron, without a service."""
    sent: list[str] = []

    async def send(self: Hook, row: Any, integration: str, version: str) -> None:
        sent.append(row.name)

    monkeypatch.setattr(Hook, "send", send)
    world.shopify.fail.append(lambda request: httpx.Response(401))
    async with overseen(world.found, goes_on=False, environ=HOOK):
        await world.found.engine.run(RunRequest(stream="customers"))
        assert sent == []
    assert sent == ["run_failed customers"]


async def test_nothing_is_watched_when_the_environment_asks_for_nothing(world: Watch) -> None:
    before = list(world.found.engine.watchers)
    async with overseen(world.found, goes_on=True, environ={}):
        assert world.found.engine.watchers == before


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"ALERT_WEBHOOK_URL": "hooks.example/planted"}, "ALERT_WEBHOOK_URL"),
        ({**HOOK, "ALERT_WEBHOOK_SECRET": "whsec_not*planted*base64"}, "ALERT_WEBHOOK_SECRET"),
    ],
)
async def test_webhook_that_cannot_be_is_told_at_the_start_without_being_shown(
    world: Watch, environ: dict[str, str], says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        alerts_of(world.found, environ)
    assert says in str(caught.value)
    assert "planted" not in str(caught.value)
