"""Deliveries of the source: a signed one is stored, answered and carried out; anything else is refused and leaves nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bench import PATIENCE_S, Bench, serving
from tests.mocks.form import WebhookForm
from tests.mocks.places import at, put
from tests.mocks.webhooks import delivery, event, sent_to, sign
from tests.package import INTEGRATION, destination_form, runtime, source_form

PUBLIC_URL = "https://hooks.example.com"
DELETED = {topic for webhook in INTEGRATION.webhooks for topic in webhook.deleted_topics}
WEBHOOKS = [
    pytest.param(webhook, topic, id=topic)
    for form in (source_form(), destination_form())
    for webhook in form.webhooks
    for topic in webhook.topics
    if topic not in DELETED
]
pytestmark = pytest.mark.skipif(not WEBHOOKS, reason="this package takes no webhooks")


@asynccontextmanager
async def receiving(
    webhook: WebhookForm, folder: Path, **environ: str
) -> AsyncIterator[tuple[Bench, Any, httpx.AsyncClient]]:
    """The package's own server, without a port, between both mocks."""
    async with serving(webhook.stream, folder) as bench:
        bench.environ |= environ
        async with receiver(bench) as (ready, client):
            yield bench, ready, client


@asynccontextmanager
async def receiver(bench: Bench) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    """One life of the server."""
    async with bench.opened() as ready:
        app = runtime("server").make_application(ready, token=None, public_url=PUBLIC_URL, with_schedule=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app, raise_app_exceptions=False), base_url="http://package"
            ) as client,
        ):
            yield ready, client


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
    scheme = next(each.scheme for each in bench.source.form.webhooks if topic in (*each.topics, *each.deleted_topics))
    return sent_to(scheme, path, raw), headers, raw, record


async def _until(is_so: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.02)


