"""The send loop: what is sent again, how long it waits, when it gives up. In virtual time against a scripted vendor."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.declare import Api, ApiKey, Bearer, Env, Operation, Parameter, RateLimit, Success
from runtime.errors import (
    AuthError,
    BreakerOpen,
    BudgetExhausted,
    Conflict,
    DecodeError,
    RedirectRefused,
    Rejected,
    RequestRefused,
    ServerError,
    Throttled,
    TransportError,
    Truncated,
)
from runtime.http.breaker import BreakerPolicy
from runtime.http.retry import RetryPolicy
from runtime.http.session import Session, open_api
from runtime.settings import resolve
from tests.runtime.raw_server import Exchange, serving
from tests.runtime.virtual_time import VirtualClock, run_virtual

API = Api(name="crm", title="CRM", base_url="https://crm.example/v1", auth=Bearer(token=Env("CRM_TOKEN", secret=True)))
GET = Operation(id="GET /things", api="crm", method="GET", path="/things", records=())
POST = Operation(id="POST /things", api="crm", method="POST", path="/things", body="json")
KEYED = Operation(
    id="POST /keyed", api="crm", method="POST", path="/keyed", body="json", idempotency_header="Idempotency-Key"
)
OPEN_NEVER = BreakerPolicy(least_calls=10**9)

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Vendor(httpx.AsyncBaseTransport):
    """Gives the answers it was told, in order, the last one for ever; keeps each request with its time."""

    def __init__(self, clock: VirtualClock, *answers: Answer, latency_s: float = 0.0) -> None:
        self.clock = clock
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []
        self.latency_s = latency_s

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        self.times.append(self.clock.monotonic())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if self.latency_s:
            await self.clock.sleep(self.latency_s)
        if isinstance(answer, Exception):
            raise answer
        return (
            answer(request)
            if callable(answer)
            else httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        )


def reply(status: int, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): text for name, text in headers.items()})


def run(
    main: Callable[[Session, Vendor], Any],
    *answers: Answer,
    api: Api = API,
    policy: RetryPolicy | None = None,
    breaker: BreakerPolicy = OPEN_NEVER,
    latency_s: float = 0.0,
    environ: dict[str, str] | None = None,
) -> Vendor:
    async def start(clock: VirtualClock) -> Vendor:
        vendor = Vendor(clock, *answers, latency_s=latency_s)
        settings = resolve((api,), environ or {"CRM_TOKEN": "tok-0123456789"})
        async with open_api(api, settings, transport=vendor, clock=clock, policy=policy, breaker=breaker) as session:
            await main(session, vendor)
            assert session.limiter.active == 0
        return vendor

    return run_virtual(start)


LOST = TransportError("lost", sent=None)
NOT_SENT = TransportError("refused", sent=False)


# --- what is sent again -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [LOST, NOT_SENT, reply(503), reply(500), httpx.Response(200, text='[{"a":')])
def test_read_is_sent_again_after_whatever_may_pass(failure: Answer) -> None:
    """Lost, unwell, cut off: the third attempt counts."""

    async def main(session: Session, vendor: Vendor) -> None:
        page = await session.page(GET)
        assert page.records == [b"1"]
        assert page.requests == 3

    vendor = run(main, failure, failure, reply(200, [1]))
    assert len(vendor.requests) == 3


@pytest.mark.parametrize("failure", [LOST, reply(500), reply(503)])
def test_write_that_may_have_been_carried_out_is_not_sent_again(failure: Answer) -> None:
    """One request, and an error that says that the outcome is unknown."""

    async def main(session: Session, vendor: Vendor) -> None:
        with pytest.raises((TransportError, ServerError)) as caught:
            await session.request(POST, body={"a": 1})
        assert caught.value.may_have_acted
        assert caught.value.failure == "unknown"
        assert caught.value.attempts == 1

    assert len(run(main, failure, reply(201, {})).requests) == 1


@pytest.mark.parametrize("failure", [NOT_SENT, reply(429), reply(408)])
def test_write_that_was_not_carried_out_is_sent_again(failure: Answer) -> None:
    """Not sent, or refused before acting."""

    async def main(session: Session, vendor: Vendor) -> None:
        assert (await session.request(POST, body={"a": 1})).attempts == 2

    run(main, failure, reply(201, {}))


def test_write_with_an_idempotency_key_repeats_the_same_bytes_under_the_same_key() -> None:
    """Then an unknown outcome may be asked for again."""

    async def main(session: Session, vendor: Vendor) -> None:
        await session.request(KEYED, body={"a": 1}, idempotency_key="intent-1")
        await session.request(KEYED, body={"a": 2})

    vendor = run(main, LOST, reply(500), reply(201, {}))
    keys = [request.headers["idempotency-key"] for request in vendor.requests]
    assert keys[:3] == ["intent-1"] * 3
    assert keys[3] != "intent-1"
    assert len({request.content for request in vendor.requests[:3]}) == 1


def test_conflict_under_the_same_key_after_a_lost_reply_is_waited_out() -> None:
    """The first attempt is still being carried out over there; a conflict from the start is an answer."""

    async def main(session: Session, vendor: Vendor) -> None:
        assert (await session.request(KEYED, body={}, idempotency_key="i")).attempts == 3
        with pytest.raises(Conflict) as caught:
            await session.request(KEYED, body={}, idempotency_key="j")
        assert (caught.value.attempts, caught.value.failure) == (1, "permanent_record")

    run(main, LOST, reply(409), reply(201, {}), reply(409))


def test_refusal_after_an_attempt_in_doubt_leaves_the_doubt() -> None:
    """The second attempt was refused; the first may have been carried out all the same."""

    async def main(session: Session, vendor: Vendor) -> None:
        with pytest.raises(Rejected) as caught:
            await session.request(KEYED, body={})
        assert (caught.value.attempts, caught.value.failure) == (2, "unknown")

    run(main, LOST, reply(422))


def test_repeatable_write_is_sent_again() -> None:
    """The caller says that doing it twice is doing it once."""

    async def main(session: Session, vendor: Vendor) -> None:
        await session.request(POST, body={}, repeatable=True)

    assert len(run(main, LOST, reply(200, {})).requests) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422, 501])
def test_refusal_is_not_argued_with(status: int) -> None:
    """Sending the same again would end the same."""

    async def main(session: Session, vendor: Vendor) -> None:
        with pytest.raises((Rejected, AuthError, Exception)) as caught:
            await session.request(POST, body={})
        assert getattr(caught.value, "status", None) == status

    assert len(run(main, reply(status)).requests) == 1


def test_attempts_end_at_their_number_with_growing_waits() -> None:
    """Five attempts, then the error; waits are jittered below 0.5, 1, 2, 4 seconds."""

    async def main(session: Session, vendor: Vendor) -> None:
        with pytest.raises(ServerError) as caught:
            await session.request(GET)
        assert caught.value.attempts == 5
        assert caught.value.failure == "transient"

    vendor = run(main, reply(502))
    waits = [later - earlier for earlier, later in zip(vendor.times, vendor.times[1:], strict=False)]
    assert len(waits) == 4
    assert all(wait <= most for wait, most in zip(waits, (0.5, 1, 2, 4), strict=True))


def test_retry_budget_ends_retries_when_everything_fails() -> None:
    """Retries stay a share of the traffic; the error still says what it was."""
    policy = RetryPolicy(max_attempts=5, budget_share=0.2, budget_reserve=10)

    async def main(session: Session, vendor: Vendor) -> None:
        kinds = []
        for _ in range(50):
            with pytest.raises((ServerError, BudgetExhausted)) as caught:
                await session.request(GET)
            kinds.append(type(caught.value))
            assert caught.value.failure == "transient"
        assert BudgetExhausted in kinds

    vendor = run(main, reply(500), policy=policy)
    assert len(vendor.requests) <= 50 + 10 + 50 * 0.2


# --- 429 --------------------------------------------------------------------------------------------------------------


def test_retry_after_makes_every_worker_wait_and_counts_not_as_a_failure() -> None:
    """Sixteen workers, one 429 with 7 seconds: nothing leaves before they are over; the breaker stays closed."""

    async def main(session: Session, vendor: Vendor) -> None:
        await asyncio.gather(*(session.request(GET) for _ in range(16)))
        assert session.breaker.state == "closed"
        assert session.traffic.throttled == 1

    vendor = run(
        main, reply(429, retry_after="7"), reply(200, []), breaker=BreakerPolicy(least_calls=1),
        api=Api(**{**_fields(API), "rate_limit": RateLimit(per_s=10, burst=1)}),
    )  # fmt: skip
    assert vendor.times[0] == 0.0
    assert vendor.times[1] >= 7.0
    assert len(vendor.requests) == 17


def _fields(api: Api) -> dict[str, Any]:
    return {name: getattr(api, name) for name in Api.__slots__}


def test_wait_that_is_too_long_ends_the_request_and_those_behind_it() -> None:
    """An hour is for the schedule, not for a worker: the error tells when to come back."""

    async def main(session: Session, vendor: Vendor) -> None:
        with pytest.raises(Throttled) as caught:
            await session.request(GET)
        assert caught.value.retry_after_s == 3600
        with pytest.raises(Throttled) as again:
            await session.request(GET)
        assert again.value.retry_after_s == pytest.approx(3600, abs=1)

    assert len(run(main, reply(429, retry_after="3600")).requests) == 1


@pytest.mark.parametrize("text", ["-1", "soon", "1e400", ""])
def test_senseless_retry_after_neither_crashes_nor_hangs(text: str) -> None:
    """What cannot be meant is a wait of our own, or an end."""

    async def main(session: Session, vendor: Vendor) -> None:
        with contextlib.suppress(Throttled):
            await session.request(GET)
        assert session.limiter.paused_s() <= 86_400

    vendor = run(main, reply(429, retry_after=text), reply(200, []))
    assert len(vendor.requests) <= 2


# --- breaker ----------------------------------------------------------------------------------------------------------


def test_short_outage_is_waited_out_and_probed_by_one() -> None:
    """Workers wait for the half-open breaker instead of failing; at most one asks at a time."""

    async def main(session: Session, vendor: Vendor) -> None:
        await asyncio.gather(*(session.request(GET) for _ in range(8)))
        assert session.breaker.state == "closed"

    def answer(request: httpx.Request) -> httpx.Response:
        return reply(503 if vendors[0].clock.monotonic() < 20 else 200, [])

    vendors: list[Vendor] = []

    async def remember(session: Session, vendor: Vendor) -> None:
        vendors.append(vendor)
        await main(session, vendor)

    policy = RetryPolicy(max_attempts=10, budget_reserve=100)
    vendor = run(remember, answer, policy=policy, breaker=BreakerPolicy(least_calls=8, open_s=5), latency_s=0.1)
    during = [at for at in vendor.times if 6 < at < 20]
    assert len(during) <= 4


def test_long_outage_fails_without_asking_again_and_again() -> None:
    """The breaker's error comes after the longest wait; hardly anything was sent meanwhile."""

    async def main(session: Session, vendor: Vendor) -> None:
        for _ in range(100):
            with pytest.raises((ServerError, BreakerOpen)) as caught:
                await session.request(GET)
            if isinstance(caught.value, BreakerOpen):
                return
        pytest.fail("the breaker never ended the wait")

    policy = RetryPolicy(max_attempts=2, max_wait_s=30)
    vendor = run(main, reply(500), policy=policy, breaker=BreakerPolicy(least_calls=5, open_s=5, longest_open_s=120))
    assert len(vendor.requests) < 30


