"""Promises of the control API and of webhooks over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.clock import SystemClock
from runtime.engine.opened import Opened, opened
from runtime.errors import SettingsError
from runtime.inbox import InboxWorker, InboxWriter
from runtime.server import Service
from runtime.state import StateUnavailable
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.sample.app import INTEGRATION
from tests.waiting import PATIENCE_S, until

TOKEN = "control-planted"
SECRET = "hook-planted"


class Served:
    """The sample's service between the fakes, and a client for it."""

    def __init__(self, found: Opened, service: Service, shopify: Shopify, credo: Credo) -> None:
        self.found, self.service, self.shopify, self.credo = found, service, shopify, credo
        transport = httpx.ASGITransport(app=service.application(), raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    async def get(self, path: str, token: str | None = TOKEN) -> httpx.Response:
        return await self.http.get(path, headers={"Authorization": f"Bearer {token}"} if token else {})

    async def post(self, path: str, body: Any, token: str | None = TOKEN) -> httpx.Response:
        return await self.http.post(path, json=body, headers={"Authorization": f"Bearer {token}"} if token else {})

    async def deliver(self, body: bytes, *, name: str = "d1", secret: str = SECRET, **headers: str) -> httpx.Response:
        signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
        signed = {"X-Shopify-Hmac-Sha256": signature, "X-Shopify-Webhook-Id": name}
        return await self.http.post("/webhooks/customers/update", content=body, headers={**signed, **headers})

    async def settled(self) -> dict[str, int]:
        """Wait until no delivery waits; returns their counts by state."""

        async def settled() -> tuple[dict[str, int]] | None:
            counts = await self.found.state.call(self.found.state.inbox.counts)
            return None if counts.get("waiting") else (counts,)

        found: tuple[dict[str, int]] = await until(settled)
        return found[0]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    shopify, credo = Shopify(20), Credo()
    environ = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": SECRET, "DATABASE_URL": f"sqlite:///{tmp_path / 's.db'}"}
    transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
    async with opened(INTEGRATION, environ, transports=transports, clock=SystemClock()) as found:
        service = Service(found, token=TOKEN, public_url=None, with_schedule=False)
        async with service.running():
            yield Served(found, service, shopify, credo)


# --- control ---


@pytest.mark.parametrize("path", ["/status", "/sync/status", "/sync/history", "/circuit-breaker/status", "/runs/x"])
@pytest.mark.parametrize("token", [None, "", "wrong", "control-plante", "é"])
async def test_control_needs_the_token(served: Served, path: str, token: str | None) -> None:
    """Every operation of it, compared as a whole."""
    headers = {"Authorization": f"Bearer {token}".encode()} if token is not None else {}
    reply = await served.http.get(path, headers=headers)  # type: ignore[arg-type]
    assert reply.status_code == 401
    assert (await served.post("/sync", {"stream": "customers"}, token=None)).status_code == 401


async def test_control_without_a_configured_token_is_closed(served: Served) -> None:
    """There is no default password."""
    closed = Service(served.found, token=None, public_url=None, with_schedule=False)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=closed.application()), base_url="http://x")
    reply = await http.get("/status", headers={"Authorization": "Bearer "})
    assert reply.status_code == 401
    assert "CONTROL_TOKEN" in reply.text
    assert (await http.get("/healthz")).status_code == 200


