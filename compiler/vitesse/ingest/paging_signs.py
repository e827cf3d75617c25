"""What tells how a list is paged: parameters that may ask for a page, fields of replies that may lead to the next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..api.model import Array, Object, Operation, Place, Scalar, Type
from ..api.paths import Path, format_path, parse_path
from .reading import Reading, body_fields, query
from .words import plain

_ENVELOPES = frozenset(
    "paging pagination meta links page_info page_meta metadata response_metadata _meta page info next cursors cursor "
    "pagination_info next_page _links data result query_response pages page_metadata".split()
)
_NEXT_STEPS = frozenset(("next", "after", "href", "link", "url", "cursor", "token"))
_MAX_PROSE = re.compile(
    r"(?i)(?:max(?:imum)?(?: allowed| value| page size| number| limit| is| of|:| results| per page| of results)*\W{1,3}"
    r"|up to |between (?:\d+|one) and |at most |no more than |(?:no|not) (?:be )?(?:greater|larger) than |range:? \d+\s*(?:-|to|–)\s*"
    r"|from \d+ to |\b1 ?(?:-|–|to) ?|cannot exceed |<= ?|limit(?:ed)? (?:of|to|is) )(\d{1,6}(?:,\d{3})?)"
)
_TOKEN_PROSE = re.compile(r"(?i)\btoken\b|\bcursor\b|opaque|returned (?:by|in|from) the (?:previous|last|prior)")


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter, or a field of the body of a list that is asked for by POST."""

    name: str
    type: Type
    default: object
    description: str
    place: Place
    path: Path


@dataclass(frozen=True, slots=True)
class Output:
    """A value of the reply that is not inside the records."""

    path: Path
    type: Type
    description: str
    place: Place


def inputs_of(reading: Reading, operation: Operation) -> Iterator[Input]:
    """What a list can be asked with: query parameters, and fields of the body where it is asked for by POST."""
    for parameter in query(operation):
        resolved = reading.resolve(parameter.type)
        yield Input(
            parameter.name, resolved, parameter.default, parameter.description, parameter.place, (parameter.name,)
        )
        if parameter.style == "deepObject" and isinstance(resolved, Object):
            for field in resolved.fields:
                name = f"{parameter.name}[{field.name}]"
                yield Input(name, reading.resolve(field.type), None, field.description, field.place, (name,))
    if operation.method == "GET" or operation.body is None:
        return
    for name, field in body_fields(reading, operation).items():
        resolved = reading.resolve(field.type)
        yield Input(name, resolved, None, field.description, field.place, (name,))
        for inner, one in (
            reading.fields(resolved).items() if plain(name) in ("options", "pagination", "paging", "page") else ()
        ):
            path = (name, inner)
            yield Input(format_path(path), reading.resolve(one.type), None, one.description, one.place, path)


def outputs_of(reading: Reading, operation: Operation, records: str) -> Iterator[Output]:
    """Values of the reply beside the records, down to what envelopes of paging hold."""
    reply = reading.reply(operation)
    if reply is None:
        return
    above = parse_path(records)[:-1]
    stack: list[tuple[Path, Type, int]] = [((), reply, 0)]
    while stack:
        path, type, depth = stack.pop(0)
        for name, field in reading.fields(type).items():
            here = (*path, name)
            resolved = reading.resolve(field.type)
            if here == parse_path(records):
                continue
            inner = reading.objects(resolved)
            if inner and depth < 4:
                word = plain(name)
                if word in _ENVELOPES or word in _NEXT_STEPS or name.startswith("_") or here == above[: len(here)]:
                    stack.append((here, resolved, depth + 1))
            yield Output(here, resolved, field.description, field.place)


def input_named(inputs: list[Input], names: tuple[str, ...]) -> Input | None:
    """The input with the best of these names: a number, or a text or nothing in particular where no number has it."""
    ranked = [
        ("deprecated" in one.description.lower(), not is_number(one.type), names.index(word), one)
        for one in inputs
        if (word := _word(one.name, names)) in names
        and not isinstance(one.type, Object | Array)
        and not is_boolean(one.type)
    ]
    return min(ranked, key=lambda one: one[:3])[3] if ranked else None


def _word(name: str, names: tuple[str, ...]) -> str:
    """The name's words, also without a leading `page` or `filter`: `page[size]`, `$top`, `pagination.limit`."""
    word = plain(name)
    if word in names:
        return word
    for prefix in ("pagination_", "paging_", "options_", "page_"):
        if word.startswith(prefix) and word.removeprefix(prefix) in names:
            return word.removeprefix(prefix)
    return word


def output_named(outputs: list[Output], names: tuple[str, ...], fits: Callable[[Type], bool]) -> Output | None:
    """The value of the reply with the best of these names that fits."""
    ranked = [
        (names.index(plain(str(one.path[-1]))), len(one.path), one)
        for one in outputs
        if plain(str(one.path[-1])) in names and fits(one.type)
    ]
    return min(ranked, key=lambda one: one[:2])[2] if ranked else None


def maximum_of(limit: Input) -> int | None:
    """The most records of a page that the description admits."""
    if (
        isinstance(limit.type, Scalar)
        and isinstance(limit.type.maximum, (int, float))
        and 1 <= limit.type.maximum <= 100_000
    ):
        return int(limit.type.maximum)
    found = [int(number.replace(",", "")) for number in _MAX_PROSE.findall(limit.description)]
    good = [number for number in found if 2 <= number <= 100_000]
    return max(good) if good else None


def is_date(one: Input) -> bool:
    """Whether it takes a date."""
    return isinstance(one.type, Scalar) and (one.type.format or "").startswith("date")


def is_token(one: Input) -> bool:
    """An `offset` that is no number but something to hand back."""
    return (
        is_text(one.type)
        and plain(one.name) in ("offset", "page", "start")
        and bool(_TOKEN_PROSE.search(one.description))
    )


def is_number(type: Type) -> bool:
    """Whether it holds a number."""
    return isinstance(type, Scalar) and type.kind in ("integer", "number")


def is_text(type: Type) -> bool:
    """Whether it holds a text."""
    return isinstance(type, Scalar) and type.kind == "string"


def is_boolean(type: Type) -> bool:
    """Whether it holds a truth value."""
    return isinstance(type, Scalar) and type.kind == "boolean"


_URL_PROSE = re.compile(r"(?i)\b(?:url|uri|link|href)\b")


def is_url(output: Output) -> bool:
    """Whether it holds a whole URL."""
    if isinstance(output.type, Scalar) and output.type.format in ("uri", "url", "uri-reference"):
        return True
    return is_text(output.type) and _URL_PROSE.search(output.description) is not None