# --- credentials ------------------------------------------------------------------------------------------------------


def test_401_reads_the_secret_file_once_more_and_sends_again(tmp_path: Path) -> None:
    """A rotated token needs no restart, for a write neither; a token that did not change is not tried twice."""
    file = tmp_path / "token"
    file.write_text("old-token-1\n")

    async def main(session: Session, vendor: Vendor) -> None:
        await session.request(POST, body={})
        file.write_text("new-token-22\n")
        await session.request(POST, body={})
        with pytest.raises(AuthError) as caught:
            await session.request(POST, body={})
        assert caught.value.failure == "auth"
        assert not caught.value.may_have_acted

    vendor = run(main, reply(201, {}), reply(401), reply(201, {}), reply(401), environ={"CRM_TOKEN_FILE": str(file)})
    sent = [request.headers["authorization"] for request in vendor.requests]
    assert sent == ["Bearer old-token-1", "Bearer old-token-1", "Bearer new-token-22", "Bearer new-token-22"]


def test_worker_whose_401_comes_after_another_has_read_the_new_token_tries_it(tmp_path: Path) -> None:
    """Many requests under way with the old token: none of them ends the run."""
    file = tmp_path / "token"
    file.write_text("old-token-1")

    async def main(session: Session, vendor: Vendor) -> None:
        tasks = [asyncio.create_task(session.request(POST, body={})) for _ in range(8)]
        await session.clock.sleep(0.1)
        file.write_text("new-token-22")
        await asyncio.gather(*tasks)

    def answer(request: httpx.Request) -> httpx.Response:
        return reply(201 if "new" in request.headers["authorization"] else 401, {})

    vendor = run(main, answer, environ={"CRM_TOKEN_FILE": str(file)}, latency_s=1.0)
    assert len(vendor.requests) == 16


