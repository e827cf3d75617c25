"""One API, opened: wire, credential, pace, breaker and retries around every request.

A session is what the engine talks to: raw replies and raw pages. `client.py` puts types on top of it.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

import httpx

from .auth import Authenticator
from .breaker import Breaker, BreakerPolicy
from .clock import Clock, SystemClock
from .declare import Api, Json, Operation
from .encode import header_name, header_text
from .errors import (
    ApiError,
    AuthError,
    BreakerOpen,
    BudgetExhausted,
    IntegrationError,
    PagingError,
    RedirectRefused,
    ServerError,
    Throttled,
    TransportError,
    Truncated,
    kind_of,
)
from .limiter import Limiter
from .paging import PageReader, Progress, checked_target, next_cursor, own_target, read_json, value_at
from .prepare import Prepared, fields_of, with_query
from .redact import redact_url
from .retry import (
    SAFE_METHODS,
    RetryBudget,
    RetryPolicy,
    http_date_s,
    is_worth_retrying,
    may_have_acted,
    may_resend,
    retry_after_s,
)
from .settings import Settings
from .wire import EMPTY, Body, Origin, WireOptions

R = TypeVar("R")
_NOTHING: Mapping[str, object] = {}
_REQUEST_IDS = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid", "x-trace-id", "cf-ray")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Reply:
    """A complete 2xx reply."""

    __slots__ = ("attempts", "body", "headers", "operation", "status")

    def __init__(self, operation: Operation, status: int, headers: httpx.Headers, body: bytes, attempts: int) -> None:
        self.operation = operation
        self.status = status
        self.headers = headers
        self.body = body
        self.attempts = attempts
        """How often the request was sent, this time included."""

    def __repr__(self) -> str:
        return f"<Reply {self.status} to {self.operation.id}, {len(self.body)} bytes>"

    @property
    def request_id(self) -> str | None:
        """The vendor's own name for this exchange."""
        return request_id(self.headers)

    @property
    def server_date_s(self) -> float | None:
        """The server's clock, in seconds since 1970."""
        return http_date_s(self.headers.get("date"))

    def json(self) -> Json:
        """The body; floats as floats. Raises `DecodeError` or `Truncated`."""
        return read_json(self.operation, self.body, self.headers, lambda body: value_at(body, ()))


@dataclass(frozen=True, slots=True)
class RawPage:
    """One page of a list: each record as the bytes that came."""

    records: list[bytes]
    next: Json | None
    """The cursor of the next page, fit for a checkpoint; None at the end."""
    reply: Reply = field(repr=False)

    @property
    def server_date_s(self) -> float | None:
        """The server's clock when it made this page."""
        return self.reply.server_date_s

    @property
    def requests(self) -> int:
        """How many requests it took."""
        return self.reply.attempts


