"""Expressions that fill a record, and the modules that hold them."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

from ...api.model import Json
from ...frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """`src.email` or, inside a `within`, `it.city`: a variable and attribute names."""

    variable: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A literal of the plan: JSON or a Decimal."""

    value: Json | Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionName:
    """A function passed as an argument: `apply(parse_iso8601_to_date, …)`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`to_decimal(src.total_spent, places=2)`. The name is imported by the module."""

    function: str
    arguments: tuple[Expression, ...] = ()
    keywords: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """`lambda it: it.city`, the second argument of `within`, `each`, `first`."""

    variable: str
    body: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list display: `[a, b]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Construct:
    """A model built from its fields, one a line. `Contact(email=src.email, …)`."""

    model: str
    fields: tuple[FilledField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledField:
    """One destination field and the expression that fills it. Becomes one line of a mapper: `email=src.email,`."""

    name: str
    value: Expression
    rule: str | None = None
    """Id of the rule it comes from (the destination path); None for the objects in between."""


Expression: TypeAlias = "Read | Constant | FunctionName | Call | Pick | Items | Construct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """`from <module> import <name>`. `module` is relative to the package: `_runtime.values`, `models.shopify_customer`,
    `custom.dates`, `_plugins.vitesse_shopify.timestamps`."""

    module: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A small function on the source record: `def source_identity(src: Customer) -> str: return text(src.id)`."""

    name: str
    doc: str
    returns: Literal["str", "str | None"]
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class MapperModule:
    """`mappers/<stream>.py`: one mapping function, one field a line, and the readers of identity, version and match."""

    module: str
    doc: str
    imports: tuple[Import, ...]
    """Sorted as isort does: by module, then name."""
    function: str
    """`to_contact`."""
    source_model: str
    destination_model: str
    body: Construct
    readers: tuple[Reader, ...]
