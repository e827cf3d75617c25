"""A dry run: what would be written, counted for all records and shown field by field for the first ones. Nothing is sent."""

from __future__ import annotations

from typing import Any

from ..declare import Stream
from ..errors import IntegrationError
from ..hashing import decode_exact
from ..state.rows import Checkpoint, Look
from .adopt import object_of
from .classify import classify, drop_repeated
from .drift import Drift
from .errors import Stopped
from .items import Item, Reader
from .json_paths import at
from .pages import Params, Prefetch, fixed_params
from .passes import Pass, RunRequest
from .report import Counts
from .run import Surroundings, source_pages

SAMPLE = 20
"""Records shown field by field."""


class Preview:
    """One execution that writes nothing, neither there nor here."""

    def __init__(
        self, stream: Stream[Any, Any], request: RunRequest, point: Checkpoint, *, around: Surroundings
    ) -> None:
        self.counts = Counts()
        self.progress = Pass(stream, point, request)
        self.sample: list[dict[str, Any]] = []
        self._stream = stream
        self._request = request
        self._around = around
        self._drift = Drift(stream)
        self._reader: Reader[Any, Any] = Reader(stream, self._drift)
        self._uses_index = point.indexed_at is not None
        self._fixed: Params = fixed_params(stream.destination.parameters, around.settings.text)
        self._matches: dict[str, str] = {}

    async def execute(self) -> None:
        """Read everything and count what would become of it."""
        pages = Prefetch(source_pages(self._stream, self._request, self.progress, self._around))
        left = self._request.limit
        try:
            while left is None or left > 0:
                if self._around.is_stopping():
                    raise Stopped("the dry run was asked to stop")
                if (page := await pages.next()) is None:
                    return
                records = page.records if left is None else page.records[:left]
                left = None if left is None else left - len(records)
                self.counts.fetched += len(records) + len(page.missing)
                self.counts.read += len(records) + len(page.missing)
                self.counts.skipped += len(page.missing)
                await self._group(records)
        finally:
            await pages.close()

    async def _group(self, raws: Any) -> None:
        items, bad = self._reader.read(raws)
        self.counts.dead += len(bad)
        self.counts.drift = self._drift.total
        for entry in bad:
            self._show({"source_id": entry.source_id, "action": "dead", "reason": entry.why.reason})
        drop_repeated(items)
        stream = self._stream
        matches = [item.match for item in items if item.match is not None] if stream.mode != "append" else []
        look = Look(
            stream=stream.name, source_ids=[item.source_id for item in items], matches=matches, index=self._uses_index
        )
        found = await self._around.state.call(lambda: self._around.state.store.look(look))
        self._matches.update({match: owner for match, owner in found.owners.items() if match not in self._matches})
        classify(stream, items, found, ())
        for item in items:
            if item.fate is None and item.is_create and item.match is not None and stream.mode != "append":
                owner = self._matches.setdefault(item.match, item.source_id)
                if owner != item.source_id:
                    item.fate = "dead" if stream.duplicates == "dead" else "skipped"
            fate = item.fate or ("created" if item.is_create else "updated")
            setattr(self.counts, fate, getattr(self.counts, fate) + 1)
            if item.fate is None and len(self.sample) < SAMPLE:
                await self._show_item(item)
            elif item.fate == "dead":
                self._show({"source_id": item.source_id, "action": "dead", "reason": item.why.reason})

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
        fields = body if isinstance(body, dict) else {}
        self._show({
            "source_id": item.source_id,
            "destination_id": item.destination_id,
            "action": "create" if item.is_create else "update",
            "fields": {
                name: {"from": current.get(name), "to": value} if current else {"to": value}
                for name, value in fields.items()
                if not current or current.get(name) != value
            },
        })  # fmt: skip

    def _show(self, entry: dict[str, Any]) -> None:
        if len(self.sample) < SAMPLE:
            self.sample.append(self._around.settings.redactor.value(entry))  # type: ignore[arg-type]
