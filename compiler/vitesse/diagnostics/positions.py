"""Lines and columns for JSON pointers, computed when a diagnostic is shown and at no other time.

Works on the text of the file, not on what was read from it: JSON by a scanner that remembers where members start, YAML by
PyYAML's node tree. Whatever cannot be found is simply less exact: the nearest parent, the first line, or nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from json.decoder import scanstring  # type: ignore[attr-defined]  # documented nowhere, there since 2.6
from pathlib import Path
from typing import Any

_NEWLINE = re.compile(r"\r\n|\n|\r")
_SPACE = re.compile(r"[ \t\r\n]*")
_LINE = re.compile(r"#L(\d{1,9})(?::(\d{1,9}))?\Z")
_MAX_BYTES = 64 * 1024 * 1024

Span = tuple[int, int]
"""Start and end, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A line with the part of it that is meant. Line and column count from 1; `width` is at least 1."""

    line: int
    column: int
    width: int
    text: str


class Sources:
    """The files that places name, read at most once each, below `root`."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._files: dict[str, _Text | None] = {}

    def position(self, file: str, pointer: str) -> Position | None:
        """Where a pointer stands; None when the file cannot be read or lies outside the root."""
        if file not in self._files:
            self._files[file] = self._read(file)
        text = self._files[file]
        return text.position(pointer) if text is not None and pointer else None

    def _read(self, file: str) -> _Text | None:
        if self._root is None or not file or "\0" in file:
            return None
        try:
            root = self._root.resolve()
            path = (root / file).resolve()
            if not path.is_relative_to(root) or not path.is_file() or path.stat().st_size > _MAX_BYTES:
                return None
            return _Text(path.read_bytes().decode("utf-8-sig", errors="replace"), path.suffix.lower())
        except (OSError, ValueError, RuntimeError):
            return None


class _Text:
    def __init__(self, text: str, suffix: str) -> None:
        self._text = text
        self._starts = [0, *(found.end() for found in _NEWLINE.finditer(text))]
        self._tree: _JsonTree | _YamlTree | None = None
        if suffix in {".yaml", ".yml", ".json"}:
            self._tree = _JsonTree(text) if suffix == ".json" else _YamlTree(text)

    def position(self, pointer: str) -> Position | None:
        if found := _LINE.match(pointer):
            return self._at_line(int(found[1]), int(found[2] or 0))
        if self._tree is None or not (pointer + "/").startswith("#/"):
            return None
        steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")[1:]]
        span = self._tree.find(steps)
        return None if span is None else self._at(span)

    def _at_line(self, line: int, column: int) -> Position | None:
        if not 1 <= line <= len(self._starts):
            return None
        text = self._line(line)
        if column:
            return Position(line=line, column=column, width=1, text=text)
        body = text.strip()
        return Position(line=line, column=len(text) - len(text.lstrip()) + 1, width=max(len(body), 1), text=text)

    def _at(self, span: Span) -> Position:
        start, end = span
        line = bisect_right(self._starts, start)
        text = self._line(line)
        column = start - self._starts[line - 1] + 1
        width = max(min(end - start, len(text) - column + 1), 1)
        return Position(line=line, column=column, width=width, text=text)

    def _line(self, line: int) -> str:
        end = self._starts[line] if line < len(self._starts) else len(self._text)
        return self._text[self._starts[line - 1] : end].rstrip("\r\n")


class _JsonTree:
    """Members are found by skipping their elder siblings; a container that was walked once is remembered."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._skip = JSONDecoder(strict=False, parse_int=_ignore, parse_float=_ignore).raw_decode
        self._members: dict[int, dict[str, tuple[Span, int]]] = {}

    def find(self, steps: list[str]) -> Span | None:
        start = self._space(0)
        mark: Span = (start, start + 1)
        for step in steps:
            member = self._walk(start).get(step)
            if member is None:
                break
            mark, start = member
        return mark if mark[0] < len(self._text) else None

    def _walk(self, start: int) -> dict[str, tuple[Span, int]]:
        """Name or index → (what to mark, start of the value)."""
        if start not in self._members:
            members: dict[str, tuple[Span, int]] = {}
            self._members[start] = members
            try:
                match self._text[start : start + 1]:
                    case "{":
                        self._walk_object(start, members)
                    case "[":
                        self._walk_array(start, members)
            except (JSONDecodeError, StopIteration, RecursionError):
                pass  # what stands before the fault was found
        return self._members[start]

    def _walk_object(self, start: int, members: dict[str, tuple[Span, int]]) -> None:
        at = self._space(start + 1)
        while self._text[at : at + 1] == '"':
            name, end = scanstring(self._text, at + 1, False)
            value = self._space(self._space(end) + 1)
            members.setdefault(name, ((at, end), value))
            at = self._space(self._skip(self._text, value)[1])
            if self._text[at : at + 1] != ",":
                return
            at = self._space(at + 1)

    def _walk_array(self, start: int, members: dict[str, tuple[Span, int]]) -> None:
        at = self._space(start + 1)
        while at < len(self._text) and self._text[at] != "]":
            end = self._skip(self._text, at)[1]
            members[str(len(members))] = ((at, end), at)
            at = self._space(end)
            if self._text[at : at + 1] != ",":
                return
            at = self._space(at + 1)

    def _space(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at


def _ignore(digits: str) -> None:
    """Numbers are skipped, not read: a very long one is nobody's problem here."""


class _YamlTree:
    def __init__(self, text: str) -> None:
        self._root = _compose(text)

    def find(self, steps: list[str]) -> Span | None:
        node = self._root
        if node is None:
            return None
        mark: Span = (node.start_mark.index, node.start_mark.index + 1)
        for step in steps:
            member = _member(node, step)
            if member is None:
                break
            marked, node = member
            mark = (marked.start_mark.index, marked.end_mark.index)
        return mark


def _compose(text: str) -> Any:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.compose(text, Loader=loader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def _member(node: Any, step: str) -> tuple[Any, Any] | None:
    """(the node to mark, the member's value); a member is marked by its name, an item by itself."""
    match node.id:
        case "mapping":
            for name, value in node.value:
                if name.id == "scalar" and name.value == step:
                    return name, value
        case "sequence":
            if step.isascii() and step.isdigit() and int(step) < len(node.value):
                return node.value[int(step)], node.value[int(step)]
    return None
