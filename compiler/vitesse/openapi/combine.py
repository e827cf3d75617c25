"""Several schemas about one value → one Type: allOf merged, oneOf and anyOf as unions.

A merge keeps what all parts say: fields of all, the narrower type, the shorter enum, whatever one of them requires. Parts that
no value can satisfy together are named. A union with one member left is that member; null among the members makes the union
nullable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..api.model import Anything, Array, Object, Ref, Scalar, Type
from ..api.model import Union as UnionType
from . import discriminate, pointers
from .keywords import SCALAR_KINDS, as_list, as_nullable, is_null, says_nullable, shape_of
from .refs import Target

if TYPE_CHECKING:
    from .schemas import Schemas

_CHOICE = ("oneOf", "anyOf")
_MERGES = 6
"""Merged properties inside merged properties; deeper ones take their last schema."""
_LAYERS = frozenset({"allOf", "oneOf", "anyOf", "if", "then", "else", "dependentSchemas", "$ref"})


@dataclass(slots=True)
class _Part:
    """What one schema says by itself, its allOf and references taken apart."""

    schema: dict[str, Any]
    file: str
    pointer: str


@dataclass(slots=True)
class _Parts:
    plain: list[_Part] = field(default_factory=list)
    choices: list[tuple[list[Any], str, str, dict[str, Any]]] = field(default_factory=list)
    """Members of a oneOf or anyOf, where they stand, and the schema that holds them."""
    optional: list[_Part] = field(default_factory=list)
    """Schemas that hold under a condition (`then`, `else`): their fields may be there."""
    nullable: bool = False
    visited: set[tuple[str, str]] = field(default_factory=set)
    """Places of all schemas that were taken apart."""


def read(schemas: Schemas, schema: dict[str, Any], file: str, pointer: str, title: str) -> Type:
    """The type of a schema that has allOf, oneOf, anyOf, a condition, or (from 3.1 on) keywords beside a `$ref`."""
    alone = _only_member(schemas, schema, file, pointer)
    if alone is not None:
        return alone
    own = shape_of(schema) - {"required"}
    for key in _CHOICE:
        if own - {"type"} == {key} and isinstance(schema.get(key), list):
            return union(schemas, schema[key], schema, file, pointers.join(pointer, key), title)
    parts = _Parts()
    _take_apart(schemas, schema, file, pointer, parts, ())
    return _merge(schemas, parts, file, pointer, title, nullable=says_nullable(schema))


def merged(schemas: Schemas, several: list[tuple[Any, str, str]]) -> Type:
    """The type of a property that several parts of one object describe."""
    known = [one for one in several if isinstance(one[0], dict) and shape_of(one[0])]
    if not known:
        return schemas.read(*several[-1])
    if len(known) == 1 or all(one[0] == known[0][0] and one[1] == known[0][1] for one in known):
        return schemas.read(*known[0])
    _, file, pointer = known[-1]
    circle = frozenset((one[1], one[2]) for one in known)
    widest = _widest(schemas, known)
    if widest is not None or circle in schemas.merging or len(schemas.merging) > _MERGES:
        return schemas.read(*(widest or known[-1]))
    parts = _Parts()
    for one in known:
        _take_apart(schemas, *one, parts, ())
    schemas.merging.append(circle)
    try:
        return _merge(schemas, parts, file, pointer, "", nullable=all(says_nullable(one[0]) for one in known))
    finally:
        schemas.merging.pop()


def _widest(schemas: Schemas, known: list[tuple[Any, str, str]]) -> tuple[Any, str, str] | None:
    """Of several references the one whose schema is built on all the others (a subtype in place of its base)."""
    targets = []
    for schema, file, _ in known:
        target = schemas.refs.peek(str(schema.get("$ref")), file) if shape_of(schema) == {"$ref"} else None
        if not isinstance(target, Target):
            return None
        targets.append((target.file, target.pointer))
    for one in known:
        with schemas.reports.muted():
            parts = _Parts()
            _take_apart(schemas, *one, parts, ())
        if parts.visited >= set(targets):
            return one
    return None


# --- allOf ------------------------------------------------------------------------------------------------------------


def _only_member(schemas: Schemas, schema: dict[str, Any], file: str, pointer: str) -> Type | None:
    """`allOf` with one member that says something, and nothing beside it: the common way to describe a reference."""
    members = schema.get("allOf")
    if not isinstance(members, list) or not shape_of(schema) <= {"allOf", "type"}:
        return None
    if schema.get("type", "object") != "object":
        return None
    speaking = [index for index, member in enumerate(members) if isinstance(member, dict) and shape_of(member)]
    if len(speaking) != 1 or "$ref" not in members[speaking[0]] or shape_of(members[speaking[0]]) != {"$ref"}:
        return None
    nullable = says_nullable(schema) or any(says_nullable(member) for member in members if isinstance(member, dict))
    at = pointers.join(pointer, "allOf", speaking[0])
    target = schemas.refs.follow(members[speaking[0]]["$ref"], file, at)
    if target is None:
        return schemas.anything(file, pointer)
    return schemas.refer(members[speaking[0]]["$ref"], file, at, nullable=nullable)


def _take_apart(
    schemas: Schemas, schema: Any, file: str, pointer: str, parts: _Parts, inside: tuple[tuple[str, str], ...]
) -> None:
    if not isinstance(schema, dict):
        if schema is not True:
            schemas.reports.error("V110", "a member of `allOf` is not a schema", file, pointer)
        return
    if (file, pointer) in inside:
        schemas.reports.error("V114", "an `allOf` leads back to itself", file, pointer)
        return
    inside = (*inside, (file, pointer))
    parts.visited.add((file, pointer))
    if len(inside) > schemas.limits.ref_chain:
        bound = schemas.limits.ref_chain
        schemas.reports.error("V105", f"`allOf` leads on and on, and the limit `ref_chain` is {bound}", file, pointer)
        return
    if "$ref" in schema:
        target = schemas.refs.follow(schema["$ref"], file, pointer)
        if target is not None:
            _take_apart(schemas, target.value, target.file, target.pointer, parts, inside)
        if not schemas.siblings:
            return
    for index, member in enumerate(as_list(schema.get("allOf"))):
        _take_apart(schemas, member, file, pointers.join(pointer, "allOf", index), parts, inside)
    if shape_of(schema) - _LAYERS or says_nullable(schema):
        parts.plain.append(_Part(schema, file, pointer))
    for key in _CHOICE:
        if isinstance(schema.get(key), list):
            parts.choices.append((schema[key], file, pointers.join(pointer, key), schema))
    conditions = [(key, schema.get(key)) for key in ("then", "else")]
    dependent = schema.get("dependentSchemas")
    if isinstance(dependent, dict):
        conditions += [(f"dependentSchemas/{pointers.step(name)}", value) for name, value in dependent.items()]
    for key, value in conditions:
        if isinstance(value, dict) and isinstance(value.get("properties"), dict):
            parts.optional.append(_Part(value, file, f"{pointer}/{key}"))


def _merge(schemas: Schemas, parts: _Parts, file: str, pointer: str, title: str, *, nullable: bool) -> Type:
    speaking = [choice for choice in parts.choices if any(_says_more(member) for member in choice[0])]
    if len(speaking) == 1 and not parts.optional and not _narrows(parts):
        members, at_file, at, holder = speaking[0]
        found = union(schemas, members, holder, at_file, at, title)
        return as_nullable(found) if nullable else found
    if speaking and not any(_is_scalar(schemas, part) for part in parts.plain):
        return _spread(schemas, parts, speaking, file, pointer, title, nullable=nullable)
    return _merge_plain(schemas, parts, file, pointer, title, nullable=nullable)


def _is_scalar(schemas: Schemas, part: _Part) -> bool:
    kinds, _, _ = schemas.kinds_of(part.schema, part.file, part.pointer)
    return bool(kinds) and SCALAR_KINDS.issuperset(kinds)


def _narrows(parts: _Parts) -> bool:
    return any(shape_of(part.schema) - _LAYERS - {"type", "required"} for part in parts.plain)


def _merge_plain(schemas: Schemas, parts: _Parts, file: str, pointer: str, title: str, *, nullable: bool) -> Type:
    """The type that all plain parts admit."""
    kinds: tuple[str, ...] | None = None
    format: str | None = None
    nulls: list[bool] = []
    for part in parts.plain:
        said, part_format, null = schemas.kinds_of(part.schema, part.file, part.pointer)
        format = format or part_format
        if shape_of(part.schema) - _LAYERS - {"required"}:
            nulls.append(null or None in as_list(part.schema.get("enum")))
        if not said:
            continue
        both = said if kinds is None else _common(kinds, said)
        if not both:
            first, other = " or ".join(kinds or ()), " or ".join(said)
            message = f"no value is both {first} and {other}, as the parts of this schema say; any value is admitted"
            schemas.reports.warn("V202", message, part.file, part.pointer)
            return schemas.anything(file, pointer)
        kinds = both
    nullable = nullable or (bool(nulls) and all(nulls))
    if not kinds:
        return schemas.anything(file, pointer)
    if len(kinds) > 1:
        schema = {"type": list(kinds)} | {k: v for part in parts.plain for k, v in part.schema.items() if k != "type"}
        found = schemas.read_plain(schema, file, pointer, title)
        return as_nullable(found) if nullable else found
    if kinds[0] == "object":
        return _merge_objects(schemas, parts, file, pointer, title, nullable=nullable)
    if kinds[0] == "array":
        return _merge_arrays(schemas, parts, file, pointer, nullable=nullable)
    return _merge_scalars(schemas, parts, kinds[0], format, file, pointer, nullable=nullable)


def _common(kinds: tuple[str, ...], said: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds in both; an integer is a number."""
    both = [kind for kind in kinds if kind in said or (kind == "integer" and "number" in said)]
    if "number" in kinds and "integer" in said and "number" not in said:
        both.append("integer")
    return tuple(both)


