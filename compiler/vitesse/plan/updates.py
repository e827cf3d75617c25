"""A stream's body × the update operation → what of the body the update does not take, and where it wants the identity again.

One body is mapped for create and update. Vendors' updates often take less (no `associations`, no `parent`) or one thing more: JSON:API
repeats the identity in the body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..api.model import Api, Array, Field, Object, Operation, Scalar, Type, Union
from ..api.paths import EACH, Path
from ..rules.shapes import Unreached, reach, resolve
from .model import JsonPath

_DEEPEST = 4
"""Levels of a record that are compared with what an update takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """How a body is fitted to an update."""

    not_taken: tuple[JsonPath, ...] = ()
    """Parts of the body that the update has no place for; outermost, in order."""
    repeats: tuple[tuple[JsonPath, str, Literal["string", "integer"]], ...] = ()
    """(path in the body, path parameter that has the value, kind)."""
    unfilled: tuple[Field, ...] = ()
    """Fields that the update requires and nothing fills."""


def fit_update(
    api: Api,
    update: Operation,
    filled: Sequence[Path],
    *,
    waived: Sequence[Path],
    identity: JsonPath,
    argument: str,
    replaces: bool,
) -> Update:
    """Compare what the rules fill with what an update takes.

    Args:
        filled: Destinations of the rules, as paths of a written body.
        identity: Where the record's identity would stand in a written body.
        argument: The path parameter that takes the identity.
        replaces: The update sends the whole record: what it requires comes from the destination itself, but for what is inside lists,
            which are written as the rules fill them.
    """
    if update.body is None:
        return Update()
    body, types = resolve(update.body.type, api.types), api.types
    repeated = None if any(_keys(path) == identity for path in filled) else _required_at(body, types, identity)
    if "{" + argument + "}" not in update.path:
        repeated = None
    here = [*map(_keys, (*filled, *waived)), *([identity] if repeated else [])]
    return Update(
        not_taken=not_taken_by(update.body.type, types, filled),
        repeats=((identity, argument, repeated),) if repeated else (),
        unfilled=tuple(_unfilled(body, types, here, counts=not replaces)),
    )


def not_taken_by(body: Type, types: Mapping[str, Type], filled: Sequence[Path]) -> tuple[JsonPath, ...]:
    """What of the fields that the rules fill a body has no place for: outermost, in order."""
    body = resolve(body, types)
    lacking = dict.fromkeys(found for path in filled if (found := _not_taken(body, types, path)) is not None)
    return tuple(path for path in lacking if not any(path[:size] in lacking for size in range(1, len(path))))


def _not_taken(body: Type, types: Mapping[str, Type], path: Path) -> JsonPath | None:
    """The outermost part of a path that the body has no place for; what is inside lists is left to the list."""
    outside = path[: path.index(EACH)] if EACH in path else path
    reached = reach(body, types, outside)
    if isinstance(reached, Unreached):
        return _keys((*reached.parent, reached.segment))
    for size, step in enumerate(reached.steps, start=1):
        if step.field is not None and step.field.read_only:
            return _keys(outside[:size])
    return None


def _required_at(body: Type, types: Mapping[str, Type], identity: JsonPath) -> Literal["string", "integer"] | None:
    """The kind of the identity where the body requires it; None where it does not."""
    if not identity or not all(isinstance(key, str) for key in identity):
        return None
    reached = reach(body, types, tuple(str(key) for key in identity))
    if isinstance(reached, Unreached) or not reached.steps[-1].required:
        return None
    match reached.type:
        case Scalar(kind="string" | "integer" as kind):
            return kind
        case _:
            return None


def _unfilled(type: Type, types: Mapping[str, Type], filled: Sequence[JsonPath], *, counts: bool) -> Iterator[Field]:
    """`counts`: what is required here is missed when nothing fills it; inside lists it always is."""
    if isinstance(type, Array):
        below = [path[1:] for path in filled if path[:1] == (0,)]
        if below and () not in below:
            yield from _unfilled(resolve(type.items, types), types, below, counts=True)
    if not isinstance(type, Object):
        return
    for field in type.fields:
        inside = [path[1:] for path in filled if path[:1] == (field.name,)]
        if field.read_only or () in inside:
            continue
        if inside:
            yield from _unfilled(resolve(field.type, types), types, inside, counts=counts)
        elif field.required and counts:
            yield field


def unlike(read: Object, taken: Object, types: Mapping[str, Type], depth: int = 0) -> Iterator[JsonPath]:
    """Fields of a record whose values, as they are read, an update cannot take: a text is asked for where an object comes back."""
    for known in read.fields:
        accepted = taken.field(known.name)
        if accepted is None:
            continue
        ours, theirs = resolve(known.type, types), resolve(accepted.type, types)
        if not _may_be(ours, theirs, types):
            yield (known.name,)
        elif isinstance(ours, Object) and isinstance(theirs, Object) and depth < _DEEPEST:
            yield from ((known.name, *path) for path in unlike(ours, theirs, types, depth + 1))


def _may_be(ours: Type, theirs: Type, types: Mapping[str, Type]) -> bool:
    """Whether a value of the one type may be one of the other. Unsure counts as yes."""
    if isinstance(ours, Union):
        return any(_may_be(resolve(member, types), theirs, types) for member in ours.members)
    if isinstance(theirs, Union):
        return any(_may_be(ours, resolve(member, types), types) for member in theirs.members)
    if isinstance(ours, Scalar) and isinstance(theirs, Scalar):
        return ours.kind == theirs.kind or {ours.kind, theirs.kind} == {"integer", "number"}
    if isinstance(ours, Array) and isinstance(theirs, Array):
        return _may_be(resolve(ours.items, types), resolve(theirs.items, types), types)
    shapes = (Scalar, Array, Object)
    return not isinstance(ours, shapes) or not isinstance(theirs, shapes) or type(ours) is type(theirs)


def _keys(path: Path) -> JsonPath:
    return tuple(0 if segment is EACH else str(segment) for segment in path)
