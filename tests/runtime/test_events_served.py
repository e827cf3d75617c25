"""Bodies with several events over HTTP, signed as their senders sign: stored together, carried out and ended each by itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from runtime.clock import SystemClock
from runtime.declare import Deletes, Env, SignatureScheme, Webhook
from runtime.deliveries import MAX_EVENTS
from runtime.engine import RunRequest
from runtime.engine.opened import opened
from runtime.inbox import TOGETHER
from runtime.server import Service
from runtime.state import StateUnavailable
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.sample.app import CUSTOMERS, INTEGRATION
from tests.runtime.test_server import TOKEN, Served
from vitesse.registry.schemes import PRESETS

PUBLIC_URL = "https://hooks.example.test"
SECRET = "hook-planted"


def scheme_of(name: str) -> SignatureScheme:
    """What a package gets for a scheme by name."""
    [preset] = [each for each in PRESETS if each.name == name]
    return SignatureScheme(**{field.name: getattr(preset, field.name) for field in fields(SignatureScheme)})


HUBSPOT = Webhook(
    topics=("contact.creation", "contact.propertyChange"),
    deleted_topics=("contact.deletion",),
    scheme=scheme_of("hubspot"),
    secret=Env("SHOPIFY_WEBHOOK_SECRET", secret=True),
    stream="customers",
    topic_path=("subscriptionType",),
    events=((),),
    record_id=("objectId",),
)
META = replace(
    HUBSPOT, topics=("customers",), deleted_topics=(), scheme=scheme_of("meta"), topic_path=("field",),
    events=(("entry",), ("changes",)), record_id=None, record=("value",),
)  # fmt: skip
XERO = replace(
    HUBSPOT, topics=("CONTACT",), deleted_topics=(), scheme=scheme_of("xero"), topic_path=("eventCategory",),
    events=(("events",),), record_id=("resourceId",),
)  # fmt: skip
HANDED_OVER = replace(CUSTOMERS, source=replace(CUSTOMERS.source, get=None))


@asynccontextmanager
async def serving(
    folder: Path, webhooks: Sequence[Webhook], streams: Sequence[Any] = (CUSTOMERS,), *, works: bool = True
) -> AsyncIterator[Served]:
    environ = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": SECRET, "DATABASE_URL": f"sqlite:///{folder / 's.db'}"}
    shopify, credo = Shopify(9), Credo()
    transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
    integration = replace(INTEGRATION, streams=tuple(streams), webhooks=tuple(webhooks))
    async with opened(integration, {**environ, "OTHER": "other"}, transports=transports, clock=SystemClock()) as found:
        service = Service(found, token=TOKEN, public_url=PUBLIC_URL, with_schedule=False)
        if not works:
            yield Served(found, service, shopify, credo)
            return
        async with service.running():
            yield Served(found, service, shopify, credo)


def change(number: Any, kind: str = "contact.propertyChange", **more: Any) -> dict[str, Any]:
    return {"objectId": number, "subscriptionType": kind, "eventId": 1, **more}


async def deliver(served: Served, path: str, value: Any, *, secret: str = SECRET) -> httpx.Response:
    """As HubSpot, Xero and Meta sign it, whichever scheme looks for its own."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    stamp = str(int(served.found.engine.clock.now() * 1000))
    content = b"POST" + (PUBLIC_URL + path).encode() + body + stamp.encode()
    plain = hmac.new(secret.encode(), body, hashlib.sha256)
    headers = {
        "X-HubSpot-Request-Timestamp": stamp,
        "X-HubSpot-Signature-v3": base64.b64encode(
            hmac.new(secret.encode(), content, hashlib.sha256).digest()
        ).decode(),
        "X-Hub-Signature-256": f"sha256={plain.hexdigest()}",
        "x-xero-signature": base64.b64encode(plain.digest()).decode(),
    }
    return await served.http.post(path, content=body, headers=headers)


async def waiting(served: Served, stream: str) -> Sequence[Mapping[str, Any]]:
    return await served.found.state.call(lambda: served.found.state.inbox.waiting(stream, 100_000))


async def counts(served: Served) -> dict[str, int]:
    return await served.found.state.call(served.found.state.inbox.counts)


