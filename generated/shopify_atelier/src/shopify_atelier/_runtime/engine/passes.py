"""One pass over a source: where it begins, what it has seen, and what may be remembered of it.

The watermark moves page by page only when the list is sorted by version; else at the end of a complete pass. It is the
highest version seen, never past the server's time at the beginning; the overlap is taken off when it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import msgspec

from ..declare import Json, Stream
from ..errors import RequestRefused
from ..state.rows import Checkpoint
from .merge import Answer
from .versions import High, capped, seconds_of, since_parameter

Kind: TypeAlias = Literal["full", "incremental", "ids", "records", "rollback"]

_RESUMED = frozenset({"link", "cursor", "next_url", "since_id"})
"""Paging styles whose cursor still means the same place after the list has changed. Pages and offsets begin again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What somebody asks for: one execution of one stream."""

    stream: str
    trigger: Literal["cli", "http", "schedule", "webhook", "retry", "parent", "child", "verify", "settle"] = "cli"
    """parent: a record it waited for is there. child: another stream needs the record. verify: to mend a difference. settle: to
    find out what became of a delivery's write."""
    run_id: str | None = None
    since: str | None = None
    ids: tuple[str, ...] = ()
    records: tuple[bytes, ...] = ()
    """Raw records at hand, instead of reading them."""
    gone: tuple[str, ...] = ()
    """Records of which a sender says that they are gone."""
    limit: int | None = None
    dry_run: bool = False
    allow_deletes: bool = False
    """A person's word that so much may be deleted; reads everything."""
    everything: bool = False
    """Read everything: a record is to be carried over that cannot be asked for by itself."""
    resync: bool = False
    """The mapping changed: write every record again that looks different now."""
    keep: bool = False
    """The mapping changed: go on; records get the new form when they change."""
    not_there: tuple[str, ...] = ()
    """A person's word on writes whose outcome is unknown, by source identity: they were not carried out."""
    settled: tuple[str, ...] = ()
    """The same: they were, or are not wanted."""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """A person's word on conflicts, by the identity of the source's record."""
    rollback: str | None = None
    """The run that is to be put back; nothing is read from the source."""
    resumed: str | None = None
    """The run that this one goes on with."""
    only_settle: bool = False
    """Read nothing; only find out the outcomes of earlier runs."""
    only_held: bool = False
    """Read nothing; only sync records that were held and need be no more."""

    def parameters(self) -> dict[str, object]:
        """What the run's row remembers of it."""
        asked = {
            "since": self.since,
            "ids": list(self.ids),
            "limit": self.limit,
            "resync": self.resync,
            "keep": self.keep,
            "gone": list(self.gone),
            "allow_deletes": self.allow_deletes,
            "resumed": self.resumed,
        }
        return {name: value for name, value in asked.items() if value}


