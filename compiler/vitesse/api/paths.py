"""Field paths: `default_address.city`, `addresses[].zip`, `properties.email`, `settings."app.site_name"`.

A path is a tuple of wire names and `EACH`, the marker for the items of a list. A segment with a dot, a bracket, a quote or
nothing in it is written in double quotes; inside them a backslash stands before a quote or a backslash.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, TypeAlias


class _Each(Enum):
    EACH = "[]"

    def __repr__(self) -> str:
        return "EACH"


EACH: Final = _Each.EACH
"""Every item of the list before it."""

Segment: TypeAlias = "str | _Each"
Path: TypeAlias = tuple[Segment, ...]

_BARE_STOPS = '.[]"'


class PathSyntaxError(ValueError):
    """A text that is no field path; says what stands where, counted from 1."""


def parse_path(text: str) -> Path:
    """Read a path. The empty text is the whole record. Raises PathSyntaxError."""
    segments: list[Segment] = []
    position = 0
    while position < len(text):
        if text.startswith("[]", position):
            segments.append(EACH)
            position += 2
        elif text[position] == '"':
            name, position = _quoted(text, position)
            segments.append(name)
        elif text[position] in _BARE_STOPS:
            raise PathSyntaxError(
                f"`{text[position]}` at character {position + 1} begins no segment; quote a name that holds it"
            )
        else:
            end = position
            while end < len(text) and text[end] not in _BARE_STOPS:
                end += 1
            segments.append(text[position:end])
            position = end
        position = _after(text, position)
    return tuple(segments)


def _quoted(text: str, start: int) -> tuple[str, int]:
    name = ""
    position = start + 1
    while position < len(text):
        if text[position] == "\\" and position + 1 < len(text):
            name += text[position + 1]
            position += 2
        elif text[position] == '"':
            return name, position + 1
        else:
            name += text[position]
            position += 1
    raise PathSyntaxError(f"the quote at character {start + 1} is not closed")


def _after(text: str, position: int) -> int:
    """Where the next segment begins: past a dot, or at a bracket."""
    if position == len(text) or text.startswith("[]", position):
        return position
    if text[position] == "." and position + 1 < len(text):
        return position + 1
    raise PathSyntaxError(
        f"`{text[position]}` at character {position + 1} follows a segment; a dot and a name, or `[]`, may"
    )


def format_path(path: Path) -> str:
    """Write a path; `parse_path` reads the same back."""
    text = ""
    for segment in path:
        if segment is EACH:
            text += "[]"
        else:
            text += ("." if text else "") + _written(segment)
    return text


def _written(name: str) -> str:
    if name and not any(char in _BARE_STOPS or char in "\\" for char in name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
