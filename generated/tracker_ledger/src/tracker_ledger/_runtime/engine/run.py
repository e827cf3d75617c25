"""One run of one stream: pages → items → look-up → requests → fates → checkpoint.

Groups follow one another; within a group requests go out side by side. One transaction stands between two groups: it holds
the fates of the one that is done and the look-up and intents of the next. The checkpoint moves with the fates, so it never
passes a record whose fate is not durable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from ..clock import Clock
from ..declare import Stream
from ..errors import DecodeError, IntegrationError, NotFound, PagingError, Rejected
from ..http.paging import Picked
from ..http.session import Session
from ..mask import Mask
from ..settings import Settings
from ..state import State
from ..state.lifecycle import ALIAS
from ..state.rows import Checkpoint, Commit, Found, Gone, IntentRow, Lease, Link, Look, NewLink, Outcomes
from ..watch.watching import Watcher, watched_group, watched_pages
from .adopt import Adopter
from .classify import classify, drop_repeated, requests_for
from .conflicts import Merger
from .decoding import picks_of
from .deletes import Brake, Remover, Tombstones, removals, seen_in, taker_away
from .drift import Drift
from .errors import Cancelled, Stopped, TooManyDead
from .history import bases_of, changes_of
from .items import Bad, Item, Reader, Why
from .letters import Letters, unnamed
from .pages import Page, Prefetch, at_hand, by_identity, fixed_params, listed
from .parents import Fetch, Held, ParentReader
from .parts import Part, beside, by_parent
from .passes import Pass, RunRequest
from .recover import Recovery, Unresolved, answered, unresolved
from .report import Counts
from .requests import Request, open_requests, read_back, write_down
from .versions import is_older
from .write import Writer

GROUP_RECORDS = 500
"""Records that share one transaction. After a crash, the outcomes of so many at most are unknown."""
CRASHES = 3
"""Starts in a row that ended without a word, after which records are read one by one."""
SUSPECTED = 2
"""So often the process must end at one record, while records are read one by one, before that record is the cause."""
DEADLY = "reading it ended the process"
"""How the reason of such a dead letter begins: its record is not read again, unless somebody asks for it."""
DEAD_AT_LEAST = 10
"""So many dead letters never stop a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run works with."""

    source: Session
    destination: Session
    state: State
    settings: Settings
    clock: Clock
    ids: Callable[[], str]
    is_stopping: Callable[[], bool]
    fetch: Fetch | None = None
    """Syncs records of another stream that one of this stream refers to."""
    watchers: Sequence[Watcher] = ()


class Run:
    """One execution that writes. Used once, under a lease."""

    def __init__(
        self,
        stream: Stream[Any, Any],
        request: RunRequest,
        point: Checkpoint,
        *,
        run_id: str,
        lease: Lease,
        around: Surroundings,
        forward: Stream[Any, Any] | None = None,
        backward: Stream[Any, Any] | None = None,
        part: Part | None = None,
    ) -> None:
        """`part`: only this part of a pass.

        `forward` and `backward`: of a stream that merges, the direction whose links these are, and the other, if any."""
        self.counts = Counts()
        self.progress = Pass(stream, point, request, now=around.clock.now())
        self._stream = stream
        self.part = part
        self._part_key = part.key if part is not None else ""
        self._request = request
        self._point = point
        self._run_id = run_id
        self._lease = lease
        self._around = around
        self._state = around.state
        self._ids = around.ids
        self._now = around.clock.now
        options, text = around.settings.options, around.settings.text
        fixed = fixed_params(stream.destination.parameters, text)
        self._drift = Drift(stream, run_id=run_id)
        self._reader: Reader[Any, Any] = Reader(stream, self._drift)
        self._parents = ParentReader(stream, self._reader, around.state, around.fetch) if stream.lookups else None
        self._letters = Letters(
            stream=stream.name,
            run_id=run_id,
            mapping=stream.mapping_digest,
            redactor=around.settings.redactor,
            mask=Mask(stream.mask),
        )
        self._adopter = Adopter(stream, around.destination, fixed, put_index=self._put_index, ask_index=self._ask_index)
        self._merger = (
            Merger(
                stream,
                forward,
                backward,
                session=around.destination,
                fixed=fixed,
                adopter=self._adopter,
                state=around.state,
                run_id=run_id,
                ids=around.ids,
                now=self._now,
                workers=options.max_concurrent,
                answers=request.answers,
            )
            if forward is not None
            else None
        )
        self._writer = Writer(
            stream,
            around.destination,
            fixed,
            self._adopter,
            ids=around.ids,
            note=self._note,
            owner_of=self._owner_of,
            judge=self._judge,
            excerpt=around.settings.redactor.excerpt,
            drift=self._drift,
            workers=options.max_concurrent,
            batch_size=options.batch_size if backward is None else 1,  # a batch's reply does not show its records
            merger=self._merger,
        )
        self._tombstones: Tombstones | None = None
        self._remover: Remover | None = None
        if stream.deletes is not None:
            self._tombstones = Tombstones(stream.deletes)
            self._brake = Brake(stream, stream.deletes, is_released=request.allow_deletes)
            self._remover = self._writer.remover = Remover(
                stream,
                around.destination,
                fixed,
                locate=self._adopter.locate,
                replacement=self._writer.replacement,
                keep_before=self._writer.keep_before if stream.rollback else None,
                refused=self._writer.refused,
            )
        elif stream.rollback and stream.destination.delete is not None:
            self._writer.remover = taker_away(
                stream,
                around.destination,
                fixed,
                locate=self._adopter.locate,
                replacement=self._writer.replacement,
                refused=self._writer.refused,
            )
        self._step = 0
        self._pending: Outcomes | None = None
        """Fates that the next transaction writes."""
        self._open_intents: list[str] = []
        """Rows that the group under way has written down."""
        self._unknown: set[str] = set()
        self._claimed: dict[str, str] = {}
        """Match digest → the record with it whose outcome is unknown: it may be there."""
        self._group_dead = 0
        self._group_size = 0
        self._has_dead = False
        self._uses_index = point.indexed_at is not None
        self._group_records = GROUP_RECORDS
        self._suspect: str | None = None
        self._is_cancelled = False
        self._written_at = 0.0
        """When the newest request of an earlier run was written down."""
        self._deadly: set[str] = set()
        """Names of the dead letters of records that ended the process when they were read."""
        self.sample: list[dict[str, Any]] = []
        """Of a rollback: records that it left as they are, and why."""
        self.left = 0
        """How many those are."""

    async def execute(self) -> None:
        """Carry it out. Raises what ended it early; counts and state are true in any case."""
        try:
            await self._execute()
        except DecodeError as error:
            self._drift.reply(error)
            raise

    async def _execute(self) -> None:
        name = self._stream.name
        self._state.store.matches.forget(name)  # whoever ran the stream before may have added to them
        self._has_dead = await self._state.call(lambda: self._state.dead_letters.open_count(name)) > 0
        if self._request.trigger != "retry":
            self._deadly = await self._state.call(lambda: self._state.dead_letters.named_for(name, DEADLY))
        await self._begin()
        await self._recover()
        await self._read_matches()
        await self._release()
        try:
            await self._read_all()
        except (NotFound, Rejected, PagingError):
            if not self.progress.is_resumed or self.counts.fetched:
                raise
            self.progress.begin_again()  # the vendor has forgotten the cursor
            await self._read_all()
        if self.progress.is_kept and not self.progress.is_complete:
            self._pending = Outcomes(stream=name, checkpoint=self.progress.after(None, is_last=True))
        await self._flush()
        await self._release()
        if self._remover is not None:
            await self._remove(self._request.gone)
            if self.progress.is_reconciling:
                await self._reconcile()

    async def _begin(self) -> None:
        """Count this start; read carefully when the ones before ended without a word."""
        if self.progress.kind == "records" and not self._request.records:
            return
        if self.progress.crashes >= CRASHES:
            self._suspect = self.progress.suspect
            self._group_records = 1
        is_new_pass = self.progress.is_reconciling and not self.progress.is_resumed
        self._pending = Outcomes(stream=self._stream.name, checkpoint=self.progress.begun(), is_new_pass=is_new_pass)
        await self._flush()

    async def end(self) -> None:
        """Say that the run ended by itself, for whatever reason."""
        if (point := self.progress.ended()) is not None:
            self._pending = Outcomes(stream=self._stream.name, checkpoint=point)
        await self._flush()

    # --- reading ---

    async def _read_all(self) -> None:
        watchers = self._around.watchers
        found = source_pages(self._stream, self._request, self.progress, self._around, self.part)
        pages = Prefetch(watched_pages(watchers, self._stream.name, found))
        group = watched_group(watchers, self._group)
        left = self._request.limit
        try:
            while left is None or left > 0:
                if self._pending is not None and not pages.is_ready:
                    await self._flush()  # nothing to share a transaction with: fates do not wait
                if self._is_cancelled:
                    raise Cancelled
                if self._around.is_stopping():
                    raise Stopped("the run was asked to stop; the next one goes on from here")
                page = await pages.next()
                if page is None:
                    return
                records = list(page.records)
                while page.next is not None and len(records) < GROUP_RECORDS and pages.is_ready:
                    if (more := await pages.next()) is None:
                        break
                    records += more.records
                    page = replace(more, missing=(*page.missing, *more.missing))
                self.progress.began_at(page.date_s if page.date_s is not None else self._now())
                if left is not None:
                    records = records[:left]
                    left -= len(records)
                size = self._group_records
                last_start = max(len(records) - 1, 0) // size * size
                for start in range(0, last_start + 1, size):
                    await group(records[start : start + size], page if start == last_start else None)
                if self.progress.goes_on and self._group_records == 1:
                    await self._flush()  # the next page is read in the old way: should it end the process, begin there
                    self._group_records = GROUP_RECORDS
        except IntegrationError:
            await self._flush()  # what was done is recorded, whatever ended it
            raise
        finally:
            await pages.close()

    # --- one group ---

    async def _group(self, raws: Sequence[bytes | Picked], page: Page | None) -> None:
        """Sync some records. `page` is the page that ends with them, None within a page."""
        missing: Sequence[str] = page.missing if page is not None else ()
        deleted: list[str] = []
        if self._tombstones is not None and (missing or self._tombstones.is_looking):
            raws, deleted = self._tombstones.split(raws)
            deleted, missing = [*deleted, *missing], ()
            await self._remove(deleted)
        self._open_intents = []
        items, bad, held = await self._read(raws)
        gone = len(missing)
        self.counts.fetched += len(raws) + gone
        self._group_dead, self._group_size = len(bad), len(raws) + gone
        if (error := self._judge()) is not None:
            await self._stop_with_samples(bad[: DEAD_AT_LEAST + 1], error)
        drop_repeated(items)
        for item in items:
            self.progress.see(item.version)
        requests, renewed = await self._prepare(items)
        if self._unknown and self._writer.finds_out:
            for item in items:
                if item.fate == "unknown":
                    self.progress.hold(item.version)
        sent, stop = await self._writer.send_all(requests) if requests else ([], None)
        self._count(items, bad, gone)
        self.counts.held += len(held)
        self.counts.read += len(held)
        checkpoint = None
        if stop is None and page is not None:
            checkpoint = self.progress.after(page.next, is_last=page.next is None)
        self._pending = self._outcomes(items, bad, renewed, open_requests(sent, ("unknown",)), checkpoint)
        if self._stream.duplicates == "first":
            self._pending.aliases = await self._aliases(items)
        if self._parents is not None:
            self._pending.waiting = [each.row(self._stream.name, self._run_id, self._now()) for each in held]
            self._pending.released = [item.source_id for item in items if item.fate is not None]
            self._pending.released += [entry.source_id for entry in bad if entry.source_id is not None]
        if self._tombstones is not None and self.progress.is_reconciling:
            came = [*items, *(each.item for each in held)] if held else items
            self._pending.seen = seen_in(came, bad, deleted, self._tombstones)
        if stop is None:
            self._group_dead = self._group_size = 0
            stop = self._judge()
        if stop is not None:
            await self._flush()
            raise stop

    async def _aliases(self, items: Sequence[Item]) -> list[NewLink]:
        """Records that are the same thing as another one: what refers to them is led to what that was written to."""
        twins = [item for item in items if item.follows is not None and item.fate == "skipped"]
        if not twins:
            return []
        name, lifecycle = self._stream.name, self._state.store.lifecycle
        led = {item.source_id: item.destination_id for item in items}
        wanted = [item.follows for item in twins if item.follows is not None and led.get(item.follows) is None]
        found = await self._state.call(lambda: lifecycle.parents({name: wanted}))
        led |= {source_id: identity for (_, source_id), identity in found.items()}
        return [
            NewLink(name + ALIAS, item.source_id, identity, b"", item.version, None, self._run_id, self._now())
            for item in twins
            if item.follows is not None and (identity := led.get(item.follows)) is not None
        ]

    async def _read(self, raws: Sequence[bytes | Picked]) -> tuple[list[Item], list[Bad], list[Held]]:
        """Items, records that are none, and records that wait for another stream's."""
        left_out: list[Bad] = []
        if self._deadly:
            left_out = [_deadly(raw) for raw in raws if unnamed(bytes(raw)) in self._deadly]
            raws = [raw for raw in raws if unnamed(bytes(raw)) not in self._deadly]
        if self._group_records == 1 and (spoiled := await self._suspected(raws)) is not None:
            return [], [spoiled, *left_out], []
        if self._parents is not None:
            items, bad, held = await self._parents.read(raws)
            return items, [*bad, *left_out], held
        items, bad = self._reader.read(raws)
        return items, [*bad, *left_out], []

    async def _release(self) -> None:
        """Sync the records that were held for others that have links now."""
        if (
            self.part is not None
            or self._parents is None
            or self._request.limit is not None
            or self._request.only_settle
        ):
            return
        lifecycle, name = self._state.store.lifecycle, self._stream.name
        tried: set[str] = set()
        while True:
            await self._flush()
            rows = await self._state.call(lambda: lifecycle.ready(name, GROUP_RECORDS))
            if not (fresh := [row for row in rows if row[0] not in tried]):
                return
            tried.update(source_id for source_id, _ in fresh)
            size = self._group_records
            for start in range(0, len(fresh), size):
                await self._group([raw for _, raw in fresh[start : start + size]], None)

    async def _suspected(self, raws: Sequence[bytes | Picked]) -> Bad | None:
        """Write down the name of the one record that is about to be read. The one that ended the process is not read again."""
        for raw in raws:
            digest = sha256(bytes(raw)).hexdigest()
            before, _, ended = (self._suspect or "").partition(":")
            times = int(ended or 1) if digest == before else 0
            if times >= SUSPECTED:
                return _deadly(raw)
            await self._flush()
            self._pending = Outcomes(
                stream=self._stream.name, checkpoint=self.progress.suspecting(f"{digest}:{times + 1}")
            )
            await self._flush()
        return None

    async def _prepare(self, items: Sequence[Item]) -> tuple[list[Request], dict[str, Link]]:
        """One transaction: the fates of the last group, the look-up and the intents of this one."""
        stream = self._stream
        look = Look(
            stream=stream.name,
            source_ids=[item.source_id for item in items],
            matches=[item.match for item in items if item.match is not None] if stream.mode != "append" else (),
            index=self._uses_index,
            beside=self._run_id if self.part is not None else "",
        )
        requests: list[Request] = []
        renewed: dict[str, Link] = {}
        if self._merger is not None:
            return await self._prepare_merged(self._merger, items, look)

        def plan(found: Found) -> Sequence[IntentRow]:
            nonlocal requests, renewed
            renewed = classify(stream, items, beside(items, found), self._unknown, self._claimed)
            requests = requests_for(stream, items, self._ids, self._writer.batch_size)
            return self._written_down(requests)

        if stream.adopt != "lookup" or stream.mode == "append" or not self._adopter.can_find:
            await self._commit(look=look, plan=plan)
            return requests, renewed
        found = await self._commit(look=look)
        renewed = classify(stream, items, beside(items, found), self._unknown, self._claimed)
        if (stop := await self._writer.look_up(items)) is not None:
            raise stop
        requests = requests_for(stream, items, self._ids, self._writer.batch_size)
        await self._note(requests)
        return requests, renewed

    async def _prepare_merged(
        self, merger: Merger, items: Sequence[Item], look: Look
    ) -> tuple[list[Request], dict[str, Link]]:
        """As `_prepare`, with what the other side has read in between."""
        found = await self._commit(look=merger.look(look))
        renewed = merger.classify(items, found, self._unknown)
        stop = None
        if self._stream.adopt == "lookup" and self._adopter.can_find:
            stop = await self._writer.look_up(items)
        stop = stop or await merger.settle(items)
        if stop is not None:
            raise stop
        requests = requests_for(self._stream, items, self._ids, self._writer.batch_size)
        await self._note(requests)
        return requests, renewed

    def _outcomes(
        self,
        items: Sequence[Item],
        bad: Iterable[Bad],
        renewed: dict[str, Link],
        unknown: Sequence[Request],
        checkpoint: Checkpoint | None,
    ) -> Outcomes:
        now, name = self._now(), self._stream.name
        outcomes = Outcomes(stream=name, checkpoint=checkpoint)
        dead: list[Item | Bad] = list(bad)
        changed = False
        for item in items:
            fate, destination_id = item.fate, item.destination_id
            rows = outcomes.links
            if fate == "dead":
                dead.append(item)
                continue
            if fate == "unchanged":
                rows = outcomes.kept  # nothing was written: who wrote it last, and when, stays
                if destination_id is None:
                    if (link := renewed.get(item.source_id)) is None:
                        continue
                    destination_id = link.destination_id
            elif fate == "deleted":
                outcomes.gone.append(Gone(now, b"", self._run_id, now, name, item.source_id))
                changed = True
                continue
            elif fate not in ("created", "updated", "restored"):
                continue
            known = item.link
            changed = changed or known is not None or fate != "created"
            if (
                item.match is not None
                and (known is None or known.match != item.match)
                and self._stream.mode != "append"
            ):
                outcomes.matches.append((item.match, item.source_id))
            rows.append(
                NewLink(name, item.source_id, destination_id, item.hash, item.version, item.match, self._run_id, now)
            )
        if self._merger is not None:
            self._merger.finish(items, outcomes)
        if changed:
            outcomes.changes = changes_of(self._stream, items, run_id=self._run_id, now=now)
        if self._merger is None and self._stream.keeps_base:
            outcomes.bases = bases_of(self._stream, items)
        if self._has_dead:
            outcomes.cleared = _cleared(items, dead)
        outcomes.dead = [self._letters.letter(entry, letter_id=self._ids(), now=now) for entry in dead]
        self._has_dead = self._has_dead or bool(dead)
        outcomes.finished, self._open_intents = self._open_intents, []
        if unknown:
            outcomes.unknown = [self._row(unknown, "unknown")]
            for request in unknown:
                lost = [item for item in request.items if item.fate == "unknown"]
                self._unknown.update(item.source_id for item in lost)
                self._claimed.update((item.match, item.source_id) for item in lost if item.match is not None)
        return outcomes

    # --- deletes ---

    async def _remove(self, named: Sequence[str]) -> None:
        """Carry out what it means that these records are gone. Their fates are durable before anything else is read."""
        assert self._remover is not None
        if named:
            await self._flush()
        store, name = self._state.store, self._stream.name
        for start in range(0, len(named), GROUP_RECORDS):
            ids = named[start : start + GROUP_RECORDS]
            links = await self._state.call(lambda ids=ids: store.links_of(name, ids))  # type: ignore[misc]
            items, before, never = removals(ids, {link.source_id: link for link in links}, self._remover)
            if items and self._brake.needs_linked:
                self._brake.told(await self._state.call(lambda: store.lifecycle.linked(name)))
            self._brake.admit(len(items))
            self.counts.fetched += len(items) + before + never
            self.counts.unchanged += before
            self.counts.skipped += never
            self.counts.read += before + never
            await self._send_removals(items, ids)

    async def _send_removals(self, items: Sequence[Item], named: Sequence[str]) -> None:
        assert self._remover is not None
        self._open_intents = []
        requests = [Request(self._ids(), self._remover.kind, [item]) for item in items]
        await self._note(requests)
        sent, stop = await self._writer.send_all(requests) if requests else ([], None)
        self._count(items, (), 0)
        self._pending = self._outcomes(items, (), {}, open_requests(sent, ("unknown",)), None)
        if self._parents is not None:
            self._pending.released = list(named)
        self._group_dead = self._group_size = 0
        await self._flush()
        if (stop := stop or self._judge()) is not None:
            raise stop

    async def _reconcile(self) -> None:
        """After a complete pass: delete what is linked and did not come, unless that is too much to be true."""
        store, name, began_s = self._state.store, self._stream.name, self.progress.began_s
        end = await self._state.call(lambda: store.lifecycle.pass_end(name, began_s))
        self._brake.judge(end)
        after = ""
        while end.missing:
            links = await self._state.call(
                lambda after=after: store.lifecycle.missing(name, began_s, after=after, limit=GROUP_RECORDS)  # type: ignore[misc]
            )
            if not links:
                break
            after = links[-1].source_id
            if self._around.is_stopping():
                raise Stopped("the run was asked to stop; the next one finds out again what is gone")
            await self._confirm_and_remove([link.source_id for link in links])
        self._pending = Outcomes(stream=name, checkpoint=self.progress.reconciled())
        await self._flush()

    async def _confirm_and_remove(self, named: Sequence[str]) -> None:
        """Ask for each record where the source can be asked: pages that shift hide records that are there."""
        source = self._stream.source
        if source.get is None:
            await self._remove(named)
            return
        fixed = fixed_params(source.parameters, self._around.settings.text)
        together = min(self._around.settings.options.max_concurrent, GROUP_RECORDS)
        pages = by_identity(self._around.source, source.get, source.get_argument, fixed, named, together=together)
        async for page in pages:
            await self._remove(page.missing)
            if page.records:
                await self._group(page.records, None)
        await self._flush()

    # --- counting ---

    def _count(self, items: Iterable[Item], bad: Sequence[Bad], gone: int) -> None:
        counts = self.counts
        for item in items:
            if (fate := item.fate) is not None:
                setattr(counts, fate, getattr(counts, fate) + 1)
                counts.read += 1
        counts.dead += len(bad)
        counts.skipped += gone
        counts.read += len(bad) + gone

    def _judge(self, more: int = 0) -> IntegrationError | None:
        """Whether so many records are dead that the cause lies elsewhere. `more` died just now."""
        self._group_dead += more
        dead = self.counts.dead + self._group_dead
        read = self.counts.read + self._group_size
        if dead <= DEAD_AT_LEAST or dead <= self._stream.max_dead_share * read:
            return None
        return TooManyDead(dead, read)

    async def _stop_with_samples(self, bad: Sequence[Bad], error: IntegrationError) -> None:
        """Keep a few of the records as dead letters, so that somebody can see what is wrong; leave the rest unread."""
        await self._flush()
        self._count((), bad, 0)
        self._pending = self._outcomes((), bad, {}, (), None)
        await self._flush()
        raise error

    # --- earlier runs ---

    async def _recover(self) -> None:
        """Find out what became of requests of earlier runs, before anything new is sent."""
        stream, store = self._stream, self._state.store
        rows = await self._state.call(lambda: store.take_intents(self._lease, stream.name, self._part_key))
        if not rows:
            return
        self._written_at = rows[-1].made_at + 0.001  # what follows from them is newer, also when the clock was set back
        opened = [(row, read_back(row)) for row in rows]
        named = list({item.source_id for _, requests in opened for request in requests for item in request.items})
        if self._merger is not None:
            by_name = await self._merger.links_of(named)
        else:
            links = await self._state.call(lambda: store.links_of(stream.name, named))
            by_name = {link.source_id: link for link in links}
        found = unresolved(opened, by_name)
        request = self._request
        entries = answered(found, not_there=request.not_there, settled=request.settled)
        clock, lag_s = self._around.clock, self._around.settings.options.destination_lag_s
        recovery = Recovery(
            stream,
            self._adopter,
            ids=self._ids,
            now=self._now(),
            wait=lambda: clock.sleep(lag_s),
            merges=self._merger is not None,
        )
        repeated: list[Request] = []
        fresh: list[Request] = []
        try:
            for entry in entries:
                again, anew = await recovery.requests(entry)
                repeated += again
                fresh += anew
        except IntegrationError:  # it could not be asked: that is no attempt
            await self._state.call(lambda: store.take_intents(self._lease, stream.name, self._part_key, attempts=-1))
            raise
        await self._note(fresh)
        self._writer.repeated = {each.id for each in repeated}
        sent, stop = await self._writer.send_all([*repeated, *fresh])
        items = [item for entry in found for item in entry.items]
        outcomes = self._outcomes(items, (), {}, (), None)
        outcomes.finished += [row.id for row in rows]
        outcomes.unknown = self._still_unknown(entries, sent)
        given_up = [item for entry in entries if recovery.has_given_up(entry) for item in entry.items]
        outcomes.dead += [
            self._letters.letter(item, letter_id=self._ids(), now=self._now())
            for item in given_up
            if item.fate == "unknown"
        ]
        lost = [item for item in items if item.fate in (None, "unknown")]
        self._unknown = {item.source_id for item in lost}
        self._claimed = {item.match: item.source_id for item in lost if item.match is not None}
        self.counts.resolved += len(items) - len(self._unknown)
        self._pending = outcomes
        await self._flush()
        if stop is not None:
            raise stop

    def _still_unknown(self, entries: Sequence[Unresolved], sent: Sequence[Request]) -> list[IntentRow]:
        """What is open still: under its old row's age and attempts when it was not sent anew."""
        rows_of = {id(entry.request): entry.row for entry in entries}
        attempts_of = {id(item): entry.row.attempts for entry in entries for item in entry.items}
        by_age: dict[tuple[float, int], list[Request]] = {}
        for request in open_requests([*(entry.request for entry in entries), *sent], (None, "unknown")):
            row = rows_of.get(id(request))
            made_at = row.made_at if row is not None else self._now()
            attempts = max(attempts_of.get(id(item), 0) for item in request.items) + 1
            by_age.setdefault((made_at, attempts), []).append(request)
        return [
            self._row(requests, "unknown", attempts)._replace(made_at=made_at)
            for (made_at, attempts), requests in by_age.items()
        ]

    async def _read_matches(self) -> None:
        """Before the first sync of `adopt: prefetch`: read what the destination has, once."""
        stream = self._stream
        if stream.adopt != "prefetch" or stream.destination.list is None or not stream.match:
            return
        if self._point.indexed_at is not None and not self._request.resync:
            return
        await self._adopter.index()
        self._pending = Outcomes(stream=stream.name, checkpoint=self.progress.indexed(self._now()))
        await self._flush()

    # --- the state ---

    async def _commit(
        self, *, look: Look | None = None, plan: Callable[[Found], Sequence[IntentRow]] | None = None
    ) -> Found:
        self._step += 1
        self.counts.drift = self._drift.total
        if self._drift.is_waiting:
            self._pending = self._pending or Outcomes(stream=self._stream.name)
            self._pending.drift += self._drift.take(self._now())
        self.counts.check()
        work = Commit(
            run_id=self._run_id,
            lease=self._lease,
            step=self._step,
            counts=self.counts.as_columns(),
            outcomes=self._pending,
            look=look,
            plan=plan,
        )
        found = await self._state.call(lambda: self._state.store.commit(work))
        self._pending = None
        if found.is_cancelled:
            self.cancel()
        return found

    def cancel(self) -> None:
        """End at the next safe place: nothing more is sent, what is under way is waited for and recorded."""
        if not self._is_cancelled:
            self._is_cancelled = True
            self._writer.halt(Cancelled())

    async def _flush(self) -> None:
        if self._pending is not None or self._drift.is_waiting:
            await self._commit()

    async def _note(self, requests: Sequence[Request]) -> None:
        """Write down requests that an answer made necessary, before they are sent."""
        if requests:
            await self._commit(plan=lambda _: self._written_down(requests))

    def _written_down(self, requests: Sequence[Request]) -> Sequence[IntentRow]:
        if not requests:
            return ()
        row = self._row(requests, "sending")
        self._open_intents.append(row.id)
        return (row,)

    def _row(self, requests: Sequence[Request], state: str, attempts: int = 0) -> IntentRow:
        name, now = self._stream.name, max(self._now(), self._written_at)
        return write_down(
            requests, row_id=self._ids(), stream=name, run_id=self._run_id, now=now, state=state, attempts=attempts
        )

    async def _owner_of(self, destination_id: str) -> str | None:
        if self._merger is not None:
            return await self._merger.owner_of(destination_id)
        return await self._state.call(lambda: self._state.store.owner_of(self._stream.name, destination_id))

    async def _put_index(self, entries: list[tuple[str, str]], is_first: bool) -> None:
        name = self._stream.name
        await self._state.call(lambda: self._state.store.put_index(self._lease, name, entries, first=is_first))
        self._uses_index = True

    async def _ask_index(self, match: str) -> tuple[str, bool] | None:
        look = Look(stream=self._stream.name, source_ids=(), matches=(match,), index=True)
        found = await self._state.call(lambda: self._state.store.look(look))
        return found.index.get(match)