@dataclass(slots=True)
class Traffic:
    """Plain counts since the session was opened."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    failures: int = 0
    refused: int = 0
    """4xx replies other than 429."""
    bytes_in: int = 0
    bytes_out: int = 0


class Session:
    """Requests to one API. Made by `open_api`; an async context manager."""

    def __init__(
        self,
        api: Api,
        settings: Settings,
        wire: httpx.AsyncBaseTransport,
        *,
        clock: Clock,
        policy: RetryPolicy,
        breaker: BreakerPolicy | None = None,
    ) -> None:
        self.api = api
        self.clock = clock
        self.policy = policy
        self.base_url = settings.base_url(api)
        self.origin = Origin.of(self.base_url)
        self.auth = Authenticator(api.auth, settings, clock)
        self.limiter = Limiter(api.rate_limit, clock, max_concurrent=settings.options.max_concurrent)
        self.breaker = Breaker(api.name, clock, breaker)
        self.budget = RetryBudget(policy.budget_share, policy.budget_reserve)
        self.traffic = Traffic()
        self.redactor = settings.redactor
        self._wire = wire
        self._frames = not getattr(wire, "frames_itself", False)
        self._deadline_s = settings.options.request_deadline_s
        self._cap = settings.options.max_body_bytes
        self._retry_statuses = frozenset(api.retry_statuses)
        root, _, _ = self.base_url.partition("://")
        authority, slash, path = self.base_url[len(root) + 3 :].partition("/")
        self._root = f"{root}://{authority}"
        self._authority = authority
        self._prefix = slash + path
        self._settings = settings
        self._common = (
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip"),
            ("User-Agent", settings.user_agent),
        )
        self._declared = tuple(
            (header_name(name), header_text(name, settings.text(value))) for name, value in api.headers
        )
        self._prepared: dict[int, _Call] = {}
        self._observes = api.rate_limit is not None and bool(
            api.rate_limit.used_header or api.rate_limit.remaining_header
        )

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all connections."""
        await self._wire.aclose()

    # --- requests -----------------------------------------------------------------------------------------------------

    async def request(
        self,
        operation: Operation,
        *,
        arguments: Mapping[str, object] = _NOTHING,
        params: Mapping[str, object] = _NOTHING,
        body: object = None,
        idempotency_key: str | None = None,
        repeatable: bool = False,
    ) -> Reply:
        """Send one operation until it is answered or no further attempt is right.

        Args:
            arguments: Values by `Parameter.argument`.
            params: Values by wire name; one that the operation does not declare is sent in the query.
            body: A record, a value or bytes; None sends none.
            idempotency_key: Sent under the operation's header; made up for a write whose operation has one.
            repeatable: Doing it twice is doing it once (an update that replaces, a deletion by identity).

        Raises:
            IntegrationError: see `errors`; `may_have_acted` tells whether a write may have been carried out.
        """
        return await self._send(operation, _same, arguments, params, body, idempotency_key, repeatable, None)

    async def read(
        self,
        operation: Operation,
        read: Callable[[Reply], R],
        *,
        arguments: Mapping[str, object] = _NOTHING,
        params: Mapping[str, object] = _NOTHING,
        body: object = None,
        idempotency_key: str | None = None,
        repeatable: bool = False,
    ) -> R:
        """As `request`, with the reply read by `read`, whose `Truncated` is one more reason for another attempt."""
        return await self._send(operation, read, arguments, params, body, idempotency_key, repeatable, None)

    async def page(
        self,
        operation: Operation,
        *,
        arguments: Mapping[str, object] = _NOTHING,
        params: Mapping[str, object] = _NOTHING,
        cursor: Json | None = None,
        size: int | None = None,
        progress: Progress | None = None,
    ) -> RawPage:
        """One page of a list.

        Args:
            cursor: `RawPage.next` of the page before; None for the first page.
            size: Page size to ask for, in records, instead of the declared one.
            progress: What the pass remembers; `pages` keeps it.
        """
        paging = operation.paging
        size = size or paging.max
        target = None
        if paging.style in ("link", "next_url") and cursor is not None:
            target = checked_target(cursor)
        else:
            extra = dict(params)
            if paging.limit is not None and size is not None:
                extra.setdefault(paging.limit, size)
            where = {"page": paging.page, "offset": paging.offset}.get(paging.style, paging.cursor)
            first = {"page": paging.first_page, "offset": 0}.get(paging.style)
            if where is not None and (value := first if cursor is None else cursor) is not None:
                extra[where] = value
            params = extra
        reader = self._call(operation).reader()
        base = f"{self._root}{target or self._prefix + operation.path}"
        progress = progress or Progress()

        def read(reply: Reply) -> RawPage:
            parts = reader.read(reply.body, reply.headers)
            following = next_cursor(
                operation,
                parts,
                asked=cursor,
                size=size if paging.limit is not None else None,
                link=lambda url: own_target(url, base, self.origin, without=self.auth.query_name),
                headers=reply.headers,
                progress=progress,
            )
            return RawPage([bytes(record) for record in parts.records], following, reply)

        return await self._send(operation, read, arguments, params, None, None, True, target)

    async def pages(
        self,
        operation: Operation,
        *,
        arguments: Mapping[str, object] = _NOTHING,
        params: Mapping[str, object] = _NOTHING,
        cursor: Json | None = None,
        size: int | None = None,
    ) -> AsyncIterator[RawPage]:
        """All pages from `cursor` on. Raises `PagingError` when they go in circles."""
        progress = Progress()
        seen = {_mark(cursor)}
        while True:
            probing = progress.previous_was_short
            try:
                page = await self.page(
                    operation, arguments=arguments, params=params, cursor=cursor, size=size, progress=progress
                )
            except ApiError as error:
                if probing and error.status in (400, 404, 410, 416, 422):
                    return  # the page behind a short one does not exist: the short one was the last
                raise
            if page.next is not None:
                if _mark(page.next) in seen:
                    raise PagingError(f"{operation.id}: the pages go in a circle")
                seen.add(_mark(page.next))
            yield page
            if page.next is None:
                return
            cursor = page.next

    # --- one exchange -------------------------------------------------------------------------------------------------

    def _call(self, operation: Operation) -> _Call:
        call = self._prepared.get(id(operation))
        if call is None:
            call = self._prepared[id(operation)] = _Call(self, operation)
        return call

    async def _send(
        self,
        operation: Operation,
        read: Callable[[Reply], R],
        arguments: Mapping[str, object],
        params: Mapping[str, object],
        body: object,
        idempotency_key: str | None,
        repeatable: bool,
        target: str | None,
    ) -> R:
        call = self._call(operation)
        method = call.prepared.method
        extra: list[tuple[str, str]] = []
        if target is None:
            target = call.prepared.constant_target
            if arguments or params or target is None:
                target, extra = call.prepared.target(arguments, params)
        data, media = (b"", None) if body is None else call.prepared.body(body)
        if operation.idempotency_header is not None and method not in SAFE_METHODS:
            extra.append((operation.idempotency_header, idempotency_key or str(uuid.uuid4())))
            repeatable = True
        self.budget.deposit()
        attempt = 0
        reread = False
        began = self.clock.monotonic()
        while True:
            self.auth.look()
            request = call.request(target, extra, data, media)
            await self._leave_to_send(operation, began)
            attempt += 1
            ok: bool | None = None
            error: IntegrationError
            try:
                response = await self._exchange(request)
                status = response.status_code
                ok = status < 500
                if self._observes:
                    self.limiter.observe(response.headers, self.clock.now())
                if 200 <= status < 300:
                    self.limiter.succeeded()
                    reply = Reply(operation, status, response.headers, response.stream.data, attempt)  # type: ignore[union-attr]
                    if operation.success is not None:
                        self._check_success(operation, reply)
                    return read(reply)
                error = self._refusal(operation, response)
            except (TransportError, Truncated) as caught:
                ok = False
                error = caught
            except IntegrationError as caught:
                caught.attempts = attempt
                caught.may_have_acted = may_have_acted(method, caught)
                raise
            finally:
                self.limiter.finish()
                self.breaker.leave(ok)
            error.attempts = attempt
            error.may_have_acted = may_have_acted(method, error)
            if isinstance(error, AuthError) and not reread and error.status == 401:
                reread = True
                if self.auth.reload():
                    continue
            wait_s = self._wait_before_retry(error, method, attempt, began, repeatable=repeatable)
            if wait_s > 0:
                await self.clock.sleep(wait_s)

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        traffic = self.traffic
        traffic.requests += 1
        try:
            response = await self._wire.handle_async_request(request)
        except httpx.TransportError as error:  # another transport's
            early = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            raise TransportError(f"no complete reply: {type(error).__name__}", sent=False if early else None) from error
        stream = response.stream
        if type(stream) is not Body:
            # Another transport than ours (a test's): read what it has, within the cap.
            try:
                data = await response.aread()
            except httpx.HTTPError as error:
                raise TransportError(f"the reply ends early: {type(error).__name__}", sent=True) from error
            if len(data) > self._cap:
                raise TransportError(f"the reply is larger than {self._cap} bytes", sent=True)
            response.stream = Body(data)
        return response

    async def _leave_to_send(self, operation: Operation, began: float) -> None:
        """Return with a place in the limiter and leave from the breaker."""
        while True:
            paused_s = self.limiter.paused_s()
            if paused_s > self.policy.max_wait_s:
                raise Throttled(
                    status=429,
                    operation=operation.id,
                    api=self.api.name,
                    retry_after_s=paused_s,
                    excerpt="still paused",
                )
            await self.limiter.start()
            try:
                self.breaker.enter()
                return
            except BreakerOpen as error:
                self.limiter.finish()
                waited_s = self.clock.monotonic() - began
                if error.retry_in_s > self.policy.max_wait_s or waited_s > self.policy.max_wait_s:
                    raise
                wait_s = error.retry_in_s * (1.0 + 0.1 * self.clock.random())
            await self.clock.sleep(wait_s)

    def _wait_before_retry(
        self, error: IntegrationError, method: str, attempt: int, began: float, *, repeatable: bool
    ) -> float:
        """Seconds until the next attempt; raises `error` when there is to be none."""
        traffic, policy = self.traffic, self.policy
        asked_s = error.retry_after_s if isinstance(error, ApiError) else None
        if isinstance(error, Throttled):
            traffic.throttled += 1
            asked_s = self.limiter.throttled(asked_s)
        elif isinstance(error, TransportError | ServerError):
            traffic.failures += 1
        else:
            traffic.refused += 1
        if (
            attempt >= policy.max_attempts
            or not is_worth_retrying(error, self._retry_statuses)
            or not may_resend(method, error, repeatable=repeatable)
        ):
            raise error
        if isinstance(error, Throttled):
            wait_s, total_s = 0.0, asked_s or 0.0  # the limiter makes everybody wait, this request too
        else:
            wait_s = total_s = policy.backoff_s(attempt, self.clock.random(), at_least_s=asked_s or 0.0)
        if total_s > policy.max_wait_s or self.clock.monotonic() + total_s - began > policy.give_up_after_s:
            raise error
        if not isinstance(error, Throttled) and not self.budget.withdraw():
            raise BudgetExhausted(error) from error
        traffic.retries += 1
        return wait_s

    def _refusal(self, operation: Operation, response: httpx.Response) -> IntegrationError:
        status, headers = response.status_code, response.headers
        if status in _REDIRECTS:
            location = self.redactor.excerpt(redact_url(headers.get("location", "")), 200)
            return RedirectRefused(
                f"{operation.id} at {self.api.name}: status {status} points to {location or 'nowhere'}; redirects are not followed",
                status=status,
                location=location,
            )
        body: bytes = response.stream.data  # type: ignore[union-attr]
        return kind_of(status)(
            status=status,
            operation=operation.id,
            api=self.api.name,
            request_id=request_id(headers),
            excerpt=self.redactor.excerpt(body),
            retry_after_s=retry_after_s(headers, self.clock.now()),
        )

    def _check_success(self, operation: Operation, reply: Reply) -> None:
        success = operation.success
        assert success is not None
        found = read_json(operation, reply.body, reply.headers, lambda body: value_at(body, success.path))
        if found != success.equals or type(found) is not type(success.equals):
            raise kind_of(reply.status)(
                status=reply.status,
                operation=operation.id,
                api=self.api.name,
                request_id=reply.request_id,
                excerpt=self.redactor.excerpt(reply.body),
            )


