"""An Api, or any value of IR 1, as plain JSON: members in a fixed order, defaults left out.

For goldens, for digests over the types that a rule touches, and for reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any

from .model import Json, Place

_KINDS = frozenset({"Scalar", "Array", "Object", "Union", "Anything", "Ref"})
"""Classes that stand for each other, so that their name has to be said."""


def canonical(value: object, *, places: bool = False) -> Json:
    """The value as JSON.

    Args:
        places: Keep each value's pointer, as `at`. Without them two files that say the same give the same JSON.
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Place):
        return value.pointer
    if isinstance(value, Mapping):
        return {str(key): canonical(member, places=places) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item, places=places) for item in value]
    assert is_dataclass(value), value
    kind: Any = type(value)
    said: dict[str, Json] = {}
    if kind.__name__ in _KINDS:
        said["is"] = kind.__name__.lower()
    for name, default, factory in _members(kind):
        if name == "place":
            if places:
                said["at"] = canonical(getattr(value, name))
            continue
        member = getattr(value, name)
        if member is None or (factory and not member) or (type(member) is type(default) and member == default):
            continue
        said[name] = canonical(member, places=places)
    return said


@cache
def _members(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    """(name, default, whether the default is an empty collection), in the order of the class."""
    listed: tuple[Field[Any], ...] = fields(kind)
    return tuple((member.name, member.default, member.default_factory is not MISSING) for member in listed)
