"""One run of one stream: what earlier runs left open, then page after page in groups, then what is gone.

Groups follow one another; within a group requests go out side by side. `groups` has the way of one group, `journal` the
transactions between them, `tools` the pieces that both use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..declare import Stream
from ..errors import DecodeError, IntegrationError, NotFound, PagingError, Rejected
from ..http.paging import Picked
from ..state.rows import Checkpoint, Lease, Outcomes
from ..watch.watching import watched_group, watched_pages
from .earlier import EarlierRuns
from .errors import Cancelled, Stopped
from .groups import Groups
from .pages import Prefetch
from .parts import Part
from .passes import RunRequest
from .reconcile import Reconciler
from .source_pages import source_pages
from .surroundings import BATCHED_RECORDS, GROUP_RECORDS, PAGES_AHEAD, Surroundings
from .suspects import Suspects
from .tools import Tools


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
        self.part = part
        self._stream = stream
        self._request = request
        self._point = point
        self._run_id = run_id
        self._lease = lease
        self._around = around
        self._state = around.state
        in_batches = stream.destination.batch is not None and backward is None
        self._together = together = BATCHED_RECORDS if in_batches else GROUP_RECORDS
        self._tools = tools = Tools(
            stream,
            request,
            point,
            run_id=run_id,
            lease=lease,
            around=around,
            forward=forward,
            backward=backward,
            part=part,
            together=together,
        )
        self.counts = tools.tally.counts
        self.progress = tools.progress
        self._journal = tools.journal
        self._earlier = EarlierRuns(tools)
        self._suspects = Suspects(stream.name, tools.progress, tools.journal, tools.state)
        self._reconciler: Reconciler | None = None
        if stream.deletes is not None:
            assert tools.remover is not None
            self._reconciler = Reconciler(stream.deletes, tools.remover, tools, sync=self._sync)
        self._groups = Groups(tools, self._suspects, self._reconciler)
        self.sample: list[dict[str, Any]] = []
        """Of a rollback: records that it left as they are, and why."""
        self.left = 0
        """How many those are."""

    @property
    def in_doubt(self) -> int:
        """Records of earlier runs that this one sent again without learning whether they were written."""
        return self._earlier.in_doubt

    async def execute(self) -> None:
        """Carry it out. Raises what ended it early; counts and state are true in any case."""
        try:
            await self._execute()
        except DecodeError as error:
            self._tools.drift.reply(error)
            raise

    async def end(self) -> None:
        """Say that the run ended by itself, for whatever reason."""
        if (point := self.progress.ended()) is not None:
            self._journal.pending = Outcomes(stream=self._stream.name, checkpoint=point)
        await self._journal.flush()

    def cancel(self) -> None:
        """End at the next safe place: nothing more is sent, what is under way is waited for and recorded."""
        self._tools.cancel()

    async def _execute(self) -> None:
        name, request, progress = self._stream.name, self._request, self.progress
        self._state.store.matches.forget(name)  # whoever ran the stream before may have added to them
        await self._tools.fates.look_back()
        if request.trigger != "retry":
            await self._suspects.look_back()
        if progress.kind != "records" or request.records:
            await self._suspects.begin()
        await self._earlier.settle()
        await self._read_matches()
        await self._release()
        try:
            await self._read_all()
        except (NotFound, Rejected, PagingError):
            if not progress.is_resumed or self.counts.fetched:
                raise
            progress.begin_again()  # the vendor has forgotten the cursor
            await self._read_all()
        if progress.is_kept and not progress.is_complete:
            self._journal.pending = Outcomes(stream=name, checkpoint=progress.after(None, is_last=True))
        await self._journal.flush()
        await self._release()
        if self._reconciler is not None:
            await self._reconciler.remove(request.gone)
            if progress.is_reconciling:
                await self._reconciler.reconcile()

    async def _read_all(self) -> None:
        watchers, request, journal = self._around.watchers, self._request, self._journal
        found = source_pages(self._stream, request, self.progress, self._around, self.part, together=self._together)
        pages = Prefetch(watched_pages(watchers, self._stream.name, found), self._ahead)
        group = watched_group(watchers, self._groups.sync)
        left = request.limit
        try:
            while left is None or left > 0:
                if journal.pending is not None and not pages.is_ready:
                    await journal.flush()  # nothing to share a transaction with: fates do not wait
                if self._tools.is_cancelled:
                    raise Cancelled
                if self._around.is_stopping():
                    raise Stopped("the run was asked to stop; the next one goes on from here")
                page = await pages.next()
                if page is None:
                    return
                records = list(page.records)
                while page.next is not None and len(records) < self._together:
                    if (more := pages.more()) is None:
                        break  # not there yet; or an error, and what was read before that is not for nothing
                    records += more.records
                    page = replace(more, missing=(*page.missing, *more.missing))
                self.progress.began_at(page.date_s if page.date_s is not None else self._around.clock.now())
                if left is not None:
                    records = records[:left]
                    left -= len(records)
                size = self._groups.size
                last_start = max(len(records) - 1, 0) // size * size
                for start in range(0, last_start + 1, size):
                    await group(records[start : start + size], page if start == last_start else None)
                await self._suspects.passed()
        except IntegrationError:
            await journal.flush()  # what was done is recorded, whatever ended it
            raise
        finally:
            await pages.close()

    @property
    def _ahead(self) -> int:
        """Pages to read ahead: two, or as many small ones as make a group."""
        asked_for = self._stream.source.list.paging.max or self._together
        return min(max(2, self._together // asked_for), PAGES_AHEAD)

    async def _sync(self, raws: Sequence[bytes | Picked]) -> None:
        await self._groups.sync(raws, None)

    async def _read_matches(self) -> None:
        """Before the first sync of `adopt: prefetch`: read what the destination has, once."""
        stream = self._stream
        if stream.adopt != "prefetch" or stream.destination.list is None or not stream.match:
            return
        if self._point.indexed_at is not None and not self._request.resync:
            return
        await self._tools.adopter.index()
        indexed = self.progress.indexed(self._around.clock.now())
        await self._journal.write(Outcomes(stream=stream.name, checkpoint=indexed))

    async def _release(self) -> None:
        """Sync the records that were held for others that have links now."""
        request = self._request
        if self.part is not None or not self._stream.lookups or request.limit is not None or request.only_settle:
            return
        ready = partial(self._state.store.lifecycle.ready, self._stream.name, self._together)
        tried: set[str] = set()
        while True:
            await self._journal.flush()
            rows = await self._state.call(ready)
            if not (fresh := [row for row in rows if row[0] not in tried]):
                return
            tried.update(source_id for source_id, _ in fresh)
            size = self._groups.size
            for start in range(0, len(fresh), size):
                await self._sync([raw for _, raw in fresh[start : start + size]])
