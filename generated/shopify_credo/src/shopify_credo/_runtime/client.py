"""Typed clients: what derived code subclasses, one method an operation.

    async with open_api(CREDO, resolve((CREDO,))) as session:
        credo = CredoClient(session)
        created = await credo.create_contact(Contact(email="ada@example.com"))
        async for contact in credo.iter_contacts(email="ada@example.com"):
            print(contact.id)

From code that is not async: put these lines into a coroutine and run it with `asyncio.run`:

    def contact_ids() -> list[str]:
        async def collect() -> list[str]:
            async with open_api(CREDO, resolve((CREDO,))) as session:
                return [contact.id async for contact in CredoClient(session).iter_contacts()]

        return asyncio.run(collect())
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from .declare import Json, Operation
from .errors import DecodeError
from .http.decode import decode_record
from .http.paging import read_json, shown, walk
from .http.session import RawPage, Reply, Session, Traffic, open_api

__all__ = ["ApiClient", "Page", "RawPage", "Reply", "Session", "Traffic", "open_api"]

T = TypeVar("T")
_NOTHING: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list."""

    records: list[T]
    next: Json | None
    """The cursor of the next page; None at the end."""
    reply: Reply = field(repr=False)


class ApiClient:
    """The base of derived clients. Methods of theirs name an operation and a type; the session does the rest."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def request(
        self,
        operation: Operation,
        *,
        arguments: Mapping[str, object] = _NOTHING,
        params: Mapping[str, object] = _NOTHING,
        body: object = None,
        idempotency_key: str | None = None,
    ) -> Reply:
        """The reply as it is, for operations whose reply has no type."""
        return await self.session.request(
            operation, arguments=arguments, params=params, body=body, idempotency_key=idempotency_key
        )

    async def one(
        self,
        operation: Operation,
        kind: type[T],
        *,
        arguments: Mapping[str, object] = _NOTHING,
        params: Mapping[str, object] = _NOTHING,
        body: object = None,
        idempotency_key: str | None = None,
    ) -> T:
        """The one record of the reply."""

        def read(reply: Reply) -> T:
            return decode_record(kind, record_of(reply), operation=operation.id)

        return await self.session.read(
            operation, read, arguments=arguments, params=params, body=body, idempotency_key=idempotency_key
        )

    async def page(
        self,
        operation: Operation,
        kind: type[T],
        *,
        arguments: Mapping[str, object] = _NOTHING,
        params: Mapping[str, object] = _NOTHING,
        cursor: Json | None = None,
    ) -> Page[T]:
        """One page; the first one when `cursor` is None."""
        raw = await self.session.page(operation, arguments=arguments, params=params, cursor=cursor)
        return _typed(operation, kind, raw)

    async def iter_pages(
        self,
        operation: Operation,
        kind: type[T],
        *,
        arguments: Mapping[str, object] = _NOTHING,
        params: Mapping[str, object] = _NOTHING,
        cursor: Json | None = None,
    ) -> AsyncIterator[Page[T]]:
        """All pages, one after the other."""
        async for raw in self.session.pages(operation, arguments=arguments, params=params, cursor=cursor):
            yield _typed(operation, kind, raw)

    async def records(
        self,
        operation: Operation,
        kind: type[T],
        *,
        arguments: Mapping[str, object] = _NOTHING,
        params: Mapping[str, object] = _NOTHING,
    ) -> AsyncIterator[T]:
        """All records of all pages."""
        async for raw in self.session.pages(operation, arguments=arguments, params=params):
            for record in raw.records:
                yield decode_record(kind, record, operation=operation.id)


def record_of(reply: Reply) -> bytes:
    """The raw JSON of the one record in a reply: what is at `Operation.record`.

    Raises:
        DecodeError: when there is nothing.
        Truncated: when the reply is not JSON to its end.
    """
    path = reply.operation.record
    body = reply.body
    if not path and body.strip():
        return body
    found: bytes | msgspec.Raw | None = read_json(reply.operation, body, reply.headers, lambda raw: walk(raw, path))
    if found is None or not body.strip():
        raise DecodeError(f"the reply has no record at `{shown(path)}`", operation=reply.operation.id)
    return bytes(found)


def _typed(operation: Operation, kind: type[T], raw: RawPage) -> Page[T]:
    records = [decode_record(kind, record, operation=operation.id) for record in raw.records]
    return Page(records, raw.next, raw.reply)
