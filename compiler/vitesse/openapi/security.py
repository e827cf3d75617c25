"""Security schemes and what asks for them, with what makes one unusable named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from ..api.model import SecurityScheme, TokenFlow
from . import addresses, pointers
from .keywords import as_list
from .parameters import is_header_name, is_token
from .reports import shown

if TYPE_CHECKING:
    from .build import Builder

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_FLOWS = (
    "clientCredentials",
    "application",
    "authorizationCode",
    "accessCode",
    "password",
    "deviceAuthorization",
    "implicit",
)
_GRANTS: dict[str, Literal["client_credentials", "refresh_token"]] = {
    "clientCredentials": "client_credentials",
    "application": "client_credentials",
    "authorizationCode": "refresh_token",
    "accessCode": "refresh_token",
    "password": "refresh_token",
    "deviceAuthorization": "refresh_token",
}
"""Flow → how a program gets a token by it: by itself, or with the refresh token that a person's sign-in left."""
_FRAMING = frozenset({"connection", "content-length", "host", "transfer-encoding"})
"""Headers by which a message is delimited and delivered."""
_LOCATIONS: dict[str, Literal["header", "query", "cookie"]] = {"header": "header", "query": "query", "cookie": "cookie"}


class Security:
    """The schemes of one document, and the requirement of the whole file."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self.schemes: tuple[SecurityScheme, ...] = self._read_schemes()
        self._names = {scheme.name for scheme in self.schemes}
        document = builder.document
        self._default = self._alternatives(document.value.get("security"), document.file, "#/security")

    def of(self, published: Any, file: str, pointer: str) -> tuple[tuple[str, ...], ...]:
        """An operation's alternatives: its own, or the file's where it says nothing."""
        return self._default if published is None else self._alternatives(published, file, pointer)

    def _alternatives(self, published: Any, file: str, pointer: str) -> tuple[tuple[str, ...], ...]:
        if published is not None and not isinstance(published, list):
            self._builder.reports.error("V210", "`security` is not a list", file, pointer)
        found: list[tuple[str, ...]] = []
        for index, alternative in enumerate(as_list(published)):
            if not isinstance(alternative, dict):
                self._builder.reports.error(
                    "V210", "a security requirement is not an object", file, f"{pointer}/{index}"
                )
                continue
            for name in alternative:
                if name not in self._names:
                    message = f"the security scheme `{shown(name)}` is not defined"
                    self._builder.reports.warn("V210", message, file, pointers.join(pointer, index, name))
            found.append(tuple(alternative))
        return tuple(dict.fromkeys(found))

    def _read_schemes(self) -> tuple[SecurityScheme, ...]:
        document, refs = self._builder.document, self._builder.refs
        if document.version == "2.0":
            published, at = document.value.get("securityDefinitions"), "#/securityDefinitions"
        else:
            at = "#/components/securitySchemes"
            components = refs.resolved(document.value.get("components"), document.file, "#/components")
            published = components[0].get("securitySchemes") if components and isinstance(components[0], dict) else None
        found = refs.resolved(published, document.file, at)
        if found is None or not isinstance(found[0], dict):
            return ()
        published, file, at = found
        schemes: list[SecurityScheme] = []
        for name, value in published.items():
            resolved = refs.resolved(value, file, pointers.join(at, name))
            if resolved is None:
                continue
            scheme = self._scheme(name, *resolved)
            if scheme is not None:
                schemes.append(scheme)
        return tuple(schemes)

    def _scheme(self, name: str, value: Any, file: str, pointer: str) -> SecurityScheme | None:
        reports = self._builder.reports
        if _CONTROL.search(name) or not isinstance(value, dict):
            message = f"the name of the security scheme `{shown(name)}` holds a control character"
            reports.error(
                "V210", message if isinstance(value, dict) else "a security scheme is not an object", file, pointer
            )
            return None
        place = reports.place(file, pointer)
        match value.get("type"):
            case "apiKey":
                return self._api_key(name, value, file, pointer)
            case "basic":
                return SecurityScheme(name=name, kind="basic", place=place)
            case "http":
                return self._http(name, value, file, pointer)
            case "oauth2":
                return self._oauth(name, value, file, pointer)
            case "openIdConnect":
                return SecurityScheme(name=name, kind="open_id", place=place)
        message = f"the security scheme `{shown(name)}` of the type `{shown(value.get('type'))}` is not supported"
        reports.warn("V210", message, file, pointer)
        return SecurityScheme(name=name, kind="unknown", place=place)

    def _http(self, name: str, value: dict[str, Any], file: str, pointer: str) -> SecurityScheme:
        place = self._builder.reports.place(file, pointer)
        match str(value.get("scheme", "")).lower():
            case "basic":
                return SecurityScheme(name=name, kind="basic", place=place)
            case "bearer":
                return SecurityScheme(name=name, kind="bearer", place=place)
            case other:
                message = f"the HTTP authentication scheme `{shown(other)}` is not supported"
                self._builder.reports.warn("V210", message, file, pointers.join(pointer, "scheme"))
                return SecurityScheme(name=name, kind="unknown", place=place)

    def _api_key(self, name: str, value: dict[str, Any], file: str, pointer: str) -> SecurityScheme | None:
        reports = self._builder.reports
        parameter, location = value.get("name"), value.get("in")
        if not isinstance(parameter, str) or not isinstance(location, str) or location not in _LOCATIONS:
            reports.error("V210", f"the API key `{shown(name)}` does not say where it goes", file, pointer)
            return None
        if location == "header" and not is_header_name(self._builder, parameter, file, f"{pointer}/name"):
            return None
        if location == "header" and parameter.lower() in _FRAMING:
            message = f"the API key `{shown(name)}` goes into `{parameter}`, which says how a message is delivered"
            reports.error("V210", message, file, f"{pointer}/name")
            return None
        if location in ("header", "cookie") and not is_token(parameter):
            message = (
                f"`{shown(parameter)}` is no name HTTP allows for a {location}; the API key `{shown(name)}` is left out"
            )
            reports.warn("V210", message, file, f"{pointer}/name")
            return None
        if _CONTROL.search(parameter):
            message = f"the name of the API key `{shown(name)}` holds a control character"
            reports.error("V210", message, file, f"{pointer}/name")
            return None
        place = reports.place(file, pointer)
        return SecurityScheme(
            name=name, kind="api_key", location=_LOCATIONS[location], parameter=parameter, place=place
        )

    def _oauth(self, name: str, value: dict[str, Any], file: str, pointer: str) -> SecurityScheme:
        reports = self._builder.reports
        listed = value.get("flows")
        flows = listed if isinstance(listed, dict) else {str(value.get("flow")): value}
        at = pointers.join(pointer, "flows") if isinstance(listed, dict) else pointer
        token_url: str | None = None
        scopes: dict[str, None] = {}
        found: list[TokenFlow] = []
        for key in sorted(flows, key=lambda key: _FLOWS.index(key) if key in _FLOWS else len(_FLOWS)):
            flow = flows[key]
            if not isinstance(flow, dict):
                continue
            published = flow.get("scopes")
            own = tuple(one for one in _names(published) if isinstance(one, str))
            scopes |= dict.fromkeys(own)
            url = flow.get("tokenUrl")
            if isinstance(url, str) and url:
                where = pointers.join(at, key, "tokenUrl") if isinstance(listed, dict) else f"{pointer}/tokenUrl"
                fault = addresses.fault_of(url)
                if fault is not None:
                    reports.error("V210", f"the token URL `{shown(url)}` {fault}", file, where)
                    continue
                if (grant := _GRANTS.get(key)) is not None:
                    refresh = flow.get("refreshUrl")
                    address = url
                    if grant == "refresh_token" and isinstance(refresh, str) and refresh:
                        address = refresh if addresses.fault_of(refresh) is None else url
                    found.append(TokenFlow(grant=grant, token_url=address, scopes=own))
                if token_url is not None:
                    continue
                token_url = url
                if addresses.is_plain_http(url):
                    message = f"the token URL `{shown(url)}` takes credentials without TLS"
                    reports.warn("V210", message, file, where)
        place = reports.place(file, pointer)
        return SecurityScheme(
            name=name, kind="oauth2", token_url=token_url, scopes=tuple(scopes), flows=tuple(found), place=place
        )


def _names(published: Any) -> list[Any]:
    return list(published) if isinstance(published, (dict, list)) else []
