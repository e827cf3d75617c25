"""A registered function as a transform: whether it takes what the rule hands over, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..api.model import Json
from ..api.paths import format_path
from ..forms import either, near
from ..registry import RegisteredFunction, Registry, ValueType
from .model import Kind, Shape, Spelling
from .spelled import Fault, Input, Refused, article


def spell_function(options: Mapping[str, Json], inputs: Sequence[Input], registry: Registry) -> tuple[Spelling, Shape]:
    """How a rule calls a registered function. Raises `Refused` with every fault."""
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
            message=f"`{function.name}` takes {wanted}, and `{format_path(input.path)}` is {article(input.shape)}",
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
