"""One system of the manifest × its Api and facts → ApiPlan."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal

from ..api.facts import ApiFacts, RateLimit
from ..api.model import Api, Operation, SecurityScheme, Server
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import pointer
from ..frozen import dataclass
from ..manifest import Auth, Env, Setting, System
from .model import ApiPlan, AuthPlan, RateLimitPlan, SettingValue
from .names import Scope, pascal, snake
from .operations import Use, given_name, plan_operation

MANIFEST = "integration.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What one system is called in the package."""

    side: Literal["source", "destination"]
    name: str
    title: str
    module: str
    constant: str
    client: str

    def uses(self, api: Api) -> Uses:
        return Uses(api=api, side=self.side)


_LISTS = ("list", "find")
"""Roles in which the reply is read as records and not as one record."""


@dataclass(slots=True, kw_only=True)
class Uses:
    """The operations of one system that the streams use, in the order they are asked for."""

    api: Api
    side: str
    by_id: dict[str, Use] = field(default_factory=dict)

    def use(self, operation_id: str, role: str, at: str) -> Use:
        """Record one use. Raises V502 when the spec has no such operation, V511 when it is read in two ways."""
        if operation_id not in self.by_id:
            operation = self.api.operation(operation_id)
            if operation is None:
                raise DiagnosticError([_no_operation(self.api, operation_id, at)])
            self.by_id[operation_id] = Use(operation=operation)
        use = self.by_id[operation_id]
        before = next((one for one in use.roles if (one in _LISTS) != (role in _LISTS)), None)
        if before is not None:
            raise DiagnosticError([_two_readings(operation_id, before, role, at)])
        use.roles.append(role)  # type: ignore[arg-type]
        return use


def side_names(system: System, api: Api, modules: Scope, side: Literal["source", "destination"] = "source") -> Names:
    module = modules.claim(snake(system.api, otherwise="system"))
    return Names(
        side=side,
        name=system.api,
        title=system.title or api.title or system.api,
        module=module,
        constant=module.upper(),
        client=f"{pascal(module, otherwise='System')}Client",
    )


def setting(value: Setting, *, secret: bool = False) -> SettingValue:
    """A text or an environment variable of the manifest."""
    if isinstance(value, Env):
        return SettingValue(env=value.env, text=value.default, secret=secret)
    return SettingValue(text=value)


def plan_api(system: System, names: Names, api: Api, facts: ApiFacts, uses: Uses, used_header: str | None) -> ApiPlan:
    """Decide where the system is, how to sign in, how fast it may be asked, and each used operation."""
    constants, methods = Scope((names.constant,)), Scope(("request", "page", "records", "one", "iter_pages", "session"))
    operations, found = [], list[Diagnostic]()
    auth: AuthPlan | None = None
    try:
        auth = sign_in(system, api, names.side, f"{names.constant}_TOKEN_URL")
        base_url, variables = address_of(system, api, names.side, [use.operation for use in uses.by_id.values()])
    except DiagnosticError as error:
        found.extend(error.diagnostics)
    given = _given(system, auth)
    for use in uses.by_id.values():
        use.given = given
        try:
            operations.append(plan_operation(names.side, api, facts, use, constants, methods))
        except DiagnosticError as error:
            found.extend(error.diagnostics)
    if found:
        raise DiagnosticError(found)
    return ApiPlan(
        name=names.name,
        title=names.title,
        module=names.module,
        constant=names.constant,
        client=names.client,
        base_url=base_url,
        variables=variables,
        url_env=f"{names.constant}_BASE_URL",
        auth=auth,
        rate_limit=_rate_limit(facts, uses, used_header),
        headers=planned_headers(system, api),
        operations=tuple(operations),
    )


def planned_headers(system: System, api: Api) -> tuple[tuple[str, SettingValue], ...]:
    """What the manifest has sent with every request; what the spec says is a key is kept as a secret."""
    keys = {
        scheme.parameter.lower()
        for scheme in api.security_schemes
        if scheme.kind == "api_key" and scheme.location == "header" and scheme.parameter
    }
    return tuple((name, setting(value, secret=name.lower() in keys)) for name, value in system.headers.items())


