"""The streams of a manifest: how records match, who wins, what becomes of those that are gone, and when they run."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag

from ..forms import Form
from .operations import StreamDestination, StreamSource
from .schedules import check_schedule
from .texts import Name, PathText, Setting, check_length, matching, seconds, shape

_FIXED = re.compile(r"(?:source|destination)\..+", re.DOTALL)


class Match(Form):
    """One field that tells which destination record is the same thing as a source record."""

    source: PathText
    destination: PathText
    compare: tuple[Literal["trim", "lower", "casefold", "nfc", "digits"], ...] = ()


class Deletes(Form):
    """What a record that is gone at the source means at the destination."""

    mode: Literal["ignore", "soft", "hard"] = "ignore"
    """`soft` writes `set` with the update operation, `hard` takes the record away."""
    set: dict[PathText, str | int | bool | None] = Field(default_factory=dict)
    """Destination field path → what a soft delete writes there: `{status: archived}`."""
    found_by: Literal["reconciliation", "tombstone"] | None = None
    """`reconciliation`: a complete pass came without the record. `tombstone`: the record says it; so when `tombstone` is given."""
    tombstone: PathText | None = None
    """The source field that is neither absent nor null nor false when the record is gone: `deleted_at`."""
    brake: Annotated[float, Field(ge=0, le=1)] = 0.05
    """More than this share of the linked records, and more than ten, stop a run before the first delete."""
    every: Annotated[str, AfterValidator(check_length)] = "1 day"
    """How often a source that is read by changes is read whole to find out what is gone."""

    @property
    def by(self) -> Literal["reconciliation", "tombstone"]:
        """How a record that is gone is found."""
        return self.found_by or ("tombstone" if self.tombstone is not None else "reconciliation")

    @property
    def every_s(self) -> int:
        return seconds(self.every)


Hint: TypeAlias = Annotated[
    Annotated[PathText, Tag("(text)")] | Annotated[tuple[PathText, ...], Tag("(object)")], Discriminator(shape)
]
StrategyName: TypeAlias = Literal[
    "source_priority", "destination_priority", "manual_review", "merge_fields", "timestamp_based", "skip"
]


class Conflicts(Form):
    """Who wins what both sides changed since they last agreed. Source and destination are the integration's."""

    strategy: StrategyName = "source_priority"
    fields: dict[PathText, StrategyName] = Field(default_factory=dict)
    """Destination field path → a rule of its own."""
    otherwise: Literal["source_priority", "destination_priority", "manual_review", "timestamp_based"] = (
        "source_priority"
    )
    """Of `merge_fields`: who wins a field that both sides changed."""
    version: PathText | None = None
    """The destination's field that says when a record changed (`timestamp_based`)."""
    clock_skew: Annotated[str, AfterValidator(check_length)] | None = None
    """How far the clocks of both systems may be apart (`timestamp_based`). Closer changes wait for a person."""

    @property
    def clock_skew_s(self) -> int:
        """The skew in seconds."""
        return seconds(self.clock_skew) if self.clock_skew is not None else 0

    @property
    def is_plain(self) -> bool:
        """Whether the source wins without a look at the destination."""
        return self.strategy == "source_priority" and not self.fields

    @property
    def compares_times(self) -> bool:
        """Whether anything is decided by who changed it later."""
        by_default = self.strategy == "merge_fields" and self.otherwise == "timestamp_based"
        return by_default or "timestamp_based" in (self.strategy, *self.fields.values())


class Stream(Form):
    """Records of one source operation that go to one destination resource."""

    mode: Literal["upsert", "append"] = "upsert"
    """`append` never resends a write whose outcome is unknown."""
    intent: str = ""
    """What this stream is for, in a sentence; helps `map`."""
    source: StreamSource
    destination: StreamDestination
    match: tuple[Match, ...] = ()
    adopt: Literal["never", "on_conflict", "prefetch", "lookup"] = "on_conflict"
    """How an existing destination record is found at the first sync."""
    duplicates: Literal["dead", "first"] = "dead"
    """What becomes of a second source record with the same match value."""
    conflicts: Annotated[
        Annotated[StrategyName, Tag("(text)")] | Annotated[Conflicts, Tag("(object)")], Discriminator(shape)
    ] = "source_priority"
    """Who wins when both sides changed since they last agreed."""
    reverse_of: Name | None = None
    """The stream whose links this one shares: it reads the integration's destination and writes its source."""
    deletes: Annotated[
        Annotated[Literal["ignore", "soft", "hard"], Tag("(text)")] | Annotated[Deletes, Tag("(object)")],
        Discriminator(shape),
    ] = "ignore"
    """What becomes of a record that is gone at the source."""
    after: tuple[Name, ...] = ()
    """Streams that go first when all are run; those that a `lookup` names do so anyway."""
    parents: Literal["wait", "fetch", "dead"] = "wait"
    """A record that a `lookup` names and that has no link yet: hold this one, sync that one first, or a dead letter."""
    schedule: Annotated[str, AfterValidator(check_schedule)] | None = None
    """`hourly`, `daily`, `weekly`, `every 30 minutes`, or five cron fields and a zone: `0 6 * * 1-5 Europe/Berlin`."""
    overlap: Annotated[str, AfterValidator(check_length)] = "60 seconds"
    """How far an incremental run reaches back behind the watermark."""
    max_dead_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """More dead letters than this share of a run's records (and more than ten) stop the run."""
    rollback: bool = False
    """Keep what each write replaces, so that a run can be put back. Costs one read of the record before each update."""
    mask: tuple[PathText, ...] = ()
    """Source fields that nobody is shown in dead letters, samples, conflicts, history and logs."""
    parameters: dict[
        Annotated[str, matching(_FIXED, "a parameter of one side: `source.<name>` or `destination.<name>`")], Setting
    ] = Field(default_factory=dict)
    """Parameters that never change: `destination.realm-id`."""
    mapping_hints: dict[PathText, Hint] = Field(default_factory=dict)
    """Source field path → destination field path, or a list of them. Overrules what `map` would propose."""

    @property
    def rules_of_conflict(self) -> Conflicts:
        """The long form of `conflicts`."""
        return Conflicts(strategy=self.conflicts) if isinstance(self.conflicts, str) else self.conflicts

    def side(self, part: Literal["source", "destination"]) -> Literal["source", "destination"]:
        """Which system of the integration a part of the stream works with."""
        if self.reverse_of is None:
            return part
        return "destination" if part == "source" else "source"

    @property
    def overlap_s(self) -> int:
        """The overlap in seconds."""
        return seconds(self.overlap)

    @property
    def replaces(self) -> bool:
        """Whether an update replaces the record, as far as the manifest says."""
        update_is = self.destination.update_is
        is_put = self.destination.update is not None and self.destination.update.startswith("PUT ")
        return update_is == "replace" or (update_is is None and is_put)

    @property
    def removes(self) -> Deletes | None:
        """What is done about records that are gone; None when nothing is."""
        found = Deletes(mode=self.deletes) if isinstance(self.deletes, str) else self.deletes
        return None if found.mode == "ignore" else found
