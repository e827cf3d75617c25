"""Replies that are not as the vendor describes them: counted by place and kind, told once, never a reason to stop by itself.

A record that does not fit is a dead letter, a reply without what was planned to be in it fails what asked for it; here is
only kept where descriptions and replies part, so that somebody can see it coming. No value of a record is kept, and of the
keys of a map none either.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias

import msgspec
from pydantic import BaseModel, ValidationError

from ..declare import Path, Stream
from ..errors import DecodeError, Truncated
from ..state.rows import DriftRow

log = logging.getLogger("sync")

Side: TypeAlias = Literal["source", "destination"]
MOST = 200
"""Different ones that a run keeps; what is beyond them counts for the whole reply."""


class Drift:
    """What one run has seen of it."""

    def __init__(self, stream: Stream[Any, Any], *, run_id: str = "") -> None:
        self.total = 0
        """Replies and records that did not fit, each once."""
        self._stream = stream
        self._run_id = run_id
        self._names = frozenset(_wire_names(stream.source.record, set()))
        self._fresh: dict[tuple[Side, str, str], int] = {}
        self._known: set[tuple[Side, str, str]] = set()

    def record(self, error: Exception) -> None:
        """A source record that its model refused."""
        self.total += 1
        if isinstance(error, ValidationError):
            found = error.errors(include_url=False, include_context=False, include_input=False)
            for path, kind in {(self._path(each["loc"]), str(each["type"]).replace("_", " ")) for each in found}:
                self._see("source", path, kind)
        else:
            self._see("source", "", "not JSON" if isinstance(error, msgspec.MsgspecError) else "unreadable")

    def reply(self, error: DecodeError) -> None:
        """A reply that has not what it should. One that ends early is no drift."""
        if isinstance(error, Truncated):
            return
        source = self._stream.source
        listing = source.list.id == error.operation
        is_source = listing or (source.get is not None and source.get.id == error.operation)
        self.total += 1
        self._see(
            "source" if is_source else "destination",
            _shown(source.list.records or ()) if listing else "",
            "not as described",
        )

    def lacks(self, path: Path) -> None:
        """A reply of the destination without what names the record that was written."""
        self.total += 1
        self._see("destination", _shown(path), "missing")

    def take(self, now: float) -> list[DriftRow]:
        """What is not on file yet."""
        fresh, self._fresh = self._fresh, {}
        return [
            DriftRow(self._stream.name, side, path, kind, count, now, now, self._run_id)
            for (side, path, kind), count in fresh.items()
        ]

    @property
    def is_waiting(self) -> bool:
        return bool(self._fresh)

    def _see(self, side: Side, path: str, kind: str) -> None:
        key: tuple[Side, str, str] = (side, path, kind)
        if key not in self._known:
            if len(self._known) >= MOST:
                key = (side, "", "further kinds")
            if key not in self._known:
                self._known.add(key)
                where = f"`{key[1]}`" if key[1] else "the whole reply"
                log.warning("%s: %s does not answer as described at %s: %s", self._stream.name, side, where, key[2])
        self._fresh[key] = self._fresh.get(key, 0) + 1

    def _path(self, loc: Iterable[int | str]) -> str:
        text = ""
        for step in loc:
            if isinstance(step, int):
                text += "[]"
            else:
                text += f"{'.' if text else ''}{step if step in self._names else '*'}"
        return text


def _shown(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _wire_names(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    """The names that the fields of a model and of all models in it have on the wire."""
    seen.add(model)
    for name, field in model.model_fields.items():
        yield field.validation_alias if isinstance(field.validation_alias, str) else name
        for inner in _models(field.annotation):
            if inner not in seen:
                yield from _wire_names(inner, seen)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models(argument)
