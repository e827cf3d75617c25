"""Checks a JSON value against a JSON Schema of the subset that mocks are written in.

Read keywords: `$ref` (to `#/$defs/` only), `type` (a name or a list of names), `enum`, `format`, `maxLength`, `required`,
`properties`, `additionalProperties`, `items`, `anyOf`, `oneOf` (read as `anyOf`: overlapping members are common in published
descriptions), `readOnly`, `writeOnly`. Unknown keywords say nothing, as JSON Schema has it. Formats that are asserted:
`date-time`, `date`, `time`, `uuid`, `email`, `uri`, `ipv4`, `ipv6`, `int32`, `int64`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

from .form import Json, Path, Schema
from .places import dotted

Direction = Literal["request", "reply"]
_Check = Callable[[Json, str, "list[Problem]"], None]


REQUIRED = "is required"


@dataclass(frozen=True, slots=True)
class Problem:
    """Where a value departs from its schema (`address.city`), and how."""

    field: str
    message: str


def without_waived(problems: Iterable[Problem], waived: Iterable[Path]) -> list[Problem]:
    """The problems but for required fields that a reviewer waived; a position in a waived path stands for every item."""
    names = {dotted(path) for path in waived}
    return [one for one in problems if one.message != REQUIRED or re.sub(r"\[\d+\]", "[0]", one.field) not in names]


class Checker:
    """Compiled checks over one set of definitions.

    Args:
        definitions: What `$ref: "#/$defs/<name>"` names.
        direction: In a request, read-only fields are not required; in a reply, write-only ones are not.
    """

    def __init__(self, definitions: Mapping[str, Schema], direction: Direction) -> None:
        self._definitions = definitions
        self._direction = direction
        self._refs: dict[str, _Check] = {}

    def check(self, schema: Schema) -> Callable[[Json], list[Problem]]:
        """A function from a value to everything that is wrong with it; empty when nothing is."""
        compiled = self._compile(schema)

        def problems(value: Json) -> list[Problem]:
            found: list[Problem] = []
            compiled(value, "", found)
            return found

        return problems

    def _compile(self, schema: Schema | bool) -> _Check:
        if isinstance(schema, bool):
            return _nothing_to_check if schema else _nothing_admitted
        if "$ref" in schema:
            return self._reference(schema["$ref"])
        checks: list[_Check] = []
        if "type" in schema:
            names = schema["type"]
            checks.append(_type_check(tuple([names] if isinstance(names, str) else names)))
        if "enum" in schema:
            checks.append(_enum_check(schema["enum"]))
        if "format" in schema and (is_format := _FORMATS.get(schema["format"])):
            checks.append(_format_check(schema["format"], is_format))
        if "maxLength" in schema:
            checks.append(_length_check(schema["maxLength"]))
        if not schema.keys().isdisjoint(("properties", "required", "additionalProperties")):
            checks.append(self._object_check(schema))
        if "items" in schema:
            checks.append(_items_check(self._compile(schema["items"])))
        if members := schema.get("anyOf") or schema.get("oneOf"):
            checks.append(_any_check([self._compile(member) for member in members]))
        if not checks:
            return _nothing_to_check
        return checks[0] if len(checks) == 1 else _all_checks(tuple(checks))

    def _reference(self, target: str) -> _Check:
        name = target.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")

        def check(value: Json, path: str, found: list[Problem]) -> None:
            compiled = self._refs.get(name)
            if compiled is None:
                compiled = self._refs[name] = self._compile(self._definitions[name])
            compiled(value, path, found)

        return check

    def _object_check(self, schema: Schema) -> _Check:
        unasked = "readOnly" if self._direction == "request" else "writeOnly"
        properties: Schema = schema.get("properties", {})
        required = tuple(name for name in schema.get("required", ()) if not _says(properties.get(name), unasked))
        fields = {name: self._compile(field) for name, field in properties.items()}
        extra = schema.get("additionalProperties", True)
        extra_check = None if extra is True or extra == {} else self._compile(extra)

        def check(value: Json, path: str, found: list[Problem]) -> None:
            if not isinstance(value, dict):
                return
            for name in required:
                if name not in value:
                    found.append(Problem(f"{path}.{name}" if path else name, REQUIRED))
            for name, item in value.items():
                inner = fields.get(name, extra_check)
                if inner is not None:
                    inner(item, f"{path}.{name}" if path else name, found)

        return check


def _says(schema: Json, keyword: str) -> bool:
    return isinstance(schema, dict) and schema.get(keyword) is True


def _nothing_to_check(value: Json, path: str, found: list[Problem]) -> None:
    pass


def _nothing_admitted(value: Json, path: str, found: list[Problem]) -> None:
    found.append(Problem(path, "is not admitted"))


def _all_checks(checks: tuple[_Check, ...]) -> _Check:
    def check(value: Json, path: str, found: list[Problem]) -> None:
        for one in checks:
            one(value, path, found)

    return check


def _is_integer(value: Json) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float | Decimal) and value == int(value))


_TYPES: dict[str, Callable[[Json], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "number": lambda value: isinstance(value, int | float | Decimal) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "null": lambda value: value is None,
}


def _type_check(names: tuple[str, ...]) -> _Check:
    tests = tuple(_TYPES[name] for name in names)
    expected = " or ".join(names)

    def check(value: Json, path: str, found: list[Problem]) -> None:
        for test in tests:
            if test(value):
                return
        found.append(Problem(path, f"is {_kind(value)}, must be {expected}"))

    return check


def _kind(value: Json) -> str:
    return next((name for name, test in _TYPES.items() if test(value)), type(value).__name__)


def _enum_check(admitted: list[Json]) -> _Check:
    shown = ", ".join(repr(value) for value in admitted[:8]) + (", …" if len(admitted) > 8 else "")

    def check(value: Json, path: str, found: list[Problem]) -> None:
        for one in admitted:
            if one == value and isinstance(one, bool) == isinstance(value, bool):
                return
        found.append(Problem(path, f"is none of {shown}"))

    return check


def _length_check(longest: int) -> _Check:
    def check(value: Json, path: str, found: list[Problem]) -> None:
        if isinstance(value, str) and len(value) > longest:
            found.append(Problem(path, f"has {len(value)} characters, at most {longest} are admitted"))

    return check


def _items_check(item: _Check) -> _Check:
    def check(value: Json, path: str, found: list[Problem]) -> None:
        if isinstance(value, list):
            for position, one in enumerate(value):
                item(one, f"{path}[{position}]", found)

    return check


def _any_check(members: list[_Check]) -> _Check:
    def check(value: Json, path: str, found: list[Problem]) -> None:
        closest: list[Problem] = []
        for member in members:
            problems: list[Problem] = []
            member(value, path, problems)
            if not problems:
                return
            if not closest or len(problems) < len(closest):
                closest = problems
        found.extend(closest)

    return check


# --- formats ----------------------------------------------------------------------------------------------------------

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def _is_date_time(value: str) -> bool:
    if not _DATE_TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


def _reads(read: Callable[[str], object]) -> Callable[[str], bool]:
    def test(value: str) -> bool:
        try:
            read(value)
        except ValueError:
            return False
        return True

    return test


def _is_uri(value: str) -> bool:
    parts = urlsplit(value)
    return bool(parts.scheme) and not re.search(r"\s", value)


def _within(bits: int) -> Callable[[Json], bool]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return lambda value: not _is_integer(value) or low <= value <= high


def _text(test: Callable[[str], bool]) -> Callable[[Json], bool]:
    return lambda value: not isinstance(value, str) or test(value)


_FORMATS: dict[str, Callable[[Json], bool]] = {
    "date-time": _text(_is_date_time),
    "date": _text(_reads(lambda text: date.fromisoformat(text) if len(text) == 10 else int("no date"))),
    "time": _text(_reads(lambda text: time.fromisoformat(text.upper().replace("Z", "+00:00")))),
    "uuid": _text(_reads(UUID)),
    "email": _text(lambda text: bool(_EMAIL.fullmatch(text))),
    "uri": _text(_is_uri),
    "ipv4": _text(_reads(ipaddress.IPv4Address)),
    "ipv6": _text(_reads(ipaddress.IPv6Address)),
    "int32": _within(32),
    "int64": _within(64),
}


def _format_check(name: str, is_format: Callable[[Json], bool]) -> _Check:
    def check(value: Json, path: str, found: list[Problem]) -> None:
        if not is_format(value):
            found.append(Problem(path, f"is no {name}"))

    return check
