"""Operations, how they are signed in to and paced, and the clients that hold them."""

from __future__ import annotations

from dataclasses import field
from typing import Literal, TypeAlias

from ...frozen import dataclass
from .types import JsonPath, PyType


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
