"""A stream's end → the fields the matcher looks at, each with what stands behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..api.model import Json, Type
from ..api.paths import EACH
from ..rules.model import End, Reached, Shape
from ..rules.shapes import nearest_leaves, resolve, shape_of
from .choose import Known
from .fields import Described, Side, read_side

MOST = 1500
"""Fields of one side that are looked at: of a schema without end, those near the top."""
_SKIP = frozenset(
    {"get", "post", "put", "list", "create", "batch", "json", "api", "admin", "rest", "v", "crm", "objects", "data"}
)
_WORDS = re.compile(r"[A-Za-z]{3,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndFields:
    """One end, read for matching. Positions of the views are positions in `reached`."""

    end: End
    reached: tuple[Reached, ...]
    side: Side

    def known(self, position: int, lists: int) -> Known:
        """The type of a field as seen from inside `lists` lists: one that walks through more is itself a list."""
        reached = self.reached[position]
        shape = shape_of(reached.type, self.end.types)
        here = replace(known_of(shape), example=example_of(reached))
        walked = sum(segment is EACH for segment in reached.path)
        if walked > lists:
            return Known(kind="list", items=here.kind, format=here.format, enum=here.enum)
        return here


def known_of(shape: Shape) -> Known:
    kind = None if shape.kind == "any" else shape.kind
    items = shape.items.kind if shape.items is not None else None
    return Known(
        kind=kind,
        format=shape.format or (shape.items.format if shape.items is not None else None),
        items=None if items == "any" else items,
        enum=shape.enum,
        max_length=shape.max_length,
    )


def fields_of(end: End, *, writable: bool) -> EndFields:
    """Read one end.

    Args:
        writable: Leave out what the API sets itself.
    """
    found = nearest_leaves(end.type, end.types, MOST)
    if writable:
        found = [one for one in found if not any(step.field is not None and step.field.read_only for step in one.steps)]
    else:
        found = [
            one for one in found if not any(step.field is not None and step.field.write_only for step in one.steps)
        ]
    described = [_described(one, end.types) for one in found]
    return EndFields(end=end, reached=tuple(found), side=read_side(described, about(end)))


def about(end: End) -> list[str]:
    """Names of the record: the schema's title and the last name in the operation's path."""
    resolved = resolve(end.type, end.types)
    names = [getattr(resolved, "title", "")]
    parts = [part for part in end.operation.path.split("/") if part and not part.startswith("{")]
    if parts:
        names += [word for word in _WORDS.findall(parts[-1]) if word.lower() not in _SKIP]
    return [name for name in names if name]


def _described(reached: Reached, types: Mapping[str, Type]) -> Described:
    shape = shape_of(reached.type, types)
    kind = {"list": "array", "map": "object", "any": None}.get(shape.kind, shape.kind)
    field = reached.steps[-1].field
    enum = shape.enum or (shape.items.enum if shape.items is not None else ())
    return Described(
        path=reached.text,
        kind=kind,
        format=shape.format,
        enum=tuple(str(value) for value in enum),
        description=field.description if field is not None else "",
        required=all(step.required for step in reached.steps),
        nullable=reached.type.nullable,
        read_only=False,
    )


def example_of(reached: Reached) -> Json:
    """The published example, None when there is none."""
    field = reached.steps[-1].field
    return field.example if field is not None else None
