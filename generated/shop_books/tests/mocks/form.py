"""The form of `source.json` and `destination.json`: one mock API, as plain data.

    {
      "form": 1,
      "api": "credo", "title": "Credo CRM", "side": "source" | "destination",
      "url_env": "CREDO_BASE_URL",            the variable that points the package here
      "base_path": "/v1",                     what stands before every operation's path
      "environment": {"CREDO_API_KEY": "…"},  what else the package needs to be set
      "auth": null
        | {"kind": "api_key", "location": "header" | "query" | "cookie", "name": "X-Api-Key", "prefix": "", "value": "…"}
        | {"kind": "basic", "username": "…", "password": "…"} | {"kind": "bearer", "token": "…"}
        | {"kind": "oauth2", "grant": "client_credentials" | "refresh_token", "client_id": "…", "client_secret": "…",
           "refresh_token": "…", "client_auth": "basic" | "body", "scopes": […], "audience": null,
           "token_path": "/oauth2/token", "token_url_env": "CREDO_TOKEN_URL"},
      "rate_limit": null | {"per_s": 2, "burst": 40, "used_header": …, "remaining_header": …, "reset_header": …},
      "collections": {"contacts": {
        "record": SCHEMA,                     a whole record as a reply shows it
        "identity": PATH,                     set by the server
        "version": PATH | null,               stamped by the server at every effect
        "created": [PATH, …],                 stamped once
        "unique": [[{"path": PATH, "compare": ["trim", "lower"]}, …], …],    fields that tell records apart: 409
        "hints": [{"path": PATH, "kind": KIND, "values": […], "longest": 20}, …],    what can be mapped and written: a
                                              format or `decimal`, `integer`, `unix_s`, `unix_ms`, `time:%d/%m/%Y`
        "examples": [RECORD, …],              the description's own examples, used first
        "seeded": true,                       whether the server starts with records in it
        "references": [{"path": PATH, "collection": "customers"}, …],    fields that name a record of a collection
        "absent": [PATH, …]                   fields that no seeded record has: tombstones
      }},
      "operations": [{
        "id": "POST /contacts", "method": "POST", "path": "/contacts",
        "does": "list" | "get" | "create" | "update" | "delete" | "batch" | "answer",
        "collection": "contacts" | null,
        "identity_parameter": "id" | null,    the path parameter that names the record
        "parameters": [{"name": …, "in": "path" | "query" | "header" | "cookie", "required": bool, "schema": SCHEMA}, …],
        "filters": [{"parameter": "email", "path": PATH, "compare": […]}, …],    equality filters of a list
        "since": null | {"parameter": "updated_at_min", "format": "iso8601" | "unix_s" | "unix_ms" | "date"},
        "between": null | {"first": "id_min", "last": "id_max" | null, "path": PATH | null},    bounds of a part; included
        "order": null | "version" | "-version",
        "paging": null | {"style": …, "limit", "max", "cursor", "page", "first_page", "offset",
                          "next": PATH, "has_more": PATH, "total": PATH},
        "body": null | {"encoding": "json" | "form" | "multipart", "media_type": …, "required": bool, "schema": SCHEMA,
                        "record": PATH, "waived": [PATH, …]},
        "replaces": bool,                     an update that drops what it does not name
        "upserts": bool,                      a create that updates the record with the same match value
        "batch": null | {"items": PATH, "max", "results": PATH | null, "index", "status", "ok": […], "identity", "error"},
        "idempotency_header": "Idempotency-Key" | null,
        "reply": {"status": 200, "schema": SCHEMA | null, "records": PATH | null, "record": PATH,
                  "success": null | {"path": PATH, "equals": …}, "invalid": 422}
      }],
      "webhooks": [{"topics": […], "deleted_topics": […], "scheme": {…}, "secret": "…", "record": PATH, "collection": …}],
      "streams": [{"name": "customers", "collection": …, "operations": [ID, …],
                   "rules": [{"destination": PATH, "sources": [PATH, …], "transform": "direct"}, …]}],
      "$defs": {"Contact": SCHEMA}
    }

A PATH is a list of keys and list positions; the empty one is the whole value. A SCHEMA is JSON Schema of the subset that
`schema.py` checks; `$ref` reaches `#/$defs/` only. Keys with an empty value may be left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Literal, TypeAlias

FORM = 1

Json: TypeAlias = Any
Schema: TypeAlias = "dict[str, Any]"
Path: TypeAlias = tuple[str | int, ...]


class FormError(ValueError):
    """The JSON is not of this form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field of a match, and how its values are made equal before they are compared."""

    path: Path
    compare: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What a field must look like so that its rule can map it: a kind of value, or one of some values."""

    path: Path
    kind: str | None = None
    values: tuple[Json, ...] = ()
    longest: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionForm:
    name: str
    record: Schema
    identity: Path
    version: Path | None = None
    created: tuple[Path, ...] = ()
    unique: tuple[tuple[Part, ...], ...] = ()
    hints: tuple[Hint, ...] = ()
    examples: tuple[Json, ...] = ()
    seeded: bool = True
    references: tuple[tuple[Path, str], ...] = ()
    absent: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterForm:
    name: str
    location: Literal["path", "query", "header", "cookie"]
    required: bool = False
    schema: Schema = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterForm:
    parameter: str
    path: Path
    compare: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceForm:
    parameter: str
    format: Literal["iso8601", "unix_s", "unix_ms", "date"] = "iso8601"


