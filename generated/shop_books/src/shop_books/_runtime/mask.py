"""Fields that nobody is shown: hidden in dead letters, samples, conflicts, history and messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .declare import Path

MASKED = "[masked]"
SHORTEST = 3
"""Shorter values are not looked for in messages: they stand in ordinary words."""


class Mask:
    """Hides what stands at some paths. A list on the way means each of its members."""

    __slots__ = ("_paths",)

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)

    def __bool__(self) -> bool:
        return bool(self._paths)

    def value(self, value: Any) -> Any:
        """A copy of a record in which they are hidden; null and what is missing stay."""
        for path in self._paths:
            value = _hidden(value, path)
        return value

    def texts(self, value: Any) -> set[str]:
        """What stands there in one record, as text."""
        found = {str(each) for path in self._paths for each in _leaves(value, path)}
        return {text for text in found if len(text) >= SHORTEST}

    def at(self, path: Path, value: Any) -> Any:
        """What stands at `path` of a record, hidden where it is masked, holds what is, or is a part of it."""
        for each in self._paths:
            if each[: len(path)] == path:
                value = _hidden(value, each[len(path) :])
            elif path[: len(each)] == each:
                return value if value is None else MASKED
        return value

    def text(self, text: str, values: Iterable[str]) -> str:
        """A message in which these values are hidden."""
        for each in sorted(values, key=len, reverse=True):
            text = text.replace(each, MASKED)
        return text


def names_of(paths: Iterable[Path]) -> set[str]:
    """What the fields at these paths are called."""
    return {path[-1] for path in paths if path and isinstance(path[-1], str)}


def _hidden(value: Any, path: Path) -> Any:
    if isinstance(value, list):
        return [_hidden(each, path) for each in value]
    if not path:
        return value if value is None else MASKED
    step, rest = path[0], path[1:]
    if isinstance(value, dict) and step in value:
        return {key: _hidden(each, rest) if key == step else each for key, each in value.items()}
    return value


def _leaves(value: Any, path: Path) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each, path)
    elif path:
        if isinstance(value, dict) and path[0] in value:
            yield from _leaves(value[path[0]], path[1:])
    elif isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each, ())
    elif value is not None and not isinstance(value, bool):
        yield value
