"""One request, sent until it is answered or no further attempt is right.

Everything that stands between a caller and the wire has its place in one loop: credential, pace, breaker, one exchange, what
the reply says, whether another attempt is right and when.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import httpx

from ..clock import Clock
from ..declare import Api, Operation
from ..errors import (
    ApiError,
    AuthError,
    BodyTooLarge,
    BreakerOpen,
    BudgetExhausted,
    Conflict,
    IntegrationError,
    RedirectRefused,
    ServerError,
    Throttled,
    TransportError,
    Truncated,
    kind_of,
)
from ..fence import FENCE
from ..redact import redact_url
from ..settings import Settings
from .auth import Authenticator
from .breaker import Breaker, BreakerPolicy
from .encode import encode_body, fitted
from .limiter import Limiter, LongPause
from .paging import read_json, value_at
from .prepare import Call, Head
from .reply import Reply, request_id
from .retry import (
    SAFE_METHODS,
    RetryBudget,
    RetryPolicy,
    is_worth_retrying,
    may_have_acted,
    may_resend,
    retry_after_s,
)
from .wire import Body, Origin

if TYPE_CHECKING:
    from ..watch.watching import Exchange

R = TypeVar("R")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(slots=True)
class Traffic:
    """Plain counts since the session was opened."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    failures: int = 0
    refused: int = 0
    """4xx replies other than 429."""


