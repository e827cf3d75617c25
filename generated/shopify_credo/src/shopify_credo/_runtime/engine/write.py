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

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from ..declare import Stream
from ..errors import ApiError, Conflict, DecodeError, IntegrationError, NotFound, RequestRefused
from ..hashing import decode_exact, encode_json
from ..http.session import Session
from ..json_paths import at, overlaid, raw_getter, without, wrapped
from .adopt import Adopter, identity_of, object_of
from .batches import UNTOLD, Results, with_key, wrapper
from .conflicts import Merger
from .deletes import Remover
from .drift import Drift
from .history import keep, seen_after
from .items import Item, Why
from .linking import EXISTS, Linker, says_it_exists
from .pages import Params
from .requests import Request
from .workers import Unit, Workers

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
        linker: Linker,
        workers: Workers,
        *,
        ids: Callable[[], str],
        note: Callable[[Sequence[Request]], Awaitable[None]],
        excerpt: Callable[[str], str],
        drift: Drift,
        batch_size: int,
        merger: Merger | None = None,
    ) -> None:
        self._stream = stream
        self._merger = merger
        self._destination = stream.destination
        self._session = session
        self._fixed = dict(fixed)
        self._adopter = adopter
        self._linker = linker
        self._workers = workers
        self._ids = ids
        self._note = note
        self._excerpt = excerpt
        self._drift = drift
        self.batch_size = batch_size
        """Records with one request; grows smaller when the destination finds a batch too large."""
        self.remover: Remover | None = None
        """Of a stream with deletes."""
        self._rereads: dict[str, int] = {}
        self._lost: dict[str, str] = {}
        """Record that is to be made again → what it was called before, until it has a new name."""
        self.repeated: set[str] = set()
        """Requests of earlier runs that are sent again to find out what became of them."""
        self._follow: list[Request] = []
        self._to_link: list[tuple[Item, IntegrationError | str, bool]] = []
        """What is to be looked for when the round is over: the item, why, and whether it may be our own."""
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
        return self._linker.can_find_out or (has_key and self._stream.mode != "append")

    async def send_all(self, requests: Sequence[Request]) -> tuple[list[Request], IntegrationError | None]:
        """Send requests that are written down already, and all that follows from them.

        Returns:
            All requests, those that followed too, and what stops the run (None: nothing). Items carry their fates.
        """
        workers = self._workers
        workers.begin()
        sent = list(requests)
        pending = sent
        while pending and workers.stopped_by is None:
            self._follow, self._to_link = [], []
            await workers.carry_out([self._unit(request) for request in pending])
            if self._to_link and workers.stopped_by is None:
                await workers.carry_out([self._linked(*each) for each in self._to_link])
            pending = self._follow
            if pending and workers.stopped_by is None:
                await self._note(pending)
                sent += pending
        return sent, workers.stopped_by

    def _unit(self, request: Request) -> Unit:
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

    def _linked(self, item: Item, error: IntegrationError | str, may_be_ours: bool) -> Unit:
        async def link() -> None:
            """Link an item to the destination record that is the same thing, and bring that up to date."""
            await self._linker.link(item, error, may_be_ours)
            if item.fate is not None:
                return
            if self._merger is not None:
                await self._merge_again(item, error)
            elif item.may_be_ours:
                item.fate = "created"
            else:
                self._follow.append(Request(self._ids(), "update", [item]))

        return link

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
            await self._merger.written(item, reply, operation, is_repeated=request.id in self.repeated)

    def _in_doubt(self, request: Request, error: IntegrationError) -> IntegrationError:
        """A 409 on a request of an earlier run may speak of that run's own, which was carried out or still is."""
        if request.id in self.repeated and isinstance(error, Conflict):
            error.may_have_acted = True
        return error

    def _create_failed(self, item: Item, error: IntegrationError) -> None:
        if error.failure == "unknown":
            self._is_unknown(item, error)
        elif self._linker.may_link and says_it_exists(error):
            self._to_link.append((item, error, False))
        else:
            self._workers.refused(item, error)

    async def _update(self, request: Request) -> None:
        [item] = request.items
        operation = self._destination.update
        assert operation is not None
        if item.destination_id is None and not await self._linker.locate(item):
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
            elif isinstance(error, Conflict) and not EXISTS.search(error.excerpt) and self._may_reread(item):
                self._follow.append(Request(self._ids(), "update", [item]))
            else:
                self._workers.refused(item, error)

    async def _merge_again(self, item: Item, error: IntegrationError | str) -> None:
        """The record is not as it was read: read it again, decide again, and send what comes of it."""
        assert self._merger is not None
        if not await self._merger.again(item):
            self._workers.refused(item, error)
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
            found = await self._linker.linked_record(item)
            if found is None:
                raise RequestRefused("a replacing update needs the record as it is, and no operation reads it")
            current = found
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
        elif (number == 409 or EXISTS.search(words)) and self._linker.may_link:
            self._to_link.append((item, reason, False))
        else:
            self._workers.dead(item, Why("send", "permanent_record", reason))

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
                self._workers.dead(item, Why("send", "permanent_record", reason))

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
        if self._linker.can_find_out:
            self._to_link.append((item, error, True))


def _words(value: Any) -> str:
    return value if isinstance(value, str) else encode_json(value).decode()


def _open(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if item.fate is None]
