"""Reading and laying values at paths of JSON values."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypedDict

import msgspec

from .declare import Path
from .hashing import decode_exact


def at(value: Any, path: Path) -> Any:
    """The value at `path`, or None when a part of it is not there."""
    for step in path:
        if type(step) is str:
            if type(value) is not dict:
                return None
            value = value.get(step)
        elif type(step) is not int or type(value) is not list or not -len(value) <= step < len(value):
            return None
        else:
            value = value[step]
    return value


def getter(path: Path) -> Callable[[Any], Any]:
    """`at` for one path, quick for the short ones."""
    if len(path) == 1 and isinstance(path[0], str):
        key = path[0]
        return lambda value: value.get(key) if type(value) is dict else None
    return lambda value: at(value, path)


def raw_getter(path: Path) -> Callable[[bytes], Any]:
    """As `at` for one path of JSON that is still bytes: all of it is read, and nothing but the value is built.

    What it returns raises `msgspec.DecodeError` for what is not JSON.
    """
    decode = decode_exact
    if path and all(isinstance(step, str) for step in path):
        kind: Any = Any
        for step in reversed(path):
            kind = TypedDict("part", {str(step): kind}, total=False)  # type: ignore[misc, no-redef]
        try:
            decode = msgspec.json.Decoder(kind, float_hook=Decimal).decode
        except ValueError:  # half a surrogate pair stands in no JSON that could be read
            return lambda raw: at(decode_exact(raw), path)

    def get(raw: bytes) -> Any:
        try:
            return at(decode(raw), path)
        except msgspec.ValidationError:
            return None  # something on the way is no object

    return get


def wrapped(path: Path, value: object) -> object:
    """The smallest JSON value that holds `value` at `path`."""
    for step in reversed(path):
        value = {step: value} if isinstance(step, str) else [value]
    return value


def without(value: dict[str, Any], path: Path) -> None:
    """Take out what is at `path`, where it is there."""
    *parents, last = path
    holder = at(value, tuple(parents))
    if isinstance(holder, dict) and isinstance(last, str):
        holder.pop(last, None)


def projected(record: Any, like: Any) -> Any:
    """What `record` has of the fields of `like`, object by object; a list is taken whole. What is not there stays out."""
    if not isinstance(record, dict) or not isinstance(like, dict):
        return record
    return {key: projected(record[key], value) for key, value in like.items() if key in record}


def overlaid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`: objects are merged, everything else (lists too) is replaced; null replaces as well."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = overlaid(under, value) if isinstance(value, dict) and isinstance(under, dict) else value
    return merged