async def _settled(ready: Any) -> dict[str, int]:
    """Wait until no delivery waits; their counts by state."""
    async with asyncio.timeout(PATIENCE_S):
        while (counts := await ready.state.call(ready.state.inbox.counts)).get("waiting"):
            await asyncio.sleep(0.02)
    return dict(counts)


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_signed_delivery_is_carried_out_once(webhook: WebhookForm, topic: str, tmp_path: Path) -> None:
    """A delivery that comes again (senders do that) changes nothing."""
    async with receiving(webhook, tmp_path) as (bench, ready, client):
        path, headers, raw, _ = _signed(bench, topic)
        first = await client.post(path, content=raw, headers=headers)
        await _until(lambda: len(bench.destination_records) == 1)
        again = await client.post(path, content=raw, headers=headers)

        assert (first.status_code, again.status_code) == (200, 200)
        await _settled(ready)
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
    if (
        not {"{body}", "{form}"} & set(re.findall(r"\{\w+\}", webhook.scheme.content))
        or webhook.scheme.construction == "token"
    ):
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


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_delivery_that_comes_fifty_times_at_once_is_carried_out_once(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    async with receiving(webhook, tmp_path) as (bench, ready, client):
        path, headers, raw, _ = _signed(bench, topic)
        answers = await asyncio.gather(*(client.post(path, content=raw, headers=headers) for _ in range(50)))
        await _until(lambda: len(bench.destination_records) == 1)

        assert {answer.status_code for answer in answers} == {200}
        await _settled(ready)
        assert bench.effects == 1


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_older_state_that_arrives_late_overwrites_nothing(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    async with receiving(webhook, tmp_path) as (bench, ready, client):
        if bench.stream.source.version is None or bench.stream.mode == "append":
            pytest.skip("records of this stream have no version, or are appended")
        path, old_headers, old, record = _signed(bench, topic, delivery_id="the-older-one")
        if bench.change(1) == 0:
            pytest.skip("no change of a record shows at the destination")
        path, new_headers, new, changed = _signed(bench, topic, delivery_id="the-newer-one")
        await client.post(path, content=new, headers=new_headers)
        await _until(lambda: len(bench.destination_records) == 1)
        await client.post(path, content=old, headers=old_headers)
        await _settled(ready)

        assert bench.body(record) != bench.body(changed)
        assert bench.effects == 1


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_delivery_that_was_answered_survives_the_end_of_the_process(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    """Stored before the answer: what was not carried out yet is carried out by the next process."""
    async with serving(webhook.stream, tmp_path) as bench:
        path, headers, raw, _ = _signed(bench, topic)
        async with bench.opened() as ready:
            app = runtime("server").make_application(ready, token=None, public_url=PUBLIC_URL, with_schedule=False)
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # never started: no work is done
            async with httpx.AsyncClient(transport=transport, base_url="http://package") as client:
                assert (await client.post(path, content=raw, headers=headers)).status_code == 200
        assert bench.effects == 0
        async with receiver(bench):
            await _until(lambda: len(bench.destination_records) == 1)
        assert bench.effects == 1


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_write_of_a_delivery_whose_answer_is_lost_is_found_out_by_itself(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    """In seconds, without a schedule: nothing stays unknown, and nothing is there twice."""
    async with receiving(webhook, tmp_path, MAX_ATTEMPTS="1") as (bench, ready, client):
        to, store = bench.stream.destination, ready.state.store
        if not runtime("engine.adopt").can_find(bench.stream) or bench.stream.mode == "append":
            pytest.skip("whether a record of this stream was made cannot be looked up")
        creates = [to.create, *([to.batch.operation] if to.batch is not None else [])]
        for operation in creates:
            bench.destination.faults.add("truncate", operation=operation.id, after_effect=True)
        if to.find is not None and to.find.operation.id != to.create.id:
            looks_first = int(bench.stream.adopt == "lookup")
            bench.destination.faults.add("status", operation=to.find.operation.id, skip=looks_first)
        path, headers, raw, _ = _signed(bench, topic)
        assert (await client.post(path, content=raw, headers=headers)).status_code == 200
        await _settled(ready)
        async with asyncio.timeout(PATIENCE_S):
            while await ready.state.call(lambda: store.intents(bench.stream.name)):
                await asyncio.sleep(0.02)

        assert len(bench.destination_records) == 1
        assert sum(entry.effect == "create" for entry in bench.destination.store.log) == 1


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_delivery_is_not_answered_well_while_it_cannot_be_stored(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    """503, so that the sender comes again; then it is stored and carried out."""
    async with receiving(webhook, tmp_path) as (bench, ready, client):
        path, headers, raw, _ = _signed(bench, topic)
        call = ready.state.call

        async def down(work: Any) -> Any:
            raise runtime("state").StateUnavailable("the database is away")

        ready.state.call = down
        refused = await client.post(path, content=raw, headers=headers)
        unready = await client.get("/readyz")
        ready.state.call = call
        answer = await client.post(path, content=raw, headers=headers)

        assert (refused.status_code, unready.status_code, answer.status_code) == (503, 503, 200)
        await _until(lambda: len(bench.destination_records) == 1)
        assert bench.effects == 1


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_both_secrets_count_while_one_replaces_the_other(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    declared = next(each for each in INTEGRATION.webhooks if topic in each.topics)
    if not hasattr(declared.secret, "name"):
        pytest.skip("the secret of this webhook does not come from the environment")
    new = {"text": "another-secret", "base64": "YW5vdGhlcg==", "whsec_base64": "whsec_YW5vdGhlcg=="}
    secret = new[webhook.scheme.secret_encoding]
    async with receiving(webhook, tmp_path, **{declared.secret.name: f"{secret} {webhook.secret}"}) as (
        bench,
        _,
        client,
    ):
        for each in (secret, webhook.secret):
            path, headers, raw, _ = _signed(bench, topic, secret=each)
            assert (await client.post(path, content=raw, headers=headers)).status_code == 200
        path, headers, raw, _ = _signed(bench, topic, forged=True)
        assert (await client.post(path, content=raw, headers=headers)).status_code == 401
    async with receiving(webhook, tmp_path, **{declared.secret.name: secret}) as (bench, _, client):
        path, headers, raw, _ = _signed(bench, topic)
        assert (await client.post(path, content=raw, headers=headers)).status_code == 401


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_request_that_is_no_delivery_is_refused_before_it_costs_anything(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    """Another method, a compressed body, one above the limit, one that is not JSON."""
    async with receiving(webhook, tmp_path) as (bench, ready, client):
        path, headers, raw, _ = _signed(bench, topic)
        huge = b"x" * (runtime("webhooks").MAX_DELIVERY_BYTES + 1)

        async def in_pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(huge), 65_536):
                yield huge[start : start + 65_536]

        answers = [
            await client.get(path),
            await client.post(path, content=raw, headers={**headers, "Content-Encoding": "gzip"}),
            await client.post(path, content=huge, headers=headers),
            await client.post(path, content=in_pieces(), headers=headers),
        ]
        no_get = 403 if _declared(topic).handshake_secret is not None else 405
        assert [answer.status_code for answer in answers] == [no_get, 415, 413, 413]
        counts = await ready.state.call(ready.state.inbox.counts)
        assert (bench.effects, sum(counts.values())) == (0, 0)


def nameless(webhook: WebhookForm, topic: str) -> Any:
    """An event about no record."""
    event = {"planted": True}
    return put(event, webhook.topic_path, topic) if webhook.topic_path is not None else event


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_each_event_of_a_body_is_carried_out_and_a_bad_one_is_dead_alone(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    """Together in one body, again in the same body, and then nothing more."""
    if webhook.events is None:
        pytest.skip("a delivery of this webhook holds one event")
    async with receiving(webhook, tmp_path) as (bench, ready, client):
        store, path = bench.source.store, f"/webhooks/{topic}"
        ids = [str(at(record, bench.source_records.form.identity)) for record in bench.mappable()[:3]]
        events = [event(webhook, store, topic=topic, id=id) for id in ids]
        headers, raw = sign(
            webhook,
            *[*events[:1], nameless(webhook, topic), *events[1:], {"planted": "another topic or no record"}],
            url=PUBLIC_URL + path,
            secret=webhook.secret,
            now_s=bench.clock.now(),
            delivery_id="together",
        )
        for _ in range(2):
            answer = await client.post(sent_to(webhook.scheme, path, raw), content=raw, headers=headers)
            assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
        await _until(lambda: len(bench.destination_records) == len(ids))
        counts = await _settled(ready)
        letters = len(bench.dead_letters())
        assert bench.effects == len(ids)
        assert sum(counts.values()) == len(ids) + 2
        assert letters + counts.get("dead", 0) + counts.get("ignored", 0) == 2


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_delivery_that_is_proved_and_cannot_be_read_is_kept_as_dead(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    """A record without its identity, in a delivery with a right signature: nothing is written, and it can be looked at."""
    async with receiving(webhook, tmp_path) as (bench, ready, client):
        path = f"/webhooks/{topic}"
        headers, raw = sign(
            webhook,
            nameless(webhook, topic),
            url=PUBLIC_URL + path,
            secret=webhook.secret,
            now_s=bench.clock.now(),
            delivery_id="unreadable",
        )
        answer = await client.post(sent_to(webhook.scheme, path, raw), content=raw, headers=headers)
        assert answer.status_code == 200
        counts = await _settled(ready)
        assert bench.effects == 0
        assert len(bench.dead_letters()) + counts.get("dead", 0) >= 1


def _declared(topic: str) -> Any:
    return next(each for each in INTEGRATION.webhooks if topic in (*each.topics, *each.deleted_topics))


@pytest.mark.parametrize(("webhook", "topic"), WEBHOOKS)
async def test_handshake_by_get_is_answered_to_those_who_know_the_word(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    """With the text that was asked for, as text; whoever does not know the word hears nothing of it."""
    declared = _declared(topic)
    if declared.handshake_secret is None:
        pytest.skip("this webhook has no handshake by GET")
    async with receiving(webhook, tmp_path) as (bench, ready, client):
        scheme = declared.scheme
        word = ready.settings.text(declared.handshake_secret)
        query = {scheme.handshake_word: word, scheme.handshake_challenge: "<b>1158201444</b>"}
        if scheme.handshake_mode is not None:
            name, _, value = scheme.handshake_mode.partition("=")
            query[name] = value
        right = await client.get(f"/webhooks/{topic}", params=query)
        wrong = await client.get(f"/webhooks/{topic}", params={**query, scheme.handshake_word: f"{word}x"})

        assert (right.status_code, right.text) == (200, "<b>1158201444</b>")
        assert right.headers["content-type"].startswith("text/plain")
        assert right.headers["x-content-type-options"] == "nosniff"
        assert wrong.status_code == 403
        assert "1158201444" not in wrong.text
        assert bench.effects == 0


DELETIONS = [
    pytest.param(webhook, topic, id=topic) for webhook in source_form().webhooks for topic in webhook.deleted_topics
] or [pytest.param(None, "", marks=pytest.mark.skip(reason="no webhook of this package tells of deletions"))]


@pytest.mark.parametrize(("webhook", "topic"), DELETIONS)
async def test_delivery_of_a_deletion_deletes_where_the_stream_does(
    webhook: WebhookForm, topic: str, tmp_path: Path
) -> None:
    """Its body names the record and no more."""
    async with receiving(webhook, tmp_path) as (bench, ready, client):
        await ready.engine.run(runtime("engine").RunRequest(stream=webhook.stream))
        record = bench.mappable()[0]
        id = str(at(record, bench.source_records.form.identity))
        path = f"/webhooks/{topic}"
        headers, raw = delivery(
            bench.source.form, bench.source.store, topic=topic, id=id, url=PUBLIC_URL + path, now_s=bench.clock.now()
        )
        bench.source_records.delete(id)
        before = bench.effects
        answer = await client.post(sent_to(webhook.scheme, path, raw), content=raw, headers=headers)

        assert answer.status_code == 200
        if bench.stream.deletes is None:
            assert answer.json() == {"status": "ignored"}
            return
        await _until(lambda: bench.effects == before + 1)
        assert bench.destination.store.log[-1].effect in ("delete", "update")