def test_changed_secret_file_is_noticed_without_a_401(tmp_path: Path) -> None:
    """Files are looked at now and then; an empty one (just being replaced) is not believed."""
    file = tmp_path / "token"
    file.write_text("old-token-1")

    async def main(session: Session, vendor: Vendor) -> None:
        await session.request(GET)
        file.write_text("")
        await session.clock.sleep(10)
        await session.request(GET)
        file.write_text("new-token-22")
        await session.clock.sleep(10)
        await session.request(GET)

    vendor = run(main, reply(200, []), environ={"CRM_TOKEN_FILE": str(file)})
    sent = [request.headers["authorization"] for request in vendor.requests]
    assert sent == ["Bearer old-token-1", "Bearer old-token-1", "Bearer new-token-22"]


def test_key_in_the_query_is_sent_but_shown_nowhere() -> None:
    """Errors carry neither the key nor the query."""
    api = Api(
        name="crm",
        title="CRM",
        base_url="https://crm.example",
        auth=ApiKey(value=Env("CRM_TOKEN", secret=True), name="api key", location="query"),
    )

    async def main(session: Session, vendor: Vendor) -> None:
        with pytest.raises(Rejected) as caught:
            await session.request(GET, params={"q": "a b"})
        assert "tok-0123456789" not in str(caught.value)

    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, text=f"cannot read {request.url}")

    vendor = run(main, echo, api=api)
    assert vendor.requests[0].url.query == b"q=a%20b&api%20key=tok-0123456789"


