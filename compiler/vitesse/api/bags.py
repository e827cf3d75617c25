"""Records that are bags of properties: an Api whose bags have the fields that a vendor lists for them.

A description says of such a record only that it has values under names (`properties: {additionalProperties: string}`). Which names
there are differs from customer to customer, so they come from a list: a saved reply of the vendor, or the manifest. What is built
here is the same Api with these fields in place; everything after it treats them as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from .model import Anything, Api, Array, Field, Object, Operation, Place, Scalar, Type, Union
from .paths import EACH, Path

Kind: TypeAlias = Literal["text", "integer", "decimal", "boolean", "date", "datetime", "choice", "list", "json"]
"""choice: one of some texts. list: several texts. json: of any form."""

_FORMATS: dict[Kind, str] = {"integer": "int64", "decimal": "decimal", "date": "date", "datetime": "date-time"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedField:
    """One field that a vendor lists."""

    name: str
    kind: Kind = "text"
    format: str | None = None
    """Of a text: `email`, `uri`."""
    description: str = ""
    choices: tuple[str, ...] = ()
    max_length: int | None = None
    read_only: bool = False
    required: bool = False
    nullable: bool | None = None
    """None: as the bag's values are when it is written; when it is read, a field that is not set is null."""
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a bag stands in what an operation takes or gives."""

    operation: str
    where: Literal["body", "reply"]
    path: Path


def with_listed_fields(api: Api, spot: Spot, listed: Sequence[ListedField]) -> Api | None:
    """The Api with the fields in the bag at the spot; None when no bag is there.

    Fields that the description names itself stay as it has them.
    """
    operation = api.operation(spot.operation)
    if operation is None:
        return None
    reads = spot.where == "reply"

    def filled(bag: Type) -> Type | None:
        return _filled(api, bag, listed, reads=reads)

    changed = _in_reply(api, operation, spot.path, filled) if reads else _in_body(api, operation, spot.path, filled)
    if changed is None:
        return None
    return replace(api, operations=tuple(changed if one is operation else one for one in api.operations))


def _in_reply(api: Api, operation: Operation, path: Path, make: Callable[[Type], Type | None]) -> Operation | None:
    reply = operation.success()
    type = _put(api, reply.type, path, make) if reply is not None and reply.type is not None else None
    if reply is None or type is None:
        return None
    changed = replace(reply, type=type)
    return replace(operation, responses=tuple(changed if one is reply else one for one in operation.responses))


def _in_body(api: Api, operation: Operation, path: Path, make: Callable[[Type], Type | None]) -> Operation | None:
    body = operation.body
    type = _put(api, body.type, path, make) if body is not None else None
    return replace(operation, body=replace(body, type=type)) if body is not None and type is not None else None


def _put(api: Api, type: Type, path: Path, make: Callable[[Type], Type | None]) -> Type | None:
    """The type with what is at the path made anew; references on the way are written out, so that others keep theirs."""
    resolved = api.resolve(type)
    if isinstance(resolved, Union):
        members = [(_put(api, member, path, make), member) for member in resolved.members]
        if all(made is None for made, _ in members):
            return None
        return replace(resolved, members=tuple(made or member for made, member in members))
    if not path:
        return make(resolved)
    step, rest = path[0], path[1:]
    if isinstance(resolved, Array) and step is EACH:
        items = _put(api, resolved.items, rest, make)
        return replace(resolved, items=items) if items is not None else None
    known = resolved.field(step) if isinstance(resolved, Object) and isinstance(step, str) else None
    if known is None or not isinstance(resolved, Object):
        return None
    inner = _put(api, known.type, rest, make)
    if inner is None:
        return None
    return replace(resolved, fields=tuple(replace(one, type=inner) if one is known else one for one in resolved.fields))


def _filled(api: Api, bag: Type, listed: Sequence[ListedField], *, reads: bool) -> Type | None:
    if isinstance(bag, Anything):
        bag = Object(fields=(), extra=Anything(place=bag.place), nullable=bag.nullable, place=bag.place)
    if not isinstance(bag, Object):
        return None
    values = api.resolve(bag.extra) if bag.extra is not None else Anything(place=bag.place)
    known = {one.name for one in bag.fields}
    fields = tuple(
        Field(
            name=one.name,
            type=_type(one, values, reads=reads),
            required=one.required and not reads,
            read_only=one.read_only,
            description=one.description[:400],
            place=one.place,
        )
        for one in listed
        if one.name not in known
    )
    return replace(bag, fields=(*bag.fields, *fields), extra=bag.extra if bag.extra is not None else values)


def _type(one: ListedField, values: Type, *, reads: bool) -> Type:
    """The type of one field: as the vendor lists it, on the wire as the bag's values are."""
    as_written = isinstance(values, Scalar | Union | Array | Object) and values.nullable
    nullable = (reads or as_written) if one.nullable is None else one.nullable
    if isinstance(values, Scalar) and values.kind == "string":
        return _text(one, nullable)
    match one.kind:
        case "integer":
            return Scalar(kind="integer", format="int64", nullable=nullable, place=one.place)
        case "decimal":
            return Scalar(kind="number", format="decimal", nullable=nullable, place=one.place)
        case "boolean":
            return Scalar(kind="boolean", nullable=nullable, place=one.place)
        case "list":
            item = Scalar(kind="string", enum=one.choices, place=one.place)
            return Array(items=item, nullable=nullable, place=one.place)
        case "json":
            return Anything(place=one.place)
        case "text" | "date" | "datetime" | "choice":
            return _text(one, nullable)


def _text(one: ListedField, nullable: bool) -> Scalar:
    """A field whose value is a text on the wire, whatever it holds: `"17"`, `"true"`."""
    choices: tuple[str, ...] = ("true", "false") if one.kind == "boolean" else one.choices
    return Scalar(
        kind="string",
        format=one.format if one.kind == "text" else _FORMATS.get(one.kind),
        nullable=nullable,
        enum=choices if one.kind in ("choice", "boolean") else (),
        max_length=one.max_length,
        place=one.place,
    )
