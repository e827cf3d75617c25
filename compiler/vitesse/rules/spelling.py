"""A rule's transform and options × the shapes of its sources → what it computes: runtime call, result, absences.

All that can be known of a rule without looking at its destination. Faults are sentences; `check` gives them places.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from ..api.model import Json
from ..api.paths import Path, format_path
from ..forms import either, near
from ..frozen import dataclass
from ..registry import RegisteredFunction, Registry, ValueType
from .model import Kind, Shape, Spelling
from .transforms import TRANSFORMS, Option, Transform

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+)*")
_DIRECTIVES = re.compile(r"%(.?)", re.DOTALL)
_KNOWN_DIRECTIVES = frozenset("aAwdbBmyYHIpMSfzZj%")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*(?:[eE][+-]?[0-9]+)?")
_NAME_CHARS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One source field as a rule sees it."""

    path: Path
    shape: Shape
    may_be_missing: bool
    may_be_null: bool
    items_may_be_null: bool = False
    """Of a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a rule gives before its policies."""

    spelling: Spelling
    shape: Shape
    may_be_missing: bool
    may_be_null: bool
    notes: Mapping[str, Json]
    """What `losses` wants to know: the options, filled in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a rule: the kind decides the code, `at` the key of the rule that the place points to."""

    kind: str
    message: str
    at: tuple[str | int, ...] = ("transform",)
    help: str | None = None
    note: str | None = None


class Refused(Exception):
    """The rule cannot be spelled."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("; ".join(fault.message for fault in faults))


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
    faults = [*_arity(row, inputs), *_check_options(row, options)]
    if faults:
        raise Refused(*faults)
    filled = {option.name: options.get(option.name, option.default) for option in row.options} | dict(options)
    for input in inputs:
        if input.shape.kind != "any" and input.shape.kind not in row.accepts:
            raise Refused(_not_accepted(row, input))
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


def _not_accepted(row: Transform, input: Input) -> Fault:
    accepted = [kind for kind in ("string", "integer", "number", "boolean", "date", "list") if kind in row.accepts]
    return Fault(
        kind="source type",
        message=f"`{row.name}` does not take {_article(input.shape)}, which `{format_path(input.path)}` is",
        help=_instead(input.shape.kind, row),
        note=f"it takes {', '.join(accepted)}",
    )


def _instead(kind: Kind, row: Transform) -> str:
    match kind:
        case "list":
            return "use `first` for one item, `join` for a text, or `each` to convert every item"
        case "object":
            return "name the fields inside it"
        case "date" | "datetime":
            return "use `date` or `stringify`"
        case _:
            return f"choose a transform that takes a {kind}: " + ", ".join(
                other.name for other in TRANSFORMS.values() if kind in other.accepts and other is not row
            )


def _article(shape: Shape) -> str:
    return f"{'an' if str(shape)[0] in 'aeiou' else 'a'} {shape}"


# --- options ----------------------------------------------------------------------------------------------------------


def _check_options(row: Transform, options: Mapping[str, Json]) -> list[Fault]:
    faults = []
    for key, value in options.items():
        option = row.option(key)
        if option is None:
            if not row.open_options:
                known = [option.name for option in row.options]
                close = near(key, known)
                told = either(close or known) if known else ""
                faults.append(
                    Fault(
                        kind="option",
                        message=f"`{row.name}` has no parameter `{key}`",
                        at=("with", key),
                        help=f"write {told}" if told else "remove it",
                    )
                )
        elif (wrong := _wrong(option, value)) is not None:
            faults.append(Fault(kind="option", message=f"`{key}` {wrong}", at=("with", key), help=_hint(option)))
    for option in row.options:
        if option.required and option.name not in options:
            faults.append(
                Fault(
                    kind="option",
                    message=f"`{row.name}` needs `{option.name}`",
                    at=("with",) if options else (),
                    help=f"add `with: {{{option.name}: …}}`" + (f": {option.doc}" if option.doc else ""),
                )
            )
    return faults


def _hint(option: Option) -> str | None:
    if option.words:
        return f"write {either(option.words)}"
    return f"give {option.doc}" if option.doc else None


def _wrong(option: Option, value: Json) -> str | None:
    """What is wrong with an option's value; None when it is as it should be."""
    match option.kind:
        case "text" | "function" | "template":
            return None if isinstance(value, str) and value else "takes a text"
        case "whole":
            return (
                None
                if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 1000
                else "takes a whole number up to 1000"
            )
        case "flag":
            return None if isinstance(value, bool) else "is true or false"
        case "word":
            return None if value in option.words else f"is none of its words: {', '.join(option.words)}"
        case "words":
            words = value if isinstance(value, list) else []
            return None if words and all(isinstance(word, str) for word in words) else "takes a list of words"
        case "table":
            table = value if isinstance(value, dict) else {}
            fine = table and all(_is_scalar(one) for one in table.values())
            return None if fine else "takes a table: source value → destination value"
        case "json":
            return None
        case "zone":
            return None if isinstance(value, str) and _ZONE.fullmatch(value) else "takes a zone such as `Europe/Berlin`"
        case "time_form":
            return None if value in ("iso8601", "unix_s", "unix_ms") else _wrong_pattern(value)
        case "time_target":
            return None if value in ("date", "datetime", "unix_s", "unix_ms") else _wrong_pattern(value)
        case "transform":
            known = isinstance(value, str) and value in TRANSFORMS and value not in ("each", "constant", "direct")
            return None if known else "names no transform for one item"


