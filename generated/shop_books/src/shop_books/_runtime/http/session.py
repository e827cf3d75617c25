"""One API, opened: wire, credential, pace, breaker and retries around every request.

A session is what the engine talks to: raw replies and raw pages. `client.py` puts types on top of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import httpx

from ..clock import Clock, SystemClock
from ..declare import Api, Json, OAuth2, Operation
from ..errors import ApiError, BodyTooLarge, PagingError, SettingsError
from ..settings import Settings
from .breaker import BreakerPolicy
from .encode import asking_body
from .paging import Picked, Picks, Progress, checked_target, next_cursor, own_target
from .reply import RawPage, Reply
from .retry import RetryPolicy
from .sender import Sender, Traffic
from .wire import Origin, WireOptions

if TYPE_CHECKING:
    from .token_places import TokenPlace

__all__ = ["RawPage", "Reply", "Session", "Traffic", "open_api"]

R = TypeVar("R")
_NOTHING: Mapping[str, object] = {}


class Session(Sender):
    """Requests to one API. Made by `open_api`; an async context manager."""

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all connections."""
        await self.auth.aclose()
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
        return await self.send(operation, _same, arguments, params, body, idempotency_key, repeatable, None)

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
        return await self.send(operation, read, arguments, params, body, idempotency_key, repeatable, None)

    async def page(
        self,
        operation: Operation,
        *,
        arguments: Mapping[str, object] = _NOTHING,
        params: Mapping[str, object] = _NOTHING,
        cursor: Json | None = None,
        size: int | None = None,
        progress: Progress | None = None,
        picks: Picks | None = None,
    ) -> RawPage:
        """One page of a list.

        Args:
            cursor: `RawPage.next` of the page before; None for the first page.
            size: Page size to ask for, in records, instead of the declared one.
            progress: What the pass remembers; `pages` keeps it.
            picks: Members of each record to read in the same pass over the bytes.
        """
        paging = operation.paging
        call = self._call(operation)
        given = call.by_wire_name(arguments) | dict(params)
        size = size or _size(given.get(paging.limit or "")) or paging.max
        target = None
        if paging.style in ("link", "next_url") and cursor is not None:
            target = checked_target(cursor)
        else:
            extra = dict(params)
            if paging.limit is not None and size is not None:
                extra[paging.limit] = size
            where = {"page": paging.page, "offset": paging.offset}.get(paging.style, paging.cursor)
            if where is not None and cursor is None and paging.style in ("page", "offset"):
                cursor = _size(given.get(where)) or (paging.first_page if paging.style == "page" else 0)
            if where is not None and cursor is not None:
                extra[where] = cursor
            params = extra
        body: object = None
        if operation.asked:
            body, params = asking_body(operation, params)
        reader = call.reader()
        base = self._head.root + (target or call.constant_target or call.target(arguments, params)[0])
        progress = progress or Progress()

        def read(reply: Reply) -> RawPage:
            parts = reader.read(reply.body, reply.headers, picks)
            following = next_cursor(
                operation,
                parts,
                asked=cursor,
                size=size if paging.limit is not None else None,
                link=lambda url: own_target(url, base, self.origin, without=self.auth.query_name),
                headers=reply.headers,
                progress=progress,
            )
            records = [each if type(each) is Picked else bytes(each) for each in parts.records]
            return RawPage(records, following, reply)

        return await self.send(operation, read, arguments, params, body, None, True, target)

    async def pages(
        self,
        operation: Operation,
        *,
        arguments: Mapping[str, object] = _NOTHING,
        params: Mapping[str, object] = _NOTHING,
        cursor: Json | None = None,
        size: int | None = None,
        picks: Picks | None = None,
    ) -> AsyncIterator[RawPage]:
        """All pages from `cursor` on. Raises `PagingError` when they go in circles."""
        progress = Progress()
        seen = {_mark(cursor)}
        while True:
            probing = progress.previous_was_short
            try:
                page = await self.page(
                    operation,
                    arguments=arguments,
                    params=params,
                    cursor=cursor,
                    size=size,
                    progress=progress,
                    picks=picks,
                )
            except BodyTooLarge:
                if (smaller := _smaller(operation, size, cursor)) is None:
                    raise
                size = smaller
                continue
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


def _same(reply: Reply) -> Reply:
    return reply


def _size(value: object) -> int | None:
    """A number that a caller gave for a page size, a page or an offset."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _smaller(operation: Operation, size: int | None, cursor: Json | None) -> int | None:
    """Half the page size, where asking for less does not move the pages; None where it would or cannot help."""
    paging = operation.paging
    asked = size or paging.max
    movable = paging.style in ("cursor", "since_id", "offset") or (cursor is None and paging.style != "none")
    return asked // 2 if paging.limit is not None and asked is not None and asked > 1 and movable else None


def _mark(cursor: Json | None) -> str:
    return f"{type(cursor).__name__} {cursor}"


def _wire(name: str) -> Callable[[Origin, WireOptions], httpx.AsyncBaseTransport]:
    """The wire that `WIRE` names."""
    if name == "fast":
        try:
            from .wire_fast import FastWire
        except ModuleNotFoundError as error:
            raise SettingsError((f"WIRE=fast needs the extra `fast`: `{error.name}` is not installed",)) from None
        return FastWire
    from .wire_aiohttp import AiohttpWire

    return AiohttpWire


def open_api(
    api: Api,
    settings: Settings,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    clock: Clock | None = None,
    policy: RetryPolicy | None = None,
    breaker: BreakerPolicy | None = None,
    tokens: TokenPlace | None = None,
    holder: str = "",
    deadline_s: float | None = None,
    max_body_bytes: int | None = None,
) -> Session:
    """Open an API. Nothing is sent yet.

    Args:
        transport: Any httpx transport, such as `httpx.MockTransport`; the aiohttp wire when None.
        clock: What time it is; a simulator's, or the machine's when None.
        tokens: Where fetched tokens are kept, for an API that signs in with OAuth2; in memory when None.
        holder: Who refreshes them, for those who wait.
        deadline_s: Of one attempt, when less than the setting.
        max_body_bytes: Of one reply, when less than the setting.

    Raises:
        SettingsError: when something that the API needs is missing or cannot be.
    """
    options = settings.options
    clock = clock or SystemClock()
    deadline_s = min(deadline_s or options.request_deadline_s, options.request_deadline_s)
    max_body_bytes = min(max_body_bytes or options.max_body_bytes, options.max_body_bytes)
    auth = None
    if isinstance(api.auth, OAuth2):
        from .oauth import sign_in_with

        auth = sign_in_with(api, settings, clock=clock, transport=transport, place=tokens, holder=holder)
    if transport is None:
        transport = _wire(options.wire)(
            Origin.of(settings.base_url(api)),
            WireOptions(
                deadline_s=deadline_s,
                connect_timeout_s=options.connect_timeout_s,
                max_body_bytes=max_body_bytes,
                max_connections=options.max_concurrent,
                allow_private_network=options.allow_private_network,
            ),
        )
    return Session(
        api,
        settings,
        transport,
        clock=clock,
        policy=policy or RetryPolicy(max_attempts=options.max_attempts, max_wait_s=options.max_wait_s),
        breaker=breaker,
        auth=auth,
        deadline_s=deadline_s,
        max_body_bytes=max_body_bytes,
    )
