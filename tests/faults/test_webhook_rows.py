"""Faults of deliveries: through the package's own application, its inbox and its worker, and over raw sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from runtime.clock import SystemClock
from runtime.engine import RunRequest
from runtime.engine.opened import Opened, opened
from runtime.engine.suspects import CRASHES, DEADLY, SUSPECTED
from runtime.errors import SettingsError
from runtime.inbox import ATTEMPTS, InboxWorker, InboxWriter
from runtime.server import Service
from runtime.state import StateUnavailable
from runtime.webhooks import MAX_DELIVERY_BYTES, Verifier
from tests.faults.rows import fault
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.sample.app import CUSTOMERS, INTEGRATION
from tests.runtime.test_server import SECRET, TOKEN, Served, served
from tests.runtime.test_webhooks import SCHEMES, STRIPE, sign, vectors
from tests.shared import SHARED
from tests.waiting import PATIENCE_S

__all__ = ["served"]


def body_of(served: Served, number: int) -> bytes:
    return json.dumps(served.shopify.customers[number]).encode()


@asynccontextmanager
async def life(
    folder: Path, shopify: Shopify, credo: Credo, *, integration: Any = INTEGRATION, works: bool = True, **environ: str
) -> AsyncIterator[Served]:
    """One life of the service over the state in a folder."""
    given = {**ENVIRON, "SHOPIFY_WEBHOOK_SECRET": SECRET, "DATABASE_URL": f"sqlite:///{folder / 's.db'}", **environ}
    transports = (httpx.MockTransport(shopify), httpx.MockTransport(credo))
    async with opened(integration, given, transports=transports, clock=SystemClock()) as found:
        service = Service(found, token=TOKEN, public_url="https://hooks.example.test", with_schedule=False)
        if not works:
            yield Served(found, service, shopify, credo)
            return
        async with service.running():
            yield Served(found, service, shopify, credo)


# --- the same, older, later ---


@fault("wh-duplicate")
async def test_wh_duplicate_a_hundred_at_once_are_one_row_and_one_effect(served: Served) -> None:
    """All of them are answered well."""
    body = body_of(served, 3)
    answers = await asyncio.gather(*(served.deliver(body, name="one") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert await served.settled() == {"done": 1}
    assert len(served.credo.effects) == 1


@fault("wh-order")
async def test_wh_order_older_state_after_the_newer_reads_what_is_there_now(served: Served) -> None:
    """The delivery only says which record changed: the record itself is read from the source."""
    old = body_of(served, 3)
    served.shopify.put(3, first_name="Newer")
    await served.deliver(body_of(served, 3), name="second")
    await served.settled()
    await served.deliver(old, name="first")
    await served.settled()
    assert [contact["first_name"] for contact in served.credo.contacts.values()] == ["Newer"]
    assert len(served.credo.effects) == 1


@fault("wh-order")
async def test_wh_order_where_the_source_cannot_be_asked_the_version_decides(tmp_path: Path) -> None:
    """The delivery's own record counts, unless a newer one was written."""
    shopify, credo = Shopify(5), Credo()
    stream = replace(CUSTOMERS, source=replace(CUSTOMERS.source, get=None))
    async with life(tmp_path, shopify, credo, integration=replace(INTEGRATION, streams=(stream,))) as served:
        old = body_of(served, 3)
        shopify.put(3, first_name="Newer")
        await served.deliver(body_of(served, 3), name="second")
        await served.settled()
        await served.deliver(old, name="first")
        assert await served.settled() == {"done": 2}
        assert [contact["first_name"] for contact in credo.contacts.values()] == ["Newer"]


@fault("wh-replay")
def test_wh_replay_of_a_signed_time_is_refused_beyond_its_tolerance() -> None:
    """300 s for most, what the vendor says for the others; the future counts like the past."""
    for vendor, scheme in SCHEMES.items():
        if scheme.tolerance_s is not None:
            assert 0 < scheme.tolerance_s <= 300, vendor