# --- replies ----------------------------------------------------------------------------------------------------------


def test_redirect_is_refused_and_its_query_hidden() -> None:
    """Credentials do not travel to where a server points."""

    async def main(session: Session, vendor: Vendor) -> None:
        with pytest.raises(RedirectRefused) as caught:
            await session.request(GET)
        assert "evil.example" in str(caught.value)
        assert "t=1" not in str(caught.value)
        assert caught.value.failure == "systematic"

    assert len(run(main, reply(302, location="https://evil.example/x?t=1")).requests) == 1


def test_success_is_decided_by_the_declared_predicate() -> None:
    """A 200 that says `ok: false` is a refusal; one of another type is not `true`."""
    slack = Operation(id="POST /x", api="crm", method="POST", path="/x", body="json", success=Success(path=("ok",)))

    async def main(session: Session, vendor: Vendor) -> None:
        await session.request(slack, body={})
        for _ in range(3):
            with pytest.raises(Rejected) as caught:
                await session.request(slack, body={})
            assert caught.value.failure == "permanent_record"

    run(main, reply(200, {"ok": True}), reply(200, {"ok": False, "error": "x"}), reply(200, {}), reply(200, {"ok": 1}))


def test_page_of_html_is_named_as_what_it_is() -> None:
    """A captive portal is not parsed and not retried."""

    async def main(session: Session, vendor: Vendor) -> None:
        with pytest.raises(DecodeError, match="text/html") as caught:
            await session.page(GET)
        assert caught.value.failure == "systematic"

    page = httpx.Response(200, headers={"Content-Type": "text/html; charset=utf-8"}, text="<html>sign in</html>")
    assert len(run(main, page).requests) == 1


