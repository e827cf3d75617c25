"""A rule's transform and options × the shapes of its sources → what it computes: runtime call, result, absences.

All that can be known of a rule without looking at its destination. Faults are sentences; `check` gives them places.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..api.model import Json
from ..api.paths import Path, format_path
from ..forms import either, near
from ..registry import Registry
from .functions import spell_function
from .model import Shape, Spelling
from .options import check_options
from .spelled import Fault, Input, Outcome, Refused, article, not_accepted
from .template_text import spell_template
from .transforms import TRANSFORMS, Transform

_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*(?:[eE][+-]?[0-9]+)?")


def spell(
    name: str, options: Mapping[str, Json], inputs: Sequence[Input], destination: Path, registry: Registry
) -> Outcome:
    """Work out what a rule computes.

    Args:
        name: The rule's transform.
        inputs: Its source fields, in order.
        destination: For `direct`, which keeps the path.

    Raises:
        Refused: With every fault that was found.
    """
    row = TRANSFORMS.get(name)
    if row is None:
        raise Refused(_unknown(name, registry))
    faults = [*_arity(row, inputs), *check_options(row, options)]
    if faults:
        raise Refused(*faults)
    filled = {option.name: options.get(option.name, option.default) for option in row.options} | dict(options)
    for input in inputs:
        if input.shape.kind != "any" and input.shape.kind not in row.accepts:
            raise Refused(not_accepted(row, input))
    spelling, shape = _spell(row, filled, inputs, destination, registry)
    missing, null = _absences(row, spelling, filled, inputs)
    return Outcome(spelling=spelling, shape=shape, may_be_missing=missing, may_be_null=null, notes=filled)


def _unknown(name: str, registry: Registry) -> Fault:
    if name in registry.functions:
        help = f"write `transform: custom` with `with: {{function: {name}}}`"
    else:
        close = near(name, list(TRANSFORMS))
        help = f"write {either(close)}" if close else f"use one of {', '.join(TRANSFORMS)}"
    return Fault(kind="unknown transform", message=f"`{name}` is not a transform", help=help)


def _arity(row: Transform, inputs: Sequence[Input]) -> list[Fault]:
    count = len(inputs)
    if count >= row.least and (row.most is None or count <= row.most):
        return []
    wanted = {(0, 0): "no source field", (1, 1): "one source field"}.get(
        (row.least, row.most if row.most is not None else -1), f"{row.least} or more source fields"
    )
    many = " (`collect`, `join`, `template` and `coalesce` take several)" if count > 1 else ""
    return [
        Fault(
            kind="arity",
            message=f"`{row.name}` takes {wanted}, not {count}",
            at=("from",) if count else (),
            help=f"choose a transform that takes {count}{many}" if count else "add `from`",
        )
    ]


def _spell(
    row: Transform, options: Mapping[str, Json], inputs: Sequence[Input], destination: Path, registry: Registry
) -> tuple[Spelling, Shape]:
    one = inputs[0].shape if inputs else Shape(kind="any")
    match row.name:
        case "direct" if inputs[0].path != destination:
            raise Refused(
                Fault(
                    kind="source type",
                    message=f"`direct` keeps the path, but `{format_path(inputs[0].path)}` is another",
                    help="write `transform: mapping`",
                )
            )
        case "direct" | "mapping":
            return Spelling(style="none"), one
        case "parse":
            return _parse(options, one)
        case "stringify":
            return _call("stringify", options, "places"), Shape(kind="string")
        case "parse_bool":
            return _call("to_bool", options, "true", "false"), Shape(kind="boolean")
        case "collect":
            return _collect(options, inputs)
        case "constant":
            value = options["value"]
            return Spelling(style="none", constant=value), shape_of_json(value)
        case "enum":
            return _enum(options, one)
        case "split":
            return _split(options)
        case "join":
            return _join(options, inputs)
        case "template":
            return spell_template(options, inputs)
        case "date":
            return _date(options, one)
        case "each":
            return _each(options, inputs[0], registry)
        case "coalesce":
            return Spelling(style="values", function="coalesce"), _same([input.shape for input in inputs], row)
        case "first":
            return Spelling(style="value", function="first"), one.items or Shape(kind="any")
        case "wrap":
            return Spelling(style="value", function="wrap"), Shape(kind="list", items=one)
        case "text":
            longest = options.get("max_length")
            limit = longest if isinstance(longest, int) else one.max_length
            return _call("text", options, "trim", "case", "max_length"), Shape(kind="string", max_length=limit)
        case "custom":
            return spell_function(options, inputs, registry)
        case "lookup":
            whole = options.get("to") == "integer"
            function = "linked_integer" if whole else "linked"
            shape = Shape(kind="integer" if whole else "string")
            return Spelling(style="value", function=function, keywords=(("stream", options["stream"]),)), shape
        case _:
            raise AssertionError(f"the transforms table has a row `{row.name}` that nothing spells")


def _call(function: str, options: Mapping[str, Json], *keywords: str) -> Spelling:
    """A call with the keywords that say something: those left out or at their default are not written."""
    row_defaults = {"rest": False, "trim": False, "form": "iso8601"}
    written = tuple(
        (key, options[key])
        for key in keywords
        if options.get(key) is not None and options[key] != row_defaults.get(key)
    )
    return Spelling(style="value", function=function, keywords=written)


def _parse(options: Mapping[str, Json], one: Shape) -> tuple[Spelling, Shape]:
    if one.kind == "string" and one.enum and not any(_NUMBER.fullmatch(str(value).strip()) for value in one.enum):
        named = ", ".join(f"`{value}`" for value in one.enum[:4])
        raise Refused(
            Fault(
                kind="source type",
                message=f"none of the source's values is a number: {named}{' …' if len(one.enum) > 4 else ''}",
                help="use `enum` with a number for each value, or another source",
            )
        )
    if options["to"] == "integer":
        if options.get("places") is not None:
            raise Refused(
                Fault(kind="option", message="a whole number has no `places`", at=("with", "places"), help="remove it")
            )
        return _call("to_integer", options, "rounding"), Shape(kind="integer")
    return _call("to_decimal", options, "places", "rounding"), Shape(kind="number", format="decimal")


def _collect(options: Mapping[str, Json], inputs: Sequence[Input]) -> tuple[Spelling, Shape]:
    row = TRANSFORMS["collect"]
    separator = options.get("separator")
    if len(inputs) > 1:
        if separator is not None:
            raise Refused(
                Fault(
                    kind="option",
                    message="`separator` cuts one text, and there are several fields",
                    at=("with", "separator"),
                    help="remove it",
                )
            )
        items = _same([input.shape for input in inputs], row)
        return Spelling(style="values", function="collect_fields"), Shape(kind="list", items=items)
    shape = inputs[0].shape
    if shape.kind == "list":
        if separator is not None:
            raise Refused(
                Fault(kind="option", message="the source is a list already", at=("with", "separator"), help="remove it")
            )
        return Spelling(style="value", function="collect"), shape
    if shape.kind != "string" or separator is None:
        raise Refused(
            Fault(
                kind="option",
                message=f"`{format_path(inputs[0].path)}` is one {shape}, not a list",
                at=(),
                help="add `with: {separator: …}` when it is a text that lists things, or use `wrap`",
            )
        )
    return _call("collect", options, "separator"), Shape(kind="list", items=Shape(kind="string"))


def _enum(options: Mapping[str, Json], source: Shape) -> tuple[Spelling, Shape]:
    table = options["map"]
    assert isinstance(table, dict)
    if source.kind == "integer" and (odd := [key for key in table if not re.fullmatch(r"-?[0-9]+", key)]):
        raise Refused(
            Fault(
                kind="option",
                message=f"the source is a whole number, and the table has `{odd[0]}`",
                at=("with", "map", odd[0]),
                help="write numbers as keys",
            )
        )
    default = options.get("default")
    values = tuple(dict.fromkeys([*table.values(), *([default] if default is not None else [])]))
    shapes = [shape_of_json(value) for value in values]
    kind = shapes[0].kind if len({shape.kind for shape in shapes}) == 1 else "any"
    keywords = (("default", default),) if default is not None else ()
    spelling = Spelling(style="value", function="enum_map", first=dict(table), has_first=True, keywords=keywords)
    return spelling, Shape(kind=kind, enum=values)


def _split(options: Mapping[str, Json]) -> tuple[Spelling, Shape]:
    if options.get("part") is None:
        if options.get("rest"):
            raise Refused(
                Fault(kind="option", message="`rest` goes with `part`", at=("with", "rest"), help="add `part`")
            )
        return _call("split", options, "separator"), Shape(kind="list", items=Shape(kind="string"))
    part = options["part"]
    if options.get("rest") and isinstance(part, int) and part < 0:
        raise Refused(
            Fault(
                kind="option",
                message="`rest` counts from the front",
                at=("with", "part"),
                help="give a `part` of 0 or more",
            )
        )
    return _call("split_part", options, "separator", "part", "rest"), Shape(kind="string")


def _join(options: Mapping[str, Json], inputs: Sequence[Input]) -> tuple[Spelling, Shape]:
    style_function = "join_fields"
    if len(inputs) == 1 and inputs[0].shape.kind in ("list", "any"):
        style_function = "join"
        items = inputs[0].shape.items
        if items is not None and items.kind not in ("string", "integer", "number", "boolean", "any"):
            raise Refused(
                Fault(
                    kind="source type",
                    message=f"`join` takes a list of texts or numbers, not {article(inputs[0].shape)}",
                    help=f"name a field of the items: `{format_path(inputs[0].path)}[].…`",
                )
            )
    elif odd := next((input for input in inputs if input.shape.kind == "list"), None):
        raise Refused(not_accepted(TRANSFORMS["template"], odd))
    style = "value" if style_function == "join" else "values"
    call = _call(style_function, options, "separator")
    return Spelling(style=style, function=call.function, keywords=call.keywords), Shape(kind="string")  # type: ignore[arg-type]


def _date(options: Mapping[str, Json], source: Shape) -> tuple[Spelling, Shape]:
    form, to = str(options["form"]), str(options["to"])
    if source.kind in ("integer", "number") and form not in ("unix_s", "unix_ms"):
        raise Refused(
            Fault(
                kind="option",
                message="the source is a number, which `form` does not say how to read",
                at=("with",),
                help="add `form: unix_s` (seconds since 1970) or `form: unix_ms`",
            )
        )
    match to:
        case "date":
            return _call("to_date", options, "form", "read_as", "zone"), Shape(kind="date")
        case "datetime":
            return _call("to_datetime", options, "form", "read_as", "zone"), Shape(kind="datetime")
        case "unix_s" | "unix_ms":
            unit = {"unit": "ms"} if to == "unix_ms" else {}
            return _call("to_unix", dict(options) | unit, "form", "read_as", "unit"), Shape(
                kind="integer", format="int64"
            )
        case _:
            return _call("date_text", dict(options) | {"pattern": to}, "pattern", "form", "read_as", "zone"), Shape(
                kind="string"
            )


def _each(options: Mapping[str, Json], input: Input, registry: Registry) -> tuple[Spelling, Shape]:
    items = input.shape.items or Shape(kind="any")
    name = options.get("transform")
    if name is None:
        rest = {key for key in options if key != "transform"}
        if rest:
            raise Refused(
                Fault(
                    kind="option",
                    message=f"`{min(rest)}` is a parameter of no transform",
                    at=("with", min(rest)),
                    help="add `transform`: what is done to each item",
                )
            )
        return Spelling(style="none"), input.shape
    inner = {key: value for key, value in options.items() if key != "transform"}
    item = Input(path=input.path, shape=items, may_be_missing=False, may_be_null=False)
    outcome = spell(str(name), inner, [item], (), registry)
    return (
        Spelling(style="value", function="each", item=outcome.spelling),
        Shape(kind="list", items=outcome.shape),
    )


def _same(shapes: Sequence[Shape], row: Transform) -> Shape:
    """One shape for fields that become one value or one list."""
    kinds = {shape.kind for shape in shapes if shape.kind != "any"}
    if len(kinds) > 1:
        raise Refused(
            Fault(
                kind="source type",
                message=f"`{row.name}` takes fields of one kind, not {' and '.join(sorted(kinds))}",
                at=("from",),
                help="convert one of them with a `custom` function first, or leave it out",
            )
        )
    if len(kinds) == 0 or any(shape.kind == "any" for shape in shapes):
        return Shape(kind="any")
    formats = {shape.format for shape in shapes}
    lengths = [shape.max_length for shape in shapes]
    enum: tuple[Json, ...] = ()
    if all(shape.enum for shape in shapes):
        enum = tuple(dict.fromkeys(value for shape in shapes for value in shape.enum))
    return Shape(
        kind=shapes[0].kind,
        format=formats.pop() if len(formats) == 1 else None,
        items=shapes[0].items,
        enum=enum,
        max_length=max(length for length in lengths if length is not None) if None not in lengths else None,
    )


def shape_of_json(value: Json) -> Shape:
    """What a literal is in a mapper."""
    match value:
        case bool():
            return Shape(kind="boolean")
        case int():
            return Shape(kind="integer")
        case float():
            return Shape(kind="number")
        case str():
            return Shape(kind="string")
        case list():
            return Shape(kind="list", items=shape_of_json(value[0]) if value else Shape(kind="any"))
        case dict():
            return Shape(kind="map", items=Shape(kind="any"))
        case None:
            return Shape(kind="any")


def _absences(
    row: Transform, spelling: Spelling, options: Mapping[str, Json], inputs: Sequence[Input]
) -> tuple[bool, bool]:
    """Whether the result may be missing, and null, as the runtime functions' types say."""
    if not inputs:
        return False, options.get("value") is None
    if row.name == "coalesce":
        return inputs[-1].may_be_missing, inputs[-1].may_be_null
    missing = any(input.may_be_missing for input in inputs)
    null = any(input.may_be_null for input in inputs) or (row.name == "first" and inputs[0].items_may_be_null)
    if spelling.function == "combine":
        return True, True
    if spelling.callee is not None:
        return missing, null or spelling.callee.result.nullable
    return missing or spelling.function in ("first", "split_part"), null
