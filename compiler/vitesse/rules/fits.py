"""Whether a value of one shape may stand where a type of the destination is, and what it loses there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..api.model import Anything, Array, Json, Object, Ref, Scalar, Type, Union
from .model import Loss, Shape
from .shapes import closed_set, resolve, shape_of
from .spelled import Input, Outcome
from .transforms import LOSSES

_TIMES = ("date", "date-time", "time")
_HOUR = re.compile(r"%[HIMSfXcp]")
_OFFSET = re.compile(r"%[zZ]")


def accepts(wanted: Shape, given: Shape) -> bool:
    """Whether the destination takes such a value, whatever the value is."""
    if "any" in (wanted.kind, given.kind):
        return True
    match given.kind, wanted.kind:
        case "string", "string":
            return _formats_agree(given.format, wanted.format)
        case "date", "string":
            return wanted.format not in ("date-time", "time")
        case "datetime", "string":
            return wanted.format not in ("date", "time")
        case "integer", "number":
            return True
        case ("list", "list") | ("map", "map"):
            if given.items is None or wanted.items is None:
                return True
            if given.items.kind == "object" and wanted.items.kind == "object":
                return False
            return accepts(wanted.items, given.items)
        case "object", "map":
            return wanted.items is None or wanted.items.kind == "any"
        case "object", "object":
            return False
        case one, other:
            return one == other


def _formats_agree(given: str | None, wanted: str | None) -> bool:
    return given == wanted or given not in _TIMES or wanted not in _TIMES


def way_out(wanted: Shape, given: Shape) -> str:
    """What to write when a value is not taken."""
    match given.kind, wanted.kind:
        case "string", "string":
            to = "datetime" if wanted.format == "date-time" else wanted.format
            return f"use `date` with `to: {to}`"
        case (("date" | "datetime"), "string"):
            return f"use `date` with `to: {'datetime' if wanted.format == 'date-time' else wanted.format}`"
        case (("number" | "integer" | "boolean" | "date" | "datetime"), "string"):
            return "use `stringify`"
        case "string", ("number" | "integer"):
            return f"use `parse` with `to: {'integer' if wanted.kind == 'integer' else 'decimal'}`"
        case "number", "integer":
            return "use `parse` with `to: integer` and a `rounding`"
        case (("string" | "integer"), "boolean"):
            return "use `parse_bool`"
        case "list", "list" if given.items is not None and given.items.kind == "object":
            return "write a rule for each field of an item: `lines[].sku` from `line_items[].sku`"
        case "list", "list":
            return "use `each` with the transform for one item"
        case "list", "string":
            return "use `join` or `first`"
        case "list", _:
            return "use `first`"
        case "string", "list":
            return "use `collect` with a `separator`, or `wrap`"
        case _, "list":
            return "use `wrap`"
        case _, ("object" | "map"):
            return "write a rule for each of its fields"
        case "object", _:
            return "name a field inside it"
        case _:
            return "choose another source or a `custom` function"


def unfit(value: Json, type: Type, types: Mapping[str, Type], inside: frozenset[str] = frozenset()) -> str | None:
    """Why a literal cannot stand where this type is; None when it can.

    Args:
        inside: The names on the way here through unions: one that is a choice of itself takes nothing more by that.
    """
    if isinstance(type, Ref):
        if type.name in inside:
            return "is nothing that the destination takes there"
        inside |= {type.name}
    type = resolve(type, types)
    if value is None:
        return None if type.nullable else "is null, and the destination takes no null there"
    match type:
        case Anything():
            return None
        case Union():
            reasons = [unfit(value, member, types, inside) for member in type.members]
            return None if not reasons or None in reasons else reasons[0]
        case Array():
            if not isinstance(value, list):
                return "is no list"
            return next(
                (f"holds an item that {why}" for item in value if (why := unfit(item, type.items, types))), None
            )
        case Object():
            return _unfit_object(value, type, types)
        case Scalar():
            return _unfit_scalar(value, type)
        case Ref():
            raise AssertionError("resolved above")


def _unfit_object(value: Json, type: Object, types: Mapping[str, Type]) -> str | None:
    if not isinstance(value, dict):
        return "is no object"
    for name, member in value.items():
        field = type.field(name)
        inner = field.type if field is not None else type.extra
        if inner is None and type.fields:
            return f"has `{name}`, which the destination does not know"
        if inner is not None and (why := unfit(member, inner, types)):
            return f"has a `{name}` that {why}"
    absent = next((field.name for field in type.fields if field.required and field.name not in value), None)
    return None if absent is None else f"has no `{absent}`, which is required"


def _unfit_scalar(value: Json, type: Scalar) -> str | None:
    kinds: dict[str, bool] = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "null": False,
    }
    if not kinds[type.kind]:
        return f"is no {type.kind}"
    if type.enum and value not in type.enum:
        return f"is none of {_some(type.enum)}"
    if type.max_length is not None and isinstance(value, str) and len(value) > type.max_length:
        return f"is longer than {type.max_length} characters"
    return None


# --- losses -----------------------------------------------------------------------------------------------------------


def find_losses(
    transform: str, inputs: Sequence[Input], outcome: Outcome, destination: Type, types: Mapping[str, Type]
) -> Iterator[Loss]:
    """What a rule may lose, null apart."""
    wanted = shape_of(destination, types)
    given = outcome.shape
    if transform == "constant" and outcome.spelling.constant is not None:
        given = replace(given, enum=(outcome.spelling.constant,))
    if wanted.kind == "list" and given.kind == "list" and wanted.items is not None and given.items is not None:
        yield from _narrowing(given.items, wanted.items)
    elif wanted.kind == "any" and (only := closed_set(destination, types, given.kind)):
        yield from _enum_gap(given, replace(wanted, enum=only))
    else:
        yield from _narrowing(given, wanted)
    yield from _of_transform(transform, inputs, outcome, wanted)


def _narrowing(given: Shape, wanted: Shape) -> Iterator[Loss]:
    if given.kind == "number" and given.format == "decimal" and wanted.format in ("float", "double"):
        yield Loss(code="decimal_to_float", detail=f"the destination keeps a {wanted.format}")
    if given.kind == "integer" and given.format == "int64" and wanted.format == "int32":
        yield Loss(code="int64_to_int32", detail=LOSSES["int64_to_int32"])
    if given.kind == wanted.kind == "string":
        if given.max_length is not None and wanted.max_length is not None and given.max_length > wanted.max_length:
            yield Loss(code="length", detail=f"{given.max_length} characters go where {wanted.max_length} fit")
        yield from _enum_gap(given, wanted)
    elif given.kind == wanted.kind:
        yield from _enum_gap(given, wanted)


def _enum_gap(given: Shape, wanted: Shape) -> Iterator[Loss]:
    if not wanted.enum or given.kind == "boolean":
        return
    if not given.enum:
        yield Loss(
            code="enum_gap", detail=f"the source names no values, the destination takes only {_some(wanted.enum)}"
        )
    elif gap := [value for value in given.enum if value not in wanted.enum]:
        yield Loss(
            code="enum_gap",
            detail=f"{len(gap)} of {len(given.enum)} values are none of the destination's: {_some(gap)}",
        )


def _of_transform(transform: str, inputs: Sequence[Input], outcome: Outcome, wanted: Shape) -> Iterator[Loss]:
    options = outcome.notes
    match transform:
        case "parse" if options.get("rounding") and outcome.shape.kind == "integer":
            yield Loss(code="fraction", detail="digits behind the point are rounded away")
        case "text" if isinstance(limit := options.get("max_length"), int):
            longest = inputs[0].shape.max_length
            if longest is None or longest > limit:
                yield Loss(code="length", detail=f"what is longer than {limit} characters is cut")
        case "first":
            yield Loss(code="list_into_scalar", detail="all items but the first are lost")
        case "coalesce":
            yield Loss(code="many_to_one", detail="the other fields are not read when the first has a value")
        case "enum":
            yield from _of_enum(inputs[0].shape, options)
        case "date":
            yield from _of_date(inputs[0].shape, options)
        case "custom" if outcome.spelling.callee is not None:
            yield from _of_function(inputs, outcome)
        case _:
            pass


def _of_enum(source: Shape, options: Mapping[str, Json]) -> Iterator[Loss]:
    table = options["map"]
    assert isinstance(table, dict)
    if options.get("default") is None:
        gap = [value for value in source.enum if _key(value) not in table]
        if gap:
            yield Loss(
                code="enum_gap", detail=f"{len(gap)} of {len(source.enum)} values are not in the table: {_some(gap)}"
            )
    shared: dict[Json, list[str]] = {}
    for key, value in table.items():
        shared.setdefault(value, []).append(key)
    for value, keys in shared.items():
        if len(keys) > 1:
            yield Loss(code="many_to_one", detail=f"{_some(keys)} all become `{value}`")


def _key(value: Json) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _of_date(source: Shape, options: Mapping[str, Json]) -> Iterator[Loss]:
    form, to = str(options["form"]), str(options["to"])
    has_time = (
        source.format != "date"
        and source.kind != "date"
        and (form in ("iso8601", "unix_s", "unix_ms") or _HOUR.search(form))
    )
    if not has_time:
        return
    if to == "date" or ("%" in to and not _HOUR.search(to)):
        yield Loss(code="datetime_to_date", detail="the time of day is lost")
    elif "%" in to and not _OFFSET.search(to) and options.get("zone") is None:
        yield Loss(code="zone_loss", detail=f"`{to}` names no zone, and the rule names none either")


def _of_function(inputs: Sequence[Input], outcome: Outcome) -> Iterator[Loss]:
    callee = outcome.spelling.callee
    assert callee is not None
    for code in callee.loses:
        yield Loss(code=code, detail=LOSSES.get(code, f"`{callee.name}` loses it: {code.replace('_', ' ')}"))
    if "datetime_to_date" not in callee.loses and outcome.shape.kind == "date":
        timed = [one for one in inputs if one.shape.kind == "datetime" or one.shape.format == "date-time"]
        if timed:
            yield Loss(code="datetime_to_date", detail="the time of day is lost")


def _some(values: Sequence[Json]) -> str:
    shown = [f"`{value}`" for value in values[:5]]
    return ", ".join(shown) + (f" and {len(values) - 5} more" if len(values) > 5 else "")
