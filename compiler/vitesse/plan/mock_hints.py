"""Rules → what a source field must look like so that its rule can map it.

A schema often says `string` where a rule expects a number, a time or one of some words. Synthetic records would then be dead
letters all of them, which proves nothing. A hint says what the rule expects; it never overrules a format or an enum of the
schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from ..api.model import Json, Scalar, Type
from ..api.paths import EACH, Path

TypeAt: TypeAlias = Callable[[Path], "Type | None"]

_UNCHANGED = frozenset({"direct", "mapping", "coalesce", "first", "wrap"})
_FORMATS = frozenset({"email", "date", "date-time", "time", "uri", "uuid", "ipv4", "ipv6", "hostname"})
_MOST_VALUES = 50


class Rule(Protocol):
    """A rule as the mapping states it: `rules.model.Rule`."""

    @property
    def destination(self) -> Path: ...
    @property
    def sources(self) -> tuple[Path, ...]: ...
    @property
    def transform(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Json]: ...


@dataclass(slots=True)
class Hints:
    """The hints for one collection: field path → kind, values, longest text. The first rule that reads a field decides."""

    _by_path: dict[tuple[str | int, ...], dict[str, Any]] = field(default_factory=dict)

    def add(self, rule: Rule, source_type: TypeAt, destination_type: TypeAt) -> None:
        """Note what a rule expects of each field it reads.

        Args:
            source_type: Type of a field of the source record.
            destination_type: Type of a field of the written body.
        """
        for path in rule.sources:
            read = source_type(path)
            if not isinstance(read, Scalar) or read.enum:
                continue
            hint = dict(_expected(rule, read)) or dict(
                _written_unchanged(rule, read, destination_type(rule.destination))
            )
            if hint:
                self._by_path.setdefault(tuple(0 if step is EACH else str(step) for step in path), hint)

    def forms(self) -> list[dict[str, Any]]:
        """The hints as the mocks' form has them, in path order."""
        return [
            {"path": list(path), **hint} for path, hint in sorted(self._by_path.items(), key=lambda item: str(item[0]))
        ]


def _expected(rule: Rule, read: Scalar) -> Iterator[tuple[str, Any]]:
    options = rule.options
    match rule.transform:
        case "parse" if read.kind == "string":
            yield "kind", "integer" if options.get("to") == "integer" else "decimal"
        case "parse_bool":
            yield "values", _bool_words(options, read)
        case "enum":
            table = options.get("map")
            if isinstance(table, dict):
                yield "values", _of_kind(list(table)[:_MOST_VALUES], read)
        case "date":
            if (kind := _time_kind(options.get("form", "iso8601"), read)) is not None:
                yield "kind", kind
        case "split" | "collect" if read.kind == "string" and isinstance(options.get("separator"), str):
            separator = str(options["separator"])
            yield "values", [f"amber{separator}birch", f"cedar{separator}delta", f"ember{separator}fjord"]
        case "custom" if read.kind == "string" and read.format is None:
            if re.search(r"date|time|iso8601", str(options.get("function", ""))):
                yield "kind", "date-time"
        case _:
            return


def _bool_words(options: Mapping[str, Json], read: Scalar) -> list[Json]:
    if read.kind == "integer":
        return [1, 0]
    if read.kind == "boolean":
        return [True, False]
    words = [*_words(options.get("true"), "true"), *_words(options.get("false"), "false")]
    return [*words]


def _words(value: Json, otherwise: str) -> list[str]:
    if isinstance(value, list):
        return [str(word) for word in value]
    return [value] if isinstance(value, str) else [otherwise]


def _of_kind(words: list[str], read: Scalar) -> list[Json]:
    """Words of a table as values of the field: a table's keys are texts."""
    if read.kind == "integer":
        return [int(word) for word in words if re.fullmatch(r"-?\d+", word)]
    if read.kind == "boolean":
        return [word == "true" for word in words]
    return [*words]


def _time_kind(form: Json, read: Scalar) -> str | None:
    if form in ("unix_s", "unix_ms"):
        return str(form)
    if read.kind != "string" or form == "iso8601":
        return "date-time" if read.kind == "string" and read.format not in ("date", "date-time") else None
    return f"time:{form}"


def _written_unchanged(rule: Rule, read: Scalar, written: Type | None) -> Iterator[tuple[str, Any]]:
    """What the destination asks of a value that goes there as it is."""
    if rule.transform not in _UNCHANGED or not isinstance(written, Scalar) or read.kind != "string":
        return
    if written.enum:
        yield "values", [value for value in written.enum if value is not None][:_MOST_VALUES]
    elif written.format in _FORMATS and read.format is None:
        yield "kind", written.format
    if written.max_length is not None and not written.enum:
        yield "longest", written.max_length
