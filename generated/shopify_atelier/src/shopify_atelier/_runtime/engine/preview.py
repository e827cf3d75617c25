"""A dry run: what would be written, counted for all records and shown field by field for the first ones. Nothing is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from ..declare import Stream
from ..errors import IntegrationError
from ..hashing import decode_exact
from ..json_paths import at, without
from ..mask import Mask
from ..state.rows import Checkpoint, Link, Look
from .adopt import Adopter, object_of
from .classify import classify, drop_repeated
from .conflicts import Merger
from .deletes import Tombstones, seen_in
from .drift import Drift
from .errors import Stopped
from .items import Item, Reader
from .letters import Letters
from .pages import Params, Prefetch, fixed_params
from .parents import Held, ParentReader
from .passes import Pass, RunRequest
from .report import Counts
from .source_pages import source_pages
from .surroundings import Surroundings

SAMPLE = 20
"""Records of each kind that are shown field by field."""


class Preview:
    """One execution that writes nothing, neither there nor here."""

    def __init__(
        self,
        stream: Stream[Any, Any],
        request: RunRequest,
        point: Checkpoint,
        *,
        around: Surroundings,
        forward: Stream[Any, Any] | None = None,
        backward: Stream[Any, Any] | None = None,
    ) -> None:
        self.counts = Counts()
        self.progress = Pass(stream, point, request, now=around.clock.now())
        self.sample: list[dict[str, Any]] = []
        self.left = 0
        self._shown: Counter[str] = Counter()
        self._mask = Mask(stream.mask_destination)
        self._letters = Letters(
            stream=stream.name, run_id="", mapping="", redactor=around.settings.redactor, mask=Mask(stream.mask)
        )
        self._stream = stream
        self._request = request
        self._around = around
        self._drift = Drift(stream)
        self._reader: Reader[Any, Any] = Reader(stream, self._drift)
        self._parents = ParentReader(stream, self._reader, around.state, None) if stream.lookups else None
        self._uses_index = point.indexed_at is not None
        self._fixed: Params = fixed_params(stream.destination.parameters, around.settings.text)
        self._matches: dict[str, str] = {}
        self._tombstones = Tombstones(stream.deletes) if stream.deletes is not None else None
        self._came: set[str] | None = set() if self.progress.is_reconciling else None
        """Of a pass that finds out what is gone: who came. The one thing here that grows with the source."""
        self._merger = self._merging(forward, backward) if forward is not None else None

    def _merging(self, forward: Stream[Any, Any], backward: Stream[Any, Any] | None) -> Merger:
        around, stream = self._around, self._stream

        index: dict[str, tuple[str, bool]] = {}
        """Of destination records by match value, where the whole list is the only way to find one."""

        async def ask(match: str) -> tuple[str, bool] | None:
            return index.get(match)

        async def put(entries: list[tuple[str, str]], is_first: bool) -> None:
            if is_first:
                index.clear()
            for match, identity in entries:
                index[match] = (identity, match in index)

        return Merger(
            stream,
            forward,
            backward,
            session=around.destination,
            fixed=self._fixed,
            adopter=Adopter(stream, around.destination, self._fixed, put_index=put, ask_index=ask, lag=around.lag),
            state=around.state,
            run_id="",
            ids=around.ids,
            now=around.clock.now,
            workers=around.settings.options.max_concurrent,
            answers=self._request.answers,
        )

    async def execute(self) -> None:
        """Read everything and count what would become of it."""
        pages = Prefetch(source_pages(self._stream, self._request, self.progress, self._around))
        left = self._request.limit
        try:
            while left is None or left > 0:
                if self._around.is_stopping():
                    raise Stopped("the dry run was asked to stop")
                if (page := await pages.next()) is None:
                    break
                records = page.records if left is None else page.records[:left]
                left = None if left is None else left - len(records)
                missing = page.missing
                if self._tombstones is not None:
                    records, gone = self._tombstones.split(records)
                    await self._gone([*gone, *missing])
                    missing = ()
                self.counts.fetched += len(records) + len(missing)
                self.counts.read += len(missing)
                self.counts.skipped += len(missing)
                await self._group(records)
        finally:
            await pages.close()
        if self._came is not None:
            await self._reconcile(self._came)

    async def _reconcile(self, came: set[str]) -> None:
        store, name, after = self._around.state.store, self._stream.name, ""
        of = self._stream.reverse_of
        while links := await self._around.state.call(
            partial(store.lifecycle.linked_from, name, links_of=of, after=after, limit=1000)
        ):
            after = links[-1]
            await self._gone([source_id for source_id in links if source_id not in came])

    async def _gone(self, named: Sequence[str]) -> None:
        """Count what is gone, and show what would be deleted."""
        if self._came is not None:
            self._came.update(named)
        links = await self._links_of(named)
        fates = await self._parted([links[each] for each in named if each in links and links[each].gone_at is None])
        self.counts.fetched += len(named)
        self.counts.read += len(named)
        for source_id in named:
            link = links.get(source_id)
            if link is None:
                self.counts.skipped += 1
            elif link.gone_at is not None:
                self.counts.unchanged += 1
            elif (item := fates.get(source_id)) is not None and item.fate is not None:
                setattr(self.counts, item.fate, getattr(self.counts, item.fate) + 1)
                self._show({"source_id": source_id, "action": item.fate, "reason": item.why.reason})
            else:
                self.counts.deleted += 1
                deletes = self._stream.deletes
                entry: dict[str, Any] = {
                    "source_id": source_id, "destination_id": link.destination_id, "action": "delete"
                }  # fmt: skip
                if deletes is not None and deletes.mode == "soft":
                    entry["fields"] = {".".join(map(str, path)): {"to": value} for path, value in deletes.set}
                self._show(entry)

    async def _links_of(self, named: Sequence[str]) -> dict[str, Link]:
        if self._merger is not None:
            return await self._merger.links_of(named)
        store, name = self._around.state.store, self._stream.name
        links = await self._around.state.call(lambda: store.links_of(name, named))
        return {link.source_id: link for link in links}

    async def _parted(self, links: Sequence[Link]) -> dict[str, Item]:
        """What a merge would decide about records that are gone on one side."""
        if self._merger is None:
            return {}
        items = [Item(link.source_id, link.version, b"", b"", link.match, ()) for link in links]
        for item, link in zip(items, links, strict=True):
            item.destination_id, item.is_create, item.link = link.destination_id, False, link
        if (stop := await self._merger.part(items)) is not None:
            raise stop
        return {item.source_id: item for item in items}

    async def _group(self, raws: Any) -> None:
        held: list[Held] = []
        if self._parents is None:
            items, bad = self._reader.read(raws)
        else:
            items, bad, held = await self._parents.read(raws)
        if self._came is not None and self._tombstones is not None:
            came = [*items, *(each.item for each in held)]
            self._came.update(seen_in(came, bad, (), self._tombstones))
        self.counts.held += len(held)
        for each in held:
            self._show({"source_id": each.item.source_id, "action": "held", "reason": f"waits for {each.parent[0]}"})
        self.counts.read += len(bad) + len(held)
        self.counts.dead += len(bad)
        self.counts.drift = self._drift.total
        for entry in bad:
            self._show({"source_id": entry.source_id, "action": "dead", "reason": self._letters.reason(entry)})
        drop_repeated(items)
        stream = self._stream
        matches = [item.match for item in items if item.match is not None] if stream.mode != "append" else []
        look = Look(
            stream=stream.name, source_ids=[item.source_id for item in items], matches=matches, index=self._uses_index
        )
        if (merger := self._merger) is not None:
            look = merger.look(look)
        found = await self._around.state.call(lambda: self._around.state.store.look(look))
        self._matches.update({match: owner for match, owner in found.owners.items() if match not in self._matches})
        if merger is None:
            classify(stream, items, found, ())
        else:
            merger.classify(items, found, ())
            if (stop := await merger.settle(items)) is not None:
                raise stop
        for item in items:
            if item.fate is None and item.is_create and item.match is not None and stream.mode != "append":
                owner = self._matches.setdefault(item.match, item.source_id)
                if owner != item.source_id:
                    item.fate = "dead" if stream.duplicates == "dead" else "skipped"
            fate = item.fate or ("created" if item.is_create else "updated")
            setattr(self.counts, fate, getattr(self.counts, fate) + 1)
            self.counts.read += 1
            if item.fate is None and self._shown["create" if item.is_create else "update"] < SAMPLE:
                await self._show_item(item)
            elif item.fate in ("dead", "held"):
                self._show({"source_id": item.source_id, "action": item.fate, "reason": self._letters.reason(item)})

    async def _show_item(self, item: Item) -> None:
        destination = self._stream.destination
        body = at(decode_exact(item.body), destination.envelope)
        current: dict[str, Any] = {}
        if item.destination_id is not None and destination.get is not None:
            params = {**self._fixed, destination.get_argument: item.destination_id}
            try:
                current = object_of(await self._around.destination.request(destination.get, params=params))
            except IntegrationError:
                current = {}
        for path in destination.only_created if not item.is_create else ():
            without(body, path)
        self._show({
            "source_id": item.source_id,
            "destination_id": item.destination_id,
            "action": "create" if item.is_create else "update",
            "fields": self._changes(body, current),
        })  # fmt: skip

    def _changes(self, body: Any, current: Any, at: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
        """Field path → what is there and what would be; objects field by field, lists whole, masked fields hidden."""
        found: dict[str, dict[str, Any]] = {}
        is_known = isinstance(current, dict) and bool(current or at)
        for name, value in body.items() if isinstance(body, dict) else ():
            path = (*at, name)
            before = current.get(name) if is_known else None
            if isinstance(value, dict) and value and (before is None or isinstance(before, dict)):
                found |= self._changes(value, (before if before is not None else {}) if is_known else None, path)
            elif not is_known:
                found[".".join(path)] = {"to": self._mask.at(path, value)}
            elif before != value:
                found[".".join(path)] = {"from": self._mask.at(path, before), "to": self._mask.at(path, value)}
        return found

    def _show(self, entry: dict[str, Any]) -> None:
        """Keep the first entries of each kind, so that many of one do not hide the others."""
        action = entry["action"]
        if self._shown[action] < SAMPLE:
            self._shown[action] += 1
            self.sample.append(self._around.settings.redactor.value(entry))  # type: ignore[arg-type]
