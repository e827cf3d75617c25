"""A Python file's text → the functions it offers, with types; nothing of it is run or imported.

The parameters without a default are the values that a rule's fields give; those with a default, and those after `*`, are
options. Types come from annotations, resolved through the file's own imports.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..frozen import dataclass
from ..hooks import OptionKind, OptionValue, Parameter
from .model import ValueType, union


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One function as its `def` states it. `line` counts from 1."""

    name: str
    line: int
    inputs: tuple[ValueType, ...]
    result: ValueType
    parameters: tuple[Parameter, ...]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """A function that no rule can call, and why: a clause such as `its parameter `x` has no annotation`."""

    name: str
    line: int
    reason: str


def read_signatures(tree: ast.Module) -> dict[str, Signature | Unusable]:
    """The public functions of a module, by name, in the file's order. A later `def` of a name replaces an earlier one."""
    names = _imported_names(tree)
    return {
        node.name: _signature(node, names)
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    }


def imported_modules(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """(module, level, line) of every import, wherever it stands. `from . import a` is one of `a` at level 1."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    yield alias.name, 0, node.lineno
            case ast.ImportFrom(module=None, names=aliases, level=level):
                for alias in aliases:
                    yield alias.name, level, node.lineno
            case ast.ImportFrom(module=str(module), level=level):
                yield module, level, node.lineno


class _NotUsable(Exception):
    """Carries the reason of an `Unusable`."""


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef, names: Mapping[str, str]) -> Signature | Unusable:
    try:
        return _read(node, names)
    except _NotUsable as reason:
        return Unusable(name=node.name, line=node.lineno, reason=str(reason))


def _read(node: ast.FunctionDef | ast.AsyncFunctionDef, names: Mapping[str, str]) -> Signature:
    if isinstance(node, ast.AsyncFunctionDef):
        raise _NotUsable("it is `async`")
    if node.decorator_list:
        raise _NotUsable("it has a decorator, which may change its signature")
    given = node.args
    if given.vararg is not None or given.kwarg is not None:
        raise _NotUsable("it takes `*` or `**` parameters")
    positional = [*given.posonlyargs, *given.args]
    inputs = positional[: len(positional) - len(given.defaults)]
    optional = positional[len(inputs) :]
    if not inputs:
        raise _NotUsable("it takes no value: all its parameters have defaults")
    if any(argument in given.posonlyargs for argument in optional):
        raise _NotUsable("an option is positional-only, and options are given by name")
    if node.returns is None:
        raise _NotUsable("its result has no annotation")
    options: list[tuple[ast.arg, ast.expr | None]] = list(zip(optional, given.defaults, strict=True))
    options += zip(given.kwonlyargs, given.kw_defaults, strict=True)
    result = _value_type(node.returns, names, "its result")
    if not result.kinds and result.items is None:
        raise _NotUsable("its result is always None")
    return Signature(
        name=node.name,
        line=node.lineno,
        inputs=tuple(_input(argument, names) for argument in inputs),
        result=result,
        parameters=tuple(_parameter(argument, default, names) for argument, default in options),
        description=_first_sentence(ast.get_docstring(node)),
    )


def _input(argument: ast.arg, names: Mapping[str, str]) -> ValueType:
    what = f"its parameter `{argument.arg}`"
    if argument.annotation is None:
        raise _NotUsable(f"{what} has no annotation")
    type = _value_type(argument.annotation, names, what).without_null()
    if not type.kinds and type.items is None:
        raise _NotUsable(f"{what} is always None")
    return type


_KIND_OF = {
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "decimal.Decimal": "number",
    "datetime.date": "date",
    "datetime.datetime": "date-time",
    "typing.Any": "any",
    "object": "any",
}
_LISTS = ("list", "collections.abc.Sequence", "collections.abc.Iterable", "typing.Sequence", "typing.List")
_MAPS = ("dict", "collections.abc.Mapping", "typing.Mapping", "typing.Dict")


def _value_type(node: ast.expr, names: Mapping[str, str], what: str) -> ValueType:
    match node:
        case ast.Constant(value=None):
            return ValueType(nullable=True)
        case ast.Constant(value=str(text)):
            return _value_type(_quoted(text, what), names, what)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return union(_value_type(left, names, what), _value_type(right, names, what))
        case ast.Subscript(value=outer, slice=inner):
            return _generic(_dotted(outer, names), inner, names, what)
    name = _dotted(node, names)
    if name == "float":
        raise _NotUsable(f"{what} is a float, and decimals do not pass through float: use `Decimal`")
    if name in _MAPS:
        return ValueType(kinds=("object",))
    if name in _LISTS:
        return ValueType(items=ValueType(kinds=("any",)))
    if name not in _KIND_OF:
        raise _NotUsable(f"{what} has the annotation `{ast.unparse(node)}`, which no field has")
    return ValueType(kinds=(_KIND_OF[name],))  # type: ignore[arg-type]


def _generic(name: str, inner: ast.expr, names: Mapping[str, str], what: str) -> ValueType:
    if name in _LISTS:
        return ValueType(items=_value_type(inner, names, what))
    if name in _MAPS:
        return ValueType(kinds=("object",))
    if name == "typing.Optional":
        return union(_value_type(inner, names, what), ValueType(nullable=True))
    if name == "typing.Union":
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        return union(*(_value_type(part, names, what) for part in parts))
    if name == "typing.Literal":
        return union(*(_literal_type(part, what) for part in _elements(inner)))
    raise _NotUsable(f"{what} has an annotation of `{name}[…]`, which no field has")


def _literal_type(node: ast.expr, what: str) -> ValueType:
    match node:
        case ast.Constant(value=bool()):
            return ValueType(kinds=("boolean",))
        case ast.Constant(value=str()):
            return ValueType(kinds=("string",))
        case ast.Constant(value=int()):
            return ValueType(kinds=("integer",))
        case ast.Constant(value=None):
            return ValueType(nullable=True)
    raise _NotUsable(f"{what} has a `Literal` of something that is no text, integer or boolean")


_OPTION_KINDS: dict[str, OptionKind] = {"str": "str", "int": "int", "float": "float", "bool": "bool"}


def _parameter(argument: ast.arg, default: ast.expr | None, names: Mapping[str, str]) -> Parameter:
    what = f"its option `{argument.arg}`"
    if argument.annotation is None:
        raise _NotUsable(f"{what} has no annotation")
    kinds, choices = _option_kinds(argument.annotation, names, what)
    parameter = Parameter(name=argument.arg, kinds=tuple(dict.fromkeys(kinds)), choices=choices)
    if default is None:
        return parameter
    return replace(parameter, has_default=True, default=_literal(default, what))


def _option_kinds(node: ast.expr, names: Mapping[str, str], what: str) -> tuple[list[OptionKind], tuple[str, ...]]:
    match node:
        case ast.Constant(value=None):
            return ["None"], ()
        case ast.Constant(value=str(text)):
            return _option_kinds(_quoted(text, what), names, what)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            kinds, choices = _option_kinds(left, names, what)
            more_kinds, more_choices = _option_kinds(right, names, what)
            return kinds + more_kinds, choices + more_choices
        case ast.Subscript(value=outer, slice=inner) if _dotted(outer, names) == "typing.Literal":
            words = [part.value for part in _elements(inner) if isinstance(part, ast.Constant)]
            texts = tuple(word for word in words if isinstance(word, str))
            if texts and len(texts) == len(_elements(inner)):
                return ["str"], texts
        case ast.Subscript(value=outer, slice=inner) if _dotted(outer, names) == "typing.Optional":
            kinds, choices = _option_kinds(inner, names, what)
            return [*kinds, "None"], choices
    name = _dotted(node, names)
    if name not in _OPTION_KINDS:
        raise _NotUsable(f"{what} is no str, int, float, bool, None or `Literal` of texts")
    return [_OPTION_KINDS[name]], ()


def _literal(node: ast.expr, what: str) -> OptionValue:
    match node:
        case ast.Constant(value=str() | int() | float() | bool() | None as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
    raise _NotUsable(f"{what} has a default that is no literal")


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """Name in the file → where it comes from: `date` → `datetime.date`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    names[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                for alias in aliases:
                    names[alias.asname or alias.name] = f"{module}.{alias.name}"
    return names


def _dotted(node: ast.expr, names: Mapping[str, str]) -> str:
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=attribute):
            return f"{_dotted(value, names)}.{attribute}"
    return ast.unparse(node)


def _quoted(text: str, what: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        raise _NotUsable(f"{what} has an annotation that cannot be read") from None


def _elements(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _first_sentence(docstring: str | None) -> str:
    return " ".join((docstring or "").strip().split("\n\n")[0].split())
