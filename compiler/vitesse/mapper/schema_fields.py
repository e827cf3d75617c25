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
NEAR = 600
"""Of more source fields than these, those that stand deeper than two objects are left to hints."""
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
    if not writable:
        found = own_fields(found)
    described = [_described(one, end.types) for one in found]
    return EndFields(end=end, reached=tuple(found), side=read_side(described, about(end)))


_ANYBODYS = frozenset(
    {"id", "name", "type", "value", "status", "state", "object", "key", "code", "url", "title", "created", "updated"}
)
"""Leaves that every record has: they say something only with the object around them."""


def own_fields(found: list[Reached]) -> list[Reached]:
    """The fields without those of other records that stand whole inside this one.

    An expanded customer's default source has an account with an address of its own. Where the record has the same field two
    levels nearer, the far one is somebody else's; a hint still reaches it.
    """
    nearest: dict[tuple[str, ...], int] = {}
    keys = []
    for one in found:
        names = [str(segment) for segment in one.path if segment is not EACH]
        leaf = names[-1].lower() if names else ""
        key = (leaf, names[-2].lower()) if leaf in _ANYBODYS and len(names) > 1 else (leaf,)
        keys.append((key, len(names)))
        nearest[key] = min(nearest.get(key, len(names)), len(names))
    own = [(depth, one) for one, (key, depth) in zip(found, keys, strict=True) if depth - nearest[key] < 2]
    far = sorted(depth for depth, _ in own)[NEAR:][:1]
    return [one for depth, one in own if not far or depth < far[0] or depth <= 2]


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