class _Call:
    """An operation with the session's header fields, kept until the credential changes."""

    __slots__ = ("_extensions", "_fields", "_generation", "_headers", "_own", "_reader", "_session", "_url", "prepared")

    def __init__(self, session: Session, operation: Operation) -> None:
        self._session = session
        self.prepared = Prepared(operation, session._prefix)
        self._own = tuple(
            (header_name(name), header_text(name, session._settings.text(value))) for name, value in operation.headers
        )
        self._reader: PageReader | None = None
        self._generation = -1
        self._fields: list[tuple[bytes, bytes]] = []
        self._headers = httpx.Headers()
        self._url: httpx.URL | None = None
        self._extensions: dict[str, Any] = {}

    def reader(self) -> PageReader:
        if self._reader is None:
            self._reader = PageReader(self.prepared.operation)
        return self._reader

    def _refresh(self) -> None:
        session, operation = self._session, self.prepared.operation
        media = () if operation.body in (None, "multipart") else (("Content-Type", self._media()),)
        self._fields = fields_of(session._common, media, session._declared, self._own, session.auth.headers)
        self._headers = httpx.Headers(self._fields)
        if (target := self.prepared.constant_target) is not None:
            target = with_query(target, list(session.auth.query))
            self._url = httpx.URL(session._root + target)
            self._extensions = {"deadline_s": session._deadline_s, "target": target.encode("ascii")}
        self._generation = session.auth.generation

    def _media(self) -> str:
        return self.prepared.body(b"")[1]

    def request(self, target: str, extra: list[tuple[str, str]], data: bytes, media: str | None) -> httpx.Request:
        """The request for one attempt."""
        session = self._session
        if self._generation != session.auth.generation:
            self._refresh()
        if target is self.prepared.constant_target and self._url is not None:
            url, extensions = self._url, self._extensions
        else:
            target = with_query(target, list(session.auth.query))
            url = httpx.URL(session._root + target)
            extensions = {"deadline_s": session._deadline_s, "target": target.encode("ascii")}
        multipart = media is not None and self.prepared.operation.body == "multipart"
        if extra or multipart or session._frames:
            more: list[tuple[str, str]] = [(name, header_text(name, value)) for name, value in extra]
            if multipart and media is not None:
                more.append(("Content-Type", media))
            if session._frames:
                more.append(("Host", session._authority))
                if data or self.prepared.method not in SAFE_METHODS:
                    more.append(("Content-Length", str(len(data))))
            headers = httpx.Headers(self._fields + fields_of(more))
        else:
            headers = self._headers
        session.traffic.bytes_out += len(data)
        return httpx.Request(
            self.prepared.method, url, headers=headers, stream=Body(data) if data else EMPTY, extensions=extensions
        )


