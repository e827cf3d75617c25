"""An operation → what stays the same in all of its requests, and the rest per request.

Prepared once per operation and session: the path cut at its variables, parameters by name, header fields as bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .declare import Operation, Parameter
from .encode import cookie_pair, encode_body, header_name, header_text, path_text, query_pairs
from .errors import RequestRefused
from .records import MISSING

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_UNDECLARED = Parameter(argument="", name="", location="query")


class Prepared:
    """One operation of one session."""

    __slots__ = ("_by_name", "_literals", "_names", "_needed", "_path", "constant_target", "method", "operation")

    def __init__(self, operation: Operation, prefix: str) -> None:
        self.operation = operation
        self.method = operation.method.upper()
        path, question, query = operation.path.partition("?")
        cut = _VARIABLE.split(path)
        self._literals = [quote(part, safe="/-._~!$&'()*+,;=:@%") for part in cut[0::2]]
        self._literals[0] = prefix + self._literals[0]
        self._literals[-1] += question + query
        self._names = cut[1::2]
        self._by_name: dict[str, Parameter] = {}
        for parameter in operation.parameters:
            self._by_name.setdefault(parameter.name, parameter)
        for parameter in operation.parameters:
            self._by_name[parameter.argument] = parameter
        self._path = {p.name: p for p in operation.parameters if p.location == "path"}
        for name in self._names:
            self._path.setdefault(
                name, Parameter(argument=name, name=name, location="path", style="simple", explode=False)
            )
            self._by_name.setdefault(name, self._path[name])
        self._needed = [p for p in operation.parameters if p.required and p.location != "path"]
        self.constant_target = self._literals[0] if not self._names and not self._needed else None

    def target(
        self, arguments: Mapping[str, object], params: Mapping[str, object]
    ) -> tuple[str, list[tuple[str, str]]]:
        """Path and query for these arguments (by Python name) and params (by wire name), and the header fields among them.

        Raises:
            RequestRefused: for a value that cannot stand where it should, or a required one that is missing.
        """
        values: dict[str, tuple[Parameter, object]] = {}
        for source, by_wire in ((arguments, False), (params, True)):
            for name, value in source.items():
                if value is MISSING:
                    continue
                parameter = self._parameter(name, by_wire=by_wire)
                values[f"{parameter.location} {parameter.name}"] = parameter, value
        for needed in self._needed:
            if f"{needed.location} {needed.name}" not in values:
                raise RequestRefused(f"{self.operation.id}: `{needed.name}` is required")
        text = self._literals[0]
        for name, literal in zip(self._names, self._literals[1:], strict=True):
            found = values.pop(f"path {name}", None)
            if found is None:
                raise RequestRefused(f"{self.operation.id}: `{name}` is required")
            text += path_text(name, found[1], explode=found[0].explode) + literal
        pairs: list[str] = []
        fields: list[tuple[str, str]] = []
        cookies: list[str] = []
        for parameter, value in values.values():
            match parameter.location:
                case "query":
                    pairs += query_pairs(parameter, value)
                case "header":
                    name = header_name(parameter.name)
                    fields.append((name, header_text(name, value, explode=parameter.explode)))
                case "cookie":
                    cookies.append(cookie_pair(parameter.name, value))
                case "path":
                    raise RequestRefused(f"{self.operation.id} has no `{{{parameter.name}}}` in its path")
        if cookies:
            fields.append(("Cookie", "; ".join(cookies)))
        return with_query(text, pairs), fields

    def _parameter(self, name: str, *, by_wire: bool) -> Parameter:
        if by_wire:
            for parameter in self.operation.parameters:
                if parameter.name == name:
                    return parameter
            if name in self._path:
                return self._path[name]
        elif (known := self._by_name.get(name)) is not None:
            return known
        else:
            raise RequestRefused(f"{self.operation.id} has no argument `{name}`")
        return Parameter(argument=name, name=name, location="query")

    def body(self, body: object) -> tuple[bytes, str]:
        """The body's bytes and media type."""
        return encode_body(self.operation, body)


def with_query(target: str, pairs: list[str]) -> str:
    """Append encoded pairs to a path that may have a query."""
    if not pairs:
        return target
    return f"{target}{'&' if '?' in target else '?'}{'&'.join(pairs)}"


def fields_of(*groups: Any) -> list[tuple[bytes, bytes]]:
    """Groups of header fields, later ones replacing earlier ones of the same name; cookies are put together."""
    merged: dict[str, tuple[str, str]] = {}
    for group in groups:
        for name, value in group:
            key = name.lower()
            if key == "cookie" and key in merged:
                value = f"{merged[key][1]}; {value}"
            merged[key] = name, value
    return [(name.encode("ascii"), value.encode("utf-8")) for name, value in merged.values()]
