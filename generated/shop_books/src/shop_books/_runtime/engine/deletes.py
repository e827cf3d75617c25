"""What is gone at the source → what is done about it at the destination, and when that is too much to be true.

A record is gone when it was asked for and is not there, when it came with a tombstone, or when a complete full pass came without
it. Deletes go out under intents like every write; a record that is not at the destination any more counts as deleted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from ..declare import Deletes, Stream
from ..errors import IntegrationError, NotFound
from ..hashing import decode_exact, encode_json
from ..http.paging import Picked, value_at
from ..http.session import Session
from ..json_paths import overlaid, wrapped
from ..matching import optional_text
from ..state.lifecycle import UNNAMED, PassEnd
from ..state.rows import Link
from .adopt import object_of
from .errors import MassDelete
from .history import keep_whole
from .items import Item, Past, Why
from .pages import Params
from .requests import REMOVALS, Kind, Request

GONE_AT_LEAST = 10
"""So few deletes are never too many by their share."""


class Tombstones:
    """Finds, among raw records, those that say of themselves that they are gone."""

    def __init__(self, deletes: Deletes) -> None:
        self._deletes = deletes

    @property
    def is_looking(self) -> bool:
        """Whether records can say so."""
        return self._deletes.tombstone is not None

    def split(self, raws: Sequence[bytes | Picked]) -> tuple[list[bytes], list[str]]:
        """Records that are there, and the identities of those that are gone."""
        live: list[bytes] = []
        gone: list[str] = []
        for raw in map(bytes, raws):
            identity = self.identity(raw) if self.says(raw) else None
            if identity is None:
                live.append(raw)
            else:
                gone.append(identity)
        return live, gone

    def says(self, raw: bytes) -> bool:
        """Whether the record is a tombstone."""
        path = self._deletes.tombstone
        if path is None:
            return False
        try:
            return value_at(raw, path) not in (None, False, "")
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False

    def identity(self, raw: bytes) -> str | None:
        """What names a raw record, also one that cannot be decoded into its model."""
        try:
            value = value_at(raw, self._deletes.identity)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        return None if isinstance(value, dict | list | float) else optional_text(value) or None


class Brake:
    """Stops a run before it deletes more than anybody meant."""

    def __init__(self, stream: Stream[Any, Any], deletes: Deletes, *, is_released: bool) -> None:
        self._name = stream.name
        self._share = deletes.brake
        self._is_released = is_released
        self._linked: int | None = None
        self._deleted = 0

    @property
    def needs_linked(self) -> bool:
        """Whether `admit` has to know how many records are linked."""
        return not self._is_released and self._linked is None

    def told(self, linked: int) -> None:
        """So many records were linked before the first delete."""
        self._linked = linked

    def admit(self, count: int) -> None:
        """Let `count` more deletes through. Raises `MassDelete` before the one too many."""
        total = self._deleted + count
        if not self._is_released and self._linked is not None and self._is_too_much(total, self._linked):
            raise MassDelete(
                self._name,
                f"{total} of {self._linked} linked records are gone at the source, more than {self._share:.0%}",
            )
        self._deleted = total

    def judge(self, end: PassEnd) -> None:
        """Look at what a complete pass came without. Raises `MassDelete`."""
        if self._is_released or not end.missing:
            return
        self._linked = end.linked
        if not end.came:
            raise MassDelete(self._name, f"the source gave no record at all, and {end.linked} are linked")
        if self._is_too_much(self._deleted + end.missing, end.linked):
            raise MassDelete(
                self._name,
                f"{end.missing} of {end.linked} linked records did not come, more than {self._share:.0%}",
            )
        if not end.is_whole:
            raise MassDelete(
                self._name,
                f"{end.missing} linked records did not come, and among those that came are some that nobody can name",
            )

    def _is_too_much(self, count: int, linked: int) -> bool:
        return count > GONE_AT_LEAST and count > self._share * linked


class Remover:
    """Sends the deletes of one run."""

    def __init__(
        self,
        stream: Stream[Any, Any],
        session: Session,
        fixed: Params,
        *,
        locate: Callable[[Item], Awaitable[str | None]],
        replacement: Callable[[Item], Awaitable[bytes | None]],
        keep_before: Callable[[Item], Awaitable[None]] | None = None,
        refused: Callable[[Item, IntegrationError | str], None],
    ) -> None:
        assert stream.deletes is not None
        self._stream = stream
        self._destination = stream.destination
        self._session = session
        self._fixed = dict(fixed)
        self._locate = locate
        self._replacement = replacement
        self._refused = refused
        self._keep_before = keep_before
        """Of a stream that can be rolled back."""
        self.kind: Kind = "delete" if stream.deletes.mode == "hard" else "retire"
        self._body = _body(stream.deletes.set)

    def item(self, link: Link) -> Item:
        """What is to be done about a link whose record is gone."""
        item = Item(link.source_id, link.version, self._body, b"", link.match, ())
        item.destination_id = link.destination_id
        item.is_create = False
        item.link = link
        return item

    async def remove(self, request: Request) -> None:
        """Send one delete and set the fate of its item. What is not there is deleted."""
        [item] = request.items
        if item.destination_id is None:
            item.destination_id = await self._locate(item)
        if item.destination_id is None:
            item.fate = "dead"
            item.why = Why("send", "permanent_record", "it is gone, and nobody knows what it is called there")
            return
        try:
            if request.kind == "delete":
                await self._delete(request, item)
            else:
                await self._retire(request, item)
            self._is_deleted(request, item)
        except NotFound:
            self._is_deleted(request, item)
        except IntegrationError as error:
            if error.failure == "unknown":
                item.fate, item.why = "unknown", Why("send", "unknown", str(error))
            else:
                self._refused(item, error)

    @staticmethod
    def _is_deleted(request: Request, item: Item) -> None:
        item.fate = "deleted"
        item.past = item.past or Past()
        item.past.kind = "deleted" if request.kind == "delete" else "soft_deleted"
        item.past.reason = item.past.reason or "it is gone at the source"

    async def _delete(self, request: Request, item: Item) -> None:
        operation = self._destination.delete
        assert operation is not None
        if self._keep_before is not None:
            await self._keep_whole(item)
        params = {**self._fixed, self._destination.delete_argument: item.destination_id}
        await self._session.request(operation, params=params, idempotency_key=request.id, repeatable=True)

    async def _keep_whole(self, item: Item) -> None:
        """Read the record for the sake of what is about to be deleted, changes by others included."""
        if self._destination.get is not None and (item.past is None or item.past.before is None):
            params = {**self._fixed, self._destination.get_argument: item.destination_id}
            keep_whole(self._stream, item, object_of(await self._session.request(self._destination.get, params=params)))

    async def _retire(self, request: Request, item: Item) -> None:
        operation = self._destination.update
        assert operation is not None
        body: bytes | None = item.body
        if self._destination.update_is == "replace":
            body = await self._replacement(item)
        elif self._keep_before is not None:
            await self._keep_before(item)
        if body is None:
            return  # it says so already
        await self._session.request(
            operation,
            params={**self._fixed, self._destination.update_argument: item.destination_id},
            body=body if operation.body == "json" else decode_exact(body),
            idempotency_key=request.id,
            repeatable=True,
        )


def taker_away(stream: Stream[Any, Any], *args: Any, **kwargs: Any) -> Remover:
    """Deletes what a run of the stream created, when that run is put back, whether or not the stream deletes what is gone."""
    return Remover(replace(stream, deletes=Deletes(mode="hard")), *args, **kwargs)


def removals(named: Sequence[str], links: Mapping[str, Link], remover: Remover) -> tuple[list[Item], int, int]:
    """Records that are gone → what is to be deleted; how many were deleted before, and how many never written."""
    items: list[Item] = []
    before = never = 0
    for source_id in dict.fromkeys(named):
        link = links.get(source_id)
        if link is None:
            never += 1
        elif link.gone_at is not None:
            before += 1
        else:
            items.append(remover.item(link))
    return items, before, never


def seen_in(items: Sequence[Item], bad: Sequence[Any], gone: Sequence[str], tombstones: Tombstones) -> list[str]:
    """The identities of records that came; the unnamed one stands for all that nobody can name."""
    named = [item.source_id for item in items]
    named += [entry.source_id or tombstones.identity(entry.raw) or UNNAMED for entry in bad]
    return [*named, *gone]


def is_removal(request: Request) -> bool:
    """Whether a request deletes."""
    return request.kind in REMOVALS


def _body(values: Sequence[tuple[tuple[str | int, ...], Any]]) -> bytes:
    body: dict[str, Any] = {}
    for path, value in values:
        laid = wrapped(path, value)
        assert isinstance(laid, dict)
        body = overlaid(body, laid)
    return encode_json(body)
