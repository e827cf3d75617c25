"""Where a field path leads in a type, and all fields that a type has.

Walks references, objects, lists, maps and unions of an Api. A field counts as required only when everything on the way to it is
required too, and a field that only some members of a union have is never required.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from .canonical import canonical
from .model import Anything, Api, Array, Field, Object, Place, Ref, Type, Union
from .paths import EACH, Path, Segment, format_path, parse_path


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundField:
    """A place in a type that a path leads to."""

    path: Path
    type: Type
    """Resolved: never a Ref."""
    field: Field | None = None
    """The last named field; None for the whole type, for the items of a list and for the values of a map."""
    required: bool = True
    """Whether every value has it."""
    nullable: bool = False
    """Whether it, or anything on the way to it, may be null."""
    ambiguous: bool = False
    """Whether a union on the way has members without it or with other types of it."""

    @property
    def text(self) -> str:
        return format_path(self.path)

    @property
    def place(self) -> Place:
        return self.field.place if self.field is not None else self.type.place

    @property
    def description(self) -> str:
        return self.field.description if self.field is not None else ""


def find_field(api: Api, type: Type, path: Path | str) -> FoundField | None:
    """What stands at a path; None when no value of the type can have anything there.

    Args:
        path: As parsed, or as text: `addresses[].zip`.

    Raises:
        PathSyntaxError: For a text that is no path.
    """
    steps = parse_path(path) if isinstance(path, str) else path
    found = whole(api, type)
    for step in steps:
        following = _step(api, found, step)
        if following is None:
            return None
        found = following
    return found


def whole(api: Api, type: Type) -> FoundField:
    """The type itself, as the empty path finds it."""
    resolved = api.resolve(type)
    return FoundField(path=(), type=resolved, nullable=resolved.nullable and not isinstance(resolved, Anything))


def iter_fields(api: Api, type: Type, *, depth: int = 8, most: int = 5000) -> Iterator[FoundField]:
    """All fields below a type, each before those inside it, in the order of the schema.

    A reference that leads back into its own branch is given, and not followed again. The values of a map have no names: the map
    itself is where such a branch ends. Members of a union are merged by name.

    Args:
        depth: Named fields inside one another; lists do not count.
        most: No more fields than this are given.
    """
    yield from islice(_below(api, whole(api, type), _names(api, type), depth), most)


def _below(api: Api, parent: FoundField, on_branch: frozenset[str], depth: int) -> Iterator[FoundField]:
    if depth == 0:
        return
    for name in _field_names(api, parent.type):
        found = _step(api, parent, name)
        if found is None:
            continue
        yield found
        raw = found.field.type if found.field is not None else found.type
        inner, names = _inside_lists(api, found, raw)
        if not names & on_branch:
            yield from _below(api, inner, on_branch | names, depth - 1)


def _inside_lists(api: Api, found: FoundField, raw: Type) -> tuple[FoundField, frozenset[str]]:
    names = _names(api, raw)
    seen: frozenset[str] = frozenset()
    while isinstance(found.type, Array):
        inside = _names(api, found.type.items)
        if inside & seen:
            break  # a list of itself
        names, seen = names | inside, seen | inside
        item = _step(api, found, EACH)
        assert item is not None
        found = item
    return found, names


def _names(api: Api, type: Type) -> frozenset[str]:
    """The references that a type is, through aliases and unions."""
    names: set[str] = set()
    stack = [type]
    while stack:
        one = stack.pop()
        if isinstance(one, Ref) and one.name not in names:
            names.add(one.name)
            stack.append(api.types[one.name])
        elif isinstance(one, Union):
            stack += one.members
        elif isinstance(one, Array):
            stack.append(one.items)
    return frozenset(names)


def _field_names(api: Api, type: Type) -> dict[str, None]:
    names: dict[str, None] = {}
    for member in members(api, type):
        if isinstance(member, Object):
            names |= dict.fromkeys(field.name for field in member.fields)
    return names


def members(api: Api, type: Type) -> tuple[Type, ...]:
    """The resolved members of a union, unions inside it opened; any other type alone."""
    found: list[Type] = []
    seen: set[str] = set()
    stack = [type]
    while stack:
        one = stack.pop()
        if isinstance(one, Ref):
            if one.name in seen:
                continue
            seen.add(one.name)
            one = api.resolve(one)
        if isinstance(one, Union):
            stack += reversed(one.members)
        else:
            found.append(one)
    return tuple(found)


def _step(api: Api, found: FoundField, step: Segment) -> FoundField | None:
    several = members(api, found.type)
    reached = [one for member in several if (one := _into(member, step)) is not None]
    if not reached:
        return None
    field, type, _ = reached[0]
    resolved = api.resolve(type)
    differs = any(canonical(api.resolve(other)) != canonical(resolved) for _, other, _ in reached[1:])
    return FoundField(
        path=(*found.path, step),
        type=resolved,
        field=field,
        required=found.required and len(reached) == len(several) and all(one[2] for one in reached),
        nullable=found.nullable or any(_admits_null(api, other) for _, other, _ in reached),
        ambiguous=found.ambiguous or differs or len(reached) < len(several),
    )


def _admits_null(api: Api, type: Type) -> bool:
    resolved = api.resolve(type)
    return resolved.nullable and not isinstance(resolved, Anything)


def _into(type: Type, step: Segment) -> tuple[Field | None, Type, bool] | None:
    """(field, type, whether every value has it) of one step into a resolved type that is no union."""
    match type:
        case Array() if step is EACH:
            return None, type.items, True
        case Object() if isinstance(step, str):
            field = type.field(step)
            if field is not None:
                return field, field.type, field.required
            return None if type.extra is None else (None, type.extra, False)
        case Anything():
            return None, type, False
        case _:
            return None
