"""What derived code declares and the engine carries out: the contract between a generated package and its runtime.

Derived modules build these values once, at import; they hold no state and reach nothing. `CONTRACT` is the number of this
contract: derived code states the one it was written for, and a runtime that has another refuses to start.

Paths into JSON are tuples of keys (`str`) and list positions (`int`, -1 is the last): `("data", -1, "id")`. The empty path
is the whole value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from .records import Record

CONTRACT = 2

Path: TypeAlias = tuple[str | int, ...]
Json: TypeAlias = Any
"""A value as JSON has it; integers keep their digits, other numbers are `Decimal`."""

S = TypeVar("S", bound=Record)
D = TypeVar("D", bound=Record)


# --- settings ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Env:
    """A value read from the environment when the package starts: `NAME`, or the file that `NAME_FILE` names."""

    name: str
    secret: bool = False
    default: str | None = None


Setting: TypeAlias = "str | Env"


# --- an API -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A credential sent as it is under one name. `prefix` stands before it (`Token `)."""

    value: Setting
    name: str
    location: Literal["header", "query", "cookie"] = "header"
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """RFC 7617."""

    username: Setting
    password: Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """RFC 6750 with a token that is given, not fetched."""

    token: Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2:
    """RFC 6749: a bearer token that is fetched, with the client's own credential or with a refresh token.

    Tokens are kept in the state. `refresh_token` is the first of a chain: the server may give another with each refresh, and
    the state has the last one. Without it, `token sign-in` brings the first.
    """

    grant: Literal["client_credentials", "refresh_token"] = "client_credentials"
    token_url: Setting
    """With `{name}` for each of the API's variables; one that begins with a slash is on the API's own host."""
    client_id: Setting
    client_secret: Setting | None = None
    """None: a public client, which names itself and proves nothing."""
    refresh_token: Setting | None = None
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    client_auth: Literal["basic", "body"] = "basic"
    """Where the client's credential goes: the `Authorization` header or the form."""
    url_env: str | None = None
    """An environment variable that replaces `token_url` whole."""


Auth: TypeAlias = "ApiKey | Basic | Bearer | OAuth2 | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """`per_s` requests a second, paced, with bursts of `burst`. Headers are read when they are declared."""

    per_s: float
    burst: int = 1
    used_header: str | None = None
    """`used/bucket`, such as `32/40`."""
    remaining_header: str | None = None
    reset_header: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One system: where it is, how to sign in, how fast it may be asked."""

    name: str
    title: str
    base_url: Setting
    """With `{name}` for each of `variables`."""
    variables: tuple[tuple[str, Setting], ...] = ()
    auth: Auth = None
    rate_limit: RateLimit | None = None
    headers: tuple[tuple[str, Setting], ...] = ()
    """Sent with every request (`Accept`, a dated version header)."""
    retry_statuses: tuple[int, ...] = (408, 425, 429, 500, 502, 503, 504)
    url_env: str | None = None
    """An environment variable that replaces `base_url` whole (tests, proxies, sandboxes)."""


# --- operations -------------------------------------------------------------------------------------------------------

