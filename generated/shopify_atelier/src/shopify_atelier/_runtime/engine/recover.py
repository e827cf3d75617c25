"""Requests of earlier runs whose outcome nobody knows → found out, before anything new is sent.

a create under an idempotency key the vendor still remembers   the same bytes again, under the same key
a create without one, of a record that can be looked up        adopted when it is there, sent anew when it is not,
                                                               not at a second look either
an update, a delete                                            made again: doing it twice is doing it once; where streams merge, an
                                                               update is merged again with what is there now
anything in append mode, and what cannot be looked up          stays unknown
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..declare import Stream
from ..hashing import decode_exact, encode_json
from ..json_paths import at
from ..state.rows import IntentRow, Link
from .adopt import Adopter, can_find
from .classify import SEVERAL_MATCHES
from .deletes import is_removal
from .items import Item, Past, Why
from .merge import alike
from .requests import CREATES, SETTLED, Request, read_back

KEY_REMEMBERED_S = 20 * 3600.0
"""Vendors keep idempotency keys for a day; a key that is older proves nothing."""
LAG_IS_OVER_S = 600.0
"""What was written so long ago can be found by now, or is not there."""
CLOCKS_DIFFER_S = 300.0
"""A key from further in the future than this was made before the clock was set back: nobody knows its age."""
MAX_ATTEMPTS = 5
"""Attempts to find out one outcome before a person is asked."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """One request of an earlier run."""

    row: IntentRow
    request: Request
    items: Sequence[Item]
    """Those of its items that are open."""


def unresolved(rows: Sequence[tuple[IntentRow, Sequence[Request]]], links: Mapping[str, Link]) -> list[Unresolved]:
    """What is open: each record with the last request it was part of, unless its link says that it was written."""
    seen: set[str] = set()
    found: list[Unresolved] = []
    for row, requests in reversed(rows):
        for request in reversed(requests):
            items = []
            for item in request.items:
                link = links.get(item.source_id)
                item.link = link
                if item.source_id in seen or _is_settled(request, item, link):
                    item.fate = "skipped"  # settled, or part of a later request
                else:
                    items.append(item)
                seen.add(item.source_id)
            if items:
                found.append(Unresolved(row, request, items))
    return found[::-1]


class Recovery:
    """Decides, for each open request, what is sent to find out."""

    def __init__(
        self,
        stream: Stream[Any, Any],
        adopter: Adopter,
        *,
        ids: Callable[[], str],
        now: float,
        wait: Callable[[], Awaitable[None]],
        merges: bool = False,
    ) -> None:
        """`wait` lets so much time pass as a destination may take to find what was written."""
        self._merges = merges
        self._stream = stream
        self._adopter = adopter
        self._ids = ids
        self._now = now
        self._wait = wait
        self._has_waited = False

    def has_key(self, entry: Unresolved) -> bool:
        """Whether the vendor would answer a repetition as it answered the first time."""
        destination = self._stream.destination
        operation = destination.create
        if entry.request.kind == "batch":
            assert destination.batch is not None
            operation = destination.batch.operation
        age_s = self._now - entry.row.made_at
        return operation.idempotency_header is not None and -CLOCKS_DIFFER_S < age_s < KEY_REMEMBERED_S

    def has_given_up(self, entry: Unresolved) -> bool:
        """Whether nothing more is tried. Not while trying again does no harm: a destination may be down for hours."""
        if entry.row.attempts < MAX_ATTEMPTS:
            return False
        is_harmless = entry.request.kind not in ("create", "batch") or self.has_key(entry)
        return self._stream.mode == "append" or not is_harmless

    async def requests(self, entry: Unresolved) -> tuple[list[Request], list[Request]]:
        """What to send for one open request: as it is (written down already), and anew (to be written down first).

        Items that get a fate here need no request.
        """
        if self._stream.mode == "append":
            _leave_unknown(entry.items)
            return [], []
        if self.has_given_up(entry):
            _leave_unknown(entry.items, f"whether it was written could not be found out in {MAX_ATTEMPTS} attempts")
            return [], []
        if self._merges and entry.request.kind in ("update", "batch_update"):
            # The other side may have changed meanwhile: it is read, and merged anew, as soon as this is settled.
            for item in entry.items:
                item.fate, item.hash = "updated", b""
            return [], []
        if entry.request.kind in ("update", "batch_update"):
            for item in entry.items:
                item.may_be_ours = True
            return [], [Request(self._ids(), "update", [item]) for item in entry.items]
        if is_removal(entry.request):
            return [], [Request(self._ids(), entry.request.kind, [item]) for item in entry.items]
        if self.has_key(entry):
            return [entry.request], []
        if not self._adopter.can_find:
            _leave_unknown(entry.items)
            return [], []
        fresh = []
        for item in entry.items:
            found = await self._found(item, entry.row.made_at)
            if item.match is None:
                _leave_unknown([item])
            elif not found:
                item.is_create = True
                fresh.append(Request(self._ids(), "create", [item]))
            elif len(found) > 1:
                _leave_unknown([item], SEVERAL_MATCHES)  # one of them may be ours: made again, it would be one more
            elif self._stream.destination.update is None:
                item.destination_id, item.fate = found[0][0], "created"
            elif self._merges:
                item.destination_id, item.fate, item.hash = found[0][0], "created", b""
                self._agree(item, found[0][1])
            else:
                item.destination_id, item.is_create, item.may_be_ours = found[0][0], False, True
                fresh.append(Request(self._ids(), "update", [item]))
        return [], fresh

    def _agree(self, item: Item, record: dict[str, Any] | None) -> None:
        """Where a record is there as it was sent, that is what both sides had last: what differs now was changed since."""
        mapped = at(decode_exact(item.body), self._stream.destination.envelope)
        if self._stream.reverse_of is not None or record is None or not isinstance(mapped, dict):
            return
        if all(alike(record.get(name), value) for name, value in mapped.items()):
            item.past = Past()
            item.past.agreed = encode_json(mapped)

    async def _found(self, item: Item, made_at: float) -> list[tuple[str, dict[str, Any] | None]]:
        """What the destination has for an item. What is not there may not be there yet: it is looked for a second time."""
        found = await self._adopter.find(item)
        if found or self._has_waited or item.match is None or self._now - made_at > LAG_IS_OVER_S:
            return found
        await self._wait()
        self._has_waited = True
        self._adopter.is_indexed = False
        return await self._adopter.find(item)


def may_be_found_out(stream: Stream[Any, Any], row: IntentRow, *, leaving: int) -> bool:
    """Whether a run could find out more of what is open, and has more than so many attempts at it left."""
    if stream.mode == "append" or row.attempts >= MAX_ATTEMPTS - leaving:
        return False
    to = stream.destination
    creates = (to.create, *((to.batch.operation,) if to.batch is not None else ()))
    if can_find(stream) or any(each.idempotency_header is not None for each in creates):
        return True
    return any(request.kind not in CREATES for request in read_back(row))


def answered(entries: Sequence[Unresolved], *, not_there: Sequence[str], settled: Sequence[str]) -> list[Unresolved]:
    """Take a person's answers into account; returns what is still open."""
    left = []
    for entry in entries:
        items = []
        for item in entry.items:
            if item.source_id in settled:
                item.fate = _settled_as(entry.request)
            elif item.source_id in not_there:
                item.fate = "skipped"
            else:
                items.append(item)
        if items:
            left.append(Unresolved(entry.row, entry.request, items))
    return left


def _is_settled(request: Request, item: Item, link: Link | None) -> bool:
    """Whether the outcome is known: it was noted beside those that are not, or the link says that it was carried out."""
    if is_removal(request):  # one record a request, and it writes none, so it has no hash
        return link is None or link.gone_at is not None
    if item.hash == SETTLED:
        return True
    return link is not None and link.hash == item.hash


def _settled_as(request: Request) -> str:
    if is_removal(request):
        return "deleted"
    return "created" if request.kind in CREATES else "updated"


def _leave_unknown(items: Sequence[Item], reason: str = "whether it was written cannot be looked up") -> None:
    for item in items:
        item.fate, item.why = "unknown", Why("resolve", "unknown", reason)