@pytest.mark.parametrize("body", [b"", b"  "])
def test_empty_reply_where_a_list_is_due_is_an_error(body: bytes) -> None:
    """204 is not an empty list."""

    async def main(session: Session, vendor: Vendor) -> None:
        with pytest.raises(DecodeError, match="empty"):
            await session.page(GET)

    run(main, httpx.Response(204, content=body))


def test_cut_json_is_tried_again_then_an_error_without_secrets() -> None:
    """Limited retries, then the run learns which operation it was."""

    async def main(session: Session, vendor: Vendor) -> None:
        with pytest.raises(Truncated, match="GET /things"):
            await session.page(GET)

    assert len(run(main, httpx.Response(200, text='[{"a": 1}, {"b"')).requests) == 5


def test_unknown_argument_and_missing_one_are_refused_before_sending() -> None:
    """A typing error in an argument is not a silent query parameter."""
    one = Operation(
        id="GET /things/{id}", api="crm", method="GET", path="/things/{id}",
        parameters=(Parameter(argument="fields_", name="fields", location="query", required=True),),
    )  # fmt: skip

    async def main(session: Session, vendor: Vendor) -> None:
        for arguments in ({"id": "1"}, {"fields_": "a"}, {"id": "1", "fields_": "a", "other": 1}):
            with pytest.raises(RequestRefused):
                await session.request(one, arguments=arguments)
        await session.request(one, arguments={"id": "1", "fields_": "a"}, params={"undeclared": True})

    vendor = run(main, reply(200, {}))
    assert [request.url.raw_path for request in vendor.requests] == [b"/v1/things/1?undeclared=true&fields=a"]


def test_cancelled_request_gives_back_its_place_and_its_probe() -> None:
    """Neither the limiter nor a half-open breaker loses anything."""

    async def main(session: Session, vendor: Vendor) -> None:
        tasks = [asyncio.create_task(session.request(GET)) for _ in range(40)]
        await session.clock.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert session.limiter.active == 0

    run(main, reply(200, []), latency_s=1.0)