Style: TypeAlias = Literal["simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject", "json"]
"""OpenAPI's styles; RFC 6570 spells the first four. json: the value as a JSON text; a text is taken for one."""
FieldStyle: TypeAlias = Literal["form", "spaceDelimited", "pipeDelimited", "deepObject", "json"]
"""How a field of a form is written; json: as a JSON text, exploded one for each item of a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter by its wire name. `argument` is the name it has in Python."""

    argument: str
    name: str
    location: Literal["path", "query", "header", "cookie"]
    style: Style = "form"
    explode: bool = True
    reserved: bool = False
    """Of a query: send reserved characters as they are where they mean nothing there."""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How the next page is asked for. Which members matter depends on `style`:

    none      one page
    link      `Link` header, rel="next"; followed only on the API's own origin
    cursor    parameter `cursor` takes the value at `next`, as long as there is one and `has_more` (if set) is true
    page      parameter `page` counts from `first_page`; ends at an empty page, or at one shorter than the limit once a
              full one was seen (a server may cap the limit); `has_more`, if set, decides instead
    offset    parameter `offset` counts records; ends alike
    next_url  the URL at `next`, followed only on the API's own origin
    since_id  parameter `cursor` takes the value at `next`, or the last record's `id`; ends as `page` does
    """

    style: Literal["none", "link", "cursor", "page", "offset", "next_url", "since_id"] = "none"
    limit: str | None = None
    """Wire name of the page size parameter."""
    max: int | None = None
    """Page size to ask for, in records."""
    cursor: str | None = None
    page: str | None = None
    first_page: int = 1
    offset: str | None = None
    next: Path | None = None
    has_more: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """Beside a 2xx status: the value at `path` must equal `equals` (`{"ok": true}`)."""

    path: Path
    equals: str | int | bool | None = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method + path with all that is needed to send it and to read its reply."""

    id: str
    """As published: `GET /customers.json`."""
    api: str
    method: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    body: Literal["json", "form", "multipart", "raw"] | None = None
    """raw: bytes, or a text in UTF-8, that are sent as they are."""
    media_type: str = "application/json"
    encoding: tuple[tuple[str, FieldStyle, bool], ...] = ()
    """Of a form: (field, style, explode) of what is not written with brackets."""
    part_types: tuple[tuple[str, str], ...] = ()
    """Of a multipart form: (field, media type) of its part."""
    records: Path | None = None
    """Where the list is in a list reply; None when the operation lists nothing."""
    record: Path = ()
    """Where the one record is in a single reply."""
    paging: Paging = Paging()
    success: Success | None = None
    idempotency_header: str | None = None
    headers: tuple[tuple[str, Setting], ...] = ()
    not_taken: tuple[Path, ...] = ()
    """Parts of a stream's body that this operation has no place for: they are taken out before it is sent."""
    repeats: tuple[tuple[Path, str, Literal["string", "integer"]], ...] = ()
    """Where the body repeats a path parameter, by wire name: `(("data", "id"), "id", "string")`."""
    asked: tuple[tuple[str, Path, Literal["string", "integer", "number", "boolean"]], ...] = ()
    """Of a list that is asked for with a body: where a value goes that has this name, such as a cursor or a page size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A parameter of a stream that never changes (`realm-id`), by wire name."""

    name: str
    value: Setting


