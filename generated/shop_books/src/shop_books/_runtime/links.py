"""References to records that another stream writes: what a record is called at the source → what it is called at the destination.

Mappers call `linked`; the engine says which links count while it maps. Where nobody does (a mapper called by itself), a reference
stays as the source has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from .matching import optional_text
from .values import MappingError, mirror

Key: TypeAlias = tuple[str, str]
"""Stream and source identity."""


class Links:
    """The links that are known, and those that were asked for and are not."""

    __slots__ = ("known", "unknown")

    def __init__(self, known: Mapping[Key, str] | None = None) -> None:
        self.known: dict[Key, str] = dict(known or {})
        self.unknown: list[Key] = []

    def of(self, stream: str, identity: str) -> str:
        """The destination identity. A nought stands in for one that is not known, and `unknown` has what was asked for."""
        found = self.known.get((stream, identity))
        if found is None:
            self.unknown.append((stream, identity))
            return "0"
        return found


_links: ContextVar[Links | None] = ContextVar("links", default=None)


@contextmanager
def following(links: Links) -> Iterator[None]:
    """References are looked up in these links in here."""
    token = _links.set(links)
    try:
        yield
    finally:
        _links.reset(token)


Name: TypeAlias = "str | int | Decimal | date"


@mirror
def linked(value: Name, *, stream: str) -> str:
    """What the record of `stream` that `value` names is called at the destination."""
    identity = optional_text(value)
    if not identity:
        raise MappingError(f"a reference to `{stream}` is empty")
    links = _links.get()
    return identity if links is None else links.of(stream, identity)


@mirror
def linked_integer(value: Name, *, stream: str) -> int:
    """As `linked`, where the destination names records by whole numbers."""
    found = linked(value, stream=stream)
    try:
        return int(found)
    except ValueError:
        raise MappingError(f"a record of `{stream}` is not called by a whole number at the destination") from None
