"""Discriminators: which value of which property stands for which member of a union.

What the members themselves say comes first: a property with one admitted value cannot lie. Then the published mapping, then the
names of the components. A mapping that names what is no member is reported, and so is a property that no member has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..api.model import Type, Union
from ..frozen import dataclass
from . import pointers
from .keywords import as_list
from .refs import Target
from .reports import shown

if TYPE_CHECKING:
    from .schemas import Schemas


@dataclass(frozen=True, slots=True)
class Member:
    """One alternative: its type, and the schema it was read from with its place."""

    type: Type
    schema: Any
    file: str
    pointer: str


def add(
    schemas: Schemas, union: Union, read: list[Member], published: dict[str, Any] | str, file: str, pointer: str
) -> Union:
    """The union with its discriminator, when the members can be told apart by it."""
    at = pointers.join(pointer, "discriminator")
    name = published if isinstance(published, str) else published.get("propertyName")
    if not isinstance(name, str):
        schemas.reports.warn("V213", "the discriminator names no property; it is not used", file, at)
        return union
    if len(union.members) != len(read):
        schemas.reports.note("V213", "members of the union are alike; the discriminator is not used", file, at)
        return union
    given = _given(schemas, read, published, file, at)
    mapping: dict[str, int] = {}
    seen = False
    for index, member in enumerate(read):
        values, has_property = _values(schemas, member.schema, member.file, name, 0)
        seen = seen or has_property
        component = _component(schemas, member.schema, member.file)
        for value in values or given.get(index) or ([component] if component else []):
            if mapping.setdefault(value, index) != index:
                message = f"the value `{shown(value)}` of `{shown(name)}` stands for two members; the first is taken"
                schemas.reports.warn("V213", message, file, at)
        if values:
            _compare(schemas, values, given.get(index, []), name, file, at)
    if not seen:
        schemas.reports.warn("V213", f"no member has the property `{shown(name)}` of the discriminator", file, at)
        return union
    return replace(union, discriminator=name, mapping=tuple(mapping.items()))


def _given(
    schemas: Schemas, read: list[Member], published: dict[str, Any] | str, file: str, at: str
) -> dict[int, list[str]]:
    """Member → values of the published mapping."""
    mapping = published.get("mapping") if isinstance(published, dict) else None
    if not isinstance(mapping, dict):
        return {}
    members: dict[str, int] = {}
    places = {(member.file, member.pointer): index for index, member in enumerate(read)}
    for index, one in enumerate(read):
        if isinstance(one.schema, dict) and isinstance(one.schema.get("$ref"), str):
            target = schemas.refs.peek(one.schema["$ref"], one.file)
            if isinstance(target, Target):
                members.setdefault(target.key, index)
                members.setdefault(target.title, index)
    given: dict[int, list[str]] = {}
    for value, reference in mapping.items():
        key = reference
        if isinstance(reference, str) and ("#" in reference or "/" in reference or "." in reference):
            target = schemas.refs.peek(reference, file)
            key = target.key if isinstance(target, Target) else reference
            if isinstance(target, Target) and (target.file, target.pointer) in places:
                given.setdefault(places[target.file, target.pointer], []).append(value)
                continue
        member = members.get(key) if isinstance(key, str) else None
        if member is None:
            message = f"the mapping of `{shown(value)}` leads to `{shown(reference)}`, which is no member of the union"
            schemas.reports.warn("V213", message, file, pointers.join(at, "mapping", value))
        else:
            given.setdefault(member, []).append(value)
    return given


def _compare(schemas: Schemas, values: list[str], given: list[str], name: str, file: str, at: str) -> None:
    wrong = [value for value in given if value not in values]
    if wrong:
        message = (
            f"the mapping says `{shown(wrong[0])}` where the member admits `{shown(', '.join(values))}` as `{shown(name)}`; "
            "the member is believed"
        )
        schemas.reports.warn("V213", message, file, at)


def _component(schemas: Schemas, member: Any, file: str) -> str | None:
    if isinstance(member, dict) and isinstance(member.get("$ref"), str):
        target = schemas.refs.peek(member["$ref"], file)
        return target.title if isinstance(target, Target) else None
    return None


def _values(schemas: Schemas, schema: Any, file: str, name: str, depth: int) -> tuple[list[str], bool]:
    """The values a member admits for the property, when it names one or a few, and whether it has the property at all."""
    if not isinstance(schema, dict) or depth > 20:
        return [], False
    if isinstance(schema.get("$ref"), str):
        target = schemas.refs.peek(schema["$ref"], file)
        return (
            _values(schemas, target.value, target.file, name, depth + 1) if isinstance(target, Target) else ([], False)
        )
    properties = schema.get("properties")
    has_property = isinstance(properties, dict) and name in properties
    if isinstance(properties, dict) and name in properties and (values := _admitted(schemas, properties[name], file)):
        return values, True
    for part in as_list(schema.get("allOf")):
        values, inside = _values(schemas, part, file, name, depth + 1)
        has_property = has_property or inside
        if values:
            return values, True
    return [], has_property


def _admitted(schemas: Schemas, schema: Any, file: str) -> list[str]:
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        target = schemas.refs.peek(schema["$ref"], file)
        schema = target.value if isinstance(target, Target) else None
    if not isinstance(schema, dict):
        return []
    if isinstance(schema.get("const"), str):
        return [schema["const"]]
    values = as_list(schema.get("enum"))
    return [value for value in values if isinstance(value, str)] if len(values) == 1 else []