@dataclass(frozen=True, slots=True, kw_only=True)
class BetweenForm:
    first: str
    last: str | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PagingForm:
    style: Literal["none", "link", "cursor", "page", "offset", "next_url", "since_id"] = "none"
    limit: str | None = None
    max: int | None = None
    cursor: str | None = None
    page: str | None = None
    first_page: int = 1
    offset: str | None = None
    next: Path | None = None
    has_more: Path | None = None
    total: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyForm:
    encoding: Literal["json", "form", "multipart"] = "json"
    media_type: str = "application/json"
    required: bool = True
    schema: Schema = field(default_factory=dict)
    record: Path = ()
    waived: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchForm:
    items: Path = ()
    max: int = 100
    results: Path | None = None
    index: Path | None = None
    status: Path | None = None
    ok: tuple[str | int | bool, ...] = (200, 201, 204)
    identity: Path | None = None
    error: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessForm:
    path: Path
    equals: Json = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyForm:
    status: int = 200
    schema: Schema | None = None
    records: Path | None = None
    record: Path = ()
    success: SuccessForm | None = None
    invalid: int = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationForm:
    id: str
    method: str
    path: str
    does: Literal["list", "get", "create", "update", "delete", "batch", "answer"]
    collection: str | None = None
    identity_parameter: str | None = None
    parameters: tuple[ParameterForm, ...] = ()
    filters: tuple[FilterForm, ...] = ()
    since: SinceForm | None = None
    between: BetweenForm | None = None
    order: Literal["version", "-version"] | None = None
    paging: PagingForm = field(default_factory=PagingForm)
    body: BodyForm | None = None
    replaces: bool = False
    upserts: bool = False
    batch: BatchForm | None = None
    idempotency_header: str | None = None
    reply: ReplyForm = field(default_factory=ReplyForm)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthForm:
    kind: Literal["api_key", "basic", "bearer", "oauth2"]
    location: Literal["header", "query", "cookie"] = "header"
    name: str = "Authorization"
    prefix: str = ""
    value: str = ""
    username: str = ""
    password: str = ""
    token: str = ""
    grant: Literal["client_credentials", "refresh_token"] = "client_credentials"
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    client_auth: Literal["basic", "body"] = "basic"
    scopes: tuple[str, ...] = ()
    audience: str | None = None
    token_path: str = "/oauth2/token"
    """On the mock's own host, beside `base_path`."""
    token_url_env: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitForm:
    per_s: float
    burst: int = 1
    used_header: str | None = None
    remaining_header: str | None = None
    reset_header: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeForm:
    """How a delivery is signed, in the words of the package's own `SignatureScheme`."""

    header: str
    algorithm: Literal["sha256", "sha512", "sha1"] = "sha256"
    construction: Literal["hmac", "digest", "token"] = "hmac"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    content: str = "{body}"
    id_header: str | None = None
    id_path: Path | None = None
    timestamp_header: str | None = None
    timestamp_prefix: str | None = None
    timestamp_path: Path | None = None
    timestamp_unit: Literal["s", "ms", "iso8601"] = "s"
    tolerance_s: int | None = None
    separator: str | None = None
    secret_encoding: Literal["text", "base64", "whsec_base64"] = "text"
    url_unescaped: str = ""
    forms: bool = False
    challenge_path: Path | None = None
    challenge_reply: Literal["echo", "hmac"] = "echo"
    handshake_challenge: str | None = None
    handshake_word: str | None = None
    handshake_mode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookForm:
    topics: tuple[str, ...]
    scheme: SchemeForm
    secret: str
    collection: str
    record: Path = ()
    stream: str = ""
    deleted_topics: tuple[str, ...] = ()
    topic_path: Path | None = None
    events: tuple[Path, ...] | None = None
    record_id: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleForm:
    """One rule of a stream: which source fields fill which destination field."""

    destination: Path
    sources: tuple[Path, ...] = ()
    transform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamForm:
    name: str
    collection: str
    operations: tuple[str, ...] = ()
    """Ids of this side's operations that the stream uses."""
    rules: tuple[RuleForm, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MockForm:
    """One mock API."""

    api: str
    title: str
    side: Literal["source", "destination"]
    url_env: str
    base_path: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    auth: AuthForm | None = None
    rate_limit: RateLimitForm | None = None
    collections: Mapping[str, CollectionForm]
    operations: tuple[OperationForm, ...]
    webhooks: tuple[WebhookForm, ...] = ()
    streams: tuple[StreamForm, ...] = ()
    defs: Mapping[str, Schema] = field(default_factory=dict)

    def environ(self, url: str) -> dict[str, str]:
        """What the package needs to be set to talk to this mock, which listens at `url` (`base_path` included)."""
        environ = {**self.environment, self.url_env: url}
        if self.auth is not None and self.auth.token_url_env is not None:
            origin = url.removesuffix(self.base_path) if self.base_path else url
            environ[self.auth.token_url_env] = f"{origin}{self.auth.token_path}"
        return environ

    def operation(self, id: str) -> OperationForm:
        return next(operation for operation in self.operations if operation.id == id)

    def stream(self, name: str) -> StreamForm:
        return next(stream for stream in self.streams if stream.name == name)


def load_mock(file: File) -> MockForm:
    """Read one mock's JSON file."""
    try:
        return read_mock(json.loads(file.read_text(encoding="utf-8")))
    except FormError as error:
        raise FormError(f"{file}: {error}") from None


def read_mock(value: Json) -> MockForm:
    """JSON value → form. Raises `FormError` for another form number or a member that is missing or unknown."""
    if not isinstance(value, dict) or value.get("form") != FORM:
        raise FormError(f"form {FORM} is read, this is {value.get('form') if isinstance(value, dict) else value!r}")
    try:
        return _mock(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise FormError(f"not of form {FORM}: {error}") from error


def _mock(value: dict[str, Json]) -> MockForm:
    mock = MockForm(
        api=value["api"],
        title=value["title"],
        side=value["side"],
        url_env=value["url_env"],
        base_path=value.get("base_path", ""),
        environment=value.get("environment", {}),
        auth=_auth(value["auth"]) if value.get("auth") else None,
        rate_limit=RateLimitForm(**value["rate_limit"]) if value.get("rate_limit") else None,
        collections={name: _collection(name, form) for name, form in value["collections"].items()},
        operations=tuple(_operation(form) for form in value["operations"]),
        webhooks=tuple(_webhook(form) for form in value.get("webhooks", ())),
        streams=tuple(_stream(form) for form in value.get("streams", ())),
        defs=value.get("$defs", {}),
    )
    for operation in mock.operations:
        if operation.does != "answer" and operation.collection not in mock.collections:
            raise FormError(f"`{operation.id}` names the collection `{operation.collection}`, which is not there")
    return mock


def _auth(value: dict[str, Json]) -> AuthForm:
    return AuthForm(**{**value, "scopes": tuple(value.get("scopes", ()))})


def _path(value: Json) -> Path:
    if not isinstance(value, list | tuple) or not all(isinstance(key, str | int) for key in value):
        raise TypeError(f"{value!r} is no path")
    return tuple(value)


def _path_or_none(value: Json) -> Path | None:
    return None if value is None else _path(value)


def _collection(name: str, value: dict[str, Json]) -> CollectionForm:
    return CollectionForm(
        name=name,
        record=value["record"],
        identity=_path(value["identity"]),
        version=_path_or_none(value.get("version")),
        created=tuple(_path(path) for path in value.get("created", ())),
        unique=tuple(tuple(_part(part) for part in parts) for parts in value.get("unique", ())),
        hints=tuple(
            Hint(**{**hint, "path": _path(hint["path"]), "values": tuple(hint.get("values", ()))})
            for hint in value.get("hints", ())
        ),
        examples=tuple(value.get("examples", ())),
        seeded=value.get("seeded", True),
        references=tuple((_path(each["path"]), each["collection"]) for each in value.get("references", ())),
        absent=tuple(_path(path) for path in value.get("absent", ())),
    )


def _part(value: dict[str, Json]) -> Part:
    return Part(path=_path(value["path"]), compare=tuple(value.get("compare", ())))


def _between(value: dict[str, Json] | None) -> BetweenForm | None:
    if value is None:
        return None
    path = value.get("path")
    return BetweenForm(first=value["first"], last=value.get("last"), path=_path(path) if path is not None else None)


def _operation(value: dict[str, Json]) -> OperationForm:
    body, batch, since, paging = (value.get(key) for key in ("body", "batch", "since", "paging"))
    return OperationForm(
        id=value["id"],
        method=value["method"],
        path=value["path"],
        does=value["does"],
        collection=value.get("collection"),
        identity_parameter=value.get("identity_parameter"),
        parameters=tuple(
            ParameterForm(
                name=parameter["name"],
                location=parameter["in"],
                required=parameter.get("required", False),
                schema=parameter.get("schema", {}),
            )
            for parameter in value.get("parameters", ())
        ),
        filters=tuple(
            FilterForm(
                parameter=filter["parameter"], path=_path(filter["path"]), compare=tuple(filter.get("compare", ()))
            )
            for filter in value.get("filters", ())
        ),
        since=SinceForm(**since) if since else None,
        between=_between(value.get("between")),
        order=value.get("order"),
        paging=_paging(paging) if paging else PagingForm(),
        body=_body(body) if body else None,
        replaces=value.get("replaces", False),
        upserts=value.get("upserts", False),
        batch=_batch(batch) if batch else None,
        idempotency_header=value.get("idempotency_header"),
        reply=_reply(value.get("reply", {})),
    )


def _paging(value: dict[str, Json]) -> PagingForm:
    paths = {key: _path_or_none(value.get(key)) for key in ("next", "has_more", "total")}
    return PagingForm(**{**value, **paths})


def _body(value: dict[str, Json]) -> BodyForm:
    return BodyForm(
        **{
            **value,
            "record": _path(value.get("record", ())),
            "waived": tuple(_path(path) for path in value.get("waived", ())),
        }
    )


def _batch(value: dict[str, Json]) -> BatchForm:
    paths = {key: _path_or_none(value.get(key)) for key in ("results", "index", "status", "identity", "error")}
    return BatchForm(
        items=_path(value.get("items", ())),
        max=value.get("max", 100),
        ok=tuple(value.get("ok", (200, 201, 204))),
        **paths,
    )


def _reply(value: dict[str, Json]) -> ReplyForm:
    success = value.get("success")
    return ReplyForm(
        status=value.get("status", 200),
        schema=value.get("schema"),
        records=_path_or_none(value.get("records")),
        record=_path(value.get("record", ())),
        success=SuccessForm(path=_path(success["path"]), equals=success.get("equals", True)) if success else None,
        invalid=value.get("invalid", 422),
    )


def _webhook(value: dict[str, Json]) -> WebhookForm:
    return WebhookForm(
        topics=tuple(value["topics"]),
        deleted_topics=tuple(value.get("deleted_topics", ())),
        scheme=_scheme(value["scheme"]),
        secret=value["secret"],
        collection=value["collection"],
        record=_path(value.get("record", ())),
        stream=value.get("stream", ""),
        topic_path=_path_or_none(value.get("topic_path")),
        events=tuple(_path(path) for path in value["events"]) if value.get("events") is not None else None,
        record_id=_path_or_none(value.get("record_id")),
    )


def _scheme(value: dict[str, Json]) -> SchemeForm:
    paths = ("id_path", "timestamp_path", "challenge_path")
    return SchemeForm(**{**value, **{name: _path_or_none(value.get(name)) for name in paths}})


def _stream(value: dict[str, Json]) -> StreamForm:
    return StreamForm(
        name=value["name"],
        collection=value["collection"],
        operations=tuple(value.get("operations", ())),
        rules=tuple(
            RuleForm(
                destination=_path(rule["destination"]),
                sources=tuple(_path(path) for path in rule.get("sources", ())),
                transform=rule.get("transform", ""),
            )
            for rule in value.get("rules", ())
        ),
    )
