"""Expressions with their types, as a mapper is put together.

A small algebra over `plan.model` expressions: each function returns an expression and the Python type it has, so that the
destination's model gets just the type that its mapper fills in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from decimal import Decimal

from ..api.model import Json
from ..api.paths import EACH, Path
from ..frozen import dataclass
from .model import Call, Constant, Expression, FunctionName, Import, Pick, PyType, Read, ScalarName
from .shape import ANYTHING, Shape

VALUES = "_runtime.values"
TRANSFORMS = "_runtime.transforms"
LINKS = "_runtime.links"


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """An expression and its type."""

    expression: Expression
    type: PyType


@dataclass(slots=True, kw_only=True)
class Imports:
    """What a module's expressions call."""

    used: set[tuple[str, str]] = field(default_factory=set)

    def use(self, module: str, name: str) -> str:
        self.used.add((module, name))
        return name

    def sorted(self) -> tuple[Import, ...]:
        return tuple(Import(module=module, name=name) for module, name in sorted(self.used))


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A variable that holds a record or an item, and the shape of it."""

    variable: str
    shape: Shape
    type: PyType


def read(root: Root, path: Path, imports: Imports) -> Typed:
    """Read a path: attributes as far as objects are there, `within` where one may be absent, `each` for lists."""
    return _read(Typed(expression=Read(variable=root.variable), type=root.type), root.shape, path, imports)


def _read(base: Typed, shape: Shape, path: Path, imports: Imports) -> Typed:
    if not path:
        return base
    if path[0] is EACH:
        return _each(base, shape, path[1:], imports)
    if is_absent(base.type):
        return _within(base, shape, path, imports)
    assert isinstance(base.expression, Read)
    below = shape.children[str(path[0])]
    step = Read(variable=base.expression.variable, names=(*base.expression.names, below.name))
    return _read(Typed(expression=step, type=below.type), below, path[1:], imports)


def _within(base: Typed, shape: Shape, path: Path, imports: Imports) -> Typed:
    """One `within` as deep as objects are surely there; then the next one around it."""
    names: list[str] = []
    type = _there(base.type)
    while path and path[0] is not EACH and not is_absent(type):
        shape = shape.children[str(path[0])]
        names.append(shape.name)
        type, path = shape.type, path[1:]
    pick = Pick(variable="it", body=Read(variable="it", names=tuple(names)))
    call = Call(function=imports.use(VALUES, "within"), arguments=(base.expression, pick))
    return _read(Typed(expression=call, type=absent_as(type, base.type)), shape, path, imports)


def _each(base: Typed, shape: Shape, rest: Path, imports: Imports) -> Typed:
    assert shape.each is not None
    if not rest:
        return base
    item = Typed(expression=Read(variable="it"), type=_there(shape.each.type))
    inner = _read(item, shape.each, rest, imports)
    call = Call(
        function=imports.use(VALUES, "each"),
        arguments=(base.expression, Pick(variable="it", body=inner.expression)),
    )
    return Typed(expression=call, type=absent_as(PyType(items=_there(inner.type)), base.type))


def is_absent(type: PyType) -> bool:
    """Whether a value of this type may be null or missing."""
    return type.nullable or type.may_miss


def _there(type: PyType) -> PyType:
    return replace(type, nullable=False, may_miss=False)


def absent_as(type: PyType, *others: PyType) -> PyType:
    return replace(
        type,
        nullable=type.nullable or any(other.nullable for other in others),
        may_miss=type.may_miss or any(other.may_miss for other in others),
    )


def scalar(name: ScalarName, like: PyType | None = None) -> PyType:
    """A scalar type that is absent whenever `like` is."""
    return PyType(
        scalar=name, nullable=like.nullable if like is not None else False, may_miss=like.may_miss if like else False
    )


def constant(value: Json | Decimal) -> Typed:
    """A literal and its type."""
    match value:
        case bool():
            kind = PyType(scalar="bool")
        case int():
            kind = PyType(scalar="int")
        case Decimal():
            kind = PyType(scalar="Decimal")
        case float():
            return constant(Decimal(repr(value)))
        case str():
            kind = PyType(scalar="str")
        case list() if value and len({constant(item).type for item in value}) == 1:
            kind = PyType(items=constant(value[0]).type)
        case _:
            kind = ANYTHING
    return Typed(expression=Constant(value=value), type=kind)


def call(
    imports: Imports,
    module: str,
    function: str,
    *arguments: Expression,
    keywords: Mapping[str, Json | Decimal] | None = None,
) -> Call:
    """A call of a runtime function with literal keywords; those that are None are left out."""
    given = tuple((name, Constant(value=value)) for name, value in (keywords or {}).items() if value is not None)
    return Call(function=imports.use(module, function), arguments=arguments, keywords=given)


def function_name(imports: Imports, module: str, name: str) -> FunctionName:
    return FunctionName(name=imports.use(module, name))