async def test_each_event_ends_for_what_it_is(tmp_path: Path) -> None:
    """Two of one record, one of another, a topic nobody asked for, a deletion where none are carried out, and what is no event."""
    events = [
        change(3, "contact.creation"), change(3, propertyName="email"), "no object", change(None), change(5),
        change(6, "deal.creation"), change(7, "contact.deletion"), {"objectId": 8},
    ]  # fmt: skip
    async with serving(tmp_path, [HUBSPOT]) as served:
        answer = await deliver(served, "/webhooks/contact.creation", events)
        assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
        assert await served.settled() == {"done": 3, "dead": 2, "ignored": 3}
        assert sorted(served.credo.created()) == ["Person3@Example.com", "Person5@Example.com"]
        again = await deliver(served, "/webhooks/contact.creation", events)
        assert again.status_code == 200
        assert await served.settled() == {"done": 3, "dead": 2, "ignored": 3}


async def test_event_of_a_deletion_deletes_what_is_gone(tmp_path: Path) -> None:
    """Among events of other records; the source is asked first, by the name in the event."""
    stream = replace(CUSTOMERS, deletes=Deletes(identity=("id",), mode="soft", set=((("first_name",), "archived"),)))
    async with serving(tmp_path, [HUBSPOT], [stream]) as served:
        await served.found.engine.run(RunRequest(stream="customers"))
        del served.shopify.customers[7]
        served.shopify.put(3, first_name="Newer")
        served.credo.effects.clear()
        events = [change(7, "contact.deletion"), change(8, "contact.deletion"), change(3)]
        assert (await deliver(served, "/webhooks/contact.deletion", events)).status_code == 200
        assert await served.settled() == {"done": 3}
        assert len(served.credo.effects) == 2  # 8 is still there, whatever the event says


async def test_all_events_are_stored_before_the_answer_or_none(tmp_path: Path) -> None:
    """More of them than are stored together otherwise: one transaction all the same."""
    events = [change(number) for number in range(3 * TOGETHER)]
    async with serving(tmp_path, [HUBSPOT], works=False) as served:
        call, inbox = served.found.state.call, served.found.state.inbox
        sizes, put = list[int](), inbox.put

        def counted(rows: Sequence[Mapping[str, object]]) -> None:
            sizes.append(len(rows))
            put(rows)

        async def down(work: Any) -> Any:
            raise StateUnavailable("the database is away")

        inbox.put = counted  # type: ignore[method-assign]
        served.found.state.call = down  # type: ignore[method-assign]
        assert (await deliver(served, "/webhooks/contact.creation", events)).status_code == 503
        served.found.state.call = call  # type: ignore[method-assign]
        assert await counts(served) == {}
        assert (await deliver(served, "/webhooks/contact.creation", events)).status_code == 200
        assert sizes == [len(events)]
        assert [json.loads(row["body"])["objectId"] for row in await waiting(served, "customers")] == [
            *range(len(events))
        ]


async def test_one_of_many_that_cannot_be_stored_leaves_none(tmp_path: Path) -> None:
    async with serving(tmp_path, [HUBSPOT], works=False) as served:
        put = served.found.state.inbox.put

        def spoilt(rows: Sequence[Mapping[str, object]]) -> None:
            put([*rows[:-1], {**rows[-1], "body": None}])

        served.found.state.inbox.put = spoilt  # type: ignore[method-assign]
        answer = await deliver(served, "/webhooks/contact.creation", [change(number) for number in range(5)])
        assert answer.status_code == 503
        assert await counts(served) == {}


async def test_too_many_events_are_one_dead_delivery(tmp_path: Path) -> None:
    async with serving(tmp_path, [HUBSPOT]) as served:
        answer = await deliver(served, "/webhooks/contact.creation", [change(1)] * (MAX_EVENTS + 1))
        assert (answer.status_code, answer.json()) == (400, {"error": f"the body holds more than {MAX_EVENTS} events"})
        assert await served.settled() == {"dead": 1}


@pytest.mark.parametrize("body", [b"[", b'[{"objectId": 1, "objectId": 2}]', b"[" * 100_000, b"objectId=1"])
async def test_body_that_cannot_be_read_is_one_dead_delivery(tmp_path: Path, body: bytes) -> None:
    """Proved first: without its signature it is nothing at all."""
    async with serving(tmp_path, [HUBSPOT]) as served:
        assert (await deliver(served, "/webhooks/contact.creation", body, secret="forged")).status_code == 401
        assert await served.settled() == {}
        assert (await deliver(served, "/webhooks/contact.creation", body)).status_code == 400
        assert await served.settled() == {"dead": 1}


async def test_body_without_events_is_answered_well_and_leaves_nothing(tmp_path: Path) -> None:
    """So Xero asks whether deliveries are proved here: the right signature 200, the wrong one 401."""
    async with serving(tmp_path, [XERO]) as served:
        body = {"events": [], "firstEventSequence": 0, "lastEventSequence": 0, "entropy": "S0"}
        answer = await deliver(served, "/webhooks/CONTACT", body)
        assert (answer.status_code, answer.json()) == (200, {"status": "ignored"})
        assert (await deliver(served, "/webhooks/CONTACT", body, secret="forged")).status_code == 401
        assert await served.settled() == {}