def _merge_objects(schemas: Schemas, parts: _Parts, file: str, pointer: str, title: str, *, nullable: bool) -> Object:
    listed: dict[str, list[tuple[Any, str, str]]] = {}
    required: set[str] = set()
    for part in parts.plain:
        required |= schemas.required_of(part.schema, part.file, part.pointer)
        _list_fields(schemas, part, listed)
    for part in parts.optional:
        held: dict[str, list[tuple[Any, str, str]]] = {}
        _list_fields(schemas, part, held)
        for name, several in held.items():
            listed.setdefault(name, several)
    fields = tuple(schemas.field(name, several, name in required) for name, several in listed.items())
    extra: Type | None = None
    for part in parts.plain:
        if extra is None and not _closes(part.schema):
            extra = schemas.extra_of(part.schema, part.file, part.pointer, has_fields=bool(fields))
    return Object(
        fields=fields, extra=extra, nullable=nullable, title=title, place=schemas.reports.place(file, pointer)
    )


def _closes(schema: dict[str, Any]) -> bool:
    return schema.get("additionalProperties") is False or schema.get("unevaluatedProperties") is False


def _list_fields(schemas: Schemas, part: _Part, listed: dict[str, list[tuple[Any, str, str]]]) -> None:
    properties = part.schema.get("properties")
    if not isinstance(properties, dict):
        return
    at = part.pointer + "/properties"
    for name, value in properties.items():
        if schemas.is_name(name, part.file, at):
            listed.setdefault(name, []).append((value, part.file, pointers.join(at, name)))


