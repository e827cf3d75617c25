"""integration.yaml → Manifest: what a person asks for, exactly as written.

The form of one integration: two systems, the streams between them, how it is deployed. Knows nothing of the specs; whether an
operation or a field exists is found out later, with places in both files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from .api.paths import PathSyntaxError, parse_path
from .diagnostics import Diagnostic, Place, raise_errors
from .forms import Form, check_form, form_schema, pointer, read_form

MANIFEST_FILE = "integration.yaml"

_ENV = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_OPERATION = re.compile(r"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|QUERY) \S.*", re.DOTALL)
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+){1,2}(?:(?:a|b|rc|\.dev|\.post)[0-9]+)?")
_FIXED = re.compile(r"(?:source|destination)\..+", re.DOTALL)
_DAY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_LENGTH = re.compile(r"([0-9]{1,6}) *(s|seconds?|m|minutes?|h|hours?|d|days?)")
_EVERY = re.compile(r"every ([1-9][0-9]{0,3}) (minute|hour|day)s?")
_CRON_FIELD = r"(?:\*|[0-9A-Za-z]+(?:-[0-9A-Za-z]+)?)(?:/[0-9]+)?"
_CRON = re.compile(
    rf"(?:{_CRON_FIELD}(?:,{_CRON_FIELD})* ){{4}}{_CRON_FIELD}(?:,{_CRON_FIELD})*(?: [A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+)*)?"
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _matching(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"`{value[:80]}` is not {what}")
        return value

    return AfterValidator(check)


def _check_path(value: str) -> str:
    try:
        parse_path(value)
    except PathSyntaxError as error:
        raise ValueError(str(error)) from None
    return value


EnvName = Annotated[str, _matching(_ENV, "a name for an environment variable: capitals, digits and `_`")]
Name = Annotated[str, _matching(_NAME, "a name: small letters and digits, with single `-` or `_` between")]
OperationId = Annotated[str, _matching(_OPERATION, "an operation: a method and a path as published, `GET /customers`")]
PathText = Annotated[str, AfterValidator(_check_path)]
Zone = Annotated[
    str, _matching(re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+)*"), "a time zone such as `Europe/Berlin`")
]


class Env(Form):
    """A value that is read from the environment when the package starts."""

    env: EnvName
    default: str | None = None


def _shape(value: Any) -> str:
    return "(text)" if isinstance(value, str) else "(object)"


Setting: TypeAlias = Annotated[Annotated[str, Tag("(text)")] | Annotated[Env, Tag("(object)")], Discriminator(_shape)]
"""A fixed text or an environment variable."""


_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_ADDRESS = re.compile(r"(?:https?://|\{)[^\x00-\x20\x7f\"<>\\^`|#\u0085\u2028\u2029]+", re.IGNORECASE)
_NOT_IN_A_LINE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u0085\u2028\u2029]")
HeaderName = Annotated[str, _matching(_HEADER, "a header's name")]


def _text_of(value: str | Env) -> str:
    return value if isinstance(value, str) else value.default or ""


def _check_line(value: str | Env) -> str | Env:
    if _NOT_IN_A_LINE.search(_text_of(value)):
        raise ValueError("a header holds no line break and no other control character")
    return value


def _check_address(value: str | Env) -> str | Env:
    text = _text_of(value)
    if text and not _ADDRESS.fullmatch(text):
        raise ValueError(f"`{text[:80]}` is not an address: `https://…` without blanks, quotes or `#`")
    return value


_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,500}")


def _check_token_address(value: str | Env) -> str | Env:
    return value if _text_of(value).startswith("/") else _check_address(value)


class Auth(Form):
    """How to sign in. The kind comes from the spec's security scheme of that name; `kind` is for specs that have none or a wrong one."""

    scheme: str | None = None
    """The name of a security scheme in the spec."""
    kind: Literal["api_key", "basic", "bearer", "oauth2"] | None = None
    token: Setting | None = None
    """Of a bearer token or an API key."""
    key: Setting | None = None
    """Of an API key; the same as `token`."""
    username: Setting | None = None
    password: Setting | None = None
    header: HeaderName | None = None
    """The header that an API key goes into, when no scheme of the spec says it."""
    query: str | None = None
    """The query parameter that an API key goes into, when no scheme of the spec says it."""
    prefix: Annotated[str, AfterValidator(_check_line)] = ""
    """What stands before an API key in its header: `Token `."""
    client_id: Setting | None = None
    """Of OAuth2: what the client is called. It makes the kind `oauth2`."""
    client_secret: Env | None = None
    """Of OAuth2; left out for a public client."""
    refresh_token: Env | None = None
    """Of OAuth2: the first refresh token. Left out when `token sign-in` brings it."""
    grant: Literal["client_credentials", "refresh_token"] | None = None
    """Of OAuth2: the scheme's flow when it is left out, where it has one."""
    token_url: Annotated[Setting, AfterValidator(_check_token_address)] | None = None
    """Of OAuth2: where tokens are fetched; the scheme's when it is left out."""
    scopes: tuple[Annotated[str, _matching(_SCOPE, "a scope: no blanks, quotes or backslashes")], ...] = ()
    """Of OAuth2: asked for with each token."""
    audience: str | None = None
    """Of OAuth2: sent as `audience` where it is given."""
    client_auth: Literal["basic", "body"] | None = None
    """Of OAuth2: where the client's credential goes, the `Authorization` header (default) or the form."""

    @property
    def is_oauth2(self) -> bool:
        return self.client_id is not None

    @model_validator(mode="after")
    def _one_credential(self) -> Auth:
        fetched = [self.client_secret, self.refresh_token, self.grant, self.token_url, self.audience, self.client_auth]
        if self.client_id is None and (
            self.kind == "oauth2" or self.scopes or any(each is not None for each in fetched)
        ):
            raise ValueError("OAuth2 takes a `client_id`")
        if self.is_oauth2:
            return self._fetched()
        pair = self.username is not None or self.password is not None
        given = [self.token is not None, self.key is not None, pair]
        if sum(given) != 1:
            raise ValueError("give one credential: `token`, `key`, or `username` with `password`")
        if pair and (self.username is None or self.password is None):
            raise ValueError("`username` and `password` belong together")
        if self.scheme is None and self.kind is None:
            raise ValueError("name a `scheme` of the spec, or a `kind`: `api_key`, `basic` or `bearer`")
        if self.header is not None and self.query is not None:
            raise ValueError("a key goes into one place: `header` or `query`")
        if self.kind == "api_key" and self.scheme is None and self.header is None and self.query is None:
            raise ValueError("a key without a scheme needs a `header` or a `query` parameter to go into")
        if self.kind == "basic" and not pair:
            raise ValueError("the kind `basic` takes `username` and `password`")
        if pair and self.kind in ("api_key", "bearer"):
            raise ValueError(f"the kind `{self.kind}` takes a `token` or a `key`")
        return self

    def _fetched(self) -> Auth:
        given = (self.token, self.key, self.username, self.password, self.header, self.query)
        if any(each is not None for each in given) or self.prefix:
            raise ValueError("OAuth2 takes `client_id` and what belongs to it, and no other credential")
        if self.kind not in (None, "oauth2"):
            raise ValueError(f"the kind `{self.kind}` takes no `client_id`")
        if self.scheme is None and self.token_url is None:
            raise ValueError("OAuth2 needs the `scheme` of the spec that says it, or a `token_url`")
        if self.grant == "client_credentials" and self.refresh_token is not None:
            raise ValueError("the grant `client_credentials` takes no `refresh_token`")
        if self.grant == "client_credentials" and self.client_secret is None:
            raise ValueError("the grant `client_credentials` needs a `client_secret`")
        return self

    @property
    def secret(self) -> Setting | None:
        """The token or key."""
        return self.token if self.token is not None else self.key