@fault("wh-replay")
async def test_wh_replay_of_a_known_name_changes_nothing_for_as_long_as_vendors_deliver(served: Served) -> None:
    """The same name a day later: answered well, carried out no second time; a week later it is forgotten."""
    await served.deliver(body_of(served, 3), name="one")
    await served.settled()
    state = served.found.state
    assert await state.call(lambda: state.inbox.forget_before(served.found.engine.clock.now() - 6 * 86_400)) == 0
    served.shopify.put(3, first_name="Newer")
    assert (await served.deliver(body_of(served, 3), name="one")).json() == {"status": "stored"}
    assert await served.settled() == {"done": 1}
    assert len(served.credo.effects) == 1


# --- forged ---


@fault("wh-forged")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Shopify-Hmac-Sha256": ""},
        {"X-Shopify-Hmac-Sha256": "AAAA"},
        {"X-Shopify-Hmac-Sha256": "not base64 at all"},
        {"X-Shopify-Hmac-Sha256": "sha1=2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
        {"X-Hub-Signature-256": "sha256=00"},
    ],
)
async def test_wh_forged_is_401_without_detail_and_leaves_nothing(served: Served, headers: dict[str, str]) -> None:
    """Also when the body is no JSON: the signature comes first."""
    for content in (body_of(served, 3), b"{", b"\xff" * 100):
        answer = await served.http.post("/webhooks/customers/update", content=content, headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"error": "not proved"})
    assert await served.settled() == {}


@fault("wh-forged")
async def test_wh_forged_header_twice_or_not_ascii_is_refused(served: Served) -> None:
    """A forged one before the right one; bytes that no digest has."""
    import base64
    import hashlib
    import hmac

    body = body_of(served, 3)
    right = base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest())
    name = b"X-Shopify-Hmac-Sha256"
    for fields in ([(name, b"AAAA"), (name, right)], [(name, right), (name, right)], [(name, b"\xe9" + right)]):
        answer = await served.http.post("/webhooks/customers/update", content=body, headers=fields)
        assert answer.status_code == 401
    assert (
        await served.http.post("/webhooks/customers/update", content=body, headers=[(name, right)])
    ).status_code == 200


PUBLISHED = SHARED / "security" / "webhook_vectors.json"
NEGATIVE = vectors()["negative"] if PUBLISHED.is_file() else []