async def test_own_wire_sends_what_another_transport_sees(tmp_path: Path) -> None:
    """The short way through our wire and the long way through any other: the same line, fields and body."""
    token = tmp_path / "token"
    operations = (
        Operation(
            id="PUT /things/{id}.json",
            api="crm",
            method="PUT",
            path="/things/{id}.json",
            body="json",
            idempotency_header="Idempotency-Key",
            headers=(("X-Version", "2024-01"), ("accept", "application/vnd.api+json")),
            parameters=(
                Parameter(argument="id", name="id", location="path", style="simple", required=True),
                Parameter(argument="tags", name="tag list[]", location="query"),
                Parameter(argument="trace", name="X-Trace", location="header", style="simple"),
                Parameter(argument="session", name="sid", location="cookie"),
                Parameter(argument="where", name="where", location="query", style="json"),
                Parameter(argument="rows", name="rows", location="query", style="json"),
                Parameter(argument="at", name="at", location="query", reserved=True),
            ),
        ),
        Operation(id="POST /upload", api="crm", method="POST", path="/upload?kind=a%20b", body="multipart"),
        Operation(id="DELETE /things", api="crm", method="DELETE", path="/thi ngs"),
    )
    calls: list[dict[str, Any]] = [
        {
            "arguments": {"id": "a/b~c", "tags": ["x y", "z"], "trace": "t1", "session": "s;1"}
            | {"where": {"city": "Köln", "open": [True]}, "rows": "[1]", "at": "a:b/c&d"},
            "body": {"a": 1},
            "idempotency_key": "k1",
        },
        {"body": {"a": "1", "f": b"\x00"}},
        {"params": {"force": True}},
    ]
    seen: list[list[tuple[str, dict[str, str], bytes]]] = []

    async def exchange(url: str, transport: httpx.AsyncBaseTransport | None) -> None:
        auth = ApiKey(value=Env("CRM_TOKEN", secret=True), name="auth", location="cookie")
        api = Api(name="crm", title="CRM", base_url=url, auth=auth, headers=(("X-Org", "acme"),))
        token.write_text("tok-0123456789")
        async with open_api(api, resolve((api,), {"CRM_TOKEN_FILE": str(token)}), transport=transport) as session:
            for operation, call in zip(operations, calls, strict=True):
                await session.request(operation, **call)
            token.write_text("tok-new")
            session.auth.reload()
            await session.request(operations[2])

    async def behave(exchange: Exchange) -> None:
        await exchange.reply()

    def note(line: str, headers: list[tuple[str, str]], body: bytes) -> None:
        fields = {name.lower(): value for name, value in headers}
        assert len(fields) == len(headers)
        seen[-1].append((line, fields, body))

    def handler(request: httpx.Request) -> httpx.Response:
        line = f"{request.method} {request.url.raw_path.decode()} HTTP/1.1"
        note(line, [(name.decode(), value.decode()) for name, value in request.headers.raw], request.content)
        return httpx.Response(200, json={})

    async with serving(behave) as server:
        url = f"{server.url}/v1"
        seen.append([])
        await exchange(url, httpx.MockTransport(handler))
        seen.append([])
        await exchange(url, None)
        for request in server.requests:
            note(request.line, request.headers, request.body)
    assert seen[0] == seen[1]
    line, fields, body = seen[1][0]
    path, _, query = line.removesuffix(" HTTP/1.1").partition("?")
    assert path == "PUT /v1/things/a%2Fb~c.json"
    assert query.split("&") == [
        "tag%20list%5B%5D=x%20y",
        "tag%20list%5B%5D=z",
        "where=%7B%22city%22%3A%22K%C3%B6ln%22%2C%22open%22%3A%5Btrue%5D%7D",
        "rows=%5B1%5D",
        "at=a:b/c%26d",
    ]
    assert body == b'{"a":1}'
    assert fields["cookie"] == "auth=tok-0123456789; sid=s%3B1"
    assert fields["accept"] == "application/vnd.api+json"
    assert fields["idempotency-key"] == "k1"
    assert seen[1][1][0] == "POST /v1/upload?kind=a%20b HTTP/1.1"
    assert [each[0] for each in seen[1][2:]] == [
        "DELETE /v1/thi%20ngs?force=true HTTP/1.1",
        "DELETE /v1/thi%20ngs HTTP/1.1",
    ]
    assert seen[1][3][1]["cookie"] == "auth=tok-new"


@pytest.mark.parametrize(
    ("raised", "sent"),
    [(httpx.ConnectError, False), (httpx.PoolTimeout, False), (httpx.ReadError, None), (httpx.ReadTimeout, None)],
)
def test_errors_of_another_transport_are_translated(raised: type[httpx.TransportError], sent: bool | None) -> None:
    """Whatever httpx transport is put in, callers see one tree of errors."""

    async def main(session: Session, vendor: Vendor) -> None:
        with pytest.raises(TransportError) as caught:
            await session.request(POST, body={})
        assert caught.value.sent is sent

    run(main, raised("x"), policy=RetryPolicy(max_attempts=1))


def test_reply_shows_the_servers_clock_and_name_for_the_exchange() -> None:
    """Watermarks come from the server's `Date`."""

    async def main(session: Session, vendor: Vendor) -> None:
        got = await session.request(GET)
        assert got.server_date_s == 1_700_000_000
        assert got.request_id == "abc"

    run(main, reply(200, [], date="Tue, 14 Nov 2023 22:13:20 GMT", x_request_id="abc"))
