"""Reads the records that a run which merges is about to write over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from ..declare import Operation, Stream
from ..errors import DecodeError, IntegrationError, NotFound
from ..hashing import decode_exact
from ..http.session import Reply, Session
from ..json_paths import at
from .adopt import Adopter, object_of
from .items import Item
from .pages import Params


class OtherSide:
    """The written side of one stream: one record at a time where an operation reads one, else out of the whole list."""

    def __init__(self, stream: Stream[Any, Any], session: Session, fixed: Params, adopter: Adopter) -> None:
        destination = stream.destination
        self._destination = destination
        self._session = session
        self._fixed = dict(fixed)
        self._adopter = adopter
        self.finds_only = destination.get is None and destination.find is not None
        """Whether a record is read by its match value, so that one whose value has changed is not found."""
        self.reads_one = destination.get is not None or (destination.find is not None and bool(stream.match))

    async def identify(self, item: Item) -> None:
        """Find out what a record is called that was written without learning its name."""
        if item.destination_id is None:
            item.destination_id = next((identity for identity, _ in await self._adopter.find(item)), None)

    async def read(self, item: Item) -> tuple[dict[str, Any], str | None] | None:
        """The record that an item is written to, and its entity tag; None when it is gone."""
        destination = self._destination
        if destination.get is not None:
            params = {**self._fixed, destination.get_argument: item.destination_id}
            try:
                reply = await self._session.request(destination.get, params=params)
            except NotFound:
                return None
            return object_of(reply), reply.headers.get("etag")
        return self._that(item, await self._adopter.find(item))

    async def read_late(self, item: Item, written_at: float) -> tuple[dict[str, Any], str | None] | None:
        """As `read`, for a record that was written then and has just not been found: it may not have been shown yet."""
        if self._destination.get is not None:
            return None  # who is asked for it by name knows it
        found = self._that(item, await self._adopter.find_late(item, written_at))
        if (
            found is None
            and not self.reads_one
            and (record := (await self.listed([item])).get(item.destination_id or ""))
        ):
            return record, None
        return found

    @staticmethod
    def _that(
        item: Item, found: Iterable[tuple[str, dict[str, Any] | None]]
    ) -> tuple[dict[str, Any], str | None] | None:
        """The record that an item is linked to, among those that were found."""
        for identity, record in found:
            if identity == item.destination_id and record is not None:
                return record, None
        return None

    async def listed(self, items: Iterable[Item]) -> dict[str, dict[str, Any]]:
        """The records of a group out of the whole list, where there is no other way to read one."""
        operation = self._destination.list
        wanted = {item.destination_id for item in items}
        found: dict[str, dict[str, Any]] = {}
        if operation is None or self.reads_one or not wanted:
            return found
        async for page in self._session.pages(operation, params=self._fixed):
            for raw in page.records:
                record = decode_exact(raw)
                identity = self._adopter.identity(record)
                if identity in wanted and identity is not None and isinstance(record, dict):
                    found[identity] = record
            if len(found) == len(wanted):
                break
        return found

    async def after_write(self, item: Item) -> dict[str, Any] | None:
        """The record as it is after a write whose reply does not show it."""
        if item.destination_id is None:
            return None
        try:
            found = await self.read(item)
        except IntegrationError:
            return None  # it was written; what it looks like is found out by the next run
        return found[0] if found is not None else None


def shown_in(reply: Reply, operation: Operation) -> dict[str, Any] | None:
    """The record in the reply to a write, where there is one."""
    try:
        record = at(decode_exact(reply.body), operation.record)
    except (msgspec.MsgspecError, DecodeError):
        return None
    return record if isinstance(record, dict) and record else None