@fault("wh-forged")
@pytest.mark.parametrize("case", NEGATIVE, ids=lambda case: case["name"])
async def test_wh_forged_published_negative_case_is_answered_as_expected(case: dict[str, Any], tmp_path: Path) -> None:
    """Each of them over HTTP, with the scheme that the vector is of."""
    change = case["change"]
    vector = next(each for each in vectors()["vectors"] if each["vendor"] == case["vendor"])
    if case["expect"] == "startup error":
        with pytest.raises(SettingsError):
            Verifier(STRIPE, [change["secret"]])
        return
    topic = {"type_path": ("type",)}
    webhook = replace(INTEGRATION.webhooks[0], scheme=STRIPE, topics=("order.updated",), topic_path=topic["type_path"])
    environ = {
        "SHOPIFY_WEBHOOK_SECRET": f"new_secret {vector['secret']}" if "secret_index" in change else vector["secret"]
    }
    integration = replace(INTEGRATION, webhooks=(webhook,))
    async with life(tmp_path, Shopify(3), Credo(), integration=integration, **environ) as served:
        now = change.get("now", vector["timestamp"])
        served.found.engine.clock = _Fixed(now)  # type: ignore[assignment]
        stamp, raw = change.get("ts", vector["timestamp"]), change.get("body", vector["body"]).encode()
        if "size" in change:
            raw = b"x" * change["size"]
        signed = vector["body"].encode() if "byte changed" in case["name"] or "re-serialised" in case["name"] else raw
        signature = sign(change.get("secret", vector["secret"]), f"{stamp}.".encode() + signed).hex()
        fields = [("Stripe-Signature", f"t={stamp},v1={signature.upper() if change.get('upper') else signature}")]
        if "drop_header" in change:
            fields = []
        if "set_header" in change:
            fields = [(name, text.encode("latin-1")) for name, text in change["set_header"].items()]  # type: ignore[misc]
        if change.get("duplicate_header"):
            fields = [("Stripe-Signature", f"t={stamp},v1={'0' * 64}"), *fields]
        if "content_type" in change:
            fields.append(("Content-Type", change["content_type"]))
        if "encoding" in change:
            fields.append(("Content-Encoding", change["encoding"]))
            raw = gzip.compress(b" " * 1_000_000)
        if "content_type" in change:
            fields[0] = ("Stripe-Signature", f"t={stamp},v1={'0' * 64}")
        if change.get("db") == "down":
            served.found.state.call = _down  # type: ignore[method-assign]

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(raw), 65_536):
                yield raw[start : start + 65_536]

        content = pieces() if change.get("chunked") else raw
        method = change.get("method", "POST")
        answers = [
            await served.http.request(method, "/webhooks/order.updated", content=content, headers=fields)
            for _ in range(min(change.get("repeat", 1), 5) if not change.get("chunked") else 1)
        ]
        statuses = {answer.status_code for answer in answers}
        assert len(statuses) == 1
        [status] = statuses
        assert str(status) in str(case["expect"]).replace("2xx", "200")
        if "repeat" in change:
            assert sum((await served.settled()).values()) == 1


class _Fixed(SystemClock):
    """A time of day that stands still."""

    def __init__(self, moment: float) -> None:
        super().__init__()
        self._moment = moment

    def now(self) -> float:
        return self._moment


async def _down(work: Any) -> Any:
    raise StateUnavailable("the database is away")


# --- too much ---


