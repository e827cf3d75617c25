"""What the state hands out and takes in, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple


class Link(NamedTuple):
    """A source record and the destination record it was last written to."""

    source_id: str
    destination_id: str | None
    hash: bytes
    version: str | None
    match: str | None
    gone_at: float | None = None
    """When the source record was found deleted."""


class IndexEntry(NamedTuple):
    """A destination record by its match value."""

    destination_id: str
    several: bool
    is_linked: bool = False
    """To a source record: the match value is one that it had before."""


class NewLink(NamedTuple):
    """One row of `links`, in the order of its statement."""

    stream: str
    source_id: str
    destination_id: str | None
    hash: bytes
    version: str | None
    match: str | None
    run_id: str
    written_at: float


class Gone(NamedTuple):
    """A link whose records are gone on both sides now, in the order of its statement."""

    gone_at: float
    hash: bytes
    run_id: str
    written_at: float
    of: str
    named: str


class Waiting(NamedTuple):
    """One row of `waiting`, in the order of its statement."""

    stream: str
    source_id: str
    parent_stream: str
    parent_id: str
    payload: bytes
    version: str | None
    since_at: float
    run_id: str


class NewBase(NamedTuple):
    """What both sides agree on after a write, for streams that keep it; in the order of its statement."""

    base: bytes | None
    destination_hash: bytes | None
    destination_version: str | None
    stream: str
    source_id: str


class NewChange(NamedTuple):
    """One row of `changes`, in the order of its statement; what the link was before is filled in from the link."""

    stream: str
    source_id: str
    destination_id: str | None
    run_id: str
    kind: str
    at: float
    mapping: str
    reason: str | None = None
    before: bytes | None = None
    loser: bytes | None = None
    with_base: int = 0
    """Without `before`: keep what both sides agreed on instead."""


class DeadLetter(NamedTuple):
    """One row of `dead_letters`, in the order of its statement."""

    id: str
    stream: str
    source_id: str
    version: str | None
    stage: str
    failure: str
    reason: str
    payload: bytes | None
    whole: bool
    attempts: int
    first_at: float
    last_at: float
    run_id: str
    mapping: str


class DriftRow(NamedTuple):
    """How often replies were not as described in one way, since it was last written down."""

    stream: str
    side: str
    path: str
    kind: str
    times: int
    first_at: float
    last_at: float
    run_id: str


class IntentRow(NamedTuple):
    """Requests that are about to be sent, or whose outcome is not known."""

    id: str
    stream: str
    run_id: str
    state: str
    requests: bytes
    made_at: float
    attempts: int = 0


class Known(NamedTuple):
    """What is remembered of a linked record beside its link, where streams merge."""

    source_id: str
    destination_id: str | None
    base: bytes | None
    """Sealed."""
    hash: bytes
    version: str | None
    match: str | None
    destination_version: str | None
    conflict: str | None
    """The open conflict about it."""
    written_at: float


class ConflictRow(NamedTuple):
    """A conflict that waits for a person, in the order of its statements."""

    id: str
    stream: str
    source_id: str
    destination_id: str | None
    base: bytes
    source: bytes
    destination: bytes
    fields: str
    made_at: float
    run_id: str
    strategy: str
    source_version: str | None
    destination_version: str | None
    link_hash: bytes | None


@dataclass(slots=True, kw_only=True)
class MergeOutcomes:
    """What a group of a stream that merges adds to its outcomes. All of it goes by the links' stream and source identity."""

    conflicts: list[ConflictRow] = field(default_factory=list)
    """Opened, or brought up to date."""
    closed: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(stream, source identity, resolution, by whom)."""
    unlinked: list[tuple[str, str]] = field(default_factory=list)
    """(stream, source identity) of records that are gone and were made again under another name."""
    told: list[tuple[str, str, str]] = field(default_factory=list)
    """(stream, source identity, run) of writes that are on record as losing something, and whose outcome is known now."""


@dataclass(slots=True, kw_only=True)
class Checkpoint:
    """How far a stream has come."""

    stream: str
    cursor: str | None = None
    since: str | None = None
    high: str | None = None
    ceiling: float | None = None
    watermark: str | None = None
    mapping: str = ""
    crashes: int = 0
    suspect: str | None = None
    indexed_at: float | None = None
    began_at: float | None = None
    reconciled_at: float | None = None
    done_at: float | None = None
    """Of a part."""
    partition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What to look up for the next group."""

    stream: str
    source_ids: Sequence[str]
    matches: Sequence[str] = ()
    index: bool = False
    """Also ask the index of the destination's match values."""
    merges: Literal["", "forward", "backward"] = ""
    """Also ask for what is remembered of both sides. backward: identities are those of the links' destination records."""
    beside: str = ""
    """The run that asks, when other replicas run parts of the stream beside it."""
    links_of: str = ""
    """The stream whose links these are, when it is another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found for a group."""

    links: Mapping[str, Link] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    """Match digest → the source record it is linked for."""
    index: Mapping[str, IndexEntry] = field(default_factory=dict)
    intents: Sequence[IntentRow] = ()
    in_flight: Sequence[IntentRow] = ()
    """What other runs of the stream have written down and not finished, when that was asked for."""
    is_cancelled: bool = False
    """Somebody asked the run to end."""
    known: Mapping[str, Known] = field(default_factory=dict)
    """By the identity that was looked up."""


