"""One group of records: read → look-up and intents → requests → fates."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import IntegrationError
from ..http.paging import Picked
from ..state.rows import Found, IntentRow, Link, Look
from .classify import classify, drop_repeated, requests_for
from .conflicts import Merger
from .deletes import seen_in
from .items import Bad, Item
from .pages import Page
from .parents import Held
from .parts import beside
from .reconcile import Reconciler
from .requests import Request, open_requests
from .suspects import Suspects
from .tools import Tools


class Groups:
    """Syncs the records of one run, a group at a time; the outcomes of one are written with the intents of the next."""

    def __init__(self, tools: Tools, suspects: Suspects, reconciler: Reconciler | None) -> None:
        self._tools = tools
        self._suspects = suspects
        self._reconciler = reconciler
        self._stream = tools.stream
        self._journal = tools.journal
        self._progress = tools.progress
        self._tally = tools.tally
        self._fates = tools.fates
        self._writer = tools.writer
        self._ids = tools.around.ids

    @property
    def size(self) -> int:
        """Records of one group."""
        return 1 if self._suspects.is_one_by_one else self._tools.together

    async def sync(self, raws: Sequence[bytes | Picked], page: Page | None) -> None:
        """Sync some records. `page` is the page that ends with them, None within a page."""
        journal, tally, reconciler = self._journal, self._tally, self._reconciler
        missing: Sequence[str] = page.missing if page is not None else ()
        deleted: list[str] = []
        if reconciler is not None and (missing or reconciler.tombstones.is_looking):
            raws, deleted = reconciler.tombstones.split(raws)
            deleted, missing = [*deleted, *missing], ()
            await reconciler.remove(deleted)
        journal.begin_group()
        items, bad, held = await self._read(raws)
        gone = len(missing)
        tally.counts.fetched += len(raws) + gone
        tally.begin_group(len(raws) + gone, dead=len(bad))
        if (error := tally.judge()) is not None:
            await self._stop_with_samples(tally.samples(bad), error)
        drop_repeated(items)
        self._progress.see_all([item.version for item in items])
        requests, renewed = await self._prepare(items)
        if self._fates.unknown and self._writer.finds_out:
            for item in items:
                if item.fate == "unknown":
                    self._progress.hold(item.version)
        sent, stop = await self._writer.send_all(requests) if requests else ([], None)
        if stop is None and self._stream.name in self._tools.around.referred and self._tools.merger is None:
            stop = await self._tools.linker.learn_names(items)
        tally.count(items, bad, gone)
        tally.counts.held += len(held)
        tally.counts.read += len(held)
        checkpoint = None
        if stop is None and page is not None:
            checkpoint = self._progress.after(page.next, is_last=page.next is None)
        unknown = open_requests(sent, ("unknown",))
        outcomes = self._fates.outcomes(items, bad, renewed=renewed, unknown=unknown, checkpoint=checkpoint)
        journal.pending = outcomes
        if self._stream.duplicates == "first":
            outcomes.aliases = await self._fates.aliases(items)
        if self._stream.lookups:
            now = self._tools.around.clock.now()
            outcomes.waiting = [each.row(self._stream.name, self._tools.run_id, now) for each in held]
            outcomes.released = [item.source_id for item in items if item.fate is not None]
            outcomes.released += [entry.source_id for entry in bad if entry.source_id is not None]
        if reconciler is not None and self._progress.is_reconciling:
            came = [*items, *(each.item for each in held)] if held else items
            outcomes.seen = seen_in(came, bad, deleted, reconciler.tombstones)
        if stop is None:
            tally.end_group()
            stop = tally.judge()
        if stop is not None:
            await journal.flush()
            raise stop

    async def _read(self, raws: Sequence[bytes | Picked]) -> tuple[list[Item], list[Bad], list[Held]]:
        """Items, records that are none, and records that wait for another stream's."""
        raws, left_out = await self._suspects.left_out(raws)
        if self._tools.parents is not None:
            items, bad, held = await self._tools.parents.read(raws)
            return items, [*bad, *left_out], held
        items, bad = self._tools.reader.read(raws)
        return items, [*bad, *left_out], []

    async def _stop_with_samples(self, bad: Sequence[Bad], error: IntegrationError) -> None:
        """Keep a few of the records as dead letters, so that somebody can see what is wrong; leave the rest unread."""
        await self._journal.flush()
        self._tally.count((), bad)
        await self._journal.write(self._fates.outcomes((), bad))
        raise error

    async def _prepare(self, items: Sequence[Item]) -> tuple[list[Request], dict[str, Link]]:
        """One transaction: the fates of the last group, the look-up and the intents of this one."""
        stream, tools, fates = self._stream, self._tools, self._fates
        look = Look(
            stream=stream.name,
            source_ids=[item.source_id for item in items],
            matches=[item.match for item in items if item.match is not None] if stream.mode != "append" else (),
            index=tools.index.is_used,
            beside=tools.run_id if tools.part is not None else "",
        )
        requests: list[Request] = []
        renewed: dict[str, Link] = {}
        if tools.merger is not None:
            return await self._prepare_merged(tools.merger, items, look)

        def plan(found: Found) -> Sequence[IntentRow]:
            nonlocal requests, renewed
            renewed = classify(stream, items, beside(items, found), fates.unknown, fates.claimed)
            requests = requests_for(stream, items, self._ids, self._writer.batch_size)
            return self._journal.written_down(requests)

        if stream.adopt != "lookup" or stream.mode == "append" or not tools.adopter.can_find:
            await self._journal.commit(look=look, plan=plan)
            return requests, renewed
        found = await self._journal.commit(look=look)
        renewed = classify(stream, items, beside(items, found), fates.unknown, fates.claimed)
        if (stop := await tools.linker.look_up(items)) is not None:
            raise stop
        requests = requests_for(stream, items, self._ids, self._writer.batch_size)
        await self._journal.note(requests)
        return requests, renewed

    async def _prepare_merged(
        self, merger: Merger, items: Sequence[Item], look: Look
    ) -> tuple[list[Request], dict[str, Link]]:
        """As `_prepare`, with what the other side has read in between."""
        found = await self._journal.commit(look=merger.look(look))
        renewed = merger.classify(items, found, self._fates.unknown)
        stop = None
        if self._stream.adopt == "lookup" and self._tools.adopter.can_find:
            stop = await self._tools.linker.look_up(items)
        stop = stop or await merger.settle(items)
        if stop is not None:
            raise stop
        requests = requests_for(self._stream, items, self._ids, self._writer.batch_size)
        await self._journal.note(requests)
        return requests, renewed