def sign_in(system: System, api: Api, side: str, url_env: str | None = None) -> AuthPlan | None:
    """The credential that the manifest names, where the spec says that it goes.

    Args:
        url_env: The variable that replaces the token URL.

    Raises:
        DiagnosticError: V504 for a scheme that the spec does not have, V518 for OAuth2 whose token URL or flow nobody says.
    """
    given = system.auth
    if given is None:
        return None
    scheme = next((known for known in api.security_schemes if known.name == given.scheme), None)
    if given.scheme is not None and scheme is None and given.kind is None:
        raise DiagnosticError([_no_scheme(api, given.scheme, side)])
    if given.is_oauth2:
        return _oauth2(given, scheme, api, side, url_env)
    kind = given.kind or _kind(scheme, given.username is not None)
    if kind == "basic":
        assert given.username is not None
        assert given.password is not None
        return AuthPlan(
            kind="basic",
            values=(("username", setting(given.username)), ("password", setting(given.password, secret=True))),
        )
    assert given.secret is not None
    if kind == "bearer":
        return AuthPlan(kind="bearer", values=(("token", setting(given.secret, secret=True)),))
    location: Literal["header", "query", "cookie"] = "header"
    if given.query is not None:
        location = "query"
    elif given.header is None and scheme is not None and scheme.location is not None:
        location = scheme.location
    name = given.header or given.query or (scheme.parameter if scheme is not None else None) or "Authorization"
    return AuthPlan(
        kind="api_key",
        values=(("value", setting(given.secret, secret=True)),),
        name=name,
        location=location,
        prefix=given.prefix,
    )


def _oauth2(given: Auth, scheme: SecurityScheme | None, api: Api, side: str, url_env: str | None) -> AuthPlan:
    flows = scheme.flows if scheme is not None else ()
    grant = given.grant or ("refresh_token" if given.refresh_token is not None else None)
    if grant is None:
        offered = list(dict.fromkeys(flow.grant for flow in flows))
        grant = offered[0] if len(offered) == 1 else None
    if grant is None and not flows:
        grant = "client_credentials" if given.client_secret is not None else None
    flow = next((flow for flow in flows if flow.grant == grant), None)
    token_url = given.token_url if given.token_url is not None else flow.token_url if flow is not None else None
    if grant is None or token_url is None:
        raise DiagnosticError([_no_flow(api, given, scheme, grant, side)])
    values = [("token_url", setting(token_url)), ("client_id", setting(given.client_id or ""))]
    if given.client_secret is not None:
        values.append(("client_secret", setting(given.client_secret, secret=True)))
    if given.refresh_token is not None:
        values.append(("refresh_token", setting(given.refresh_token, secret=True)))
    return AuthPlan(
        kind="oauth2",
        values=tuple(values),
        grant=grant,
        scopes=given.scopes,
        audience=given.audience,
        client_auth=given.client_auth or "basic",
        url_env=url_env,
    )


def _given(system: System, auth: AuthPlan | None) -> frozenset[tuple[str, str]]:
    """What is sent with every request, so that no operation need ask for it."""
    names = {given_name("header", name) for name in system.headers}
    if auth is not None and auth.kind == "api_key" and auth.name is not None:
        names.add(given_name(auth.location or "header", auth.name))
    elif auth is not None:
        names.add(given_name("header", "Authorization"))
    return frozenset(names)


def _kind(scheme: SecurityScheme | None, is_pair: bool) -> Literal["api_key", "basic", "bearer"]:
    if is_pair:
        return "basic"
    match scheme.kind if scheme is not None else "unknown":
        case "api_key":
            return "api_key"
        case "basic":
            return "basic"
        case _:
            return "bearer"


def address_of(
    system: System, api: Api, side: str, operations: Sequence[Operation]
) -> tuple[SettingValue, tuple[tuple[str, SettingValue], ...]]:
    """The system's address with its variables: the manifest's, else the one server that all used operations have.

    Raises:
        DiagnosticError: V505 when the spec names no address, V510 when operations are at different ones.
    """
    variables = {name: setting(value) for name, value in system.variables.items()}
    if system.base_url is not None:
        return setting(system.base_url), tuple(variables.items())
    server = api.servers[0] if api.servers else None
    own = list(dict.fromkeys(operation.server for operation in operations))
    if len(own) > 1:
        raise DiagnosticError([_many_servers(server.url if server is not None else None, side, operations)])
    if own and own[0] is not None:
        server = Server(url=own[0], place=operations[0].place)
    if server is None:
        raise DiagnosticError([_no_base_url(api, side, None)])
    for name, default, _ in server.variables:
        variables.setdefault(name, SettingValue(text=default))
    url = _with_scheme(server.url, variables)
    if not url.startswith(("https://", "http://")):
        raise DiagnosticError([_no_base_url(api, side, server.url)])
    return SettingValue(text=url.rstrip("/")), tuple(
        (name, value) for name, value in variables.items() if "{" + name + "}" in url
    )