@dataclass(slots=True, kw_only=True)
class Outcomes:
    """The fates of a finished group."""

    stream: str
    links: list[NewLink] = field(default_factory=list)
    kept: list[NewLink] = field(default_factory=list)
    """Links of records that were not written: who wrote them last, and when, stays."""
    bases: list[NewBase] = field(default_factory=list)
    unlinked: list[str] = field(default_factory=list)
    """Records that are linked to nothing any more: what made their links was put back."""
    changes: list[NewChange] = field(default_factory=list)
    """The ledger of all writes but first creations, which their links tell."""
    matches: list[tuple[str, str]] = field(default_factory=list)
    """(match digest, source identity) of links whose match value is new."""
    dead: list[DeadLetter] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    """Source records that are well now: their dead letters go."""
    finished: list[str] = field(default_factory=list)
    """Intents whose outcome is known."""
    unknown: list[IntentRow] = field(default_factory=list)
    """Intents that stay, because it is not."""
    drift: list[DriftRow] = field(default_factory=list)
    gone: list[Gone] = field(default_factory=list)
    """Links whose records were deleted."""
    seen: Sequence[str] = ()
    """Source records that came in the complete pass under way; empty text: one that nobody can name."""
    is_new_pass: bool = False
    """A complete pass begins: what came in earlier ones is forgotten."""
    aliases: list[NewLink] = field(default_factory=list)
    """Records that are the same thing as one that was written; under the stream's name with a `=` behind it."""
    waiting: list[Waiting] = field(default_factory=list)
    """Records that are held until another stream's record has a link."""
    released: list[str] = field(default_factory=list)
    """Records that are held no more, if they were."""
    merged: MergeOutcomes | None = None
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to run one stream. `token` grows with each holder; an older one can write nothing."""

    name: str
    holder: str
    token: int
    ttl_s: float
    over: Lease | None = None
    """Of a part: the stream's, under which it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One transaction of a run: the outcomes of one group, then look-up and intents of the next."""

    run_id: str
    lease: Lease
    step: int
    """Counts the commits of a run, from 1."""
    counts: Mapping[str, int]
    """All counts of the run so far, by column."""
    outcomes: Outcomes | None = None
    look: Look | None = None
    plan: Callable[[Found], Sequence[IntentRow]] | None = None
    """Makes the intents from what was found. Runs inside the transaction; must be repeatable."""


Record = Mapping[str, Any]
"""A row as it is shown: column → value."""
