"""Records that have no link, or one without a name → what they are called in the destination.

    looked up       each new record, before it is sent (`adopt: lookup`)
    linked          a record of which the destination says that it exists, or whose answer was lost
    located         a record that was written without learning its name, before an update of it is sent
    named           the same, when it is read again unchanged and others refer to it

Who finds is the adopter; here stands what is made of it: one record or several, somebody else's or perhaps our own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..declare import Stream
from ..errors import ApiError, Conflict, IntegrationError
from ..hashing import decode_exact
from ..http.session import Session
from ..json_paths import at, overlaid
from .adopt import Adopter, object_of
from .classify import SEVERAL_MATCHES, refuse_duplicate
from .items import Item, Why
from .pages import Params
from .versions import is_older
from .workers import Unit, Workers

EXISTS = re.compile(r"(?i)exist|duplicat|already|unique|taken")
"""How a destination's words tell that it has such a record."""


class Linker:
    """Links the records of one run to those of the destination that are the same thing."""

    def __init__(
        self,
        stream: Stream[Any, Any],
        session: Session,
        fixed: Params,
        adopter: Adopter,
        workers: Workers,
        *,
        owner_of: Callable[[str], Awaitable[str | None]],
        written_at: Callable[[str], Awaitable[float | None]],
    ) -> None:
        self._stream = stream
        self._destination = stream.destination
        self._session = session
        self._fixed = dict(fixed)
        self._adopter = adopter
        self._workers = workers
        self._owner_of = owner_of
        self._written_at = written_at

    @property
    def may_link(self) -> bool:
        """Whether a record that exists already is taken for the stream's own, and can be found."""
        return self._stream.mode != "append" and self._stream.adopt != "never" and self._adopter.can_find

    @property
    def can_find_out(self) -> bool:
        """Whether a look tells what became of a creation whose answer was lost."""
        return self._stream.mode != "append" and self._adopter.can_find

    async def look_up(self, items: Sequence[Item]) -> IntegrationError | None:
        """For `adopt: lookup`: find each new record in the destination first. Returns what stops the run, if anything."""
        new = [item for item in items if item.fate is None and item.is_create and item.match is not None]
        self._workers.begin()
        await self._workers.carry_out([self._looked_up(item) for item in new])
        return self._workers.stopped_by

    async def learn_names(self, items: Sequence[Item]) -> IntegrationError | None:
        """Find out what unchanged records are called that were written without learning it: others refer to them.

        Not right after the write: what is found then may have been there before. Returns what stops the run, if anything.
        """
        nameless = [item for item in items if _lacks_name(item)] if self._adopter.can_find else []
        self._workers.begin()
        await self._workers.carry_out([self._named(item) for item in nameless])
        return self._workers.stopped_by

    def _looked_up(self, item: Item) -> Unit:
        async def look() -> None:
            if found := await self._adopter.find(item):
                await self._take_over(item, [identity for identity, _ in found], may_be_ours=False)

        return look

    def _named(self, item: Item) -> Unit:
        async def look() -> None:
            found = await self._adopter.find(item)
            if len(found) == 1:
                item.destination_id = found[0][0]

        return look

    async def locate(self, item: Item) -> bool:
        """Find the identity of a record that was written without learning it; else it is a dead letter."""
        found = await self._adopter.find(item)
        if not found and (written_at := await self._written_at(item.source_id)) is not None:
            found = await self._adopter.find_late(item, written_at)
        if len(found) == 1:
            item.destination_id = found[0][0]
            return True
        lost = "it was written before and cannot be found in the destination"
        self._workers.dead(item, Why("match", "permanent_record", SEVERAL_MATCHES if found else lost))
        return False

    async def linked_record(self, item: Item) -> dict[str, Any] | None:
        """The record that an item is linked to, as a look-up shows it; one that was written a moment ago is waited for."""
        found = _named(await self._adopter.find(item), item)
        if found is None and (written_at := await self._written_at(item.source_id)) is not None:
            found = _named(await self._adopter.find_late(item, written_at), item)
        return found

    async def link(self, item: Item, error: IntegrationError | str, may_be_ours: bool) -> None:
        """Link an item to the destination record that is the same thing. Without a fate then, it is an update of that.

        `error` is what made the record be looked for; `may_be_ours`: whether it may have been carried out all the same.
        """
        try:
            found = await self._adopter.find(item)
            if may_be_ours and not await self._is_as_sent(item, found):
                is_in_the_way = isinstance(error, Conflict) and EXISTS.search(error.excerpt) is not None
                if not found or not is_in_the_way or self._stream.adopt == "never":
                    return  # it stays unknown
                may_be_ours = False
        except IntegrationError as failed:
            if may_be_ours:
                return
            raise failed
        if found:
            await self._take_over(item, [identity for identity, _ in found], may_be_ours)
        elif not may_be_ours:
            self._workers.refused(item, error)

    async def _is_as_sent(self, item: Item, found: Sequence[tuple[str, dict[str, Any] | None]]) -> bool:
        """Whether the one record that was found is what the lost answer was about.

        Just after a request that proves nothing else: what differs may have been there before, with ours not shown yet.
        """
        if len(found) != 1:
            return False
        identity, record = found[0]
        if record is None:
            if self._destination.get is None:
                return False
            params = {**self._fixed, self._destination.get_argument: identity}
            record = object_of(await self._session.request(self._destination.get, params=params))
        mapped = at(decode_exact(item.body), self._destination.envelope)
        return isinstance(mapped, dict) and overlaid(record, mapped) == record

    async def _take_over(self, item: Item, found: Sequence[str], may_be_ours: bool) -> None:
        """Make an item an update of the destination record that was found for it, or give it its fate."""
        if len(found) > 1 and may_be_ours:
            return  # it stays unknown: one of them may be ours, and nothing tells which
        item.fate = None
        if len(found) > 1 and self._stream.duplicates == "dead":
            self._workers.dead(item, Why("match", "permanent_record", SEVERAL_MATCHES))
            return
        owner = await self._owner_of(found[0])
        if owner is not None and owner != item.source_id:
            refuse_duplicate(self._stream, item, owner)
            return
        item.destination_id = found[0]
        item.is_create = False
        item.may_be_ours = may_be_ours
        if self._destination.update is None:
            item.fate, item.why = (
                "skipped",
                Why("match", "exists", "it exists already and there is no operation to update it"),
            )
            if may_be_ours:
                item.fate = "created"


def says_it_exists(error: IntegrationError) -> bool:
    """Whether the destination refuses a record because it has it already."""
    if not isinstance(error, ApiError):
        return False
    return isinstance(error, Conflict) or (error.status in (400, 422) and EXISTS.search(error.excerpt) is not None)


def _lacks_name(item: Item) -> bool:
    """Whether a record is as it was written, and its link does not say what it is called."""
    link = item.link
    if item.fate != "unchanged" or link is None or link.destination_id is not None or link.gone_at is not None:
        return False
    return not is_older(item.version, link.version)


def _named(found: Sequence[tuple[str, dict[str, Any] | None]], item: Item) -> dict[str, Any] | None:
    return next((record for identity, record in found if identity == item.destination_id), None)