LimitName: TypeAlias = Literal[
    "document_bytes", "nodes", "depth", "aliases", "alias_growth", "integer_digits", "files", "ref_chain", "schemas", "schema_depth",
    "operations", "parameters", "enum_values", "name_characters",
]  # fmt: skip
"""A bound of `vitesse.openapi.limits.Limits`."""


class System(Form):
    """One API: which one, where it is, how to sign in."""

    api: Name
    """Names its files: `specs/<api>.yaml` and `facts/<api>.yaml`."""
    spec: str | None = None
    """The spec's file below `specs/`, when it is not named after the API."""
    title: str | None = None
    """What people call it; the spec's title when it is left out."""
    base_url: Annotated[Setting, AfterValidator(_check_address)] | None = None
    """With `{name}` for each of `variables`; the spec's first server when it is left out."""
    variables: dict[str, Setting] = Field(default_factory=dict)
    auth: Auth | None = None
    headers: dict[HeaderName, Annotated[Setting, AfterValidator(_check_line)]] = Field(default_factory=dict)
    """Sent with every request."""
    timezone: Zone | None = None
    """The zone of dates and times that name none."""
    limits: dict[LimitName, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
    """How large its description may be, where it passes a bound and you trust where it comes from: `{nodes: 4000000}`."""


class Since(Form):
    """The list operation's filter on `version`."""

    parameter: str
    format: Literal["iso8601", "unix_s", "unix_ms", "date"] = "iso8601"


class DefinedField(Form):
    """One field that the manifest lists."""

    type: Literal["text", "integer", "decimal", "boolean", "date", "datetime", "choice", "list", "json"] = "text"
    """What it holds. Where the description says that all values are texts, a number is one of digits."""
    description: str = ""
    choices: tuple[str, ...] = ()
    """The values of a `choice`, or of the entries of a `list`."""
    max_length: Annotated[int, Field(ge=1)] | None = None
    required: bool = False
    read_only: bool = False
    nullable: bool | None = None
    """Whether it may be null. When it is left out: as the description says of all values, and null where it is read and not set."""


class ListedFields(Form):
    """The fields of records that are bags of properties, or have one: which there are is not in the description."""

    reply: (
        Annotated[str, _matching(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.(json|ya?ml)"), "a file in `fields/`")] | None
    ) = None
    """A file in `fields/`: the saved reply of the vendor's operation that lists them."""
    records: PathText | None = None
    """Where the list is in the reply; the longest list of named objects when it is left out."""
    name: str | None = None
    """What an entry of the list calls its field: `name`, `schema.key`; found by the usual names when it is left out."""
    type: str | None = None
    """What an entry calls its type."""
    define: dict[str, DefinedField] = Field(default_factory=dict)
    """Fields written out here; they win over those of the reply."""
    ask: str | None = None
    """The query parameter that names the fields wanted: `properties`. It is sent with those that are used."""


class Partition(Form):
    """How a pass over everything is cut into parts that replicas share."""

    by: Literal["window", "range", "parent"]
    """`window`: a time that does not change. `range`: a whole number that does not change. `parent`: another stream's records."""
    first: Annotated[str | None, Field(alias="from")] = None
    """The list's parameter for a part's lower bound: `created_at_min`, `id_min`. What stands on the bound is included."""
    last: Annotated[str | None, Field(alias="to")] = None
    """The one for its upper bound. Without it each part is read to the end, which only `by: range` with paging bears."""
    size: Annotated[int, Field(ge=1)] | str | None = None
    """Of a window, a length of time: `30 days`. Of a range, how many numbers: `100000`."""
    start: Annotated[int, Field(ge=0)] | Annotated[str, _matching(_DAY, "a day: `2015-01-01`")] | None = None
    """Where the first part begins: a day, or a number. What lies before is not read."""
    format: Literal["iso8601", "unix_s", "unix_ms", "date"] | None = None
    """How a time is written; as the description says when it is left out."""
    stream: str | None = None
    """Of `by: parent`: the stream whose records have a list each."""
    parameter: str | None = None
    """Of `by: parent`: the list's parameter that takes such a record's identity."""

    @property
    def size_s(self) -> int | None:
        """The size of a window in seconds; None when it is not a length of time."""
        return _seconds(self.size) if isinstance(self.size, str) and _LENGTH.fullmatch(self.size) else None


class StreamSource(Form):
    """Where a stream's records come from."""

    list: OperationId
    get: OperationId | None = None
    identity: PathText | None = None
    """The field that names the record; the fact's when it is left out."""
    version: PathText | None = None
    """The field that orders a record's states."""
    since: (
        Annotated[Annotated[str, Tag("(text)")] | Annotated[Since, Tag("(object)")], Discriminator(_shape)] | None
    ) = None
    """The query parameter that filters on `version`."""
    partition: Partition | None = None
    """Cuts a pass over everything into parts."""
    fields: dict[PathText, ListedFields] = Field(default_factory=dict)
    """Where a record holds properties under free names (`properties`; empty for the record itself) → which there are."""


class Find(Form):
    """Looks up destination records by match value."""

    operation: OperationId
    by: dict[
        PathText, Annotated[str, _matching(re.compile(r"query\..+", re.DOTALL), "a query parameter: `query.email`")]
    ] = Field(min_length=1)
    """Destination field path → `query.<parameter>`."""


class Batch(Form):
    """Writes many records with one request."""

    operation: OperationId
    max: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Records a request; the fact's when it is left out."""


class StreamDestination(Form):
    """Where a stream's records go."""

    create: OperationId
    update: OperationId | None = None
    update_is: Literal["replace", "merge"] | None = None
    """PATCH merges, PUT replaces, unless a fact or this line says otherwise."""
    get: OperationId | None = None
    list: OperationId | None = None
    delete: OperationId | None = None
    find: Find | None = None
    batch: (
        Annotated[Annotated[OperationId, Tag("(text)")] | Annotated[Batch, Tag("(object)")], Discriminator(_shape)]
        | None
    ) = None
    """Creates many records with one request."""
    batch_update: (
        Annotated[Annotated[OperationId, Tag("(text)")] | Annotated[Batch, Tag("(object)")], Discriminator(_shape)]
        | None
    ) = None
    """Updates many records with one request, each named in its item."""
    identity: PathText | None = None
    """The field of a written record that names it; the fact's when it is left out."""
    fields: dict[PathText, ListedFields] = Field(default_factory=dict)
    """Where a written body holds properties under free names → which there are."""

    @property
    def batches(self) -> tuple[str, ...]:
        """The operations that write many records with one request."""
        given = (one for one in (self.batch, self.batch_update) if one is not None)
        return tuple(dict.fromkeys(one.operation if isinstance(one, Batch) else one for one in given))


class Match(Form):
    """One field that tells which destination record is the same thing as a source record."""

    source: PathText
    destination: PathText
    compare: tuple[Literal["trim", "lower", "casefold", "nfc", "digits"], ...] = ()


def _check_length(value: str) -> str:
    if not _LENGTH.fullmatch(value):
        raise ValueError(f"`{value[:80]}` is not a length of time such as `90 seconds` or `5 minutes`")
    return value


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
    every: Annotated[str, AfterValidator(_check_length)] = "1 day"
    """How often a source that is read by changes is read whole to find out what is gone."""

    @property
    def by(self) -> Literal["reconciliation", "tombstone"]:
        """How a record that is gone is found."""
        return self.found_by or ("tombstone" if self.tombstone is not None else "reconciliation")

    @property
    def every_s(self) -> int:
        return _seconds(self.every)


def _seconds(length: str) -> int:
    found = _LENGTH.fullmatch(length)
    assert found is not None
    return int(found[1]) * _SECONDS[found[2][0]]


def _check_schedule(value: str) -> str:
    if value in ("hourly", "daily") or _EVERY.fullmatch(value) or _CRON.fullmatch(value):
        return value
    raise ValueError(
        f"`{value[:80]}` is not a schedule: `hourly`, `daily`, `every 30 minutes`, or five cron fields with a zone "
        "such as `0 6 * * 1-5 Europe/Berlin`"
    )


Hint: TypeAlias = Annotated[
    Annotated[PathText, Tag("(text)")] | Annotated[tuple[PathText, ...], Tag("(object)")], Discriminator(_shape)
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
    clock_skew: Annotated[str, AfterValidator(_check_length)] | None = None
    """How far the clocks of both systems may be apart (`timestamp_based`). Closer changes wait for a person."""

    @property
    def clock_skew_s(self) -> int:
        """The skew in seconds."""
        return _seconds(self.clock_skew) if self.clock_skew is not None else 0

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
        Annotated[StrategyName, Tag("(text)")] | Annotated[Conflicts, Tag("(object)")], Discriminator(_shape)
    ] = "source_priority"
    """Who wins when both sides changed since they last agreed."""
    reverse_of: Name | None = None
    """The stream whose links this one shares: it reads the integration's destination and writes its source."""
    deletes: Annotated[
        Annotated[Literal["ignore", "soft", "hard"], Tag("(text)")] | Annotated[Deletes, Tag("(object)")],
        Discriminator(_shape),
    ] = "ignore"
    """What becomes of a record that is gone at the source."""
    after: tuple[Name, ...] = ()
    """Streams that go first when all are run; those that a `lookup` names do so anyway."""
    parents: Literal["wait", "fetch", "dead"] = "wait"
    """A record that a `lookup` names and that has no link yet: hold this one, sync that one first, or a dead letter."""
    schedule: Annotated[str, AfterValidator(_check_schedule)] | None = None
    overlap: Annotated[str, AfterValidator(_check_length)] = "60 seconds"
    """How far an incremental run reaches back behind the watermark."""
    max_dead_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """More dead letters than this share of a run's records (and more than ten) stop the run."""
    rollback: bool = False
    """Keep what each write replaces, so that a run can be put back. Costs one read of the record before each update."""
    mask: tuple[PathText, ...] = ()
    """Source fields that nobody is shown in dead letters, samples, conflicts, history and logs."""
    parameters: dict[
        Annotated[str, _matching(_FIXED, "a parameter of one side: `source.<name>` or `destination.<name>`")], Setting
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
        return _seconds(self.overlap)

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


class Retention(Form):
    """How long what is over is kept. Links, open letters, open conflicts and waiting deliveries are kept as long as they are that."""

    runs: Annotated[str, AfterValidator(_check_length)] = "90 days"
    history: Annotated[str, AfterValidator(_check_length)] = "90 days"
    """The ledger of changes with what they replaced, and the audit."""
    dead_letters: Annotated[str, AfterValidator(_check_length)] = "180 days"
    """Discarded ones."""
    deliveries: Annotated[str, AfterValidator(_check_length)] = "7 days"
    """Of webhooks, once they are carried out. A vendor that goes on delivering for longer makes a repetition look new."""
    conflicts: Annotated[str, AfterValidator(_check_length)] = "180 days"
    """Resolved ones."""

    def lengths_s(self) -> dict[str, int]:
        """Each in seconds."""
        return {name: _seconds(getattr(self, name)) for name in type(self).model_fields}


class SignatureScheme(Form):
    """How a sender signs: an HMAC over `content`, a template of `{body}`, `{id}`, `{ts}`, `{method}`, `{url}`, `{form}`, `{secret}`."""

    header: str
    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    construction: Literal["hmac", "digest", "token"] = "hmac"
    """digest: a plain hash of `content`, which then holds `{secret}`. token: the header is the secret itself."""
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    """Before the signature."""
    content: str = "{body}"
    id_header: str | None = None
    """The header that names a delivery."""
    id_path: PathText | None = None
    """The field of the body that names a delivery."""
    timestamp_header: str | None = None
    timestamp_prefix: str | None = None
    """The timestamp is a part of the signature header and begins so: `t=`."""
    timestamp_path: PathText | None = None
    """The timestamp is in the body."""
    timestamp_unit: Literal["s", "ms", "iso8601"] = "s"
    tolerance_s: Annotated[int, Field(ge=1, le=86400)] | None = None
    separator: str | None = None
    """Between several signatures in one header."""
    secret_encoding: Literal["text", "base64", "whsec_base64"] = "text"
    url_unescaped: str = ""
    """Characters whose percent escapes are decoded in `{url}` before it is signed."""
    challenge_path: PathText | None = None
    """A delivery with text here is a handshake."""
    challenge_reply: Literal["echo", "hmac"] = "echo"


class Registration(Form):
    """How the source is asked to deliver: by `webhooks register` of the package, which leaves alone what is there."""

    operation: OperationId
    """Makes one registration: `POST /webhooks.json`."""
    list: OperationId | None = None
    """Lists those that there are; without it nothing is known of them, and what is there twice is the vendor's to refuse."""
    body: Annotated[dict[PathText, str | int | bool], Field(min_length=1)]
    """Field path of the body → a value; `{topic}`, `{topics}` and `{url}` stand for the delivery's own. With `{topics}` one
    registration takes all of them."""
    records: PathText = ""
    """Where the list is in what `list` answers; empty for the whole reply."""
    topic: PathText | None = None
    """Where a listed registration says its topic, or its topics."""
    url: PathText | None = None
    """Where it says the URL."""


class Webhook(Form):
    """Deliveries of the source that sync one record each."""

    topics: Annotated[tuple[str, ...], Field(min_length=1)]
    deleted_topics: tuple[str, ...] = ()
    """Topics that tell of a deletion."""
    scheme: Annotated[
        Annotated[Name, Tag("(text)")] | Annotated[SignatureScheme, Tag("(object)")], Discriminator(_shape)
    ]
    """The name of a known scheme, such as `standard`, or one written out."""
    secret: Env
    further_secrets: tuple[Env, ...] = ()
    """More secrets that count while one is rotated."""
    topic_path: PathText | None = None
    """Where the body names its topic, when one URL takes all."""
    stream: Name
    record: PathText = ""
    """Where the changed record is in the body; empty for the whole body."""
    register_: Annotated[Registration | None, Field(alias="register")] = None
    """Where the API has an operation that registers webhooks."""


class Deploy(Form):
    """Where the package runs. `local`, `eks`, `ecs`, or the target of a plugin."""

    target: Name = "local"
    replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    memory_mb: Annotated[int, Field(ge=64, le=1_048_576)] = 512
    cpu_cores: Annotated[float, Field(gt=0, le=256)] = 0.5
    auto_scale: bool = False
    port: Annotated[int, Field(ge=1024, le=65535)] = 8080
    database: Literal["sqlite", "postgresql"] | None = None
    """What keeps the state: SQLite for one local replica, PostgreSQL for anything else. Decided by target and replicas when it
    is left out."""

    @property
    def needs_postgresql(self) -> bool:
        return self.replicas > 1 or self.auto_scale or self.target != "local"


class ReviewPolicy(Form):
    """Accepts proposals by their confidence; such an acceptance is recorded as `by: policy`."""

    accept_above: Annotated[float, Field(ge=0.5, le=1)]


ModelName = Annotated[
    str,
    _matching(
        re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}"), "a model's name, such as `gpt-5-mini` or `qwen3:8b`"
    ),
]


class Prices(Form):
    """What a million tokens cost, in any one currency."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]


class LanguageModel(Form):
    """Which models `map --llm` asks. Where they are and the key come from the command line and the environment, never from here."""

    model: ModelName | None = None
    """Ranks and explains: `--model` when it is left out."""
    embeddings: ModelName | None = None
    """A model for embeddings that finds further candidates; none are used when it is left out."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Sent and answered, over one run."""
    max_cost: Annotated[float, Field(ge=0)] | None = None
    """Of one run, in the currency of `price`."""
    price: Prices | None = None


class Manifest(Form):
    """One integration: what goes from where to where, and how."""

    vitesse: Literal[1]
    """The version of this form."""
    name: Name
    """Names the package: distribution `shopify-credo`, import `shopify_credo`."""
    version: Annotated[str, _matching(_VERSION, "a version such as `0.1.0`")] = "0.1.0"
    intent: str = ""
    """What the integration is for, in a sentence."""
    python: Literal["3.11", "3.12", "3.13", "3.14"] = "3.11"
    """The lowest Python that the package runs on."""
    models: Literal["narrow", "full"] = "narrow"
    """`narrow` models hold the mapped and identifying fields only, `full` ones every field of the used operations."""
    review: Annotated[
        Annotated[Literal["required"], Tag("(text)")] | Annotated[ReviewPolicy, Tag("(object)")],
        Discriminator(_shape),
    ] = "required"
    plugins: tuple[
        Annotated[str, _matching(re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"), "a plugin's name")], ...
    ] = ()
    """Only these are loaded."""
    source: System
    destination: System
    streams: Annotated[dict[Name, Stream], Field(min_length=1)]
    webhooks: tuple[Webhook, ...] = ()
    retention: Retention = Retention()
    deploy: Deploy = Deploy()
    llm: LanguageModel = LanguageModel()

    @property
    def module(self) -> str:
        """The import name."""
        return self.name.replace("-", "_")


def load_manifest(folder: Path) -> Manifest:
    """Read `integration.yaml` of an integration's folder.

    Raises:
        DiagnosticError: V001 to V006 for what is not as the form asks, V007 and V008 for what contradicts itself.
    """
    manifest = check_form(Manifest, read_form(folder, MANIFEST_FILE), MANIFEST_FILE)
    raise_errors(_contradictions(manifest))
    return manifest


def manifest_schema() -> Mapping[str, Any]:
    """The JSON Schema of the form, for editors."""
    schema = form_schema(Manifest)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "integration.yaml",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _contradictions(manifest: Manifest) -> list[Diagnostic]:
    return [
        *_deploy(manifest.deploy),
        *(found for name, stream in manifest.streams.items() for found in _stream(name, stream)),
        *(found for index, webhook in enumerate(manifest.webhooks) for found in _webhook(index, webhook, manifest)),
        *_order(manifest),
        *(found for name, stream in manifest.streams.items() for found in conflict_faults(name, stream, manifest)),
        *_same_api(manifest),
    ]


def _deploy(deploy: Deploy) -> list[Diagnostic]:
    if not deploy.needs_postgresql or deploy.database == "postgresql":
        return []
    if deploy.database is None and deploy.target != "local":
        return []
    why = "more than one replica" if deploy.replicas > 1 or deploy.auto_scale else f"the target `{deploy.target}`"
    return [
        _fault(
            "V007",
            f"{why} cannot share a SQLite file",
            ("deploy", "database" if deploy.database else "replicas"),
            help="set `database: postgresql`, or run one replica locally",
        )
    ]


def _stream(name: str, stream: Stream) -> list[Diagnostic]:
    at = ("streams", name)
    destination = stream.destination
    faults = []
    if stream.mode == "append" and destination.update is not None:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` appends and names an `update` operation",
                (*at, "destination", "update"),
                help="remove `update`, or set `mode: upsert`",
            )
        )
    if stream.mode == "upsert" and destination.update is None:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` upserts but names no `update` operation",
                (*at, "destination"),
                help="add `update`, or set `mode: append` when records never change",
            )
        )
    if stream.adopt in ("prefetch", "lookup") and not stream.match:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` adopts by `{stream.adopt}` but nothing says how records match",
                (*at, "adopt"),
                help="add `match: [{source: …, destination: …}]`, or set `adopt: never`",
            )
        )
    if stream.adopt == "lookup" and destination.find is None:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` adopts by `lookup` but has no `find` operation",
                (*at, "adopt"),
                help="add `find` to the destination, or set `adopt: prefetch`",
            )
        )
    if stream.adopt == "prefetch" and destination.list is None and destination.find is None:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` adopts by `prefetch` but has no `list` operation",
                (*at, "adopt"),
                help="add `list` to the destination, or set `adopt: on_conflict`",
            )
        )
    faults += _removal(name, stream)
    if destination.batch_update is not None and destination.update is None:
        faults.append(
            _fault(
                "V008",
                f"the stream `{name}` updates in batches but names no `update` operation",
                (*at, "destination", "batch_update"),
                help="add `update`: what a batch leaves open is updated alone",
            )
        )
    if stream.rollback and (why := _not_put_back(name, stream)) is not None:
        faults.append(
            _fault("V008", f"the stream `{name}` is to be rolled back, and {why[0]}", (*at, "rollback"), help=why[1])
        )
    matched = {match.destination for match in stream.match}
    for field in destination.find.by if destination.find else ():
        if field not in matched:
            faults.append(
                _fault(
                    "V008",
                    f"the stream `{name}` finds records by `{field}`, which is not a `match` field",
                    (*at, "destination", "find", "by", field),
                    help=f"add a `match` with `destination: {field}`",
                )
            )
    return faults


def _removal(name: str, stream: Stream) -> list[Diagnostic]:
    """What contradicts a stream's deletes."""
    deletes, destination = stream.removes, stream.destination
    if deletes is None:
        return []
    wrong: list[tuple[str, str]] = []
    if stream.mode == "append":
        wrong.append(("appends, so nothing of it is ever deleted", "remove `deletes`, or set `mode: upsert`"))
    if deletes.mode == "hard" and destination.delete is None:
        wrong.append(("deletes but names no `delete` operation", "add `delete` to the destination, or delete softly"))
    if deletes.mode == "soft" and (destination.update is None or not deletes.set):
        wrong.append(("deletes softly but does not say what is written then", "add `update` and `set: {field: value}`"))
    if deletes.mode == "hard" and deletes.set:
        wrong.append(("takes records away and writes into them", "remove `set`, or write `mode: soft`"))
    if deletes.by == "tombstone" and deletes.tombstone is None:
        wrong.append(("deletes by tombstone but names no field that is one", "add `tombstone: <source field>`"))
    if deletes.by == "reconciliation" and deletes.tombstone is not None:
        wrong.append(("names a tombstone and finds deletes by reconciliation", "remove one of the two"))
    return [
        _fault("V008", f"the stream `{name}` {what}", ("streams", name, "deletes"), help=help) for what, help in wrong
    ]


def _order(manifest: Manifest) -> list[Diagnostic]:
    """`after` names other streams."""
    faults = []
    for name, stream in manifest.streams.items():
        for index, first in enumerate(stream.after):
            if first == name or first not in manifest.streams:
                others = ", ".join(other for other in manifest.streams if other != name) or "none"
                faults.append(
                    _fault(
                        "V008",
                        f"the stream `{name}` comes after `{first}`, which is no other stream",
                        ("streams", name, "after", index),
                        help=f"name other streams: {others}",
                    )
                )
    return faults


def _not_put_back(name: str, stream: Stream) -> tuple[str, str] | None:
    """Why what a run of the stream wrote could not be put back, and the way out."""
    if stream.mode == "append":
        return "appends: nothing is replaced", "leave `rollback` out"
    if stream.destination.get is None:
        return (
            "has no `get` operation to see what a write replaces",
            "add `get` to the destination, or leave `rollback` out",
        )
    return None


def _webhook(index: int, webhook: Webhook, manifest: Manifest) -> list[Diagnostic]:
    found = _registration(index, webhook)
    if webhook.stream in manifest.streams:
        return found
    return [
        *found,
        _fault(
            "V008",
            f"a webhook goes to the stream `{webhook.stream}`, which is not there",
            ("webhooks", index, "stream"),
            help=f"name one of the streams: {', '.join(manifest.streams)}",
        ),
    ]


def _registration(index: int, webhook: Webhook) -> list[Diagnostic]:
    register = webhook.register_
    if register is None:
        return []
    at = ("webhooks", index, "register")
    said = " ".join(str(value) for value in register.body.values())
    wrong = []
    if "{url}" not in said:
        wrong.append(("says nowhere where deliveries go", "give one field of `body` the value `{url}`"))
    if register.list is not None and register.url is None:
        wrong.append(("lists what there is and does not say where the URL stands in it", "add `url: <field>`"))
    return [_fault("V008", f"the registration of a webhook {what}", at, help=help) for what, help in wrong]


def conflict_faults(name: str, stream: Stream, manifest: Manifest) -> list[Diagnostic]:
    """What is wrong with `conflicts` and `reverse_of`."""
    at, rule, faults = ("streams", name), stream.rules_of_conflict, list[Diagnostic]()

    def fault(message: str, *steps: str, help: str) -> None:
        faults.append(_fault("V008", f"the stream `{name}` {message}", (*at, *steps), help=help))

    if stream.mode == "append" and not rule.is_plain:
        fault("appends, so nothing can conflict", "conflicts", help="remove `conflicts`, or set `mode: upsert`")
    if rule.compares_times and (rule.clock_skew is None or rule.version is None):
        fault(
            "decides by time and does not say by which: two clocks never agree",
            "conflicts",
            help="write `conflicts: {strategy: timestamp_based, version: <the destination's field>, clock_skew: 5 seconds}`",
        )
    to = stream.destination
    if not rule.is_plain and to.get is None and to.find is None and to.list is None:
        fault(
            "merges, and no operation reads a record of the destination",
            "conflicts",
            help="add `get`, `find` or `list` to the destination, or set `conflicts: source_priority`",
        )
    is_pair = stream.reverse_of is not None or any(one.reverse_of == name for one in manifest.streams.values())
    if stream.rollback and (is_pair or not rule.is_plain):
        fault(
            "merges and rolls back: what a run wrote cannot be put back on one side alone",
            "rollback",
            help="remove `rollback`; what lost a conflict is kept in the ledger",
        )
    if stream.reverse_of is not None:
        faults += _reverse(name, stream, manifest)
    return faults


def _reverse(name: str, stream: Stream, manifest: Manifest) -> list[Diagnostic]:
    """A pair shares links, so both have to find a record that is there already, and to read it."""
    faults: list[Diagnostic] = []

    def fault(of: str, message: str, *steps: str, help: str) -> None:
        faults.append(_fault("V008", f"the stream `{of}` {message}", ("streams", of, *steps), help=help))

    forward = manifest.streams.get(stream.reverse_of or "")
    if forward is None or forward.reverse_of is not None or forward is stream:
        others = [each for each, one in manifest.streams.items() if one.reverse_of is None]
        fault(
            name,
            f"goes back for `{stream.reverse_of}`, which is no stream that goes on",
            "reverse_of",
            help=f"name one of: {', '.join(others) or 'a stream without `reverse_of`'}",
        )
        return faults
    twin = next(each for each, one in manifest.streams.items() if one.reverse_of == stream.reverse_of)
    if twin != name:
        fault(name, f"goes back for `{stream.reverse_of}`, and so does `{twin}`", "reverse_of", help="keep one of them")
    if not stream.rules_of_conflict.is_plain:
        fault(
            name,
            f"has a rule for conflicts of its own; that of `{stream.reverse_of}` counts for both directions",
            "conflicts",
            help=f"say it in `{stream.reverse_of}`",
        )
    for of, one in ((stream.reverse_of or "", forward), (name, stream)):
        if one.mode == "append":
            fault(of, "goes both ways and appends", "mode", help="remove `mode: append`")
        if not one.match:
            fault(of, "goes both ways and nothing says how records match", "match", help="add `match`")
        if one.source.get is None:
            fault(of, "goes both ways and cannot ask for one record", "source", help="add `get` to the source")
        if one.destination.get is None:
            fault(
                of, "goes both ways and cannot read what it writes", "destination", help="add `get` to the destination"
            )
        if one.destination.find is None and one.destination.list is None:
            fault(
                of,
                "goes both ways and cannot find records that are there already",
                "destination",
                help="add `find` to the destination",
            )
        if "adopt" in one.model_fields_set and one.adopt not in ("lookup", "prefetch"):
            fault(of, f"goes both ways and adopts by `{one.adopt}`", "adopt", help="remove `adopt`, or set `lookup`")
    if stream.removes is not None:
        fault(name, "goes back and deletes", "deletes", help=f"remove `deletes`; `{stream.reverse_of}` may have it")
    return faults


def _same_api(manifest: Manifest) -> list[Diagnostic]:
    if manifest.source.api != manifest.destination.api:
        return []
    return [
        _fault(
            "V008",
            f"source and destination are both named `{manifest.source.api}`",
            ("destination", "api"),
            help="give each its own name; with `spec` both can share a file",
        )
    ]


def _fault(code: str, message: str, at: tuple[str | int, ...], help: str) -> Diagnostic:
    return Diagnostic(code=code, message=message, places=(Place(file=MANIFEST_FILE, pointer=pointer(*at)),), help=help)