@asynccontextmanager
async def listening(served: Served) -> AsyncIterator[int]:
    """The application behind a real socket, as `serve` starts it."""
    config = uvicorn.Config(
        served.service.application(), port=0, log_config=None, lifespan="off", limit_concurrency=1000
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def answer_to(port: int, head: str, pieces: Any = (), *, every_s: float = 0.0) -> bytes:
    """What the server says to raw bytes; it may say so before all of them are sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.encode())
        for piece in pieces:
            if writer.is_closing():
                break
            writer.write(piece)
            try:
                await writer.drain()
            except ConnectionError:
                break
            if every_s:
                await asyncio.sleep(every_s)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await reader.readline()
        except ConnectionError:
            return b""
    finally:
        writer.close()


@fault("wh-oversized")
async def test_wh_oversized_is_refused_before_it_is_in_memory(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Announced, chunked, packed, dripping: each over a raw socket."""
    start = "POST /webhooks/customers/update HTTP/1.1\r\nHost: x\r\nX-Shopify-Hmac-Sha256: AAAA\r\n"
    async with listening(served) as port:
        announced = await answer_to(port, f"{start}Content-Length: {10**12}\r\n\r\n")
        assert b" 413 " in announced
        piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        sent = 0

        def endless() -> Any:
            nonlocal sent
            for sent in range(10_000):  # noqa: B007
                yield piece

        chunked = await answer_to(port, f"{start}Transfer-Encoding: chunked\r\n\r\n", endless())
        assert b" 413 " in chunked or not chunked  # the answer may be lost with a connection that is closed
        assert sent * len(piece) < 10 * MAX_DELIVERY_BYTES  # it stopped listening long before the end
        packed = await answer_to(port, f"{start}Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", [b"12345"])
        assert b" 415 " in packed
        monkeypatch.setattr("runtime.routes.common.BODY_TIMEOUT_S", 0.5)
        dripping = await answer_to(port, f"{start}Content-Length: 100\r\n\r\n", [b"x" for _ in range(30)], every_s=0.05)
        assert b" 408 " in dripping or not dripping
    assert await served.settled() == {}


# --- stored before it is answered ---


@fault("wh-ack-durability")
async def test_wh_ack_durability_what_was_answered_is_carried_out_after_a_restart(tmp_path: Path) -> None:
    """The process ends between the answer and the work."""
    shopify, credo = Shopify(5), Credo()
    async with life(tmp_path, shopify, credo, works=False) as before:
        for number in range(1, 6):
            assert (await before.deliver(body_of(before, number), name=f"d{number}")).status_code == 200
    assert credo.effects == []
    async with life(tmp_path, shopify, credo) as after:
        assert await after.settled() == {"done": 5}
    assert len(credo.created()) == 5


@fault("wh-ack-durability")
async def test_wh_ack_durability_without_a_database_the_answer_is_503(served: Served) -> None:
    """So that the sender comes again; nothing was promised."""
    call = served.found.state.call
    served.found.state.call = _down  # type: ignore[method-assign]
    answer = await served.deliver(body_of(served, 3))
    ready = await served.http.get("/readyz")
    served.found.state.call = call  # type: ignore[method-assign]
    assert (answer.status_code, answer.headers["Retry-After"], ready.status_code) == (503, "5", 503)
    assert (await served.deliver(body_of(served, 3))).status_code == 200
    assert await served.settled() == {"done": 1}


@fault("wh-ack-durability")
async def test_wh_ack_durability_delivery_that_ends_the_process_each_time_is_dead_and_spares_the_others(
    tmp_path: Path,
) -> None:
    """After some deaths its records are read one by one, and the one that kills is a dead letter; the others are carried out."""

    class Killed(BaseException):
        pass

    def deadly(customer: Any) -> Any:
        if customer.id == 3:
            raise Killed
        return CUSTOMERS.map(customer)

    shopify, credo = Shopify(5), Credo()
    stream = replace(CUSTOMERS, map=deadly, source=replace(CUSTOMERS.source, get=None))
    integration = replace(INTEGRATION, streams=(stream,))
    async with life(tmp_path, shopify, credo, integration=integration, works=False) as before:
        for number in range(1, 6):
            await before.deliver(body_of(before, number), name=f"d{number}")
    deaths = 0
    for _ in range(3 * ATTEMPTS):
        async with life(tmp_path, shopify, credo, integration=integration, works=False) as now:
            worker = InboxWorker(now.found.engine, InboxWriter(now.found.state))
            try:
                await worker.drain("customers")
            except Killed:
                deaths += 1
                await _free(now.found)
                continue
            counts = await now.found.state.call(now.found.state.inbox.counts)
            [letter] = await now.found.state.call(now.found.state.dead_letters.latest)
            break
    # The engine names the record before the deliveries' own attempts are used up, so each delivery has been carried out.
    assert counts == {"done": 5}
    assert letter["reason"].startswith(DEADLY)
    assert deaths <= CRASHES + SUSPECTED < ATTEMPTS
    assert sorted(credo.created()) == sorted(f"Person{number}@Example.com" for number in (1, 2, 4, 5))


async def _free(found: Opened) -> None:
    """The lease of a process that is gone runs out."""
    from sqlalchemy import update

    table = found.state._database.tables.leases
    await found.state.call(lambda: found.state._database.execute(update(table).values(expires_at=0.0)))


@fault("wh-missed")
async def test_wh_missed_is_found_by_the_next_poll(served: Served) -> None:
    """We were away, the sender gave up: the schedule reads what changed."""
    await served.found.engine.run(RunRequest(stream="customers"))
    served.shopify.put(3, first_name="Missed")
    report = await served.found.engine.run(RunRequest(stream="customers", trigger="schedule"))
    assert (report.kind, report.counts.updated) == ("incremental", 1)


# --- secrets ---


@fault("wh-rotation")
async def test_wh_rotation_both_secrets_count_until_one_is_taken_out(tmp_path: Path) -> None:
    """In the environment, old and new behind one another; then the new one alone."""
    shopify, credo = Shopify(5), Credo()
    async with life(tmp_path, shopify, credo, SHOPIFY_WEBHOOK_SECRET="new-planted hook-planted") as served:
        assert (await served.deliver(body_of(served, 1), name="a", secret="hook-planted")).status_code == 200
        assert (await served.deliver(body_of(served, 2), name="b", secret="new-planted")).status_code == 200
        assert (await served.deliver(body_of(served, 3), name="c", secret="older-planted")).status_code == 401
    async with life(tmp_path, shopify, credo, SHOPIFY_WEBHOOK_SECRET="new-planted") as served:
        assert (await served.deliver(body_of(served, 3), name="c", secret="hook-planted")).status_code == 401
        assert (await served.deliver(body_of(served, 3), name="c", secret="new-planted")).status_code == 200


# --- what is in it ---


@fault("wh-key-confusion")
@pytest.mark.parametrize(
    "content",
    [
        b'{"id": 1, "id": 2}',
        b'{"id": 1, "customer": {"email": "a@x.example", "email": "b@x.example"}}',
        b'[{"a": 1, "a": 1}]',
        b'{"id": 1, "\\u0069d": 2}',
        b"id=1&id=2",
        b"--x\r\nContent-Disposition: form-data; name=id\r\n\r\n1\r\n--x--",
        b'{"id": NaN}',
        b"",
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_wh_key_confusion_is_400_kept_as_dead_and_not_worked_on(
    served: Served, content: bytes, kind: str
) -> None:
    """Rightly signed and ambiguous, or another kind of body than JSON, whatever its type says: one parser, one meaning."""
    answer = await served.deliver(content, name="one", **{"Content-Type": kind})
    assert answer.status_code == 400
    assert await served.settled() == {"dead": 1}
    assert served.credo.effects == []


@fault("wh-key-confusion")
async def test_wh_key_confusion_names_of_python_are_only_names(served: Served) -> None:
    """`__class__` and its like are data that nobody reads."""
    record = {
        **served.shopify.customers[3],
        "__class__": {"__init__": {"__globals__": 1}},
        "__proto__": {"admin": True},
    }
    answer = await served.deliver(json.dumps(record).encode(), name="one")
    assert answer.status_code == 200
    assert await served.settled() == {"done": 1}
    assert not [key for contact in served.credo.contacts.values() for key in contact if "__" in key]


# --- a delivery and a poll ---


@fault("webhook-vs-poll")
async def test_webhook_vs_poll_of_one_record_are_one_after_the_other(tmp_path: Path) -> None:
    """Deliveries arrive while a run reads the same records: each contact is made once and ends as the newest state."""
    shopify, credo = Shopify(60), Credo()
    shopify.page_size = 10
    async with life(tmp_path, shopify, credo) as served:
        started = asyncio.Event()

        async def deliver() -> None:
            await started.wait()  # the lease is the run's: deliveries wait for it, not it for them
            for number in range(1, 61, 3):
                shopify.put(number, first_name=f"New{number}")
                await served.deliver(body_of(served, number), name=f"d{number}")

        async def poll() -> Any:
            return await served.found.engine.run(RunRequest(stream="customers"), started=started)

        report, _ = await asyncio.gather(poll(), deliver())
        assert report.state == "done"
        assert set(await served.settled()) == {"done"}
        await served.found.engine.run(RunRequest(stream="customers"))
    made = credo.created()
    assert len(made) == len(set(made)) == 60
    names = {contact["email"]: contact["first_name"] for contact in credo.contacts.values()}
    assert all(names[f"Person{number}@Example.com"] == f"New{number}" for number in range(1, 61, 3))
