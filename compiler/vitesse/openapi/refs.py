"""`$ref` → what it leads to, inside the files of one Document.

Follows references that lead to references, and references that stand in the middle of another one's path (`paths` in a file of
its own). Nothing is opened here: a file that was not read with the document is named, not fetched.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from ..frozen import dataclass
from . import pointers
from .document import Document, neighbour
from .reports import Reports, shown

_ANNOTATIONS = frozenset({"$ref", "description", "summary", "title"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference leads to."""

    value: Any
    file: str
    pointer: str
    """Plain form: one spelling for one place."""
    names: tuple[str, ...]
    key: str
    """Its name in `Api.types` when it is a schema: `Customer`, or file and pointer for what is no named component."""
    title: str
    """The last name on the way to it, a naming hint."""


@dataclass(frozen=True, slots=True)
class _Broken:
    code: str
    message: str


class Refs:
    """The references of one document, each resolved once."""

    def __init__(self, document: Document, reports: Reports) -> None:
        self._document = document
        self._reports = reports
        self._memo: dict[tuple[str, str], Target | _Broken] = {}

    def follow(self, ref: object, file: str, pointer: str) -> Target | None:
        """The target of the `$ref` that stands at `pointer`; None, and a report, when there is none."""
        if not isinstance(ref, str):
            self._reports.error("V113", "a `$ref` is not a text", file, pointers.join(pointer, "$ref"))
            return None
        found = self.peek(ref, file)
        if isinstance(found, Target):
            return found
        self._reports.error(found.code, found.message, file, pointers.join(pointer, "$ref"))
        return None

    def at(self, value: Any, file: str, pointer: str) -> Target:
        """What stands at a place that is known, as a reference to it would find it."""
        names = tuple(name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:])
        return Target(value, file, pointer, names, self._key(file, names), _title(file, names))

    def resolved(self, value: Any, file: str, pointer: str) -> tuple[Any, str, str] | None:
        """The value itself or, where it is a reference, what that leads to, with its file and pointer."""
        if isinstance(value, dict) and "$ref" in value:
            target = self.follow(value["$ref"], file, pointer)
            return None if target is None else (target.value, target.file, target.pointer)
        return value, file, pointer

    def peek(self, ref: str, file: str) -> Target | _Broken:
        """As `follow`, without a report."""
        known = self._memo.get((file, ref))
        if known is None:
            known = self._memo[file, ref] = self._resolve(ref, file, set())
        return known

    def _resolve(self, ref: str, file: str, seen: set[tuple[str, str]]) -> Target | _Broken:
        if (file, ref) in seen:
            return _Broken("V114", f"the reference `{shown(ref)}` leads back to itself")
        if len(seen) >= self._document.limits.ref_chain:
            bound = self._document.limits.ref_chain
            return _Broken("V105", f"references follow one another, and the limit `ref_chain` is {bound}")
        seen.add((file, ref))
        path, _, fragment = ref.partition("#")
        if path:
            name = neighbour(file, path)
            if name is None:
                return _Broken("V111", f"the reference `{shown(ref)}` leads out of the folder of the root file")
            if name not in self._document.files:
                because = self._document.unread.get(name, f"`{name}` was not read with it")
                return _Broken("V115", f"the file of the reference `{shown(ref)}` is not there: {because}")
            file = name
        try:
            names = pointers.parse(fragment)
        except pointers.BadPointer as error:
            return _Broken("V113", f"the reference `{shown(ref)}` cannot be followed: {error}")
        return self._walk(ref, file, names, seen)

    def _walk(self, ref: str, file: str, names: tuple[str, ...], seen: set[tuple[str, str]]) -> Target | _Broken:
        value = self._document.files[file]
        done: tuple[str, ...] = ()
        for name in names:
            if isinstance(value, dict) and name in value:
                value, done = value[name], (*done, name)
            elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
                value, done = value[int(name)], (*done, name)
            elif isinstance(value, dict) and isinstance(value.get("$ref"), str):
                inside = self._on_the_way(value["$ref"], file, seen)
                if isinstance(inside, _Broken):
                    return inside
                file, done, value = inside.file, (*inside.names, name), inside.value
                if not isinstance(value, dict) or name not in value:
                    return self._dangling(ref, name)
                value = value[name]
            else:
                return self._dangling(ref, name)
        if isinstance(value, dict) and isinstance(value.get("$ref"), str) and _is_alias(value):
            return self._resolve(value["$ref"], file, seen)
        return Target(value, file, pointers.render(done), done, self._key(file, done), _title(file, done))

    def _on_the_way(self, ref: str, file: str, seen: set[tuple[str, str]]) -> Target | _Broken:
        """What stands in the middle of a path. It may be passed again later: only what is still being followed is a circle."""
        known = self._memo.get((file, ref))
        if known is None:
            known = self._resolve(ref, file, set(seen))
            if isinstance(known, Target):
                self._memo[file, ref] = known
        return known

    def _dangling(self, ref: str, name: str) -> _Broken:
        return _Broken(
            "V112", f"nothing stands at the end of the reference `{shown(ref)}`: there is no `{shown(name)}`"
        )

    def _key(self, file: str, names: tuple[str, ...]) -> str:
        pointer = pointers.render(names)
        if file != self._document.file:
            return file if not names else f"{file}{pointer}"
        named = (names[:2] == ("components", "schemas") and len(names) == 3) or (
            names[:1] == ("definitions",) and len(names) == 2
        )
        return names[-1] if named and "#" not in names[-1] else pointer


def _is_alias(value: dict[str, Any]) -> bool:
    return all(key in _ANNOTATIONS or key.startswith("x-") for key in value) and not value.get("x-nullable")


def _title(file: str, names: tuple[str, ...]) -> str:
    return unquote(names[-1]) if names else PurePosixPath(file).stem