def _cleared(items: Sequence[Item], dead: Sequence[Item | Bad]) -> list[str]:
    """Records whose dead letters are over; not those that die in the same group, unless in an older state."""
    dying = {entry.source_id: entry.version for entry in dead}
    return [
        item.source_id
        for item in items
        if _is_well(item) and (item.source_id not in dying or is_older(dying[item.source_id], item.version))
    ]


def _is_well(item: Item) -> bool:
    """Whether what came shows that a dead letter of the record is over. An old state, read once more, does not."""
    if item.fate == "unchanged":
        return item.version is None or item.link is None or item.link.version != item.version
    return item.fate in ("created", "updated", "deleted") or (item.fate == "skipped" and item.why.failure != "older")


def _deadly(raw: bytes | Picked) -> Bad:
    return Bad(
        raw,
        None,
        None,
        Why("decode", "permanent_record", f"{DEADLY}, after {CRASHES + SUSPECTED} runs that did not end"),
    )


def source_pages(
    stream: Stream[Any, Any],
    request: RunRequest,
    progress: Pass,
    around: Surroundings,
    part: Part | None = None,
) -> AsyncIterator[Page]:
    """The pages that a run reads."""
    source = stream.source
    fixed = fixed_params(source.parameters, around.settings.text)
    if part is not None:
        fixed |= part.params
    match progress.kind:
        case "records" | "rollback":
            return at_hand(request.records, together=GROUP_RECORDS)
        case "ids":
            assert source.get is not None
            together = min(around.settings.options.max_concurrent, GROUP_RECORDS)
            wanted = list(dict.fromkeys(request.ids))
            return by_identity(around.source, source.get, source.get_argument, fixed, wanted, together=together)
        case "full" | "incremental":
            if progress.since is not None and source.since is not None:
                fixed[source.since.parameter] = progress.since
            if source.partition is not None and source.partition.by == "parent":
                parents = part.parents if part is not None else None
                return by_parent(stream, around.source, fixed, parents, progress.cursor, around.state)
            # Who looks at records before they are decoded gets them as they came.
            as_they_came = progress.crashes >= CRASHES or (stream.deletes is not None and stream.deletes.tombstone)
            picks = None if as_they_came else picks_of(source.record, exact=source.exact_numbers)
            return listed(around.source, source.list, fixed, progress.cursor, picks)