async def test_events_under_a_name_are_read_anew_by_theirs(tmp_path: Path) -> None:
    async with serving(tmp_path, [XERO]) as served:
        events = [{"resourceId": str(number), "eventCategory": "CONTACT", "eventType": "UPDATE"} for number in (2, 4)]
        assert (await deliver(served, "/webhooks/CONTACT", {"events": events})).status_code == 200
        assert await served.settled() == {"done": 2}
        assert len(served.credo.created()) == 2


async def test_records_in_events_are_written_where_the_source_cannot_be_asked(tmp_path: Path) -> None:
    """The last of a record in a body counts, unless a newer version was written before."""
    async with serving(tmp_path, [META], [HANDED_OVER]) as served:
        older = dict(served.shopify.customers[3])
        newer = dict(served.shopify.put(3, first_name="Newer"))
        other = served.shopify.customers[4]
        entries = [
            {"id": "1", "changes": [{"field": "customers", "value": older}, {"field": "customers", "value": other}]},
            {"id": "2", "changes": [{"field": "customers", "value": newer}, {"field": "likes", "value": 1}]},
        ]
        assert (await deliver(served, "/webhooks/customers", {"entry": entries})).status_code == 200
        assert await served.settled() == {"done": 3, "ignored": 1}
        late = {"entry": [{"changes": [{"field": "customers", "value": older}]}]}
        assert (await deliver(served, "/webhooks/customers", late)).status_code == 200
        assert await served.settled() == {"done": 4, "ignored": 1}
        names = {contact["email"]: contact["first_name"] for contact in served.credo.contacts.values()}
        assert names == {"Person3@Example.com": "Newer", "Person4@Example.com": "First4"}


async def test_one_url_takes_the_topics_of_all_webhooks_that_are_proved_alike(tmp_path: Path) -> None:
    """An app of HubSpot has one URL: each event goes to the stream of its topic. Another secret proves nothing here."""
    companies = replace(HUBSPOT, topics=("company.creation",), deleted_topics=(), stream="companies")
    deals = replace(companies, topics=("deal.creation",), secret=Env("OTHER", secret=True), stream="deals")
    streams = [CUSTOMERS, replace(CUSTOMERS, name="companies"), replace(CUSTOMERS, name="deals")]
    async with serving(tmp_path, [HUBSPOT, companies, deals], streams, works=False) as served:
        events = [change(1), change(2, "company.creation"), change(3, "deal.creation")]
        for path in ("/webhooks/contact.creation", "/webhooks/company.creation"):
            assert (await deliver(served, path, [*events, {"at": path}])).status_code == 200
        found = {name: await waiting(served, name) for name in ("customers", "companies", "deals")}
        named = {
            name: [(row["topic"], json.loads(row["body"])["objectId"]) for row in rows] for name, rows in found.items()
        }
        assert named == {
            "customers": [("contact.propertyChange", 1)] * 2, "companies": [("company.creation", 2)] * 2, "deals": [],
        }  # fmt: skip


async def test_nothing_of_an_event_is_in_the_log_or_the_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(tmp_path, [HUBSPOT]) as served:
        planted = "planted@private.example"
        events = [planted, change([planted]), change(3, planted=planted), change(1, planted)]
        answers = [await deliver(served, "/webhooks/contact.creation", body) for body in (events, {"a": planted})]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert await served.settled() == {"done": 1, "dead": 3, "ignored": 1}
        assert planted not in caplog.text
        assert not any(planted in answer.text for answer in answers)


async def test_record_that_is_forgotten_is_taken_out_of_its_events_alone(tmp_path: Path) -> None:
    """Each event is a row of its own; a body that is none of them is looked through."""
    async with serving(tmp_path, [HUBSPOT]) as served:
        await deliver(served, "/webhooks/contact.creation", [change(3), change(4)])
        await deliver(served, "/webhooks/contact.creation", {"lost": [{"objectId": 3}]})
        assert await served.settled() == {"done": 2, "dead": 1}
        assert (await served.post("/forget", {"stream": "customers", "ids": ["3"]})).status_code == 200
        table, call = served.found.state._database.tables.inbox, served.found.state.call
        query = select(table.c.body).order_by(table.c.id)
        rows = await call(lambda: served.found.state._database.read(lambda link: link.execute(query).scalars().all()))
        assert [bytes(body) and json.loads(body) for body in rows] == [b"", change(4), b""]
