"""Reading and writing JSON at a path of keys and list positions."""

from __future__ import annotations

from copy import copy
from typing import Any

from .form import Json, Path


class _Nothing:
    """What stands where nothing stands: JSON has no such value."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Any = _Nothing()


def at(value: Json, path: Path) -> Json:
    """The value at `path`, or `NOTHING`."""
    for key in path:
        if isinstance(key, str):
            if not isinstance(value, dict) or key not in value:
                return NOTHING
            value = value[key]
        else:
            if not isinstance(value, list) or not -len(value) <= key < len(value):
                return NOTHING
            value = value[key]
    return value


def put(value: Json, path: Path, new: Json) -> Json:
    """Set the value at `path` in place, making objects on the way; returns the whole (which is `new` for the empty path)."""
    if not path:
        return new
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        if not isinstance(value, list):
            value = []
        while len(value) <= (key if key >= 0 else 0):
            value.append({})
        value[key] = put(value[key], rest, new)
        return value
    if not isinstance(value, dict):
        value = {}
    value[key] = put(value.get(key), rest, new) if rest else new
    return value


def remove(value: Json, path: Path) -> None:
    """Take the key at `path` out of its object, when it is there."""
    parent = at(value, path[:-1]) if path else NOTHING
    if isinstance(parent, dict):
        parent.pop(path[-1], None)


def merge(old: Json, new: Json) -> Json:
    """Lay `new` over `old`: objects are merged key by key, everything else is replaced."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    merged = copy(old)
    for key, value in new.items():
        merged[key] = merge(merged.get(key), value)
    return merged


def dotted(path: Path) -> str:
    """`("addresses", 0, "zip")` → `addresses[0].zip`, as people write it."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key}" if text else key
    return text