# --- streams ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """The list operation's filter on `version`: only records changed at or after it."""

    parameter: str
    format: Literal["iso8601", "unix_s", "unix_ms", "date"] = "iso8601"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """How a pass over everything is cut into parts that replicas can share.

    window  by a time that does not change (`created_at`): from `start`, `size` seconds each, the last without an end
    range   by a whole number that does not change (`id`): from `start`, `size` numbers each, the last without an end
    parent  the list of one record of the stream `stream` after another; `parameter` takes its identity
    """

    by: Literal["window", "range", "parent"]
    first: str | None = None
    """Wire name of the parameter that takes a part's lower bound, which is included."""
    last: str | None = None
    """Wire name of the one that takes its upper bound."""
    last_is_included: bool = True
    size: int = 0
    start: str | int | None = None
    format: Literal["iso8601", "unix_s", "unix_ms", "date"] = "iso8601"
    stream: str | None = None
    parameter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Generic[S]):
    """Where a stream's records come from. The callables read one decoded record."""

    list: Operation
    record: type[S]
    identity: Callable[[S], str]
    """Names the record in its system, as text."""
    get: Operation | None = None
    get_argument: str = "id"
    """Wire name of the path parameter that takes the identity."""
    version: Callable[[S], str | None] | None = None
    """Orders a record's states (`updated_at`); text, compared as a time when it reads as one, else as text or a number."""
    since: Since | None = None
    sorted_by_version: bool = False
    """True lets the watermark advance page by page."""
    parameters: tuple[Fixed, ...] = ()
    partition: Partition | None = None
    exact_numbers: bool = False
    """True when a rule reads a decimal from a JSON number: then records are decoded with `Decimal`, at some cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """Look up one destination record by match value: parameter wire name for each match field."""

    operation: Operation
    parameters: tuple[tuple[str, str], ...]
    """(destination match field as dotted text, parameter wire name), in match order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Write many records with one request, and where each record's fate stands in the reply."""

    operation: Operation
    items: Path
    max: int = 100
    results: Path | None = None
    """None: a 2xx means all were written; identities are then unknown and found by `match`."""
    index: Path | None = None
    """Position of the item in the request; None when results stand in request order."""
    status: Path | None = None
    ok: tuple[str | int | bool, ...] = (200, 201, 204)
    identity: Path | None = None
    error: Path | None = None
    key: Path = ()
    """Of a batch of updates: where an item names the destination record."""
    key_kind: Literal["string", "integer"] = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Generic[S]):
    """One field that tells which destination record is the same thing as a source record."""

    source: Callable[[S], str | None]
    destination: Path
    """Path in a destination record; in a written body it stands below `Destination.envelope`."""
    compare: tuple[Literal["trim", "lower", "casefold", "nfc", "digits"], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination(Generic[D]):
    """Where a stream's records go."""

    body: type[D]
    create: Operation
    update: Operation | None = None
    update_argument: str = "id"
    """Wire name of the path parameter that takes the destination identity."""
    update_is: Literal["replace", "merge"] = "merge"
    get: Operation | None = None
    """Reads one record before a replacing update; None: `list` or `find` must give it."""
    get_argument: str = "id"
    list: Operation | None = None
    """Lists all records (for `adopt="prefetch"` and `verify`)."""
    delete: Operation | None = None
    delete_argument: str = "id"
    find: Find | None = None
    batch: Batch | None = None
    batch_update: Batch | None = None
    identity: Path = ("id",)
    """In a destination record (after `Operation.record`)."""
    envelope: Path = ()
    """Where the record stands in a written body: `("contact",)` for `{"contact": {…}}`; `Operation.record` is the same for replies."""
    never_sent: tuple[Path, ...] = ()
    """Fields taken out of a record that is laid under a replacing update: the server's own, and what the body does not take."""
    parameters: tuple[Fixed, ...] = ()

    @property
    def only_created(self) -> tuple[Path, ...]:
        """Mapped fields, as paths in a record, that a creation writes and no update takes: a change of them is nothing to write."""
        if self.update is None:
            return ()
        found, depth = self.update.not_taken, len(self.envelope)
        if self.batch_update is not None:
            above = (*self.batch_update.items, 0)
            many = self.batch_update.operation.not_taken
            found = tuple(path for path in found if (*above, *path) in many)
        return tuple(path[depth:] for path in found if path[:depth] == self.envelope and len(path) > depth)


Strategy: TypeAlias = Literal[
    "source_priority", "destination_priority", "manual_review", "merge_fields", "timestamp_based", "skip"
]
"""Who wins what both sides changed. Source and destination are those of the integration, whichever way a stream goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeField:
    """One mapped field of the destination's records: what is compared, and decided, as one value."""

    name: str
    """As people write it: `address.city`, `variants`."""
    path: Path
    """In a record; up to the first list."""
    inside: tuple[Path, ...] = ()
    """Of a list: the mapped parts of an entry, 0 for each list below. Empty: the whole value."""
    strategy: Strategy | None = None
    """A rule of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """What a stream needs to tell a change of one side from a change of both. Streams without it never read the destination for it."""

    fields: tuple[MergeField, ...]
    otherwise: Literal["source_priority", "destination_priority", "manual_review", "timestamp_based"] = (
        "source_priority"
    )
    """Of `merge_fields`: who wins a field that both sides changed."""
    version: Path | None = None
    """The destination's field that says when a record changed (`timestamp_based`)."""
    clock_skew_s: float = 0.0
    """Times that are no further apart than this do not tell which is newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletes:
    """What a record that is gone at the source means at the destination.

    reconciliation   a linked record that did not come in a complete full pass is gone; where the source has a `get`, only
                     when that says so too
    tombstone        a record comes once more and says at `tombstone` that it is gone

    Either way a record that was asked for by its identity and is not there (404, 410) is gone.
    """

    mode: Literal["soft", "hard"]
    """soft: the update operation writes `set`. hard: the delete operation."""
    set: tuple[tuple[Path, str | int | bool | None], ...] = ()
    """(path in a written body, value)."""
    found_by: Literal["reconciliation", "tombstone"] = "reconciliation"
    identity: Path = ("id",)
    """Of a source record as it comes: also of one of which little more than its name is left."""
    tombstone: Path | None = None
    """Present and neither null nor false: the record is gone."""
    brake: float = 0.05
    """More than this share of the linked records, and more than ten, stop the run before the first delete."""
    every_s: int = 86_400
    """A source that is read by changes is read whole when the last complete pass is older than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[S, D]):
    """Records of one source operation that go to one destination resource."""

    name: str
    source: Source[S]
    destination: Destination[D]
    map: Callable[[S], D]
    """Raises `MappingError` for a record that cannot be mapped: it becomes a dead letter."""
    mode: Literal["upsert", "append"] = "upsert"
    match: tuple[Match[S], ...] = ()
    adopt: Literal["never", "on_conflict", "prefetch", "lookup"] = "on_conflict"
    duplicates: Literal["dead", "first"] = "dead"
    conflicts: Strategy = "source_priority"
    merge: Merge | None = None
    """Set for every strategy but plain `source_priority`, and for both streams of a pair that goes both ways."""
    reverse_of: str | None = None
    """The stream whose links this one shares. It reads the integration's destination and writes its source."""
    schedule: str | None = None
    overlap_s: int = 60
    max_dead_share: float = 0.1
    """More dead letters than this share of a run's records (and more than ten) stop the run."""
    mapping_digest: str = ""
    """Of the rules; state that was written under another one is not mixed with it."""
    deletes: Deletes | None = None
    """None: what is gone at the source stays at the destination."""
    after: tuple[str, ...] = ()
    """Streams that are run before this one when all are."""
    lookups: tuple[str, ...] = ()
    """Streams whose links `map` follows."""
    parents: Literal["wait", "fetch", "dead"] = "wait"
    """A record of `lookups` that has no link yet: this one is held until it has, it is synced first, or this one is a dead letter."""
    rollback: bool = False
    """Keep what each write replaced, so that a run can be put back."""
    mask: tuple[Path, ...] = ()
    """Source fields that nobody is shown: in dead letters, samples, conflicts. A list on the way means each of its members."""
    mask_destination: tuple[Path, ...] = ()
    """Destination fields that rules fill from them."""

    @property
    def keeps_base(self) -> bool:
        """Whether links hold the mapped fields that both sides last agreed on."""
        return self.rollback or self.merge is not None


