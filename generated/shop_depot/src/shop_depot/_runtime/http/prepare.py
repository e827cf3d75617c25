"""An operation → the requests for it: what stays the same is spelled once, the rest per request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from ..declare import Operation, Parameter
from ..errors import RequestRefused
from ..records import MISSING
from .auth import Authenticator
from .encode import cookie_pair, encode_body, encode_json, header_name, header_text, path_text, query_pairs
from .paging import PageReader
from .retry import SAFE_METHODS
from .wire import EMPTY, Body

_VARIABLE = re.compile(r"\{([^{}]*)\}")


class Head:
    """What all requests of a session share."""

    __slots__ = ("auth", "authority", "base_url", "deadline_s", "fields", "prefix", "root", "spell")

    def __init__(
        self,
        *,
        base_url: str,
        fields: Iterable[tuple[str, str]],
        auth: Authenticator,
        deadline_s: float,
        spell: Callable[..., Any] | None,
    ) -> None:
        scheme, _, rest = base_url.partition("://")
        authority, slash, path = rest.partition("/")
        self.base_url = base_url
        self.authority = authority
        self.root = f"{scheme}://{authority}"
        """Scheme, host and port, as the URL begins."""
        self.prefix = slash + path
        """The base URL's path; operations' paths come behind it."""
        self.fields = tuple((header_name(name), header_text(name, value)) for name, value in fields)
        self.auth = auth
        self.deadline_s = deadline_s
        self.spell = spell
        """Our own wire's way to be told a request in its own types; None for any other transport."""


