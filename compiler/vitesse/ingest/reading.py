"""One API with what inference looks at: its operations by path, its prose in full.

Nothing here decides anything. An Api holds prose cut short; what vendors write about limits stands at the end of long pages, so
the document's own text is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..api.fields import members
from ..api.model import Api, Array, Field, Object, Operation, Parameter, Type
from ..openapi import Document
from .words import stem


@dataclass(frozen=True, slots=True)
class Prose:
    """A piece of text with the place it stands at."""

    text: str
    at: str


class Reading:
    """An Api and its document, prepared for inference."""

    def __init__(self, api: Api, document: Document | None = None) -> None:
        self.api = api
        self.document = document
        self.cursors: dict[str, str] = {}
        """Token parameter → where its next value is elsewhere in this API; empty when nowhere."""
        self.memo: dict[str, Any] = {}
        """What was inferred once for the whole API."""
        self._said: dict[str, tuple[Prose, re.Match[str]] | None] = {}

    @cached_property
    def by_stem(self) -> dict[tuple[str, ...], list[Operation]]:
        """Path without parameter names → its operations."""
        found: dict[tuple[str, ...], list[Operation]] = {}
        for operation in self.api.operations:
            found.setdefault(stem(operation.path), []).append(operation)
        return found

    def at_stem(self, steps: tuple[str, ...], method: str) -> Operation | None:
        """The operation of a method at a path, whatever its parameters are called."""
        return next((one for one in self.by_stem.get(steps, ()) if one.method == method), None)

    def resolve(self, type: Type) -> Type:
        return self.api.resolve(type)

    def objects(self, type: Type) -> list[Object]:
        """The objects that a value of the type may be."""
        return [member for member in members(self.api, type) if isinstance(member, Object)]

    def fields(self, type: Type) -> dict[str, Field]:
        """The fields of a type, those of all members of a union together."""
        found: dict[str, Field] = {}
        for one in self.objects(type):
            for field in one.fields:
                found.setdefault(field.name, field)
        return found

    def reply(self, operation: Operation) -> Type | None:
        """What a good reply holds."""
        response = operation.success()
        return None if response is None else response.type

    def item(self, type: Type) -> Type | None:
        """The items of a list; None for what is no list."""
        resolved = self.resolve(type)
        return resolved.items if isinstance(resolved, Array) else None

    @cached_property
    def prose(self) -> tuple[Prose, ...]:
        """What the description says about the whole API: its own text and that of its tags."""
        if self.document is None:
            return (Prose(self.api.description, "#/info/description"),) if self.api.description else ()
        return tuple(_texts(self.document.value))

    def says(self, pattern: re.Pattern[str]) -> tuple[Prose, re.Match[str]] | None:
        """The first text about the whole API that a pattern is found in. Looked for once."""
        if pattern.pattern not in self._said:
            hits = ((prose, found) for prose in self.prose if (found := pattern.search(prose.text)) is not None)
            self._said[pattern.pattern] = next(hits, None)
        return self._said[pattern.pattern]

    def about(self, operation: Operation) -> tuple[Prose, ...]:
        """Summary and description of one operation."""
        at = operation.place.pointer
        found = (Prose(operation.summary, f"{at}/summary"), Prose(operation.description, f"{at}/description"))
        return tuple(one for one in found if one.text)

    def prose_of(self, operation: Operation) -> tuple[Prose, ...]:
        """All that is written about one operation, the descriptions of its replies too."""
        replies = (Prose(one.description, f"{one.place.pointer}/description") for one in operation.responses)
        return (*self.about(operation), *(one for one in replies if one.text))

    def extension(self, operation: Operation, name: str) -> Any:
        """The value of an `x-` key of an operation, when the document is at hand."""
        if self.document is None:
            return None
        value: Any = self.document.value
        for step in operation.place.pointer[2:].split("/"):
            value = value.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(value, dict) else None
        return value.get(name) if isinstance(value, dict) else None


def _texts(root: dict[str, Any]) -> Iterator[Prose]:
    info = root.get("info")
    if isinstance(info, dict) and isinstance(info.get("description"), str):
        yield Prose(info["description"], "#/info/description")
    tags = root.get("tags")
    for index, tag in enumerate(tags if isinstance(tags, list) else ()):
        if isinstance(tag, dict) and isinstance(tag.get("description"), str):
            yield Prose(tag["description"], f"#/tags/{index}/description")


def body_fields(reading: Reading, operation: Operation) -> dict[str, Field]:
    """The named fields of a request body."""
    return {} if operation.body is None else reading.fields(operation.body.type)


def query(operation: Operation) -> list[Parameter]:
    """The parameters that go into the query."""
    return [parameter for parameter in operation.parameters if parameter.location == "query"]
