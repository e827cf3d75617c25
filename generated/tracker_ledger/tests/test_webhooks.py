"""Deliveries of the source: a signed one is stored, answered and carried out; anything else is refused and leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bench import Bench, serving
from tests.mocks.form import WebhookForm
from tests.mocks.places import at
from tests.mocks.webhooks import delivery
from tests.package import INTEGRATION, runtime, source_form

PUBLIC_URL = "https://hooks.example.com"
DELETED = {topic for webhook in INTEGRATION.webhooks for topic in webhook.deleted_topics}
WEBHOOKS = [
    pytest.param(webhook, topic, id=topic)
    for webhook in source_form().webhooks
    for topic in webhook.topics
    if topic not in DELETED
]
pytestmark = pytest.mark.skipif(not WEBHOOKS, reason="this package takes no webhooks")


@asynccontextmanager
async def receiving(webhook: WebhookForm, folder: Path) -> AsyncIterator[tuple[Bench, Any, httpx.AsyncClient]]:
    """The package's own server, without a port, between both mocks."""
    async with serving(webhook.stream, folder) as bench, bench.opened() as ready:
        app = runtime("server").make_application(ready, token=None, public_url=PUBLIC_URL, with_schedule=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://package") as client,
        ):
            yield bench, ready, client


def _signed(bench: Bench, topic: str, **options: Any) -> tuple[str, dict[str, str], bytes, Any]:
    """Path, headers and body of a delivery about a record that can be mapped, and the record."""
    record = bench.mappable()[0]
    path = f"/webhooks/{topic}"
    headers, raw = delivery(
        bench.source.form,
        bench.source.store,
        topic=topic,
        id=str(at(record, bench.source_records.form.identity)),
        url=PUBLIC_URL + path,
        **{"now_s": bench.clock.now(), **options},
    )
    return path, headers, raw, record


async def _until(is_so: Any) -> None:
    async with asyncio.timeout(10):
        while not is_so():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_signed_delivery_is_carried_out_once(webhook: WebhookForm, topic: str, tmp_path: Path) -> None:
    """A delivery that comes again (senders do that) changes nothing."""
    async with receiving(webhook, tmp_path) as (bench, _, client):
        path, headers, raw, _ = _signed(bench, topic)
        first = await client.post(path, content=raw, headers=headers)
        await _until(lambda: len(bench.destination_records) == 1)
        again = await client.post(path, content=raw, headers=headers)

        assert (first.status_code, again.status_code) == (200, 200)
        await asyncio.sleep(0.1)
        assert bench.effects == 1


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_delivery_with_a_wrong_signature_is_refused(webhook: WebhookForm, topic: str, tmp_path: Path) -> None:
    async with receiving(webhook, tmp_path) as (bench, _, client):
        path, headers, raw, _ = _signed(bench, topic, forged=True)
        forged = await client.post(path, content=raw, headers=headers)
        _, headers, raw, _ = _signed(bench, topic)
        bare = await client.post(path, content=raw, headers={"Content-Type": "application/json"})
        elsewhere = await client.post("/webhooks/no-such-topic", content=raw, headers=headers)

        assert (forged.status_code, bare.status_code, elsewhere.status_code) == (401, 401, 404)
        assert bench.effects == 0


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_delivery_that_was_changed_on_its_way_is_refused(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    if "{body}" not in webhook.scheme.content or webhook.scheme.construction == "token":
        pytest.skip("this vendor's scheme does not protect the body")
    async with receiving(webhook, tmp_path) as (bench, _, client):
        path, headers, raw, _ = _signed(bench, topic)
        answer = await client.post(path, content=raw + b" ", headers=headers)

        assert answer.status_code == 401
        assert bench.effects == 0


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_delivery_that_is_too_old_is_refused(webhook: WebhookForm, topic: str, tmp_path: Path) -> None:
    if webhook.scheme.tolerance_s is None:
        pytest.skip("this vendor's scheme signs no time")
    async with receiving(webhook, tmp_path) as (bench, _, client):
        old_s = bench.clock.now() - webhook.scheme.tolerance_s - 60
        path, headers, raw, _ = _signed(bench, topic, now_s=old_s)

        assert (await client.post(path, content=raw, headers=headers)).status_code == 401