def _merge_arrays(schemas: Schemas, parts: _Parts, file: str, pointer: str, *, nullable: bool) -> Array:
    several = [
        (part.schema["items"], part.file, pointers.join(part.pointer, "items"))
        for part in parts.plain
        if isinstance(part.schema.get("items"), dict)
    ]
    items = merged(schemas, several) if several else schemas.anything(file, pointer)
    bounds = [part.schema["maxItems"] for part in parts.plain if type(part.schema.get("maxItems")) is int]
    return Array(
        items=items, nullable=nullable, max_items=min(bounds, default=None), place=schemas.reports.place(file, pointer)
    )


def _merge_scalars(
    schemas: Schemas, parts: _Parts, kind: str, format: str | None, file: str, pointer: str, *, nullable: bool
) -> Type:
    read = [
        schemas.read_plain(part.schema | {"type": kind}, part.file, part.pointer)
        for part in parts.plain
        if shape_of(part.schema)
    ]
    scalars = [one for one in read if isinstance(one, Scalar)]
    enums = [one.enum for one in scalars if one.enum]
    enum = tuple(value for value in enums[-1] if all(value in other for other in enums)) if enums else ()
    if enums and not enum:
        message = "the enums of the parts of this schema have no value in common; the values of all are read"
        schemas.reports.warn("V202", message, file, pointer)
        enum = tuple(dict.fromkeys(value for one in enums for value in one))
    lengths = [one.max_length for one in scalars if one.max_length is not None]
    return replace(
        scalars[-1],
        format=format,
        nullable=nullable,
        enum=enum,
        max_length=min(lengths, default=None),
        minimum=max((one.minimum for one in scalars if one.minimum is not None), default=None),
        maximum=min((one.maximum for one in scalars if one.maximum is not None), default=None),
        place=schemas.reports.place(file, pointer),
    )


