"""The two systems of a manifest: where an API is and how to sign in."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from ..forms import Form
from .texts import Env, Name, Setting, matching

Zone = Annotated[
    str, matching(re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+)*"), "a time zone such as `Europe/Berlin`")
]
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_ADDRESS = re.compile(r"(?:https?://|\{)[^\x00-\x20\x7f\"<>\\^`|#\u0085\u2028\u2029]+", re.IGNORECASE)
_NOT_IN_A_LINE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u0085\u2028\u2029]")
HeaderName = Annotated[str, matching(_HEADER, "a header's name")]


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
    scopes: tuple[Annotated[str, matching(_SCOPE, "a scope: no blanks, quotes or backslashes")], ...] = ()
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
