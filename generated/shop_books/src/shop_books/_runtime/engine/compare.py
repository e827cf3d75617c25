"""A mapped body beside the record that stands at the destination: which fields differ.

Numbers are equal as numbers, also where one side writes them as text, and times as moments. A field that the destination shows
in no record cannot be compared; it is told apart from one that it shows elsewhere and not here.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any


def paths_in(record: Any, path: str = "") -> Iterator[str]:
    """The paths of all fields that a record shows: `address.city`, `lines[].sku`."""
    if isinstance(record, dict):
        for key, value in record.items():
            here = f"{path}.{key}" if path else key
            yield here
            yield from paths_in(value, here)
    elif isinstance(record, list):
        for value in record:
            yield from paths_in(value, f"{path}[]")


def differing(body: Any, there: Any, shown: Container[str], hidden: set[str], path: str = "") -> Iterator[str]:
    """The paths at which a record has not what the body says.

    Args:
        shown: Paths that the destination shows in some record.
        hidden: Gets the paths that it never shows.
    """
    if isinstance(body, dict) and isinstance(there, dict):
        for key, value in body.items():
            here = f"{path}.{key}" if path else key
            if key in there:
                yield from differing(value, there[key], shown, hidden, here)
            elif here not in shown:
                hidden.add(here)
            elif value is not None:
                yield here
    elif isinstance(body, list) and isinstance(there, list):
        if len(body) != len(there):
            yield path
            return
        for value, other in zip(body, there, strict=True):
            yield from differing(value, other, shown, hidden, f"{path}[]")
    elif not _same(body, there):
        yield path


def _same(one: Any, other: Any) -> bool:
    if type(one) is type(other) and one == other:
        return True
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    if isinstance(one, str) and isinstance(other, str):
        moments = _moment(one), _moment(other)
        return moments[0] is not None and moments[0] == moments[1]
    numbers = _number(one), _number(other)
    return numbers[0] is not None and numbers[0] == numbers[1]


def _moment(text: str) -> datetime | None:
    if len(text) < 16 or text[10] not in "T ":
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _number(value: Any) -> Decimal | None:
    if not isinstance(value, int | Decimal | str):
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