class Sender:
    """Sends requests to one API."""

    def __init__(
        self,
        api: Api,
        settings: Settings,
        wire: httpx.AsyncBaseTransport,
        *,
        clock: Clock,
        policy: RetryPolicy,
        breaker: BreakerPolicy | None = None,
        auth: Authenticator | None = None,
        deadline_s: float | None = None,
        max_body_bytes: int | None = None,
    ) -> None:
        self.api = api
        self.clock = clock
        self.policy = policy
        self.base_url = settings.base_url(api)
        self.origin = Origin.of(self.base_url)
        self.auth = auth or Authenticator(api.auth, settings, clock)
        self.limiter = Limiter(api.rate_limit, clock, max_concurrent=settings.options.max_concurrent)
        self.breaker = Breaker(api.name, clock, breaker)
        self.budget = RetryBudget(policy.budget_share, policy.budget_reserve)
        self.traffic = Traffic()
        self.redactor = settings.redactor
        self._wire = wire
        self._cap = max_body_bytes or settings.options.max_body_bytes
        self._retry_statuses = frozenset(api.retry_statuses)
        self._settings = settings
        self._head = Head(
            base_url=self.base_url,
            fields=[
                ("Accept", "application/json"),
                ("Accept-Encoding", "gzip"),
                ("User-Agent", settings.user_agent),
                *((name, settings.text(value)) for name, value in api.headers),
            ],
            auth=self.auth,
            deadline_s=deadline_s or settings.options.request_deadline_s,
            spell=getattr(wire, "spell", None),
        )
        self.watched: Exchange | None = None
        """Instead of `_exchange`, when somebody watches: see `watching.py`."""
        self._calls: dict[int, Call] = {}
        self._observes = api.rate_limit is not None and bool(
            api.rate_limit.used_header or api.rate_limit.remaining_header
        )

    def _call(self, operation: Operation) -> Call:
        call = self._calls.get(id(operation))
        if call is None:
            fields = [(name, self._settings.text(value)) for name, value in operation.headers]
            call = self._calls[id(operation)] = Call(operation, self._head, fields)
        return call

    async def send(
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
        """As `Session.read`. `target`: path and query that are given, not made from the arguments.

        Raises:
            IntegrationError: what the last attempt ended in.
        """
        call = self._call(operation)
        method = call.method
        extra: list[tuple[str, str]] = []
        if target is None:
            target = call.constant_target
            if arguments or params or target is None:
                target, extra = call.target(arguments, params)
        elif arguments or params:
            _, extra = call.target(arguments, params)
        if body is not None and (operation.not_taken or operation.repeats):
            body = fitted(operation, body, {**call.by_wire_name(arguments), **params})
        data, media = (b"", None) if body is None else encode_body(operation, body)
        keyed = operation.idempotency_header is not None and method not in SAFE_METHODS
        if keyed and operation.idempotency_header is not None:
            extra.append((operation.idempotency_header, idempotency_key or str(uuid.uuid4())))
            repeatable = True
        self.budget.deposit()
        attempt = 0
        reread = False
        acted = False  # whether any attempt so far may have been carried out; a later refusal does not undo it
        began = now = self.clock.monotonic()
        while True:
            self.auth.look(now)
            if self.auth.is_fetched:
                await self._sign_in(attempt, acted)
                now = self.clock.monotonic()
            request = call.request(target, extra, data, media)
            generation = self.auth.generation
            epoch = self.breaker.epoch
            if not (self.breaker.is_closed and self.limiter.start_now(now)):
                try:
                    epoch = await self._leave_to_send(operation, began)
                except IntegrationError as never_sent:
                    never_sent.attempts, never_sent.may_have_acted = attempt, acted
                    raise
            attempt += 1
            ok: bool | None = None
            error: IntegrationError
            try:
                watched = self.watched
                response = await (self._exchange(request) if watched is None else watched(request, operation))
                status = response.status_code
                ok = status < 500
                if self._observes:
                    self.limiter.observe(response.headers, self.clock.now())
                if status != 429:
                    self.limiter.succeeded()
                if 200 <= status < 300:
                    reply = Reply(operation, status, response.headers, response.stream.data, attempt)  # type: ignore[union-attr]
                    if operation.success is not None:
                        self._check_success(operation, reply)
                    return read(reply)
                error = self._refusal(operation, response)
            except (TransportError, Truncated) as caught:
                ok = isinstance(caught, BodyTooLarge)  # too much, but well
                error = caught
            except IntegrationError as caught:
                caught.attempts = attempt
                caught.may_have_acted = acted or may_have_acted(method, caught)
                raise
            finally:
                self.limiter.finish()
                self.breaker.leave(ok, epoch)
            acted = acted or may_have_acted(method, error)
            error.attempts, error.may_have_acted = attempt, acted
            if isinstance(error, AuthError) and not reread and error.status == 401:
                reread = True
                if await self._renew(generation, attempt, acted):
                    now = self.clock.monotonic()
                    continue
            # Under one key, a 409 after an attempt in doubt may say that the first one is still being carried out.
            in_doubt = acted and keyed and isinstance(error, Conflict)
            if not in_doubt and not (
                is_worth_retrying(error, self._retry_statuses) and may_resend(method, error, repeatable=repeatable)
            ):
                self._count(error)
                if isinstance(error, Throttled):
                    self.limiter.throttled(error.retry_after_s)
                raise error
            wait_s = self._wait_before_retry(error, attempt, began)
            if wait_s > 0:
                await self.clock.sleep(wait_s)
            now = self.clock.monotonic()

    async def _sign_in(self, attempt: int, acted: bool) -> None:
        """Have a token that is valid, before the request is made."""
        try:
            await self.auth.ready()
        except IntegrationError as never_sent:
            never_sent.attempts, never_sent.may_have_acted = attempt, acted
            raise

    async def _renew(self, generation: int, attempt: int, acted: bool) -> bool:
        """The credential of `generation` was refused: True when there is another one to try."""
        try:
            return await self.auth.renew(generation)
        except IntegrationError as never_sent:
            never_sent.attempts, never_sent.may_have_acted = attempt, acted
            raise

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        if (fence := FENCE.get()) is not None and request.method not in SAFE_METHODS:
            fence.check()
        self.traffic.requests += 1
        try:
            response = await self._wire.handle_async_request(request)
        except httpx.TransportError as error:  # another transport's
            early = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            raise TransportError(f"no complete reply: {type(error).__name__}", sent=False if early else None) from error
        if type(response.stream) is not Body:
            # Another transport than ours (a test's): read what it has, within the cap.
            try:
                data = await response.aread()
            except httpx.HTTPError as error:
                raise TransportError(f"the reply ends early: {type(error).__name__}", sent=True) from error
            if len(data) > self._cap:
                raise BodyTooLarge(f"the reply is larger than {self._cap} bytes")
            response.stream = Body(data)
        return response

    async def _leave_to_send(self, operation: Operation, began: float) -> int:
        """Return with a place in the limiter and leave from the breaker, whose epoch it is."""
        while True:
            try:
                await self.limiter.start(longest_pause_s=self.policy.max_wait_s)
            except LongPause as pause:
                raise Throttled(
                    status=429,
                    operation=operation.id,
                    api=self.api.name,
                    retry_after_s=pause.seconds,
                    excerpt="still paused",
                ) from None
            try:
                return self.breaker.enter()
            except BreakerOpen as error:
                self.limiter.finish()
                waited_s = self.clock.monotonic() - began
                if error.retry_in_s > self.policy.max_wait_s or waited_s > self.policy.max_wait_s:
                    raise
                wait_s = error.retry_in_s * (1.0 + 0.1 * self.clock.random())
            await self.clock.sleep(wait_s)

    def _count(self, error: IntegrationError) -> None:
        if isinstance(error, Throttled):
            self.traffic.throttled += 1
        elif isinstance(error, TransportError | ServerError | Truncated):
            self.traffic.failures += 1
        else:
            self.traffic.refused += 1

    def _wait_before_retry(self, error: IntegrationError, attempt: int, began: float) -> float:
        """Seconds until the next attempt; raises `error` when it would come too late or one too many."""
        self._count(error)
        policy = self.policy
        asked_s = error.retry_after_s if isinstance(error, ApiError) else None
        if isinstance(error, Throttled):
            # The limiter makes everybody wait, this request too.
            wait_s, total_s = 0.0, self.limiter.throttled(asked_s)
        else:
            wait_s = total_s = policy.backoff_s(attempt, self.clock.random(), at_least_s=asked_s or 0.0)
        too_late = total_s > policy.max_wait_s or self.clock.monotonic() + total_s - began > policy.give_up_after_s
        if attempt >= policy.max_attempts or too_late:
            raise error
        if not isinstance(error, Throttled) and not self.budget.withdraw():
            raise BudgetExhausted(error) from error
        self.traffic.retries += 1
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
