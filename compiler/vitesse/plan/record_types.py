"""The types of records: where they are in a reply or a body, and what is at a path of them."""

from __future__ import annotations

from itertools import takewhile

from ..api.model import Api, Object, Operation, Type
from ..api.paths import EACH, Path
from .model import JsonPath
from .operations import json_path
from .shape import as_array, as_object


def record_type(api: Api, operation: Operation, path: JsonPath, *, is_list: bool) -> Type | None:
    """The type of the records of a list reply, or of the one record of a single reply; None when the spec does not say."""
    reply = operation.success()
    found = below(api, reply.type, path) if reply is not None and reply.type is not None else None
    if found is None or not is_list:
        return found
    array = as_array(api, found)
    return array.items if array is not None else None


def below(api: Api, type: Type, path: JsonPath) -> Type | None:
    """The type at a path of another; None when the spec does not say."""
    current: Type | None = type
    for step in path:
        if current is None:
            return None
        if isinstance(step, int):
            array = as_array(api, current)
            current = array.items if array is not None else None
            continue
        found: Object | None = as_object(api, current)
        known = found.field(step) if found is not None else None
        current = known.type if known is not None else (found.extra if found is not None else None)
    return current


def keys_of(path: Path) -> JsonPath:
    """A field path as keys; of a list its first item."""
    return tuple(0 if segment is EACH else str(segment) for segment in path)


def without_positions(paths: list[JsonPath]) -> list[Path]:
    """As far as names go: what is inside a list is read whole."""
    return [tuple(str(step) for step in takewhile(lambda step: isinstance(step, str), path)) for path in paths]


def optional_path(text: str | None) -> JsonPath | None:
    """A path that may be left out."""
    return json_path(text) if text is not None else None