def _same(reply: Reply) -> Reply:
    return reply


def _mark(cursor: Json | None) -> str:
    return f"{type(cursor).__name__} {cursor}"


def request_id(headers: httpx.Headers) -> str | None:
    """The vendor's name for an exchange, cut at 100 characters and without anything unprintable."""
    for name in _REQUEST_IDS:
        if (text := headers.get(name)) is not None:
            return "".join(char for char in text[:100] if char.isprintable())
    return None


def open_api(
    api: Api,
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Clock | None = None,
    policy: RetryPolicy | None = None,
    breaker: BreakerPolicy | None = None,
) -> Session:
    """Open an API. Nothing is sent yet.

    Args:
        transport: Any httpx transport, such as `httpx.MockTransport`; the aiohttp wire when None.
        clock: What time it is; a simulator's, or the machine's when None.

    Raises:
        SettingsError: when something that the API needs is missing or cannot be.
    """
    options = settings.options
    if transport is None:
        from .wire_aiohttp import AiohttpWire

        transport = AiohttpWire(
            Origin.of(settings.base_url(api)),
            WireOptions(
                deadline_s=options.request_deadline_s,
                connect_timeout_s=options.connect_timeout_s,
                max_body_bytes=options.max_body_bytes,
                max_connections=options.max_concurrent,
                allow_private_network=options.allow_private_network,
            ),
        )
    return Session(
        api,
        settings,
        transport,
        clock=clock or SystemClock(),
        policy=policy or RetryPolicy(max_attempts=options.max_attempts, max_wait_s=options.max_wait_s),
        breaker=breaker,
    )