def _is_scalar(value: Json) -> bool:
    return isinstance(value, str | int | float | bool)


def _wrong_pattern(value: Json) -> str | None:
    if not isinstance(value, str) or "%" not in value:
        return f"is `{value}`, neither a known form nor a pattern with `%`"
    for directive in _DIRECTIVES.findall(value):
        if directive not in _KNOWN_DIRECTIVES:
            return f"has `%{directive}`, which is not known everywhere"
    try:
        datetime(2000, 1, 2).strftime(value)
    except ValueError:
        return "is not a pattern"
    return None


# --- one row at a time ------------------------------------------------------------------------------------------------


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
            return _template(options, inputs)
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
            return _custom(options, inputs, registry)
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
                    message=f"`join` takes a list of texts or numbers, not {_article(inputs[0].shape)}",
                    help=f"name a field of the items: `{format_path(inputs[0].path)}[].…`",
                )
            )
    elif odd := next((input for input in inputs if input.shape.kind == "list"), None):
        raise Refused(_not_accepted(TRANSFORMS["template"], odd))
    style = "value" if style_function == "join" else "values"
    call = _call(style_function, options, "separator")
    return Spelling(style=style, function=call.function, keywords=call.keywords), Shape(kind="string")  # type: ignore[arg-type]


def _template(options: Mapping[str, Json], inputs: Sequence[Input]) -> tuple[Spelling, Shape]:
    text = str(options["template"])
    names = _argument_names([input.path for input in inputs])
    known = {format_path(input.path): name for input, name in zip(inputs, names, strict=True)}
    pieces: list[str] = []
    used: set[str] = set()
    at = 0
    while at < len(text):
        char = text[at]
        if char in "{}" and text[at : at + 2] == char * 2:
            pieces.append(char * 2)
            at += 2
            continue
        if char == "}":
            raise Refused(_template_fault("a `}` without `{`", "write `}}` for a brace"))
        if char != "{":
            pieces.append(char)
            at += 1
            continue
        end = text.find("}", at)
        path = text[at + 1 : end] if end > 0 else ""
        if path not in known:
            listed = either(list(known))
            raise Refused(
                _template_fault(
                    f"`{{{path}}}` names no source of the rule", f"write one of {listed}, or add it to `from`"
                )
            )
        pieces.append("{" + known[path] + "}")
        used.add(path)
        at = end + 1
    if unused := [path for path in known if path not in used]:
        raise Refused(
            _template_fault(
                f"the template does not name `{unused[0]}`", f"write `{{{unused[0]}}}` in it, or remove it from `from`"
            )
        )
    return (
        Spelling(style="named", function="template", first="".join(pieces), has_first=True, names=tuple(names)),
        Shape(kind="string"),
    )


def _template_fault(message: str, help: str) -> Fault:
    return Fault(kind="option", message=message, at=("with", "template"), help=help)


def _argument_names(paths: Sequence[Path]) -> list[str]:
    """A keyword for each path: its last name, or more of it where two would be the same."""
    names: list[str] = []
    for path in paths:
        words = [_NAME_CHARS.sub("_", str(segment).lower()).strip("_") for segment in path if isinstance(segment, str)]
        for length in range(1, len(words) + 1):
            name = "_".join(words[-length:])
            if name not in names:
                break
        if not name or not name[0].isalpha():
            name = f"part_{name}".rstrip("_")
        while name in names:
            name += "_"
        names.append(name)
    return names


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


