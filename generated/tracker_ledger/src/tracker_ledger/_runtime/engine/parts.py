"""The parts of a pass: by windows of time, by ranges of a key, or by the records of another stream.

A key names a part and sorts where the part stands. What two parts both hold (a record on the bound between them) and what is
just being written elsewhere is heeded, so that no record is written twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ..declare import Json, Partition, Stream
from ..errors import NotFound, RequestRefused
from ..http.session import Session
from ..state import State
from ..state.rows import Found
from .items import Item
from .pages import Page
from .requests import read_back
from .versions import since_parameter

MAX_PARTS = 10_000
PARENTS = 200
"""Records of the other stream that make one part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a pass."""

    key: str
    params: Mapping[str, object]
    """What the list is asked for, by wire name."""
    parents: Sequence[str] | None = None
    """The records of the other stream whose lists make up the part."""


# --- which parts there are --------------------------------------------------------------------------------------------


async def keys_of(
    stream: Stream[Any, Any],
    session: Session,
    fixed: Mapping[str, object],
    now: float,
    parents: Callable[[], Awaitable[list[str]]],
) -> list[str]:
    """The parts of a pass that begins now, by keys that sort as they follow one another."""
    partition = stream.source.partition
    assert partition is not None
    match partition.by:
        case "window":
            start = datetime.fromisoformat(str(partition.start)).replace(tzinfo=UTC).timestamp()
            count = max(1, int(-(-(now - start) // partition.size)))
            keys = [_moment(start + number * partition.size) for number in range(min(count, MAX_PARTS + 1))]
        case "range":
            keys = await _ranges(stream, partition, session, fixed)
        case "parent":
            keys = [f"from {identity}" for identity in (await parents())[::PARENTS]] or ["from "]
    if len(keys) > MAX_PARTS:
        raise RequestRefused(f"{stream.name}: more than {MAX_PARTS:,} parts; make `size` larger")
    return keys


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


async def _ranges(
    stream: Stream[Any, Any], partition: Partition, session: Session, fixed: Mapping[str, object]
) -> list[str]:
    """Ranges up to the highest key, which is found by asking whether there is anything above."""
    start, size = int(partition.start or 0), int(partition.size)

    async def is_above(count: int) -> bool:
        params = {**fixed, str(partition.first): start + count * size}
        page = await session.page(stream.source.list, params=params)
        return bool(page.records)

    low, high = 0, 1
    while high <= MAX_PARTS and await is_above(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if await is_above(middle):
            low = middle
        else:
            high = middle
    return [f"{start + number * size:020d}" for number in range(high)]


def part_of(stream: Stream[Any, Any], key: str, following: str | None, parents: Sequence[str] | None) -> Part:
    """What a key means; `following` is the key after it, None for the last, which has no end."""
    partition = stream.source.partition
    assert partition is not None
    params: dict[str, object] = {}
    match partition.by:
        case "window":
            params[str(partition.first)] = since_parameter(key, partition.format, 0)
            if following is not None and partition.last is not None:
                params[partition.last] = since_parameter(following, partition.format, 0)
        case "range":
            params[str(partition.first)] = int(key)
            if following is not None and partition.last is not None:
                params[partition.last] = int(following) - (1 if partition.last_is_included else 0)
        case "parent":
            return Part(key=key, params=params, parents=parents or ())
    return Part(key=key, params=params)


async def by_parent(
    stream: Stream[Any, Any],
    session: Session,
    fixed: Mapping[str, object],
    parents: Sequence[str] | None,
    cursor: Json | None,
    state: State,
) -> AsyncIterator[Page]:
    """The lists of some records of another stream, or of all of them, one after another."""
    partition = stream.source.partition
    assert partition is not None
    assert partition.parameter is not None
    of = str(partition.stream)
    if parents is None:
        parents = await state.call(lambda: state.partitions.parents(of))
    first = 0
    inner: Json | None = None
    if isinstance(cursor, dict) and cursor.get("parent") in parents:
        first = list(parents).index(cursor["parent"])
        inner = cursor.get("cursor")
    if not parents:
        yield Page(records=())
    for index in range(first, len(parents)):
        after = None if index + 1 == len(parents) else {"parent": parents[index + 1], "cursor": None}
        params = {**fixed, partition.parameter: parents[index]}
        try:
            async for page in session.pages(stream.source.list, params=params, cursor=inner):
                following = after if page.next is None else {"parent": parents[index], "cursor": page.next}
                yield Page(records=page.records, next=following, date_s=page.server_date_s)
        except NotFound:  # it is gone since
            yield Page(records=(), next=after)
        inner = None


# --- what is under way elsewhere --------------------------------------------------------------------------------------


def beside(items: Sequence[Item], found: Found) -> Found:
    """Heed what other parts are just writing: their records are skipped here, their match values are theirs."""
    if not found.in_flight:
        return found
    ids: set[str] = set()
    owners: dict[str, str] = {}
    for row in found.in_flight:
        for request in read_back(row):
            for item in request.items:
                ids.add(item.source_id)
                if item.match is not None:
                    owners[item.match] = item.source_id
    for item in items:
        if item.source_id in ids and item.fate is None:
            item.fate = "skipped"
    return replace(found, owners={**owners, **found.owners})


def bounds(keys: Sequence[str], key: str) -> tuple[str | None, str | None]:
    """Of a part by parents: the first identity that is in, and the first that is not. None: without a bound."""
    index = list(keys).index(key)
    low = None if index == 0 else key.removeprefix("from ")
    return low, keys[index + 1].removeprefix("from ") if index + 1 < len(keys) else None
