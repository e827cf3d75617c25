"""Records that refer to records of other streams: mapped once the links are known, held until they are there.

A reference is followed by the mapper itself: it is asked twice for a record whose links are not known yet, and what it asked for
in between is looked up for a whole group at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

from ..declare import Stream
from ..http.paging import Picked
from ..links import Key, Links, following
from ..state import State
from ..state.rows import Waiting
from .items import Bad, Item, Reader, Why

KNOWN_AT_MOST = 50_000
"""Links that a run keeps at hand."""
Fetch: TypeAlias = Callable[[str, Sequence[str]], Awaitable[None]]
"""Syncs records of another stream by their identities, as far as that can be done now."""


class Held:
    """A record that waits for another one."""

    __slots__ = ("item", "parent")

    def __init__(self, item: Item, parent: Key) -> None:
        self.item = item
        self.parent = parent

    def row(self, stream: str, run_id: str, now: float) -> Waiting:
        """What is kept of it."""
        parent_stream, parent_id = self.parent
        item = self.item
        return Waiting(stream, item.source_id, parent_stream, parent_id, item.raw, item.version, now, run_id)


class ParentReader:
    """Reads the records of a stream whose mapper follows links."""

    def __init__(self, stream: Stream[Any, Any], reader: Reader[Any, Any], state: State, fetch: Fetch | None) -> None:
        self._stream = stream
        self._reader = reader
        self._state = state
        self._fetch = fetch if stream.parents == "fetch" else None
        self._links = Links()
        self._sought: set[Key] = set()
        """What was fetched once by this run."""

    async def read(self, raws: Sequence[bytes | Picked]) -> tuple[list[Item], list[Bad], list[Held]]:
        """Items in the order of the page, the records that are none, and those that wait."""
        if len(self._links.known) > KNOWN_AT_MOST:
            self._links.known.clear()
        first = [self._one(raw) for raw in raws]
        wanted = {key for _, _, unknown in first for key in unknown}
        if wanted:
            await self._learn(wanted)
            if self._fetch is not None:
                await self._bring(self._fetch, wanted)
        items: list[Item] = []
        bad: list[Bad] = []
        held: list[Held] = []
        for raw, read in zip(raws, first, strict=True):
            item, fault, unknown = self._one(raw) if read[2] else read
            if fault is not None:
                bad.append(fault)
            elif item is not None and not unknown:
                items.append(item)
            elif item is not None and self._stream.parents == "dead":
                bad.append(Bad(raw, item.source_id, item.version, _orphan(unknown[0])))
            elif item is not None:
                held.append(Held(item, unknown[0]))
        return items, bad, held

    def _one(self, raw: bytes | Picked) -> tuple[Item | None, Bad | None, list[Key]]:
        self._links.unknown = []
        with following(self._links):
            items, bad = self._reader.read((raw,))
        return (items[0] if items else None), (bad[0] if bad else None), self._links.unknown

    async def _learn(self, wanted: Iterable[Key]) -> None:
        by_stream: dict[str, list[str]] = {}
        for stream, identity in sorted(wanted):
            by_stream.setdefault(stream, []).append(identity)
        lifecycle = self._state.store.lifecycle
        self._links.known.update(await self._state.call(lambda: lifecycle.parents(by_stream)))

    async def _bring(self, fetch: Fetch, wanted: Iterable[Key]) -> None:
        """Have the missing ones synced first, each once a run; what is still missing then is waited for."""
        missing = sorted(key for key in wanted if key not in self._links.known and key not in self._sought)
        self._sought.update(missing)
        for stream in dict.fromkeys(stream for stream, _ in missing):
            await fetch(stream, [identity for of, identity in missing if of == stream])
        if missing:
            await self._learn(missing)


def _orphan(key: Key) -> Why:
    return Why("match", "permanent_record", f"the record of `{key[0]}` that it refers to was not synced")