def _custom(options: Mapping[str, Json], inputs: Sequence[Input], registry: Registry) -> tuple[Spelling, Shape]:
    name = str(options["function"])
    function = registry.functions.get(name)
    if function is None:
        close = near(name, list(registry.functions))
        raise Refused(
            Fault(
                kind="function",
                message=f"no function `{name}` is registered",
                at=("with", "function"),
                help=f"write {either(close)}"
                if close
                else "define it in `custom/`, or add the plugin that has it to `plugins`",
            )
        )
    if len(function.inputs) > 3:
        raise Refused(
            Fault(
                kind="function",
                message=f"`{name}` takes {len(function.inputs)} values; a rule can hand over three",
                at=("with", "function"),
                help="let it take fewer values, the others as parameters",
            )
        )
    faults = [*_function_values(function, inputs), *_function_parameters(function, options)]
    if faults:
        raise Refused(*faults)
    keywords = tuple((one.name, options[one.name]) for one in function.parameters if one.name in options)
    result = shape_of_value(function.result)
    if len(inputs) == 1:
        return Spelling(style="value", function="apply", callee=function, keywords=keywords), result
    return Spelling(style="values", function="combine", callee=function, keywords=keywords), result


def _function_values(function: RegisteredFunction, inputs: Sequence[Input]) -> list[Fault]:
    if len(inputs) != len(function.inputs):
        return [
            Fault(
                kind="arity",
                message=f"`{function.name}` takes {len(function.inputs)} values, not {len(inputs)}",
                at=("from",),
                help=f"name {len(function.inputs)} source fields",
            )
        ]
    return [
        Fault(
            kind="source type",
            message=f"`{function.name}` takes {wanted}, and `{format_path(input.path)}` is {_article(input.shape)}",
            help="change the function's annotation, or choose another source",
        )
        for wanted, input in zip(function.inputs, inputs, strict=True)
        if not takes(wanted, input.shape)
    ]


_WORDS: Mapping[Kind, str] = {"datetime": "date-time", "map": "object"}


def takes(wanted: ValueType, given: Shape) -> bool:
    """Whether a function that takes `wanted` can be handed such a value. An integer is no `Decimal`."""
    if given.kind == "any" or "any" in wanted.kinds:
        return True
    if given.kind == "list":
        return wanted.items is not None and (given.items is None or takes(wanted.items, given.items))
    return _WORDS.get(given.kind, given.kind) in wanted.kinds


def shape_of_value(type: ValueType) -> Shape:
    """What a function's value is in a mapper; anything when it can be of several kinds."""
    if type.items is not None:
        return Shape(kind="any") if type.kinds else Shape(kind="list", items=shape_of_value(type.items))
    match type.kinds:
        case ("date-time",):
            return Shape(kind="datetime")
        case ("object",):
            return Shape(kind="map", items=Shape(kind="any"))
        case ("string" | "integer" | "number" | "boolean" | "date" as kind,):
            return Shape(kind=kind)
        case _:
            return Shape(kind="any")


def _function_parameters(function: RegisteredFunction, options: Mapping[str, Json]) -> list[Fault]:
    known = {one.name: one for one in function.parameters}
    faults = []
    for key, value in options.items():
        if key == "function":
            continue
        if key not in known:
            close = near(key, list(known))
            told = either(close or list(known)) if known else ""
            faults.append(
                Fault(
                    kind="option",
                    message=f"`{function.name}` has no parameter `{key}`",
                    at=("with", key),
                    help=f"write {told}" if told else "remove it",
                )
            )
        elif (choices := known[key].choices) and value not in choices:
            faults.append(
                Fault(
                    kind="option",
                    message=f"`{key}` is none of the words that `{function.name}` knows",
                    at=("with", key),
                    help=f"write {either(choices)}",
                )
            )
        elif type(value).__name__.replace("NoneType", "None") not in known[key].kinds:
            faults.append(
                Fault(
                    kind="option",
                    message=f"`{key}` takes {' or '.join(known[key].kinds)}",
                    at=("with", key),
                    help=f"give `{function.name}` what its annotation says",
                )
            )
    return faults + [
        Fault(
            kind="option",
            message=f"`{function.name}` needs `{one.name}`",
            at=("with",),
            help=f"add `{one.name}` beside `function`",
        )
        for one in function.parameters
        if not one.has_default and one.name not in options
    ]


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