# --- webhooks ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureScheme:
    """How a sender signs: an HMAC over `content`, a template of `{body}`, `{id}`, `{ts}`, `{method}`, `{url}`, `{form}`, `{secret}`.

    `{url}` is the public URL (`PUBLIC_URL` with the path and query that were asked for), never the `Host` header. `{form}` is the
    fields of a form body, sorted, names and values run together.
    """

    header: str
    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    construction: Literal["hmac", "digest", "token"] = "hmac"
    """digest: a plain hash of `content`, which then holds `{secret}`. token: the header is the secret itself."""
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    """Before the signature; where `separator` is set, parts with another prefix are not signatures."""
    content: str = "{body}"
    id_header: str | None = None
    """Unique per delivery; the inbox's key."""
    id_path: Path | None = None
    """The same, in the body. Without either, the digest of what was signed is the key."""
    timestamp_header: str | None = None
    timestamp_prefix: str | None = None
    """The timestamp is a part of the signature header and begins so: `t=`."""
    timestamp_path: Path | None = None
    """The timestamp is in the (signed) body."""
    timestamp_unit: Literal["s", "ms", "iso8601"] = "s"
    tolerance_s: int | None = None
    separator: str | None = None
    """Between several signatures in one header."""
    secret_encoding: Literal["text", "base64", "whsec_base64"] = "text"
    url_unescaped: str = ""
    """Characters whose percent escapes are decoded in `{url}` before it is signed."""
    forms: bool = False
    """Bodies that say they are forms are read: an object of texts. Others are JSON."""
    challenge_path: Path | None = None
    """A delivery with text here is a handshake: it is answered and not stored."""
    challenge_reply: Literal["echo", "hmac"] = "echo"
    """echo: `{"challenge": text}`. hmac: `{"plainToken": text, "encryptedToken": HMAC-SHA256 of it as hex}`."""
    handshake_challenge: str | None = None
    """The query parameter of a GET whose text is the answer, when the GET knows the word."""
    handshake_word: str | None = None
    """The query parameter that holds the word, which is the webhook's `handshake_secret`."""
    handshake_mode: str | None = None
    """A further query parameter and the value it must have: `hub.mode=subscribe`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How the source is asked to deliver to `PUBLIC_URL`, by `webhooks register`."""

    operation: Operation
    body: tuple[tuple[Path, str | int | bool], ...]
    """Where a value stands in the body; `{topic}`, `{topics}` and `{url}` in a text stand for the delivery's own."""
    list: Operation | None = None
    """Those that there are; None: nothing is known of them."""
    records: Path = ()
    """Where the list is in what `list` answers."""
    topic: Path | None = None
    """Where a listed one says its topic, or its topics."""
    url: Path | None = None
    """Where it says the URL."""
    delete: Operation | None = None
    """Removes one; None: nothing does."""
    delete_argument: str = "id"
    """Wire name of the path parameter that names it."""
    identity: Path = ("id",)
    """Where a listed one says what `delete` calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One source of deliveries: `POST /webhooks/{topic}` for each of `topics`, each handled by syncing one record."""

    topics: tuple[str, ...]
    scheme: SignatureScheme
    secret: Setting
    stream: str
    record: Path = ()
    """Where the changed record is in the body."""
    secrets: tuple[Setting, ...] = ()
    """Further secrets that count while they are rotated. Any of them may hold several, separated by blanks."""
    deleted_topics: tuple[str, ...] = ()
    """Topics that tell of a deletion; the body names at least the record. Carried out where the stream has `deletes`."""
    topic_path: Path | None = None
    """Where the body names its topic, when one URL takes all; one that is not declared is ignored. Webhooks that are proved alike
    take each other's topics."""
    events: tuple[Path, ...] | None = None
    """Where the list of events is when a body holds several: the way to each list, from the body or from the item of the list
    around it; `((),)` is a body that is the list. Each event is a delivery of its own, and the other paths lead from it."""
    record_id: Path | None = None
    """Where a delivery names its record when it does not hold it: the record is read by that name, with the source's `get`."""
    handshake_secret: Setting | None = None
    """The word that a handshake by GET must know; None: a GET is no handshake. Several may stand in it, separated by blanks."""
    register: Registration | None = None


# --- how long things are kept ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is over is kept, in seconds. Links, open letters, open conflicts and waiting deliveries are never cleaned up."""

    runs_s: float = 90 * 86_400.0
    history_s: float = 90 * 86_400.0
    """The ledger of changes, with what they replaced, and the audit."""
    dead_letters_s: float = 180 * 86_400.0
    """Discarded ones."""
    deliveries_s: float = 7 * 86_400.0
    """Of webhooks, once they are carried out; no shorter than a vendor goes on delivering, or a repetition counts as new."""
    conflicts_s: float = 180 * 86_400.0
    """Resolved ones."""


# --- the whole --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """Everything a package declares; `app.py` builds one and the CLI, the server and the tests carry it out."""

    name: str
    version: str
    contract: int
    source: Api
    destination: Api
    streams: tuple[Stream[Any, Any], ...]
    webhooks: tuple[Webhook, ...] = ()
    settings: tuple[Env, ...] = ()
    """Every environment variable that the declarations name, for `doctor` and the documentation."""
    retention: Retention = Retention()
