"""Which destination record is the same thing as a source record, when no link says so yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

from ..client import record_of
from ..declare import Operation, Stream
from ..errors import DecodeError, NotFound
from ..hashing import decode_exact
from ..http.session import Reply, Session
from ..json_paths import at
from ..matching import compared, match_digest, optional_text
from ..state import State
from ..state.rows import Lease, Look
from .items import Item
from .lag import Lag
from .pages import Params

PutIndex: TypeAlias = Callable[[list[tuple[str, str]], bool], Awaitable[None]]
"""Stores (match digest, destination identity) pairs; True with the first page."""
AskIndex: TypeAlias = "Callable[[str], Awaitable[tuple[str, bool] | None]]"
"""Match digest → destination identity, and whether several records have it."""


class MatchIndex:
    """The match values of one stream's destination, as the state keeps them for the runs that follow."""

    def __init__(self, stream: str, state: State, lease: Lease, *, is_used: bool) -> None:
        self._stream = stream
        self._state = state
        self._lease = lease
        self.is_used = is_used
        """Whether look-ups ask it too: it has been read at some time."""

    async def put(self, entries: list[tuple[str, str]], is_first: bool) -> None:
        """Store a page of them. The first page takes the place of all that was there."""
        await self._state.call(lambda: self._state.store.put_index(self._lease, self._stream, entries, first=is_first))
        self.is_used = True

    async def ask(self, match: str) -> tuple[str, bool] | None:
        """Match digest → destination identity, and whether several records have it."""
        look = Look(stream=self._stream, source_ids=(), matches=(match,), index=True)
        found = await self._state.call(lambda: self._state.store.look(look))
        entry = found.index.get(match)
        return (entry.destination_id, entry.several) if entry is not None else None


def can_find(stream: Stream[Any, Any]) -> bool:
    """Whether there is a way to know that a record is not there."""
    destination = stream.destination
    return bool(stream.match) and (destination.find is not None or destination.list is not None)


