"""Promises over HTTP about deletes and comparisons: deliveries that tell of a deletion, `POST /verify`, `allow_deletes`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.clock import SystemClock
from runtime.declare import Deletes
from runtime.engine import RunRequest
from runtime.engine.opened import opened
from runtime.server import Service
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.engine.test_deletes import DELETE
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.sample.app import CUSTOMERS, INTEGRATION
from tests.runtime.test_server import SECRET, Served
from tests.waiting import until


@asynccontextmanager
async def serving(folder: Path, *, has_get: bool = True, deletes: bool = True) -> AsyncIterator[Served]:
    """The sample with hard deletes and a topic that tells of them."""
    source = CUSTOMERS.source if has_get else replace(CUSTOMERS.source, get=None)
    stream = replace(
        CUSTOMERS,
        source=source,
        destination=replace(CUSTOMERS.destination, delete=DELETE),
        deletes=Deletes(mode="hard") if deletes else None,
    )
    webhooks = tuple(replace(webhook, deleted_topics=("customers/delete",)) for webhook in INTEGRATION.webhooks)
    integration = replace(INTEGRATION, streams=(stream,), webhooks=webhooks)
    shopify, credo = Shopify(5), Credo()
    environ = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": SECRET, "DATABASE_URL": f"sqlite:///{folder / 's.db'}"}
    transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
    async with opened(integration, environ, transports=transports, clock=SystemClock()) as found:
        service = Service(found, token="control-planted", public_url=None, with_schedule=False)
        async with service.running():
            served = Served(found, service, shopify, credo)
            await found.engine.run(RunRequest(stream="customers"))
            yield served


async def told_of_deletion(served: Served, number: int, name: str) -> httpx.Response:
    body = json.dumps({"id": number}).encode()
    signature = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()
    headers = {"X-Shopify-Hmac-Sha256": signature, "X-Shopify-Webhook-Id": name}
    return await served.http.post("/webhooks/customers/delete", content=body, headers=headers)


@pytest.mark.parametrize("has_get", [True, False], ids=["asked", "trusted"])
async def test_delivery_of_a_deletion_deletes(tmp_path: Path, has_get: bool) -> None:
    """Its body names the record and no more."""
    async with serving(tmp_path, has_get=has_get) as served:
        del served.shopify.customers[2]
        reply = await told_of_deletion(served, 2, "d1")
        assert (reply.status_code, reply.json()) == (200, {"status": "stored"})
        assert await served.settled() == {"done": 1}
        assert sorted(each["last_name"] for each in served.credo.contacts.values()) == [
            "Last1", "Last3", "Last4", "Last5"
        ]  # fmt: skip


async def test_delivery_of_a_deletion_that_the_source_knows_nothing_of_deletes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await told_of_deletion(served, 2, "d1")
        assert await served.settled() == {"done": 1}
        assert len(served.credo.contacts) == 5


async def test_delivery_of_a_deletion_is_ignored_where_the_stream_deletes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, deletes=False) as served:
        del served.shopify.customers[2]
        assert (await told_of_deletion(served, 2, "d1")).json() == {"status": "ignored"}
        assert await served.settled() == {"ignored": 1}
        assert len(served.credo.contacts) == 5


async def test_update_and_deletion_of_one_record_end_as_the_source_has_it(tmp_path: Path) -> None:
    """Whatever the order in which they come."""
    async with serving(tmp_path) as served:
        body = json.dumps(served.shopify.customers[3]).encode()
        del served.shopify.customers[3]
        await told_of_deletion(served, 3, "d1")
        await served.deliver(body, name="d2")
        await served.settled()
        assert len(served.credo.contacts) == 4


async def finished(served: Served, place: str) -> dict[str, Any]:
    async def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = (await served.get(place)).json()
        return found if found["state"] != "running" else None

    found: dict[str, Any] = await until(ended)
    return found


async def test_verify_is_begun_and_can_be_asked_about(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        next(iter(served.credo.contacts.values()))["first_name"] = "by hand"
        reply = await served.post("/verify", {"stream": "customers"})
        assert reply.status_code == 202
        found = await finished(served, reply.headers["location"])
        assert (found["state"], found["streams"][0]["different"]) == ("different", 1)
        reply = await served.post("/verify", {"repair": True})
        found = await finished(served, reply.headers["location"])
        assert (found["state"], found["streams"][0]["left"]["state"]) == ("equal", "equal")
        assert (await served.get("/verify/nothing")).status_code == 404
        assert (await served.post("/verify", {"stream": "nothing"})).status_code == 404
        assert (await served.post("/verify", {"stream": "customers"}, token=None)).status_code == 401


async def test_verify_beside_a_run_conflicts(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        state = served.found.state
        lease = await state.call(lambda: state.leases.acquire("stream:customers", "another", 60))
        assert (await served.post("/verify", {"stream": "customers"})).status_code == 409
        await state.call(lambda: state.leases.release(lease))


async def test_deletes_are_allowed_over_http(tmp_path: Path) -> None:
    async with serving(tmp_path, has_get=False) as served:
        served.shopify.customers.clear()
        reply = await served.post("/sync", {"stream": "customers", "allow_deletes": True})
        place = reply.json()["status"]
        run = await finished(served, place)
        assert (run["state"], run["written_by_kind"]["deleted"], served.credo.contacts) == ("done", 5, {})