# --- oneOf and anyOf --------------------------------------------------------------------------------------------------


def union(schemas: Schemas, members: list[Any], holder: dict[str, Any], file: str, pointer: str, title: str) -> Type:
    """The type of a list of alternatives.

    Args:
        holder: The schema that has the list, for its discriminator and whether it admits null.
        pointer: Of the list itself.
    """
    speaking = [(index, member) for index, member in enumerate(members) if not is_null(member)]
    nullable = len(speaking) < len(members) or says_nullable(holder) or _type_admits_null(holder)
    if len(speaking) > 1:
        speaking = [(index, member) for index, member in speaking if not _only_requires(member)] or speaking
    read: list[discriminate.Member] = []
    for index, member in speaking:
        at = pointers.join(pointer, index)
        found = schemas.read(member, file, at, _name_of(schemas, member, file))
        read.append(discriminate.Member(found, member, file, at))
    place_at = pointer.rsplit("/", 1)[0]
    if not read:
        if not members:
            schemas.reports.warn("V212", "the list of alternatives is empty; any value is admitted", file, pointer)
            return schemas.anything(file, pointer)
        return Scalar(kind="null", nullable=True, place=schemas.reports.place(file, place_at))
    if len(read) == 1:
        only = read[0].type
        if isinstance(only, Object) and title and not only.title:
            only = replace(only, title=title)
        return as_nullable(only) if nullable else only
    found = union_of(schemas, [member.type for member in read], file, place_at)
    if isinstance(found, UnionType) and isinstance(holder.get("discriminator"), (dict, str)):
        found = discriminate.add(schemas, found, read, holder["discriminator"], file, place_at)
    return as_nullable(found) if nullable else found


def union_of(schemas: Schemas, types: Iterable[Type], file: str, pointer: str) -> Type:
    """A union of these types, made as small as it can be without loss."""
    members: list[Type] = []
    nullable = False
    for type in types:
        flat = type.members if isinstance(type, UnionType) and not type.discriminator else (type,)
        nullable = nullable or (type.nullable and not isinstance(type, Anything))
        for member in flat:
            if isinstance(member, Anything):
                return schemas.anything(file, pointer)
            bare = replace(member, nullable=False) if member.nullable else member
            _add_member(members, bare)
    if len(members) == 1:
        return as_nullable(members[0]) if nullable else members[0]
    return UnionType(members=tuple(members), nullable=nullable, place=schemas.reports.place(file, pointer))