class Call:
    """One operation of one session. Header fields are kept until the credential changes."""

    __slots__ = (
        "_by_argument",
        "_extensions",
        "_generation",
        "_groups",
        "_head",
        "_headers",
        "_literals",
        "_names",
        "_needed",
        "_own",
        "_path",
        "_reader",
        "_spelled",
        "_url",
        "constant_target",
        "method",
        "operation",
    )

    def __init__(self, operation: Operation, head: Head, fields: Iterable[tuple[str, str]]) -> None:
        self.operation = operation
        self.method = operation.method.upper()
        path, question, query = operation.path.partition("?")
        cut = _VARIABLE.split(path)
        self._literals = [quote(part, safe="/-._~!$&'()*+,;=:@%") for part in cut[0::2]]
        self._literals[0] = head.prefix + self._literals[0]
        self._literals[-1] += question + query
        self._names = cut[1::2]
        self._path = {p.name: p for p in operation.parameters if p.location == "path" and p.name in self._names}
        self._by_argument = {parameter.argument: parameter for parameter in operation.parameters}
        for name in self._names:
            variable = Parameter(argument=name, name=name, location="path", style="simple", explode=False)
            self._by_argument.setdefault(name, self._path.setdefault(name, variable))
        self._needed = [p for p in operation.parameters if p.required and p.location != "path"]
        self.constant_target = None if self._names or self._needed else self._literals[0]
        """Path and query when nothing is to be filled in."""
        self._head = head
        self._own = [(header_name(name), header_text(name, value)) for name, value in fields]
        self._reader: PageReader | None = None
        self._generation = -1
        self._groups: tuple[Iterable[tuple[str, str]], ...] = ()
        self._headers = httpx.Headers()
        self._url = httpx.URL(head.base_url)
        self._extensions: dict[str, Any] = {}
        self._spelled: Any = None

    def reader(self) -> PageReader:
        """The reader of the operation's pages."""
        if self._reader is None:
            self._reader = PageReader(self.operation)
        return self._reader

    def target(
        self, arguments: Mapping[str, object], params: Mapping[str, object]
    ) -> tuple[str, list[tuple[str, str]]]:
        """Path and query for these arguments (by Python name) and params (by wire name), and the header fields among them.
        Where both name one parameter, `params` counts.

        Raises:
            RequestRefused: for a value that cannot stand where it should, or a required one that is missing.
        """
        path: dict[str, str] = {}
        pairs: list[str] = []
        fields: list[tuple[str, str]] = []
        cookies: list[str] = []
        given: set[tuple[str, str]] | None = set() if self._needed or (arguments and params) else None
        for source, by_wire in ((params, True), (arguments, False)):
            for argument, value in source.items():
                if value is MISSING:
                    continue
                parameter = self._parameter(argument, by_wire=by_wire)
                name, location = parameter.name, parameter.location
                if given is not None:
                    if (location, name) in given:
                        continue
                    given.add((location, name))
                if parameter.style == "json" and not isinstance(value, str):
                    value = encode_json(value).decode()
                if location == "path":
                    path[name] = path_text(name, value, explode=parameter.explode, style=parameter.style)
                elif location == "query":
                    pairs += query_pairs(parameter, value)
                elif location == "header":
                    fields.append((header_name(name), header_text(name, value, explode=parameter.explode)))
                else:
                    cookies.append(cookie_pair(name, value, explode=parameter.explode))
        if given is not None:
            for needed in self._needed:
                if (needed.location, needed.name) not in given:
                    raise RequestRefused(f"{self.operation.id}: `{needed.name}` is required")
        text = self._literals[0]
        for name, literal in zip(self._names, self._literals[1:], strict=True):
            if name not in path:
                raise RequestRefused(f"{self.operation.id}: `{name}` is required")
            text += path[name] + literal
        if cookies:
            fields.append(("Cookie", "; ".join(cookies)))
        return with_query(text, pairs), fields

    def by_wire_name(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Arguments that are given, under their wire names."""
        known = self._by_argument
        return {known[name].name: value for name, value in arguments.items() if name in known and value is not MISSING}

    def _parameter(self, name: str, *, by_wire: bool) -> Parameter:
        if not by_wire:
            if (known := self._by_argument.get(name)) is None:
                raise RequestRefused(f"{self.operation.id} has no argument `{name}`")
            return known
        if name in self._path:
            return self._path[name]
        for parameter in self.operation.parameters:
            if parameter.name == name:
                return parameter
        return Parameter(argument=name, name=name, location="query")

    def _refresh(self) -> None:
        head, operation = self._head, self.operation
        media = [] if operation.body in (None, "multipart") else [("Content-Type", encode_body(operation, b"")[1])]
        self._groups = (head.fields, media, self._own, head.auth.headers)
        fields = fields_of(*self._groups)
        self._headers = httpx.Headers(fields)
        target = with_query(self.constant_target or head.prefix or "/", head.auth.query)
        self._url = httpx.URL(head.root + target)
        self._extensions = {"deadline_s": head.deadline_s, "target": target.encode("ascii")}
        if head.spell is not None:
            self._spelled = head.spell(self._url, self._extensions["target"], fields)
            self._extensions["spelled"] = self._spelled
        self._generation = head.auth.generation

    def request(self, target: str, extra: Sequence[tuple[str, str]], data: bytes, media: str | None) -> httpx.Request:
        """The request for one attempt.

        Args:
            target: Path and query, without the credential.
            extra: Header fields of this request.
            media: Of the body; None when there is none.
        """
        head = self._head
        if self._generation != head.auth.generation:
            self._refresh()
        url, headers, extensions = self._url, self._headers, self._extensions
        varies = target is not self.constant_target
        if varies:
            target = with_query(target, head.auth.query)
        more = [(name, header_text(name, value)) for name, value in extra]
        if media is not None and self.operation.body == "multipart":
            more.append(("Content-Type", media))
        if self._spelled is not None:
            # Our own wire sends what is spelled for it; the request object keeps the operation's own URL.
            if varies or more:
                spelled = self._spelled.vary(target if varies else None, more)
                extensions = {"deadline_s": head.deadline_s, "spelled": spelled}
        else:
            if varies:
                url = httpx.URL(head.root + target)
                extensions = {"deadline_s": head.deadline_s, "target": target.encode("ascii")}
            more.append(("Host", head.authority))
            if data or self.method not in SAFE_METHODS:
                more.append(("Content-Length", str(len(data))))
            headers = httpx.Headers(fields_of(*self._groups, more))
        return httpx.Request(
            self.method, url, headers=headers, stream=Body(data) if data else EMPTY, extensions=extensions
        )


def with_query(target: str, pairs: Sequence[str]) -> str:
    """Append encoded pairs to a path that may have a query."""
    if not pairs:
        return target
    return f"{target}{'&' if '?' in target else '?'}{'&'.join(pairs)}"


def fields_of(*groups: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Groups of header fields, later ones replacing earlier ones of the same name; cookies are put together."""
    merged: dict[str, tuple[str, str]] = {}
    for group in groups:
        for name, value in group:
            key = name.lower()
            if key == "cookie" and key in merged:
                value = f"{merged[key][1]}; {value}"
            merged[key] = name, value
    return [(name.encode("ascii"), value.encode("utf-8")) for name, value in merged.values()]
