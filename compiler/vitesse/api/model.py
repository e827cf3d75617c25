"""IR 1: what a vendor offers, as plain data.

Built by `openapi.build_api`, read by `ingest`, `rules`, `mapper` and `plan`. Knows nothing of OpenAPI documents, rules or
Python code. Every value knows its place: a JSON pointer into the file it was read from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal, TypeAlias

from ..frozen import dataclass

JsonScalar: TypeAlias = "str | int | float | bool | None"
Json: TypeAlias = "JsonScalar | list[Json] | dict[str, Json]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value stands: a file name relative to the spec's folder and a JSON pointer, `#/paths/~1contacts/post`."""

    file: str
    pointer: str


ScalarKind: TypeAlias = Literal["string", "integer", "number", "boolean", "null"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One JSON scalar. `format` is kept as published (`date-time`, `email`, `int64`, `decimal`); unknown ones do no harm."""

    kind: ScalarKind
    format: str | None = None
    nullable: bool = False
    enum: tuple[JsonScalar, ...] = ()
    """The published values in their order; empty when the schema names none. Readers must tolerate others."""
    max_length: int | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """A list of one item type."""

    items: Type
    nullable: bool = False
    max_items: int | None = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One property of an object. Its name is the wire name, byte for byte."""

    name: str
    type: Type
    required: bool = False
    read_only: bool = False
    write_only: bool = False
    description: str = ""
    """The vendor's prose, cut at 400 characters. Outside text: shown to people, never compiled."""
    example: Json = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """A JSON object with named fields; `extra` is the type of any further keys, None when the schema closes the object or
    says nothing about them."""

    fields: tuple[Field, ...]
    extra: Type | None = None
    nullable: bool = False
    title: str = ""
    """The component's name (`Customer`), a naming hint; empty for an inline schema."""
    place: Place

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """oneOf/anyOf with more than one non-null member. `mapping`: discriminator value → index of the member."""

    members: tuple[Type, ...]
    discriminator: str | None = None
    mapping: tuple[tuple[str, int], ...] = ()
    nullable: bool = False
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """A schema that admits every value (`{}`, `true`) or that could not be read; then a diagnostic names it."""

    nullable: bool = True
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """A component by its key in `Api.types`. Only objects, unions and arrays that a cycle or a second use can reach are refs."""

    name: str
    nullable: bool = False
    place: Place


Type: TypeAlias = "Scalar | Array | Object | Union | Anything | Ref"

ParameterIn: TypeAlias = Literal["path", "query", "header", "cookie"]
ParameterStyle: TypeAlias = Literal[
    "simple", "form", "spaceDelimited", "pipeDelimited", "deepObject", "label", "matrix", "json"
]
"""OpenAPI's styles, and `json` for a value that is written as a JSON text (`content` in place of `schema`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of an operation that is not its body."""

    name: str
    location: ParameterIn
    type: Type
    required: bool = False
    style: ParameterStyle = "form"
    explode: bool = True
    allow_reserved: bool = False
    default: Json = None
    description: str = ""
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The request body in the one media type that was chosen: JSON first, then form, then multipart."""

    media_type: str
    type: Type
    required: bool = False
    encoding: tuple[tuple[str, ParameterStyle, bool], ...] = ()
    """Of a form: (field, style, explode) where the vendor says how lists and objects are written."""
    part_types: tuple[tuple[str, str], ...] = ()
    """Of a multipart form: (field, media type) where the vendor names one."""
    example: Json = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A response header with the type the spec gives it."""

    name: str
    type: Type
    description: str = ""
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response. `status` is `200`, `2XX` or `default`, upper case."""

    status: str
    media_type: str | None = None
    type: Type | None = None
    headers: tuple[Header, ...] = ()
    description: str = ""
    example: Json = None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFlow:
    """One way of an OAuth2 scheme to a token without a person: at `token_url`, with what `grant` says."""

    grant: Literal["client_credentials", "refresh_token"]
    token_url: str
    """As published; may be relative."""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityScheme:
    """One way to authenticate. `name` is the key in the spec; `parameter` the header, query or cookie name of an API key."""

    name: str
    kind: Literal["api_key", "basic", "bearer", "oauth2", "open_id", "unknown"]
    location: Literal["header", "query", "cookie"] | None = None
    parameter: str | None = None
    token_url: str | None = None
    scopes: tuple[str, ...] = ()
    flows: tuple[TokenFlow, ...] = ()
    """Of an OAuth2 scheme, client credentials first."""
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method + path of an API.

    `id` is what people write: `GET /customers.json`, the method and the path as published, byte for byte.
    """

    id: str
    method: str
    path: str
    operation_id: str | None = None
    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    responses: tuple[Response, ...] = ()
    security: tuple[tuple[str, ...], ...] = ()
    """Alternatives of scheme names; an empty alternative means that no credential is needed."""
    server: str | None = None
    """A server URL of this operation or path that differs from the API's."""
    deprecated: bool = False
    place: Place

    def success(self) -> Response | None:
        """The 2xx response the operation is read by: the lowest 2xx with a body, else the lowest 2xx, else `default`."""
        twos = sorted((r for r in self.responses if r.status.startswith("2")), key=lambda r: (r.type is None, r.status))
        return twos[0] if twos else next((r for r in self.responses if r.status == "DEFAULT"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server URL with its variables: name → (default, allowed values)."""

    url: str
    variables: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    description: str = ""
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Something the vendor sends: an OpenAPI 3.1 webhook or a callback. `topic` is its published name."""

    topic: str
    body: Body | None = None
    description: str = ""
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What one vendor offers, as far as it was asked for: `operations` holds the selected ones in the file's order."""

    title: str
    version: str
    description: str = ""
    spec_file: str
    spec_version: str
    """`2.0`, `3.0`, `3.1`, `3.2`."""
    servers: tuple[Server, ...] = ()
    security_schemes: tuple[SecurityScheme, ...] = ()
    operations: tuple[Operation, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    types: Mapping[str, Type] = field(default_factory=dict)
    """Component key → type, in key order; what `Ref.name` names. Read only."""

    def operation(self, id: str) -> Operation | None:
        return next((operation for operation in self.operations if operation.id == id), None)

    def resolve(self, type: Type) -> Type:
        """The type behind a `Ref`, nullable when either says so; other types come back as they are."""
        nullable = False
        while isinstance(type, Ref):
            nullable = nullable or type.nullable
            type = self.types[type.name]
        return replace(type, nullable=True) if nullable and not type.nullable else type