def _add_member(members: list[Type], type: Type) -> None:
    """Two scalars of one kind are one: an enum only when both have one, a format only when they agree."""
    for index, other in enumerate(members):
        if isinstance(type, Ref) and isinstance(other, Ref) and type.name == other.name:
            return
        if isinstance(type, Scalar) and isinstance(other, Scalar) and type.kind == other.kind:
            lengths = (type.max_length, other.max_length)
            members[index] = replace(
                other,
                format=other.format if other.format == type.format else None,
                enum=tuple(dict.fromkeys(other.enum + type.enum)) if other.enum and type.enum else (),
                max_length=None if None in lengths else max(length for length in lengths if length is not None),
                minimum=_looser(min, type.minimum, other.minimum),
                maximum=_looser(max, type.maximum, other.maximum),
            )
            return
        if isinstance(type, Scalar) and isinstance(other, Scalar) and {type.kind, other.kind} == {"integer", "number"}:
            members[index] = other if other.kind == "number" else type
            return
    members.append(type)


def _looser(
    pick: Callable[[list[int | float]], int | float], one: int | float | None, other: int | float | None
) -> int | float | None:
    return None if one is None or other is None else pick([one, other])


def _spread(
    schemas: Schemas,
    parts: _Parts,
    choices: list[tuple[list[Any], str, str, dict[str, Any]]],
    file: str,
    pointer: str,
    title: str,
    *,
    nullable: bool,
) -> Type:
    """Common fields beside alternatives: each alternative with the common fields; with several lists, all their fields."""
    if len(choices) > 1:
        message = (
            "several lists of alternatives meet here; the fields of all alternatives are read, none of them required"
        )
        schemas.reports.note("V212", message, file, pointer)
        together = _Parts(plain=list(parts.plain), optional=list(parts.optional))
        for members, at_file, at, _ in choices:
            for index, member in enumerate(members):
                inner = _Parts()
                _take_apart(schemas, member, at_file, pointers.join(at, index), inner, ())
                together.optional += inner.plain + inner.optional
        return _merge_plain(schemas, together, file, pointer, title, nullable=nullable)
    members, at_file, at, holder = choices[0]
    read: list[discriminate.Member] = []
    for index, member in enumerate(members):
        if is_null(member):
            nullable = True
            continue
        inner = _Parts(plain=list(parts.plain), optional=list(parts.optional))
        member_at = pointers.join(at, index)
        _take_apart(schemas, member, at_file, member_at, inner, ())
        if inner.choices:
            for nested, nested_file, nested_at, _ in inner.choices:
                for place, one in enumerate(nested):
                    held = _Parts()
                    _take_apart(schemas, one, nested_file, pointers.join(nested_at, place), held, ())
                    inner.optional += held.plain + held.optional
        name = _name_of(schemas, member, at_file) or title
        type = _merge_plain(schemas, inner, at_file, member_at, name, nullable=False)
        read.append(discriminate.Member(type, member, at_file, member_at))
    found = union_of(schemas, [member.type for member in read], file, pointer)
    if isinstance(found, UnionType) and isinstance(holder.get("discriminator"), (dict, str)):
        found = discriminate.add(schemas, found, read, holder["discriminator"], file, pointer)
    return as_nullable(found) if nullable else found


def _name_of(schemas: Schemas, member: Any, file: str) -> str:
    """A naming hint for an alternative: its component's name, or its title when that is a name."""
    if not isinstance(member, dict):
        return ""
    if isinstance(member.get("$ref"), str):
        target = schemas.refs.peek(member["$ref"], file)
        return target.title if isinstance(target, Target) else ""
    title = member.get("title")
    return title if isinstance(title, str) and title.isidentifier() else ""


def _says_more(member: Any) -> bool:
    """Whether an alternative has a shape of its own, not only a list of what it requires."""
    if not isinstance(member, dict):
        return False
    if "allOf" in member and not shape_of(member) - {"allOf", "required", "type"}:
        return any(_says_more(part) for part in as_list(member["allOf"]))
    return bool(shape_of(member) - {"required", "type"}) or member.get("type", "object") != "object"


def _only_requires(member: Any) -> bool:
    """A bare list of required names: it narrows its neighbours and says nothing of its own."""
    return isinstance(member, dict) and "required" in member and shape_of(member) <= {"required", "type"}


def _type_admits_null(schema: dict[str, Any]) -> bool:
    return isinstance(schema.get("type"), list) and "null" in schema["type"]