async def test_sync_is_started_and_its_run_can_be_read(served: Served) -> None:
    """202 with a run id at once; the run's report has the names that users know."""
    reply = await served.post("/sync", {"stream": "customers"})
    assert reply.status_code == 202
    run_id = reply.json()["run_id"]

    async def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = (await served.get(f"/runs/{run_id}")).json()
        return found if found["state"] != "running" else None

    run = await until(ended)
    assert (run["state"], run["fetched_from_source"], run["transformed"], run["pushed_to_dest"], run["failed"]) == (
        "done", 20, 20, 20, 0,
    )  # fmt: skip
    assert run["sync_duration_seconds"] >= 0
    assert run["trigger"] == "http"
    history = (await served.get("/sync/history?stream=customers")).json()["runs"]
    assert [each["run_id"] for each in history] == [run_id]

    async def shown() -> dict[str, Any] | None:
        [stream] = (await served.get("/sync/status")).json()["streams"]
        return None if stream["is_running"] else stream  # its end is on record first, and then it gives its lease back

    assert (await until(shown))["last_run"]["run_id"] == run_id
    status = (await served.get("/status")).json()
    assert status["integration"] == "shopify-credo"
    assert (await served.get("/circuit-breaker/status")).json()["credo"]["state"] == "closed"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"stream": "nobody"}, 404),
        ({}, 400),
        ({"stream": "customers", "sudo": True}, 400),
        ({"stream": "customers", "ids": "1"}, 400),
        ({"stream": "customers", "since": 5}, 400),
    ],
)
async def test_sync_that_cannot_be_is_refused(served: Served, body: Any, status: int) -> None:
    """Before a run is on record."""
    assert (await served.post("/sync", body)).status_code == status
    assert (await served.get("/sync/history")).json()["runs"] == []


async def test_sync_of_a_stream_that_is_being_run_conflicts(served: Served) -> None:
    """Runs of one stream never overlap."""
    state = served.found.state
    await state.call(lambda: state.leases.acquire("stream:customers", "another"))
    reply = await served.post("/sync", {"stream": "customers"})
    assert reply.status_code == 409
    assert (await served.post("/sync", {"stream": "customers", "dry_run": True})).status_code == 202


async def test_unknown_paths_and_methods_answer_in_json(served: Served) -> None:
    """404, 405, and 413 for a body above the limit, with or without its length."""
    assert (await served.get("/nothing")).json() == {"error": "there is nothing here"}
    assert (await served.http.get("/webhooks/customers/update")).status_code == 405
    assert (await served.get("/runs/nothing")).status_code == 404

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 1000

    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert (await served.http.post("/sync", content=b"x" * 100_000, headers=headers)).status_code == 413
    assert (await served.http.post("/sync", content=endless(), headers=headers)).status_code == 413


# --- health ---