class Pass:
    """A pass that is under way."""

    def __init__(self, stream: Stream[Any, Any], point: Checkpoint, request: RunRequest, *, now: float = 0.0) -> None:
        self._stream = stream
        self.now = now
        self.began_s = now
        """When the pass began, by our clock."""
        self._point = self._found = point
        self.limit = request.limit
        self.kind: Kind = "full"
        self.since: str | None = None
        self.cursor: Json | None = None
        self.is_kept = False
        """Whether it moves the checkpoint. Partial and manual passes leave it where it is."""
        self.is_complete = False
        self._keeps = request.keep
        self._ceiling_s: float | None = None
        self._high = High()
        source = stream.source
        if request.ids:
            self.kind = "ids"
            if request.since is not None:
                raise RequestRefused(f"{stream.name}: the records are named, so `--since` says nothing beside `--ids`")
            if source.get is None:
                raise RequestRefused(f"{stream.name}: the source has no operation that reads one record, so no `--ids`")
        elif request.rollback is not None:
            self.kind = "rollback"
        elif request.records or request.gone or request.only_settle or request.only_held:
            self.kind = "records"
        elif request.since is not None:
            self.kind = "incremental"
            if source.since is None:
                raise RequestRefused(f"{stream.name}: the source has no filter for changed records, so no `--since`")
            self.since = since_parameter(request.since, source.since.format, 0)
        else:
            self.is_kept = request.limit is None
            self._begin(point, request)

    def _begin(self, point: Checkpoint, request: RunRequest) -> None:
        source = self._stream.source
        is_resumable = source.list.paging.style in _RESUMED or (
            source.partition is not None and source.partition.by == "parent"
        )
        if point.cursor is not None and not request.resync and is_resumable:
            self.cursor = msgspec.json.decode(point.cursor)
            self.since = point.since
            self._ceiling_s = point.ceiling
            self._high = High(point.high)
            self.began_s = point.began_at if point.began_at is not None else self.now
        elif (
            source.since is not None
            and point.watermark is not None
            and not (request.resync or request.everything or self._is_due(request))
        ):
            self.since = since_parameter(point.watermark, source.since.format, self._stream.overlap_s)
        self.kind = "full" if self.since is None else "incremental"

    def _is_due(self, request: RunRequest) -> bool:
        """Whether everything has to be read to find out what is gone."""
        deletes, last = self._stream.deletes, self._point.reconciled_at
        if deletes is None or deletes.found_by != "reconciliation":
            return False
        return request.allow_deletes or last is None or self.now - last >= deletes.every_s

    @property
    def is_reconciling(self) -> bool:
        """Whether what does not come in it is gone."""
        deletes = self._stream.deletes
        return (
            deletes is not None and deletes.found_by == "reconciliation" and self.is_kept and self.kind == "full"
        )  # fmt: skip

    def reconciled(self) -> Checkpoint:
        """What is gone has been dealt with."""
        self._point = replace(self._point, reconciled_at=self.began_s)
        return self._point

    @property
    def is_resumed(self) -> bool:
        """Whether it goes on where an earlier run ended."""
        return self.cursor is not None

    @property
    def goes_on(self) -> bool:
        """Whether the run after this one would begin where this one ends, and not read the same pages again."""
        return self.is_kept and self._stream.source.list.paging.style in _RESUMED

    def begin_again(self) -> None:
        """Forget the cursor: the source does not know it any more."""
        self.cursor = None

    def began_at(self, server_s: float) -> None:
        """The server's time when the pass began; the first one told counts."""
        if self._ceiling_s is None:
            self._ceiling_s = server_s

    def hold(self, version: str | None) -> None:
        """This state was not written, for an earlier one has no known outcome: the watermark stays before it."""
        seconds = seconds_of(version)
        if seconds is not None and (self._ceiling_s is None or seconds < self._ceiling_s):
            self._ceiling_s = seconds

    def see(self, version: str | None) -> None:
        """Take a record's version into account."""
        self._high.see(version)

    def see_all(self, versions: Iterable[str | None]) -> None:
        """Take the versions of many records into account."""
        self._high.see_all(versions)

    def after(self, next_cursor: Json | None, *, is_last: bool) -> Checkpoint:
        """The checkpoint when all records up to here have their fates."""
        point = self._point
        mapping = self._stream.mapping_digest
        if not self.is_kept:
            # A partial pass proves nothing about the rest.
            is_free = not point.mapping or self._keeps
            return replace(point, mapping=mapping if is_free else point.mapping)
        sees_in_order = self._stream.source.sorted_by_version
        watermark = self._watermark(point.watermark) if is_last or sees_in_order else point.watermark
        if is_last and point.partition:
            self.is_complete = True
            self._point = Checkpoint(
                stream=point.stream,
                partition=point.partition,
                high=self._high.version,
                ceiling=self._ceiling_s,
                mapping=mapping,
                done_at=self.now,
            )
        elif is_last:
            self.is_complete = True
            self._point = Checkpoint(
                stream=point.stream,
                watermark=watermark,
                mapping=mapping,
                indexed_at=point.indexed_at,
                reconciled_at=point.reconciled_at,
            )
        else:
            self._point = replace(
                point,
                cursor=msgspec.json.encode(next_cursor).decode(),
                since=self.since,
                high=self._high.version,
                ceiling=self._ceiling_s,
                watermark=watermark,
                mapping=mapping,
                began_at=self.began_s,
                crashes=0 if self.goes_on else point.crashes,
                suspect=None if self.goes_on else point.suspect,
            )
        return self._point

    def _watermark(self, before: str | None) -> str | None:
        high = High(before)
        high.see(capped(self._high.version, self._ceiling_s))
        return high.version

    def begun(self) -> Checkpoint:
        """One more start that has not ended yet."""
        self._point = replace(self._point, crashes=self._point.crashes + 1)
        return self._point

    def ended(self) -> Checkpoint | None:
        """The run ends and says so: what it counted as a crash was none. None when nothing has to be written.

        A partial run that ends well says nothing about the starts that ended reading everything.
        """
        if not self._point.crashes:
            return None
        before = self._found if not self.is_kept else None
        crashes, suspect = (before.crashes, before.suspect) if before is not None else (0, None)
        self._point = replace(self._point, crashes=crashes, suspect=suspect)
        return self._point

    def suspecting(self, suspect: str) -> Checkpoint:
        """This record is about to be read, so often already; should the process end now, it may be the cause."""
        self._point = replace(self._point, suspect=suspect)
        return self._point

    @property
    def crashes(self) -> int:
        """Starts before this one that ended without saying so."""
        return self._point.crashes

    @property
    def suspect(self) -> str | None:
        """The record that was being read when the last one did."""
        return self._point.suspect

    def indexed(self, now: float) -> Checkpoint:
        """The destination's match values have been read."""
        self._point = replace(self._point, indexed_at=now, mapping=self._stream.mapping_digest)
        return self._point
