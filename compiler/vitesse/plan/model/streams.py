"""What is synced: sources, destinations, who wins, what is deleted, for how long it is remembered."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ...frozen import dataclass
from .clients import SettingValue
from .types import JsonPath


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPlan:
    name: str
    value: SettingValue


@dataclass(frozen=True, slots=True, kw_only=True)
class SincePlan:
    parameter: str
    format: Literal["iso8601", "unix_s", "unix_ms", "date"] = "iso8601"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionPlan:
    """Cuts a pass into parts. Becomes `Partition(…)`."""

    by: Literal["window", "range", "parent"]
    first: str | None = None
    last: str | None = None
    size: int = 0
    start: str | int | None = None
    format: Literal["iso8601", "unix_s", "unix_ms", "date"] = "iso8601"
    stream: str | None = None
    parameter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePlan:
    list: str
    """Constant of the operation, as are all operation members below."""
    get: str | None = None
    get_argument: str = "id"
    model: str
    model_module: str
    identity: str
    """Name of the reader in the mapper module."""
    version: str | None = None
    since: SincePlan | None = None
    sorted_by_version: bool = False
    partition: PartitionPlan | None = None
    parameters: tuple[FixedPlan, ...] = ()
    exact_numbers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchPlan:
    source: str
    """Name of the reader in the mapper module."""
    destination: JsonPath
    """In a destination record, below any envelope."""
    compare: tuple[Literal["trim", "lower", "casefold", "nfc", "digits"], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPlan:
    operation: str
    parameters: tuple[tuple[str, str], ...]
    """(destination match field, parameter wire name)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    operation: str
    items: JsonPath
    max: int = 100
    results: JsonPath | None = None
    index: JsonPath | None = None
    status: JsonPath | None = None
    ok: tuple[str | int | bool, ...] = (200, 201, 204)
    identity: JsonPath | None = None
    error: JsonPath | None = None
    key: JsonPath = ()
    """Of a batch of updates: where an item names its record."""
    key_kind: Literal["string", "integer"] = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletesPlan:
    """As `runtime.declare.Deletes`, member by member."""

    mode: Literal["soft", "hard"]
    set: tuple[tuple[JsonPath, str | int | bool | None], ...] = ()
    found_by: Literal["reconciliation", "tombstone"] = "reconciliation"
    identity: JsonPath = ("id",)
    tombstone: JsonPath | None = None
    brake: float = 0.05
    every_s: int = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationPlan:
    model: str
    model_module: str
    create: str
    update: str | None = None
    update_argument: str = "id"
    update_is: Literal["replace", "merge"] = "merge"
    get: str | None = None
    get_argument: str = "id"
    list: str | None = None
    delete: str | None = None
    delete_argument: str = "id"
    find: FindPlan | None = None
    batch: BatchPlan | None = None
    batch_update: BatchPlan | None = None
    identity: JsonPath = ("id",)
    envelope: JsonPath = ()
    """Where the record stands in a written body: `("contact",)` for `{"contact": {…}}`."""
    never_sent: tuple[JsonPath, ...] = ()
    parameters: tuple[FixedPlan, ...] = ()


StrategyName: TypeAlias = Literal[
    "source_priority", "destination_priority", "manual_review", "merge_fields", "timestamp_based", "skip"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeFieldPlan:
    """As `runtime.declare.MergeField`."""

    name: str
    path: JsonPath
    inside: tuple[JsonPath, ...] = ()
    strategy: StrategyName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePlan:
    """As `runtime.declare.Merge`."""

    fields: tuple[MergeFieldPlan, ...]
    otherwise: Literal["source_priority", "destination_priority", "manual_review", "timestamp_based"] = (
        "source_priority"
    )
    version: JsonPath | None = None
    clock_skew_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """One stream. Becomes one constant in `app.py`."""

    name: str
    constant: str
    mapper_module: str
    mapper_function: str
    mode: Literal["upsert", "append"] = "upsert"
    source: SourcePlan
    destination: DestinationPlan
    match: tuple[MatchPlan, ...] = ()
    adopt: Literal["never", "on_conflict", "prefetch", "lookup"] = "on_conflict"
    duplicates: Literal["dead", "first"] = "dead"
    conflicts: StrategyName = "source_priority"
    merge: MergePlan | None = None
    """None: the destination is not read."""
    reverse_of: str | None = None
    schedule: str | None = None
    overlap_s: int = 60
    max_dead_share: float = 0.1
    rollback: bool = False
    mask: tuple[JsonPath, ...] = ()
    mask_destination: tuple[JsonPath, ...] = ()
    mapping_digest: str
    deletes: DeletesPlan | None = None
    after: tuple[str, ...] = ()
    lookups: tuple[str, ...] = ()
    """Streams whose links the mapper follows."""
    parents: Literal["wait", "fetch", "dead"] = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPlan:
    """As `runtime.declare.Retention`, member by member."""

    runs_s: int = 90 * 86_400
    history_s: int = 90 * 86_400
    dead_letters_s: int = 180 * 86_400
    deliveries_s: int = 7 * 86_400
    conflicts_s: int = 180 * 86_400