async def test_health_asks_nobody_and_readiness_asks_the_state(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage of the database takes the process out of the load balancer, it does not restart it."""

    def down() -> None:
        raise StateUnavailable("gone")

    assert (await served.get("/readyz", token=None)).status_code == 200
    monkeypatch.setattr(served.found.state.inbox, "counts", down)
    assert (await served.get("/readyz", token=None)).status_code == 503
    assert (await served.get("/healthz", token=None)).status_code == 200


async def test_service_that_is_leaving_is_not_ready(served: Served) -> None:
    """Traffic goes elsewhere before the process ends."""
    async with served.service.running():
        pass
    assert (await served.get("/readyz", token=None)).status_code == 503


# --- webhooks ---


async def test_delivery_syncs_its_record(served: Served) -> None:
    """Stored, answered, then the record is read from the source and written."""
    body = json.dumps(served.shopify.customers[7]).encode()
    reply = await served.deliver(body)
    assert (reply.status_code, reply.json()) == (200, {"status": "stored"})
    assert await served.settled() == {"done": 1}
    assert served.credo.created() == ["Person7@Example.com"]
    run = (await served.get("/sync/history")).json()["runs"][0]
    assert (run["trigger"], run["kind"], run["written"]) == ("webhook", "ids", 1)


async def test_hundred_deliveries_of_one_event_are_one_effect(served: Served) -> None:
    """All are answered 2xx; one row, one contact."""
    body = json.dumps(served.shopify.customers[7]).encode()
    replies = await asyncio.gather(*(served.deliver(body) for _ in range(100)))
    assert {reply.status_code for reply in replies} == {200}
    assert await served.settled() == {"done": 1}
    assert served.credo.created() == ["Person7@Example.com"]


async def test_forged_delivery_is_refused_without_detail(served: Served) -> None:
    """401 before the body is looked at, whatever it is."""
    for body in (b'{"id": 1}', b"{", b""):
        reply = await served.deliver(body, secret="forged")
        assert (reply.status_code, reply.json()) == (401, {"error": "not proved"})
    reply = await served.deliver(b"{", secret="forged", **{"Content-Type": "text/plain"})
    assert reply.status_code == 401
    assert await served.settled() == {}


async def test_delivery_that_is_not_json_is_kept_as_dead(served: Served) -> None:
    """400, so that the sender stops, and a row that says what came."""
    assert (await served.deliver(b"{")).status_code == 400
    assert await served.settled() == {"dead": 1}


@pytest.mark.parametrize("steps", range(6))
async def test_worker_ends_when_it_is_told_to_while_a_delivery_arrives(served: Served, steps: int) -> None:
    """However far the news of the delivery has come, being cancelled is not forgotten over it."""
    writer = InboxWriter(served.found.state)
    task = asyncio.create_task(InboxWorker(served.found.engine, writer).run())
    await asyncio.sleep(0.1)
    writer.arrived.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
    assert done == {task}
    assert task.cancelled()


async def test_delivery_that_cannot_be_stored_is_not_acknowledged(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503: the sender comes again."""

    def down(rows: Any) -> None:
        raise StateUnavailable("gone")

    monkeypatch.setattr(served.found.state.inbox, "put", down)
    reply = await served.deliver(b'{"id": 1}')
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "5"


@pytest.mark.parametrize("chunked", [False, True])
async def test_delivery_above_the_limit_is_not_read(served: Served, chunked: bool) -> None:
    """413 with and without a length; 415 for one that is compressed."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(101):
            yield b"x" * 100_000

    content: Any = pieces() if chunked else b"x" * 10_100_000
    assert (await served.http.post("/webhooks/customers/update", content=content)).status_code == 413
    assert (await served.deliver(b"{}", **{"Content-Encoding": "gzip"})).status_code == 415


async def test_delivery_while_the_stream_is_run_waits_for_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook and a poll never write one record side by side."""
    monkeypatch.setattr("runtime.inbox.BUSY_RETRY_S", 0.01)
    state = served.found.state
    lease = await state.call(lambda: state.leases.acquire("stream:customers", "another"))
    await served.deliver(json.dumps(served.shopify.customers[7]).encode())
    await asyncio.sleep(0.05)
    assert (await state.call(state.inbox.counts)) == {"waiting": 1}
    await state.call(lambda: state.leases.release(lease))
    assert await served.settled() == {"done": 1}


async def test_stored_delivery_survives_a_restart(tmp_path: Path) -> None:
    """It was durable before it was acknowledged."""
    shopify, credo = Shopify(3), Credo()
    environ = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": SECRET, "DATABASE_URL": f"sqlite:///{tmp_path / 's.db'}"}
    transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
    async with opened(INTEGRATION, environ, transports=transports) as found:
        first = Served(found, Service(found, token=None, public_url=None, with_schedule=False), shopify, credo)
        assert (await first.deliver(json.dumps(shopify.customers[2]).encode())).status_code == 200
    assert credo.created() == []
    async with opened(INTEGRATION, environ, transports=transports) as found:
        service = Service(found, token=None, public_url=None, with_schedule=False)
        async with service.running():
            assert await Served(found, service, shopify, credo).settled() == {"done": 1}
    assert credo.created() == ["Person2@Example.com"]


async def test_webhook_without_a_secret_refuses_to_start(tmp_path: Path) -> None:
    """Deliveries could not be told from forgeries."""
    environ = {**ENVIRON, "DATABASE_URL": f"sqlite:///{tmp_path / 's.db'}"}
    transports = (httpx.MockTransport(Shopify()), httpx.MockTransport(Credo()))
    async with opened(INTEGRATION, environ, transports=transports) as found:
        with pytest.raises(SettingsError, match="SHOPIFY_WEBHOOK_SECRET"):
            Service(found, token=None, public_url=None, with_schedule=False)
