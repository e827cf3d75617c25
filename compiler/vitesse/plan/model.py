"""IR 2: everything the package will do, decided; plain data.

Made by `plan.build`, read by `render`, which only spells it. Names here are final: Python identifiers are unique in their
scope and safe, module and file lists are in output order. Text from outside (wire names, paths, prose) is carried as plain
`str` and reaches Python only as a literal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from typing import Literal, TypeAlias

from ..api.model import Json
from ..frozen import dataclass

JsonPath: TypeAlias = tuple[str | int, ...]
"""Wire keys and list positions; the empty path is the whole value."""


# --- Python types and models ------------------------------------------------------------------------------------------

ScalarName: TypeAlias = Literal["str", "int", "Decimal", "bool", "date", "datetime", "bytes", "Any"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PyType:
    """The type of a model field: one of `scalar`, `model`, `items` (list), `values` (dict[str, …]) or `union` is set.

    `nullable` adds `| None`, `may_miss` adds `| MISSING` with `MISSING` as the default.
    """

    scalar: ScalarName | None = None
    model: str | None = None
    """Class name of a model: of the same module, or of `module`."""
    module: str | None = None
    """The module of `model`, where the type stands outside it: in a client."""
    items: PyType | None = None
    values: PyType | None = None
    union: tuple[PyType, ...] = ()
    """Two or more, none of them a union, nullable or `Any`: `Card | BankAccount`."""
    nullable: bool = False
    may_miss: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelField:
    """One field. Becomes one line of a class: `created_at: Annotated[str | None | MISSING, Field(alias="createdAt")] = MISSING`."""

    name: str
    wire_name: str
    type: PyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One class. `doc` is our own sentence; outside text never stands in it but for titles that passed as identifiers."""

    name: str
    doc: str
    fields: tuple[ModelField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelModule:
    """`models/<module>.py`: one record and the objects inside it; nested classes come first."""

    module: str
    doc: str
    reads: bool
    """True for records that are read (aliases validate), False for bodies that are written (aliases serialise)."""
    models: tuple[Model, ...]


# --- operations and clients -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingValue:
    """A fixed text, or an environment variable whose default is the text if there is one.

    Becomes `"2024-01"`, `Env("SHOPIFY_ACCESS_TOKEN", secret=True)` or `Env("API_VERSION", default="2024-01")`.
    """

    text: str | None = None
    env: str | None = None
    secret: bool = False


Style: TypeAlias = Literal["simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject", "json"]
FieldStyle: TypeAlias = Literal["form", "spaceDelimited", "pipeDelimited", "deepObject", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterPlan:
    argument: str
    name: str
    location: Literal["path", "query", "header", "cookie"]
    style: Style = "form"
    explode: bool = True
    reserved: bool = False
    """Whether reserved characters that mean nothing in a query are sent as they are: `a:b/c`, not `a%3Ab%2Fc`."""
    required: bool = False
    type: PyType
    """Of the Python argument; `may_miss` when it may be left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagingPlan:
    """As `runtime.declare.Paging`, member by member."""

    style: Literal["none", "link", "cursor", "page", "offset", "next_url", "since_id"] = "none"
    limit: str | None = None
    max: int | None = None
    cursor: str | None = None
    page: str | None = None
    first_page: int = 1
    offset: str | None = None
    next: JsonPath | None = None
    has_more: JsonPath | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessPlan:
    path: JsonPath
    equals: str | int | bool | None = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationPlan:
    """One used operation. Becomes a constant in `clients/<api>.py` and a method of its client."""

    id: str
    constant: str
    """`LIST_CUSTOMERS`."""
    method_name: str
    """`list_customers`; for a list operation the client also has `iter_customers`."""
    method: str
    path: str
    parameters: tuple[ParameterPlan, ...] = ()
    body: Literal["json", "form", "multipart", "raw"] | None = None
    """raw: bytes, or a text in UTF-8, that are sent as they are."""
    media_type: str = "application/json"
    encoding: tuple[tuple[str, FieldStyle, bool], ...] = ()
    """Of a form: (field, style, explode) of what is not written with brackets: `(("tags", "form", True),)`."""
    part_types: tuple[tuple[str, str], ...] = ()
    """Of a multipart form: (field, media type) of parts that are neither plain text nor bytes of any kind."""
    body_type: PyType | None = None
    """Of the typed body; None when anything that has a JSON form may be sent."""
    result: Literal["records", "record", "reply", "nothing"] = "reply"
    result_type: PyType | None = None
    """Of the record, or of each of the records: a type that can be named where it is read, so no union and nothing nullable."""
    records: JsonPath | None = None
    record: JsonPath = ()
    paging: PagingPlan = field(default_factory=PagingPlan)
    success: SuccessPlan | None = None
    idempotency_header: str | None = None
    headers: tuple[tuple[str, SettingValue], ...] = ()
    not_taken: tuple[JsonPath, ...] = ()
    """Of an update: parts of the stream's body that it has no place for."""
    repeats: tuple[tuple[JsonPath, str, Literal["string", "integer"]], ...] = ()
    """Of an update: (path in the body, path parameter that has the value, kind): `(("data", "id"), "id", "string")`."""
    asked: tuple[tuple[str, JsonPath, Literal["string", "integer", "number", "boolean"]], ...] = ()
    """Of a list that is asked for with a body: (name, path in the body, kind): `(("options.count", ("options", "count"), "integer"),)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthPlan:
    """`kind` picks the runtime's class: ApiKey(value, name, location, prefix), Basic(username, password), Bearer(token),
    OAuth2(token_url, client_id, client_secret, refresh_token, and the members below)."""

    kind: Literal["api_key", "basic", "bearer", "oauth2"]
    values: tuple[tuple[str, SettingValue], ...]
    """Keyword → setting, in the order of the runtime's class."""
    name: str | None = None
    location: Literal["header", "query", "cookie"] | None = None
    prefix: str = ""
    grant: Literal["client_credentials", "refresh_token"] | None = None
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    client_auth: Literal["basic", "body"] | None = None
    url_env: str | None = None
    """Of OAuth2: `CREDO_TOKEN_URL`, which replaces the token URL whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitPlan:
    per_s: float
    burst: int = 1
    used_header: str | None = None
    remaining_header: str | None = None
    reset_header: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPlan:
    """One system: `clients/<module>.py` with the API constant, its operations and the client class."""

    name: str
    title: str
    module: str
    """`shopify`."""
    constant: str
    """`SHOPIFY`."""
    client: str
    """`ShopifyClient`."""
    base_url: SettingValue
    variables: tuple[tuple[str, SettingValue], ...] = ()
    url_env: str
    """`SHOPIFY_BASE_URL`: replaces the base URL whole."""
    auth: AuthPlan | None = None
    rate_limit: RateLimitPlan | None = None
    headers: tuple[tuple[str, SettingValue], ...] = ()
    operations: tuple[OperationPlan, ...] = ()


# --- mappers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """`src.email` or, inside a `within`, `it.city`: a variable and attribute names."""

    variable: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A literal of the plan: JSON or a Decimal."""

    value: Json | Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionName:
    """A function passed as an argument: `apply(parse_iso8601_to_date, …)`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`to_decimal(src.total_spent, places=2)`. The name is imported by the module."""

    function: str
    arguments: tuple[Expression, ...] = ()
    keywords: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """`lambda it: it.city`, the second argument of `within`, `each`, `first`."""

    variable: str
    body: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list display: `[a, b]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Construct:
    """A model built from its fields, one a line. `Contact(email=src.email, …)`."""

    model: str
    fields: tuple[FilledField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledField:
    """One destination field and the expression that fills it. Becomes one line of a mapper: `email=src.email,`."""

    name: str
    value: Expression
    rule: str | None = None
    """Id of the rule it comes from (the destination path); None for the objects in between."""


Expression: TypeAlias = "Read | Constant | FunctionName | Call | Pick | Items | Construct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """`from <module> import <name>`. `module` is relative to the package: `_runtime.values`, `models.shopify_customer`,
    `custom.dates`, `_plugins.vitesse_shopify.timestamps`."""

    module: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A small function on the source record: `def source_identity(src: Customer) -> str: return text(src.id)`."""

    name: str
    doc: str
    returns: Literal["str", "str | None"]
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class MapperModule:
    """`mappers/<stream>.py`: one mapping function, one field a line, and the readers of identity, version and match."""

    module: str
    doc: str
    imports: tuple[Import, ...]
    """Sorted as isort does: by module, then name."""
    function: str
    """`to_contact`."""
    source_model: str
    destination_model: str
    body: Construct
    readers: tuple[Reader, ...]


# --- streams ----------------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePlan:
    """As `runtime.declare.SignatureScheme`, member by member."""

    header: str
    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    construction: Literal["hmac", "digest", "token"] = "hmac"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    content: str = "{body}"
    id_header: str | None = None
    id_path: JsonPath | None = None
    timestamp_header: str | None = None
    timestamp_prefix: str | None = None
    timestamp_path: JsonPath | None = None
    timestamp_unit: Literal["s", "ms", "iso8601"] = "s"
    tolerance_s: int | None = None
    separator: str | None = None
    secret_encoding: Literal["text", "base64", "whsec_base64"] = "text"
    url_unescaped: str = ""
    challenge_path: JsonPath | None = None
    challenge_reply: Literal["echo", "hmac"] = "echo"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationPlan:
    """How the source is asked to deliver."""

    operation: str
    """Constants of the operations."""
    list: str | None
    body: tuple[tuple[JsonPath, str | int | bool], ...]
    records: JsonPath = ()
    topic: JsonPath | None = None
    url: JsonPath | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPlan:
    topics: tuple[str, ...]
    scheme: SignaturePlan
    secret: SettingValue
    stream: str
    record: JsonPath = ()
    secrets: tuple[SettingValue, ...] = ()
    deleted_topics: tuple[str, ...] = ()
    topic_path: JsonPath | None = None
    register: RegistrationPlan | None = None


# --- the review's table -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """One line of MAPPING.md: what a reviewer reads about one rule. All of it is outside text but `transform`."""

    destination: str
    sources: tuple[str, ...]
    transform: str
    detail: str
    """Parameters and policies in words: `places=2, missing: omit`."""
    destination_type: str
    source_types: tuple[str, ...]
    state: str
    """`accepted by ana on 2026-11-21`, `open (draft)`."""
    notes: tuple[str, ...] = ()
    """Waived losses with their reasons."""
    sample: str = ""
    """One value in and out, `"19.90" → 19.90`; empty where the result is not certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTable:
    stream: str
    source: str
    """`GET /customers.json`."""
    source_api: str
    """The API's title."""
    destination: str
    destination_api: str
    rows: tuple[RuleRow, ...]
    waived: tuple[tuple[str, str], ...] = ()
    """Destination field → reason."""
    unfilled: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionRow:
    """One correction of a spec by its overlay. A line of MAPPING.md; all of it is outside text."""

    api: str
    target: str
    reason: str
    removes: bool = False


# --- mocks ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MockPlan:
    """Both mock APIs as one JSON value each, in the form `runtime_template/mocks` reads (documented there)."""

    source: Json
    destination: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringPlan:
    """What monitors are given with the package, as JSON values."""

    dashboard: Json
    """Becomes `deploy/grafana/dashboard.json`."""
    alert_rules: Json
    """Becomes `deploy/prometheus/alerts.yaml`."""


# --- the whole --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedFile:
    """A file that goes into the package as it is: `custom/dates.py`, `_plugins/vitesse_shopify/timestamps.py`."""

    path: str
    """Relative to the package's import folder (`src/<import name>/`)."""
    content: bytes
    origin: str
    """Where it came from, for the lock: `custom/dates.py`, `vitesse-shopify 0.1.0`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageNames:
    distribution: str
    """`shopify-credo`."""
    module: str
    """`shopify_credo`."""
    version: str
    python: str = "3.11"
    """The lowest Python it runs on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployPlan:
    target: str = "local"
    replicas: int = 1
    memory_mb: int = 512
    cpu_cores: float = 0.5
    auto_scale: bool = False
    port: int = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One package, decided."""

    names: PackageNames
    intent: str
    """The user's own sentence. Outside text."""
    contract: int
    """The runtime contract the derived code is written for."""
    draft: tuple[str, ...] = ()
    """Open rules that were compiled all the same (`stream.rule`); empty unless the build was a draft."""
    source: ApiPlan
    destination: ApiPlan
    models: tuple[ModelModule, ...]
    mappers: tuple[MapperModule, ...]
    streams: tuple[StreamPlan, ...]
    webhooks: tuple[WebhookPlan, ...] = ()
    retention: RetentionPlan = RetentionPlan()
    settings: tuple[SettingValue, ...] = ()
    """Every environment variable, sorted by name."""
    copied: tuple[CopiedFile, ...] = ()
    tables: tuple[StreamTable, ...] = ()
    corrections: tuple[CorrectionRow, ...] = ()
    """What overlays correct in the specs."""
    mocks: MockPlan
    monitoring: MonitoringPlan | None = None
    deploy: DeployPlan = field(default_factory=DeployPlan)
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Input file (relative to the integration's folder) → sha256 of its bytes; for the lock."""