_SCHEME = re.compile(r"\{([^{}]+)\}(?=://)")


def _with_scheme(url: str, variables: Mapping[str, SettingValue]) -> str:
    """`{scheme}://…` with the scheme written out: it is fixed when the package is made."""

    def written(found: re.Match[str]) -> str:
        value = variables.get(found[1])
        return value.text if value is not None and value.text is not None else found[0]

    return _SCHEME.sub(written, url, count=1)


def _rate_limit(facts: ApiFacts, uses: Uses, used_header: str | None) -> RateLimitPlan | None:
    """The slowest limit that a used operation has."""
    limits = [
        fact.value
        for operation in uses.by_id
        if (fact := facts.get(operation, "rate_limit")) is not None and isinstance(fact.value, RateLimit)
    ]
    if not limits:
        return None
    slowest = min(limits, key=lambda limit: (limit.per_s, limit.burst))
    return RateLimitPlan(
        per_s=slowest.per_s,
        burst=slowest.burst,
        used_header=slowest.used_header or used_header,
        remaining_header=slowest.remaining_header,
        reset_header=slowest.reset_header,
    )


def _no_operation(api: Api, operation_id: str, at: str) -> Diagnostic:
    from ..forms import either, near

    close = near(operation_id, [operation.id for operation in api.operations])
    return Diagnostic(
        code="V502",
        message=f"`{api.spec_file}` has no operation `{operation_id}`",
        places=(Place(file=MANIFEST, pointer=at),),
        help=f"write {either(close)}" if close else "run `vitesse inspect` on the spec to see its operations",
    )


def _two_readings(operation_id: str, before: str, role: str, at: str) -> Diagnostic:
    return Diagnostic(
        code="V511",
        message=f"`{operation_id}` is used as a `{before}` and as a `{role}`, and its reply is read in one way only",
        places=(Place(file=MANIFEST, pointer=at),),
        help=f"name another operation as `{role}`, or leave that out",
    )


def _no_scheme(api: Api, name: str, side: str) -> Diagnostic:
    known = ", ".join(f"`{scheme.name}`" for scheme in api.security_schemes) or "none"
    return Diagnostic(
        code="V504",
        message=f"`{api.spec_file}` has no security scheme `{name}`",
        places=(Place(file=MANIFEST, pointer=pointer(side, "auth", "scheme")),),
        notes=(f"it has: {known}",),
        help="name one of them, or say `kind` (`api_key`, `basic`, `bearer`) yourself",
    )


def _no_flow(api: Api, given: Auth, scheme: SecurityScheme | None, grant: str | None, side: str) -> Diagnostic:
    offered = ", ".join(f"`{flow.grant}` at `{flow.token_url}`" for flow in scheme.flows) if scheme is not None else ""
    what = "which grant it takes" if grant is None else f"where the grant `{grant}` gets its token"
    return Diagnostic(
        code="V518",
        message=f"nothing says {what} for the sign-in to `{api.spec_file}`",
        places=(Place(file=MANIFEST, pointer=pointer(side, "auth")),),
        notes=(f"the scheme `{given.scheme}` has: {offered or 'no flow for a program'}",) if given.scheme else (),
        help="add `grant: client_credentials` or `grant: refresh_token`" if grant is None else "add `token_url`",
    )


def _many_servers(url: str | None, side: str, operations: Sequence[Operation]) -> Diagnostic:
    lines = tuple(
        f"`{operation.id}` is at `{operation.server or url or 'no named server'}`" for operation in operations
    )
    return Diagnostic(
        code="V510",
        message="the used operations are at different servers, and a system has one address",
        places=(Place(file=MANIFEST, pointer=pointer(side)),),
        notes=lines,
        help="add the `base_url` that serves all of them, or use operations of one server",
    )


def _no_base_url(api: Api, side: str, url: str | None) -> Diagnostic:
    what = f"names the server `{url}`, which is no address" if url else "names no server"
    return Diagnostic(
        code="V505",
        message=f"`{api.spec_file}` {what}",
        places=(Place(file=MANIFEST, pointer=pointer(side)),),
        help="add `base_url`",
    )
