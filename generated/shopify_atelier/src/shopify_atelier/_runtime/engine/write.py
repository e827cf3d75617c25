"""Requests → fates: sent by a fixed number of workers, each failure judged by its class.

    created, updated      the destination said yes
    unchanged             a replacing update found the destination as it would leave it
    dead                  this record is refused, whatever is tried
    unknown               the request may have been carried out; nothing is sent again blindly
    none (open)           the run stops before it; it was not sent, or surely not carried out

What has to be sent because of an answer (halves of a refused batch, updates of records that exist already) is written down
as a new intent first, in rounds, and only after the first request was definitely refused.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from ..declare import Stream
from ..errors import ApiError, Conflict, DecodeError, IntegrationError, NotFound, RequestRefused
from ..hashing import decode_exact, encode_json
from ..http.session import Session
from .adopt import Adopter, identity_of, object_of
from .batches import UNTOLD, Results, with_key, wrapper
from .classify import SEVERAL_MATCHES, refuse_duplicate
from .conflicts import Merger
from .deletes import Remover
from .drift import Drift
from .history import keep, seen_after
from .items import Item, Why
from .json_paths import at, overlaid, raw_getter, without, wrapped
from .pages import Params
from .requests import Request
from .versions import is_older

_EXISTS = re.compile(r"(?i)exist|duplicat|already|unique|taken")
_RETRIED_ITEM = frozenset({408, 425, 429, 500, 502, 503, 504})
REREADS = 3
"""How often an update is made again from a fresh read, when the destination says that it changed meanwhile."""


class Writer:
    """Writes the requests of one run."""

    def __init__(
        self,
        stream: Stream[Any, Any],
        session: Session,
        fixed: Params,
        adopter: Adopter,
        *,
        ids: Callable[[], str],
        note: Callable[[Sequence[Request]], Awaitable[None]],
        owner_of: Callable[[str], Awaitable[str | None]],
        written_at: Callable[[str], Awaitable[float | None]],
        judge: Callable[[int], IntegrationError | None],
        excerpt: Callable[[str], str],
        drift: Drift,
        workers: int,
        batch_size: int,
        merger: Merger | None = None,
    ) -> None:
        self._stream = stream
        self._merger = merger
        self._destination = stream.destination
        self._session = session
        self._fixed = dict(fixed)
        self._adopter = adopter
        self._ids = ids
        self._note = note
        self._owner_of = owner_of
        self._written_at = written_at
        self._judge = judge
        self._excerpt = excerpt
        self._drift = drift
        self._workers = workers
        self.batch_size = batch_size
        """Records with one request; grows smaller when the destination finds a batch too large."""
        self.remover: Remover | None = None
        """Of a stream with deletes."""
        self._rereads: dict[str, int] = {}
        self._lost: dict[str, str] = {}
        """Record that is to be made again → what it was called before, until it has a new name."""
        self.repeated: set[str] = set()
        """Requests of earlier runs that are sent again to find out what became of them."""
        self._stop: IntegrationError | None = None
        self._halted: IntegrationError | None = None
        self._follow: list[Request] = []
        self._found_existing: list[tuple[Item, IntegrationError | str, bool]] = []
        self._created = raw_getter((*stream.destination.create.record, *stream.destination.identity))
        """What a reply names the record that was made."""
        self._only_created = stream.destination.only_created
        batch = stream.destination.batch
        self._wrap = wrapper(batch.items) if batch is not None else None
        self._read = Results(batch, self._destination.identity, adopter.digest) if batch is not None else None
        many = stream.destination.batch_update
        self._wrap_updates = wrapper(many.items) if many is not None else None
        self._read_updates = (
            Results(many, self._destination.identity, adopter.digest, of_updates=True) if many is not None else None
        )

    @property
    def finds_out(self) -> bool:
        """Whether an outcome that is unknown now will be known after some runs."""
        has_key = self._destination.create.idempotency_header is not None
        return self._stream.mode != "append" and (has_key or self._adopter.can_find)

    async def send_all(self, requests: Sequence[Request]) -> tuple[list[Request], IntegrationError | None]:
        """Send requests that are written down already, and all that follows from them.

        Returns:
            All requests, those that followed too, and what stops the run (None: nothing). Items carry their fates.
        """
        self._stop = self._halted
        sent = list(requests)
        pending = sent
        while pending and self._stop is None:
            self._follow, self._found_existing = [], []
            await self._in_parallel([self._unit(request) for request in pending])
            existing = self._found_existing
            if existing and self._stop is None:
                await self._in_parallel([self._existing(*each) for each in existing])
            pending = self._follow
            if pending and self._stop is None:
                await self._note(pending)
                sent += pending
        return sent, self._stop

    def halt(self, error: IntegrationError) -> None:
        """Send nothing more, now and in later rounds; what is under way is waited for."""
        self._halted = error
        self._halt(error)

    async def look_up(self, items: Sequence[Item]) -> IntegrationError | None:
        """For `adopt: lookup`: find each new record in the destination first. Returns what stops the run, if anything."""
        self._stop = self._halted
        self._follow = []
        new = [item for item in items if item.fate is None and item.is_create and item.match is not None]
        await self._in_parallel([self._looked_up(item) for item in new])
        return self._stop

    async def learn_names(self, items: Sequence[Item]) -> IntegrationError | None:
        """Find out what unchanged records are called that were written without learning it: others refer to them.

        Not right after the write: what is found then may have been there before. Returns what stops the run, if anything.
        """
        self._stop = self._halted
        nameless = [item for item in items if _lacks_name(item)] if self._adopter.can_find else []
        await self._in_parallel([self._named(item) for item in nameless])
        return self._stop

    # --- workers ---

    async def _in_parallel(self, units: Sequence[Callable[[], Awaitable[None]]]) -> None:
        queue = deque(units)

        async def work() -> None:
            while queue and self._stop is None:
                unit = queue.popleft()
                try:
                    await unit()
                except IntegrationError as error:
                    self._halt(error)

        count = min(self._workers, len(queue))
        if count == 1:
            await work()
        else:
            await asyncio.gather(*[work() for _ in range(count)])

    def _unit(self, request: Request) -> Callable[[], Awaitable[None]]:
        match request.kind:
            case "batch":
                return lambda: self._batch(request)
            case "create":
                return lambda: self._create(request)
            case "update":
                return lambda: self._update(request)
            case "batch_update":
                return lambda: self._batch_update(request)
            case "delete" | "retire":
                assert self.remover is not None
                remover = self.remover
                return lambda: remover.remove(request)

    def _existing(self, item: Item, error: IntegrationError | str, may_be_ours: bool) -> Callable[[], Awaitable[None]]:
        return lambda: self._adopt(item, error, may_be_ours)

    def _looked_up(self, item: Item) -> Callable[[], Awaitable[None]]:
        async def look() -> None:
            if found := await self._adopter.find(item):
                await self._take_over(item, [identity for identity, _ in found], may_be_ours=False)

        return look

    def _named(self, item: Item) -> Callable[[], Awaitable[None]]:
        async def look() -> None:
            found = await self._adopter.find(item)
            if len(found) == 1:
                item.destination_id = found[0][0]

        return look

    # --- single records ---

    async def _create(self, request: Request) -> None:
        [item] = request.items
        operation = self._destination.create
        body = item.body if operation.body == "json" else decode_exact(item.body)
        was = self._lost.pop(item.source_id, None)
        try:
            reply = await self._session.request(operation, params=self._fixed, body=body, idempotency_key=request.id)
        except IntegrationError as error:
            if was is not None:
                self._adopter.lost(was)
            self._create_failed(item, self._in_doubt(request, error))
            return
        item.fate = "created"
        if self._stream.rollback:
            seen_after(self._stream, item, reply, operation)
        try:
            item.destination_id = identity_of(self._created(reply.body))
        except msgspec.MsgspecError:
            item.destination_id = None  # an empty reply: it is found by match when it changes
        if item.destination_id is None and was is not None:
            self._adopter.lost(was)
        if item.destination_id is None and reply.body.strip():
            self._drift.lacks((*operation.record, *self._destination.identity))
        if self._merger is not None:
            await self._merger.written(item, reply, operation)

    def _in_doubt(self, request: Request, error: IntegrationError) -> IntegrationError:
        """A 409 on a request of an earlier run may speak of that run's own, which was carried out or still is."""
        if request.id in self.repeated and isinstance(error, Conflict):
            error.may_have_acted = True
        return error

    def _create_failed(self, item: Item, error: IntegrationError) -> None:
        if error.failure == "unknown":
            self._is_unknown(item, error)
        elif self._says_it_exists(error) and self._stream.mode != "append" and self._stream.adopt != "never":
            self._found_existing.append((item, error, False))
        else:
            self.refused(item, error)

    async def _update(self, request: Request) -> None:
        [item] = request.items
        operation = self._destination.update
        assert operation is not None
        if item.destination_id is None and not await self._locate(item):
            return
        assert item.destination_id is not None
        params = {**self._fixed, self._destination.update_argument: item.destination_id}
        if self._merger is not None:
            params |= self._merger.params(item)
        try:
            body: bytes | None = item.body
            if self._destination.update_is == "replace":
                body = await self.replacement(item)
            elif self._stream.rollback:
                await self.keep_before(item)
            if body is None:
                item.fate = "unchanged" if not item.may_be_ours else "created" if item.link is None else "updated"
                if item.may_be_ours and item.past is not None:
                    item.past.before = None  # what was read is our own; what it replaced is in the base
                return
            reply = await self._session.request(
                operation,
                params=params,
                body=body if operation.body == "json" else decode_exact(body),
                idempotency_key=request.id,
                repeatable=True,
            )
            item.fate = "updated"
            if self._stream.rollback:
                seen_after(self._stream, item, reply, operation)
            if self._merger is not None:
                await self._merger.written(item, reply, operation)
        except NotFound as error:
            self._lost[item.source_id] = item.destination_id
            if self._merger is not None and self._merger.is_asked_about(item):
                await self._merge_again(item, error)
                return
            # Somebody deleted it over there. The source still has it, so it is made again.
            item.destination_id = None
            item.is_create = True
            self._follow.append(Request(self._ids(), "create", [item]))
        except IntegrationError as error:
            if error.failure == "unknown":
                item.fate, item.why = "unknown", Why("send", "unknown", str(error))
            elif self._merger is not None and self._merger.has_changed_meanwhile(item, error):
                await self._merge_again(item, error)
            elif isinstance(error, Conflict) and not _EXISTS.search(error.excerpt) and self._may_reread(item):
                self._follow.append(Request(self._ids(), "update", [item]))
            else:
                self.refused(item, error)

    async def _merge_again(self, item: Item, error: IntegrationError | str) -> None:
        """The record is not as it was read: read it again, decide again, and send what comes of it."""
        assert self._merger is not None
        if not await self._merger.again(item):
            self.refused(item, error)
        elif item.fate is None:
            self._follow.append(Request(self._ids(), "create" if item.is_create else "update", [item]))

    def _may_reread(self, item: Item) -> bool:
        """Whether an update that somebody else's change got in the way of is made once more, from the record as it is now."""
        self._rereads[item.source_id] = count = self._rereads.get(item.source_id, 0) + 1
        return count <= REREADS

    async def replacement(self, item: Item) -> bytes | None:
        """The destination's record with the mapped fields laid over it; None when that changes nothing."""
        destination = self._destination
        assert item.destination_id is not None
        read = self._merger.record(item) if self._merger is not None else None
        if read is not None:
            current = dict(read)
        elif destination.get is not None:
            params = {**self._fixed, destination.get_argument: item.destination_id}
            current = object_of(await self._session.request(destination.get, params=params))
        else:
            found = [record for identity, record in await self._adopter.find(item) if identity == item.destination_id]
            if not found or found[0] is None:
                raise RequestRefused("a replacing update needs the record as it is, and no operation reads it")
            current = found[0]
        if self._stream.rollback:
            keep(self._stream, item, current)
        for path in destination.never_sent:
            without(current, path)
        mapped = at(decode_exact(item.body), destination.envelope)
        mapped = mapped if isinstance(mapped, dict) else {}
        for path in self._only_created:
            without(current, path)
            without(mapped, path)
        merged = overlaid(current, mapped)
        return None if merged == current else encode_json(wrapped(destination.envelope, merged))

    async def keep_before(self, item: Item) -> None:
        """Read the record for the sake of what an update that merges is about to replace."""
        destination = self._destination
        if item.past is not None and item.past.before is not None:
            return
        if self._merger is not None and (read := self._merger.record(item)) is not None:
            keep(self._stream, item, read)
        elif destination.get is not None:
            params = {**self._fixed, destination.get_argument: item.destination_id}
            keep(self._stream, item, object_of(await self._session.request(destination.get, params=params)))

    async def _locate(self, item: Item) -> bool:
        """Find the identity of a record that was written without learning it."""
        found = await self._adopter.find(item)
        if not found and (written_at := await self._written_at(item.source_id)) is not None:
            found = await self._adopter.find_late(item, written_at)
        if len(found) == 1:
            item.destination_id = found[0][0]
            return True
        lost = "it was written before and cannot be found in the destination"
        self._dead(item, Why("match", "permanent_record", SEVERAL_MATCHES if found else lost))
        return False

    # --- records that exist already ---

    def _says_it_exists(self, error: IntegrationError) -> bool:
        if not self._adopter.can_find or not isinstance(error, ApiError):
            return False
        return isinstance(error, Conflict) or (error.status in (400, 422) and _EXISTS.search(error.excerpt) is not None)

    async def _adopt(self, item: Item, error: IntegrationError | str, may_be_ours: bool) -> None:
        """Link an item to the destination record that is the same thing, and bring that up to date."""
        try:
            found = await self._adopter.find(item)
            if may_be_ours and not await self._is_as_sent(item, found):
                is_in_the_way = isinstance(error, Conflict) and _EXISTS.search(error.excerpt) is not None
                if not found or not is_in_the_way or self._stream.adopt == "never":
                    return  # it stays unknown
                may_be_ours = False
        except IntegrationError as failed:
            if may_be_ours:
                return
            raise failed
        if not found:
            if not may_be_ours:
                self.refused(item, error)
            return
        await self._take_over(item, [identity for identity, _ in found], may_be_ours)
        if item.fate is None and self._merger is not None:
            await self._merge_again(item, error)
        elif item.fate is None and may_be_ours:
            item.fate = "created"
        elif item.fate is None:
            self._follow.append(Request(self._ids(), "update", [item]))

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
            self._dead(item, Why("match", "permanent_record", SEVERAL_MATCHES))
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

    # --- batches ---

    async def _batch(self, request: Request) -> None:
        batch, read = self._destination.batch, self._read
        assert batch is not None
        assert read is not None
        assert self._wrap is not None
        body = self._wrap([item.body for item in request.items])
        try:
            reply = await self._session.request(
                batch.operation, params=self._fixed, body=body, idempotency_key=request.id
            )
        except IntegrationError as error:
            self._batch_failed(request, self._in_doubt(request, error))
            return
        if batch.results is None:
            for item in _open(request.items):
                item.fate = "created"
            return
        for item, result in zip(request.items, read.in_order(request.items, reply.body), strict=True):
            if item.fate is not None:
                continue  # settled since, when the batch is sent again to find out about the others
            if result is UNTOLD:
                self._is_unknown(item, DecodeError("the reply says nothing about it", operation=batch.operation.id))
            elif read.is_ok(result):
                item.fate, item.destination_id = "created", read.identity(result)
            else:
                self._item_refused(read, item, result)

    def _item_refused(self, read: Results, item: Item, result: Any) -> None:
        number, words, reason = self._item_refusal(read, result)
        if number in _RETRIED_ITEM:
            self._follow.append(Request(self._ids(), "create", [item]))
        elif (
            (number == 409 or _EXISTS.search(words))
            and self._adopter.can_find
            and self._stream.mode != "append"
            and self._stream.adopt != "never"
        ):
            self._found_existing.append((item, reason, False))
        else:
            self._dead(item, Why("send", "permanent_record", reason))

    def _item_refusal(self, read: Results, result: Any) -> tuple[int, str, str]:
        """Status, words and a sentence of a result that says no."""
        status, problem = read.status(result), read.error(result)
        words = self._excerpt(_words(problem)) if problem else "no reason given"
        number = int(status) if isinstance(status, int | str) and str(status).isdigit() else 0
        return number, words, f"{read.operation}: status {_words(status)}: {words}"

    async def _batch_update(self, request: Request) -> None:
        """Update many. What the reply leaves open is updated alone: doing it twice is doing it once."""
        batch, read = self._destination.batch_update, self._read_updates
        assert batch is not None
        assert read is not None
        assert self._wrap_updates is not None
        body = self._wrap_updates([with_key(batch, item) for item in request.items])
        try:
            reply = await self._session.request(
                batch.operation, params=self._fixed, body=body, idempotency_key=request.id, repeatable=True
            )
        except IntegrationError as error:
            self._batch_failed(request, error)
            return
        for item in request.items:
            item.fate = "updated"
        if batch.results is None:
            return
        for item, result in zip(request.items, read.in_order(request.items, reply.body), strict=True):
            if result is not UNTOLD and read.is_ok(result):
                continue
            item.fate = None
            number, _, reason = self._item_refusal(read, result) if result is not UNTOLD else (0, "", "")
            if number in (404, 410):
                if item.destination_id is not None:
                    self._lost[item.source_id] = item.destination_id
                item.destination_id, item.is_create = None, True
                self._follow.append(Request(self._ids(), "create", [item]))
            elif result is UNTOLD or number in _RETRIED_ITEM:
                self._follow.append(Request(self._ids(), "update", [item]))
            else:
                self._dead(item, Why("send", "permanent_record", reason))

    def _batch_failed(self, request: Request, error: IntegrationError) -> None:
        items, is_update = _open(request.items), request.kind == "batch_update"
        if error.failure == "unknown":
            for item in items:
                if is_update:
                    item.fate, item.why = "unknown", Why("send", "unknown", str(error))
                else:
                    self._is_unknown(item, error)
            return
        is_too_large = isinstance(error, ApiError) and error.status == 413
        if not is_too_large and error.failure != "permanent_record":
            raise error
        if len(request.items) == 1 and not is_update:
            self._create_failed(items[0], error)
            return
        half = (len(items) + 1) // 2
        if is_too_large:
            self.batch_size = min(self.batch_size, half)
        alone = "update" if is_update else "create"
        for part in (items[:half], items[half:]):
            if part:
                self._follow.append(Request(self._ids(), request.kind if len(part) > 1 else alone, part))  # type: ignore[arg-type]

    # --- fates ---

    def _is_unknown(self, item: Item, error: IntegrationError) -> None:
        item.fate, item.why = "unknown", Why("send", "unknown", str(error))
        if self._stream.mode != "append" and self._adopter.can_find:
            self._found_existing.append((item, error, True))

    def refused(self, item: Item, error: IntegrationError | str) -> None:
        """Make an item a dead letter, or raise what is no fault of the record."""
        if isinstance(error, IntegrationError) and error.failure != "permanent_record":
            raise error
        self._dead(item, Why("send", "permanent_record", str(error)))

    def _dead(self, item: Item, why: Why) -> None:
        item.fate, item.why = "dead", why
        self._halt(self._judge(1))

    def _halt(self, error: IntegrationError | None) -> None:
        """Send nothing more; the first reason counts."""
        if self._stop is None:
            self._stop = error


def _words(value: Any) -> str:
    return value if isinstance(value, str) else encode_json(value).decode()


def _open(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if item.fate is None]


def _lacks_name(item: Item) -> bool:
    """Whether a record is as it was written, and its link does not say what it is called."""
    link = item.link
    if item.fate != "unchanged" or link is None or link.destination_id is not None or link.gone_at is not None:
        return False
    return not is_older(item.version, link.version)
