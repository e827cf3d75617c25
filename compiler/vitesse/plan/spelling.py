"""One proved rule → the expression that carries it out, with its type.

`rules` decided which function does it and what comes out; here that becomes a call on the sources as the mapper reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..api.model import Json
from ..diagnostics import InternalError
from ..rules.model import CheckedRule, Default, Spelling
from ..rules.model import Shape as ValueShape
from .model import Call, Constant, Expression, Pick, PyType, Read, ScalarName
from .names import Scope, snake
from .typed import LINKS, TRANSFORMS, VALUES, Imports, Typed, call, constant, function_name, is_absent

_SCALARS: dict[str, ScalarName] = {
    "string": "str",
    "integer": "int",
    "number": "Decimal",
    "boolean": "bool",
    "date": "date",
    "datetime": "datetime",
}

_IN_TRANSFORMS = frozenset(
    (
        "to_decimal to_integer stringify text split split_part to_bool enum_map to_date to_datetime to_unix date_text "
        "parse_iso8601_to_date"
    ).split()
)
"""Functions of `_runtime.transforms`; the others are in `_runtime.values` and `_runtime.links`."""


_IN_LINKS = frozenset({"linked", "linked_integer"})


def spelled(rule: CheckedRule, sources: Sequence[Typed], imports: Imports) -> Typed:
    """The expression of a rule with its policies: what may be absent is wrapped in what the rule says of that."""
    if len(sources) == 1 and rule.spelling.style == "none":
        value = sources[0]
    elif not sources and rule.spelling.style == "none":
        return constant(rule.spelling.constant)
    else:
        expression = _spelled(_plainest(rule.spelling, sources), [source.expression for source in sources], imports)
        value = Typed(
            expression=expression,
            type=replace(python_type(rule.shape), nullable=rule.may_be_null, may_miss=rule.may_be_missing),
        )
    return _with_policies(rule, value, imports)


def _plainest(spelling: Spelling, sources: Sequence[Typed]) -> Spelling:
    """A transform of the runtime's own, which refuses in its own words, is called as it is when its value is always there."""
    callee = spelling.callee
    if spelling.function != "apply" or callee is None or callee.module != TRANSFORMS or is_absent(sources[0].type):
        return spelling
    return replace(spelling, function=callee.function, callee=None)


def python_type(shape: ValueShape) -> PyType:
    """The type of a value in a mapper; objects and maps that are passed on whole are plain JSON."""
    if shape.kind == "list":
        return PyType(items=python_type(shape.items) if shape.items is not None else PyType(scalar="Any"))
    return PyType(scalar=_SCALARS.get(shape.kind, "Any"))


def _spelled(spelling: Spelling, values: list[Expression], imports: Imports) -> Expression:
    keywords = dict(spelling.keywords)
    match spelling.style:
        case "none":
            return values[0] if values else Constant(value=spelling.constant)
        case "value" | "values":
            arguments = [*_callee(spelling, imports), *values]
            if spelling.item is not None:
                arguments.append(Pick(variable="it", body=_spelled(spelling.item, [Read(variable="it")], imports)))
            if spelling.has_first:
                arguments.append(Constant(value=spelling.first))
            return call(imports, _module(spelling), _function(spelling), *arguments, keywords=keywords)
        case "named":
            return _named(spelling, values, imports)


def _named(spelling: Spelling, values: list[Expression], imports: Imports) -> Expression:
    """`template("{first} {last}", first=…, last=…)`; names that are no good in Python are replaced on both sides."""
    text, names = str(spelling.first), Scope()
    keywords: list[tuple[str, Expression]] = []
    for written, value in zip(spelling.names, values, strict=True):
        name = names.claim(snake(written, otherwise="part", inner=True))
        text = text.replace("{" + written + "}", "{" + name + "}")
        keywords.append((name, value))
    function = imports.use(_module(spelling), _function(spelling))
    return Call(function=function, arguments=(Constant(value=text),), keywords=tuple(keywords))


def _callee(spelling: Spelling, imports: Imports) -> list[Expression]:
    callee = spelling.callee
    return [] if callee is None else [function_name(imports, callee.module, callee.function)]


def _function(spelling: Spelling) -> str:
    if spelling.function is None:
        raise InternalError("a rule is spelled as a call without a function")
    return spelling.function


def _module(spelling: Spelling) -> str:
    if spelling.function in _IN_LINKS:
        return LINKS
    return TRANSFORMS if spelling.function in _IN_TRANSFORMS else VALUES


def _with_policies(rule: CheckedRule, value: Typed, imports: Imports) -> Typed:
    expression, type = value.expression, value.type
    name = Constant(value=rule.id)
    dies_missing = type.may_miss and rule.on_missing == "dead"
    dies_null = type.nullable and rule.on_null == "dead"
    if dies_missing and dies_null:
        kind = replace(type, nullable=False, may_miss=False)
        return Typed(expression=call(imports, VALUES, "required", expression, name), type=kind)
    if dies_missing:
        expression, type = call(imports, VALUES, "not_missing", expression, name), replace(type, may_miss=False)
    if dies_null:
        expression, type = call(imports, VALUES, "not_null", expression, name), replace(type, nullable=False)
    if type.may_miss and isinstance(rule.on_missing, Default):
        default = _literal(rule.on_missing.value, type)
        expression, type = call(imports, VALUES, "if_missing", expression, default), replace(type, may_miss=False)
    if type.nullable and isinstance(rule.on_null, Default):
        default = _literal(rule.on_null.value, type)
        expression, type = call(imports, VALUES, "if_null", expression, default), replace(type, nullable=False)
    if type.nullable and rule.on_null == "omit":
        expression = call(imports, VALUES, "null_as_missing", expression)
        type = replace(type, nullable=False, may_miss=True)
    return Typed(expression=expression, type=type)


def _literal(value: Json, type: PyType) -> Expression:
    """A default as the field's type has it: `0` for a decimal is `Decimal("0")`."""
    from decimal import Decimal

    if type.scalar == "Decimal" and isinstance(value, int | float) and not isinstance(value, bool):
        return Constant(value=Decimal(repr(value) if isinstance(value, float) else value))
    return constant(value).expression
