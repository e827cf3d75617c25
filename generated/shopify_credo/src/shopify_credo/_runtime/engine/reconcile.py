"""Records that are gone at the source, carried out by one run: those that are named, and those that a complete pass came without."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from ..declare import Deletes
from ..http.paging import Picked
from ..state.rows import Link, Outcomes
from .deletes import Brake, Remover, Tombstones, removals
from .errors import Stopped
from .items import Item
from .pages import by_identity, fixed_params
from .requests import Request, open_requests
from .tools import Tools


class Reconciler:
    """Deletes, or retires, what is gone, unless that is too much to be true."""

    def __init__(
        self,
        deletes: Deletes,
        remover: Remover,
        tools: Tools,
        *,
        sync: Callable[[Sequence[bytes | Picked]], Awaitable[None]],
    ) -> None:
        """`sync` writes records that turned out to be there."""
        self.tombstones = Tombstones(deletes)
        self._brake = Brake(tools.stream, deletes, is_released=tools.request.allow_deletes)
        self._remover = remover
        self._tools = tools
        self._stream = tools.stream
        self._links_by = tools.stream.reverse_of or tools.stream.name
        self._around = tools.around
        self._state = tools.state
        self._journal = tools.journal
        self._tally = tools.tally
        self._progress = tools.progress
        self._sync = sync

    async def remove(self, named: Sequence[str]) -> None:
        """Carry out what it means that these records are gone. Their fates are durable before anything else is read."""
        if named:
            await self._journal.flush()
        store, name, counts = self._state.store, self._links_by, self._tally.counts
        for start in range(0, len(named), self._tools.together):
            ids = named[start : start + self._tools.together]
            items, before, never = removals(ids, await self._links_of(ids), self._remover)
            if items and self._brake.needs_linked:
                self._brake.told(await self._state.call(lambda: store.lifecycle.linked(name)))
            self._brake.admit(len(items))
            counts.fetched += len(items) + before + never
            counts.unchanged += before
            counts.skipped += never
            counts.read += before + never
            await self._send(items, ids)

    async def _links_of(self, ids: Sequence[str]) -> dict[str, Link]:
        if self._tools.merger is not None:
            return await self._tools.merger.links_of(ids)
        links = await self._state.call(partial(self._state.store.links_of, self._stream.name, ids))
        return {link.source_id: link for link in links}

    async def _send(self, items: Sequence[Item], named: Sequence[str]) -> None:
        journal, tools = self._journal, self._tools
        journal.begin_group()
        halted = await tools.merger.part(items) if tools.merger is not None else None
        if halted is not None:
            raise halted
        left = [item for item in items if item.fate is None]
        requests = [Request(self._around.ids(), self._remover.kind, [item]) for item in left]
        await journal.note(requests)
        sent, stop = await tools.writer.send_all(requests) if requests else ([], None)
        self._tally.count(items)
        outcomes = tools.fates.outcomes(items, unknown=open_requests(sent, ("unknown",)))
        if self._stream.lookups:
            outcomes.released = list(named)
        self._tally.end_group()
        await journal.write(outcomes)
        if (stop := stop or self._tally.judge()) is not None:
            raise stop

    async def reconcile(self) -> None:
        """After a complete pass: delete what is linked and did not come, unless that is too much to be true."""
        lifecycle, name, began_s = self._state.store.lifecycle, self._stream.name, self._progress.began_s
        of = self._stream.reverse_of
        end = await self._state.call(lambda: lifecycle.pass_end(name, began_s, links_of=of))
        self._brake.judge(end)
        after = ""
        while end.missing:
            missing = partial(lifecycle.missing, name, began_s, links_of=of, after=after, limit=self._tools.together)
            links = await self._state.call(missing)
            if not links:
                break
            after = links[-1].source_id
            if self._around.is_stopping():
                raise Stopped("the run was asked to stop; the next one finds out again what is gone")
            await self._confirm_and_remove([link.source_id for link in links])
        await self._journal.write(Outcomes(stream=name, checkpoint=self._progress.reconciled()))

    async def _confirm_and_remove(self, named: Sequence[str]) -> None:
        """Ask for each record where the source can be asked: pages that shift hide records that are there."""
        source = self._stream.source
        if source.get is None:
            await self.remove(named)
            return
        fixed = fixed_params(source.parameters, self._around.settings.text)
        together = min(self._around.settings.options.max_concurrent, self._tools.together)
        pages = by_identity(self._around.source, source.get, source.get_argument, fixed, named, together=together)
        async for page in pages:
            await self.remove(page.missing)
            if page.records:
                await self._sync(page.records)
        await self._journal.flush()
