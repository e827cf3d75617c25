"""Types of an API → shapes of values in a mapper, and paths → what stands at their end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import assert_never

from ..api.model import Anything, Array, Field, Json, Object, Ref, Scalar, Type, Union
from ..api.paths import EACH, Path, Segment
from ..frozen import dataclass
from .model import Reached, Shape, Step

ANY = Shape(kind="any")


def resolve(type: Type, types: Mapping[str, Type]) -> Type:
    """The type behind a Ref, nullable when either says so."""
    nullable = False
    while isinstance(type, Ref):
        nullable = nullable or type.nullable
        type = types[type.name]
    return replace(type, nullable=True) if nullable and not type.nullable else type


def shape_of(type: Type, types: Mapping[str, Type], inside: frozenset[str] = frozenset()) -> Shape:
    """What a value of this type is in a mapper, apart from being null. A list or map of itself holds anything.

    Args:
        inside: The names on the way here.
    """
    while isinstance(type, Ref):
        if type.name in inside:
            return ANY
        inside |= {type.name}
        type = types[type.name]
    match type:
        case Scalar():
            if type.kind == "null":
                return ANY
            enum = tuple(value for value in type.enum if value is not None)
            return Shape(kind=type.kind, format=type.format, enum=enum, max_length=type.max_length)
        case Array():
            return Shape(kind="list", items=shape_of(type.items, types, inside))
        case Object(fields=()) if type.extra is not None:
            return Shape(kind="map", items=shape_of(type.extra, types, inside))
        case Object(fields=()):
            return Shape(kind="map", items=ANY)
        case Object():
            return Shape(kind="object")
        case Union():
            return _common([shape_of(member, types, inside) for member in type.members])
        case Anything():
            return ANY
        case _:
            assert_never(type)


def _common(shapes: list[Shape]) -> Shape:
    """One shape for all members of a union when they agree on the kind; else anything."""
    kinds = {shape.kind for shape in shapes}
    if len(kinds) != 1 or kinds & {"list", "map"}:
        return shapes[0] if len(set(shapes)) == 1 else ANY
    formats = {shape.format for shape in shapes}
    enum: tuple[Json, ...] = ()
    if all(shape.enum for shape in shapes):
        enum = tuple(dict.fromkeys(value for shape in shapes for value in shape.enum))
    return Shape(kind=shapes[0].kind, format=formats.pop() if len(formats) == 1 else None, enum=enum)


def closed_set(type: Type, types: Mapping[str, Type], kind: str) -> tuple[Json, ...]:
    """The only values of one kind that a union of unlike members takes (a map, or the empty text); () when there are others."""
    union = resolve(type, types)
    if not isinstance(union, Union):
        return ()
    shapes = [shape_of(member, types) for member in union.members]
    if any(shape.kind == "any" for shape in shapes):
        return ()
    same = [shape for shape in shapes if shape.kind == kind]
    return _common(same).enum if same else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreached:
    """Where a path ends too early."""

    segment: Segment
    """The first that is not there."""
    parent: Path
    names: tuple[str, ...]
    """What is there instead; empty for a list or a plain value."""
    parent_is: str
    """`object`, `list`, `string` …"""
    place: Type


def reach(root: Type, types: Mapping[str, Type], path: Path) -> Reached | Unreached:
    """Follow a path from a record of the type `root`.

    A path may enter a map and a value of any type. A union is entered through the first member that has the field; then the
    field is not required.
    """
    steps: list[Step] = []
    type = resolve(root, types)
    for index, segment in enumerate(path):
        step = _enter(type, segment, types)
        if step is None:
            return Unreached(
                segment=segment,
                parent=path[:index],
                names=tuple(dict.fromkeys(_names(type, types))),
                parent_is=shape_of(type, types).kind,
                place=type,
            )
        steps.append(step)
        type = step.type
    return Reached(path=path, steps=tuple(steps))


def _enter(type: Type, segment: Segment, types: Mapping[str, Type]) -> Step | None:
    match type:
        case Array() if segment is EACH:
            return Step(segment=None, type=resolve(type.items, types), required=True)
        case Object() if segment is not EACH:
            field = type.field(segment)
            if field is not None:
                return Step(segment=segment, type=resolve(field.type, types), required=field.required, field=field)
            if type.extra is not None:
                return Step(segment=segment, type=resolve(type.extra, types), required=False)
            if not type.fields:
                return Step(segment=segment, type=Anything(place=type.place), required=False)
            return None
        case Union():
            for member in type.members:
                step = _enter(resolve(member, types), segment, types)
                if step is not None:
                    return replace(step, required=segment is EACH)
            return None
        case Anything():
            name = None if segment is EACH else segment
            return Step(segment=name, type=Anything(place=type.place), required=name is None)
        case _:
            return None


def _names(type: Type, types: Mapping[str, Type]) -> Iterator[str]:
    if isinstance(type, Object):
        yield from (field.name for field in type.fields)
    elif isinstance(type, Union):
        for member in type.members:
            yield from _names(resolve(member, types), types)


def nearest_leaves(root: Type, types: Mapping[str, Type], most: int) -> list[Reached]:
    """As `leaves`, but level by level until there are `most`: of a schema without end, what is near the top.

    An object that is not entered any more is not named either. In the order of the schema.
    """
    found: list[Reached] = []
    level: list[tuple[Type, Path, tuple[Step, ...], frozenset[str]]] = [(resolve(root, types), (), (), frozenset())]
    while level and len(found) < most:
        below: list[tuple[Type, Path, tuple[Step, ...], frozenset[str]]] = []
        for type, path, steps, seen in level:
            for name, field in _members(type, types):
                inner = resolve(field.type, types)
                step = Step(
                    segment=name, type=inner, required=field.required and not isinstance(type, Union), field=field
                )
                here, above = (*path, name), (*steps, step)
                again = _component(field.type)
                entered = seen | {again} if again is not None else seen
                if isinstance(inner, Array):
                    item_name = _component(inner.items)
                    item = resolve(inner.items, types)
                    if any(True for _ in _members(item, types)):
                        if item_name not in seen:
                            each = Step(segment=None, type=item, required=True)
                            more = entered | {item_name} if item_name is not None else entered
                            below.append((item, (*here, EACH), (*above, each), more))
                        continue
                elif any(True for _ in _members(inner, types)):
                    if again is None or again not in seen:
                        below.append((inner, here, above, entered))
                    continue
                found.append(Reached(path=here, steps=above))
        level = below if len(below) <= most else []
    return sorted(found[:most], key=lambda reached: position_of(root, types, reached))  # what is deepest is left out


def position_of(root: Type, types: Mapping[str, Type], reached: Reached) -> tuple[tuple[int, str], ...]:
    """Where a field stands in its schema: sorts as the schema reads; entries of a map by name."""
    position = []
    parent = resolve(root, types)
    for step in reached.steps:
        names = [name for name, _ in _members(parent, types)]
        name = step.segment or ""
        position.append((names.index(name) if name in names else len(names), name))
        parent = step.type
    return tuple(position)


MAX_DEPTH = 6


def leaves(root: Type, types: Mapping[str, Type]) -> Iterator[Reached]:
    """Every field that a rule could name, in the order of the schema, lists of objects entered through `[]`.

    Cycles are cut where a component comes again, and everything at six levels.
    """
    yield from _leaves(resolve(root, types), (), (), types, frozenset())


def _leaves(
    type: Type, path: Path, steps: tuple[Step, ...], types: Mapping[str, Type], seen: frozenset[str]
) -> Iterator[Reached]:
    for name, field in _members(type, types):
        again = _component(field.type)
        if again is not None and again in seen:
            continue
        below = seen | {again} if again is not None else seen
        inner = resolve(field.type, types)
        step = Step(segment=name, type=inner, required=field.required and not isinstance(type, Union), field=field)
        reached = Reached(path=(*path, name), steps=(*steps, step))
        yield from _below(reached, types, below)


def _below(reached: Reached, types: Mapping[str, Type], seen: frozenset[str]) -> Iterator[Reached]:
    type = reached.type
    if isinstance(type, Array):
        again = _component(type.items)
        item = resolve(type.items, types)
        if again not in seen and len(reached.path) < MAX_DEPTH and any(True for _ in _members(item, types)):
            step = Step(segment=None, type=item, required=True)
            yield from _leaves(
                item,
                (*reached.path, EACH),
                (*reached.steps, step),
                types,
                seen | ({again} if again is not None else frozenset()),
            )
            return
    elif len(reached.path) < MAX_DEPTH and any(True for _ in _members(type, types)):
        yield from _leaves(type, reached.path, reached.steps, types, seen)
        return
    yield reached


def _members(type: Type, types: Mapping[str, Type]) -> Iterator[tuple[str, Field]]:
    if isinstance(type, Object):
        yield from ((field.name, field) for field in type.fields)
    elif isinstance(type, Union):
        seen: set[str] = set()
        for member in type.members:
            for name, field in _members(resolve(member, types), types):
                if name not in seen:
                    seen.add(name)
                    yield name, field


def _component(type: Type) -> str | None:
    return type.name if isinstance(type, Ref) else None