class Adopter:
    """Finds destination records by match value: with the find operation, or in an index of the whole list."""

    def __init__(
        self,
        stream: Stream[Any, Any],
        session: Session,
        fixed: Params,
        *,
        put_index: PutIndex,
        ask_index: AskIndex,
        lag: Lag,
    ) -> None:
        self._stream = stream
        self._session = session
        self._fixed = fixed
        self._put_index = put_index
        self._ask_index = ask_index
        self._lag = lag
        self._paths = tuple(match.destination for match in stream.match)
        self._steps = tuple(match.compare for match in stream.match)
        self.is_indexed = False
        """Whether this run has read all match values of the destination."""
        self._indexed_at = float("-inf")
        self._readings = 0
        self._gone: dict[str, int] = {}
        """Destination record that is known to be gone → how often all match values had been read by then."""
        self._one_reads = asyncio.Lock()

    @property
    def can_find(self) -> bool:
        """Whether there is a way to know that a record is not there."""
        return can_find(self._stream)

    async def find(self, item: Item) -> list[tuple[str, dict[str, Any] | None]]:
        """Destination records that match an item: identity and, when it was read, the whole record."""
        former = _former_match(item)
        if former is not None:
            return await self._listed(former) if self._stream.destination.list is not None else []
        if item.match is None or not self.can_find:
            return []
        if self._stream.destination.find is not None:
            return await self._ask(item)
        return await self._listed(item.match)

    async def _listed(self, match: str) -> list[tuple[str, dict[str, Any] | None]]:
        entry = await self._entry(match)
        if entry is None:
            return []
        identity, several = entry
        return [(identity, None)] * (2 if several else 1)

    async def find_late(self, item: Item, written_at: float) -> list[tuple[str, dict[str, Any] | None]]:
        """As `find`, for a record that was written then and has just not been found: once more, when it is shown for sure."""
        has_waited = await self._lag.wait(written_at)
        is_listed = self._stream.destination.find is None or _former_match(item) is not None
        if is_listed and self._indexed_at < written_at + self._lag.seconds:
            self.is_indexed = False
        elif not has_waited:
            return []
        return await self.find(item)

    def lost(self, identity: str) -> None:
        """A destination record is gone that the index may still know."""
        if self._stream.destination.find is None:
            self._gone[identity] = self._readings

    async def locate(self, item: Item) -> str | None:
        """What a record is called there that was written without learning it; only its digest need be known."""
        if item.match is None or self._stream.destination.list is None:
            return None
        entry = await self._entry(item.match)
        return entry[0] if entry is not None and not entry[1] else None

    async def index(self) -> None:
        """Read the match values of all destination records, once a run."""
        async with self._one_reads:
            await self._read_index()

    async def _entry(self, match: str) -> tuple[str, bool] | None:
        """What the index has for a match value; read anew when that is known to be gone since."""
        async with self._one_reads:  # an index that is being read is not whole
            await self._read_index()
            entry = await self._ask_index(match)
            if entry is None or entry[0] not in self._gone:
                return entry
            if self._gone[entry[0]] == self._readings:
                self.is_indexed = False
                await self._read_index()
                entry = await self._ask_index(match)
            return None if entry is not None and entry[0] in self._gone and not entry[1] else entry

    async def _read_index(self) -> None:
        operation = self._stream.destination.list
        if operation is None or self.is_indexed:
            return
        first, self._indexed_at = True, self._lag.now()
        async for page in self._session.pages(operation, params=self._fixed):
            await self._put_index(list(self._entries(page.records)), first)
            first = False
        if first:
            await self._put_index([], True)
        self.is_indexed = True
        self._readings += 1

    def _entries(self, records: Iterable[Any]) -> Iterable[tuple[str, str]]:
        for raw in records:
            record = decode_exact(raw)
            digest, identity = self.digest(record), self.identity(record)
            if digest is not None and identity is not None:
                yield digest, identity

    async def _ask(self, item: Item) -> list[tuple[str, dict[str, Any] | None]]:
        find = self._stream.destination.find
        assert find is not None
        spellings = [item.match_values]
        plain = tuple(compared(value or "", steps) for value, steps in zip(item.match_values, self._steps, strict=True))
        if plain != item.match_values:
            spellings.append(plain)
        names = [".".join(map(str, path)) for path in self._paths]
        for values in spellings:
            by_name = dict(zip(names, values, strict=True))
            asked = {parameter: by_name.get(name) for name, parameter in find.parameters}
            found: list[tuple[str, dict[str, Any] | None]] = [
                (identity, record)
                for record in await self._records(find.operation, {**self._fixed, **asked})
                if self.digest(record) == item.match and (identity := self.identity(record)) is not None
            ]
            if found:
                return found
        return []

    async def _records(self, operation: Operation, params: Params) -> list[dict[str, Any]]:
        if operation.records is None:
            try:
                return [object_of(await self._session.request(operation, params=params))]
            except (NotFound, DecodeError):
                return []
        async for page in self._session.pages(operation, params=params):
            return [record for raw in page.records if isinstance(record := decode_exact(raw), dict)]
        return []

    def identity(self, record: Any) -> str | None:
        """The identity in a destination record."""
        return identity_of(at(record, self._stream.destination.identity))

    def digest(self, record: Any) -> str | None:
        """The digest of a destination record's match values."""
        values = [at(record, path) for path in self._paths]
        texts = [None if isinstance(value, dict | list) else optional_text(value) for value in values]
        return match_digest(texts, self._steps)


def identity_of(value: Any) -> str | None:
    """What a destination names a record, as text."""
    return None if isinstance(value, dict | list) else optional_text(value)


def object_of(reply: Reply) -> dict[str, Any]:
    """The record of a single reply as plain values that lose nothing."""
    record = decode_exact(record_of(reply))
    if not isinstance(record, dict):
        raise DecodeError("the record in the reply is not an object", operation=reply.operation.id)
    return record


def _former_match(item: Item) -> str | None:
    """The digest that an item was written with, where only that tells what it is called: the record over there has it still, and
    one with the item's new match value is another."""
    link = item.link
    if item.is_create or link is None or link.gone_at is not None or link.destination_id is not None:
        return None
    return link.match if link.match != item.match else None
