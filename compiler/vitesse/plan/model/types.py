"""The Python types of models, and the models."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ...frozen import dataclass

JsonPath: TypeAlias = tuple[str | int, ...]
"""Wire keys and list positions; the empty path is the whole value."""
ScalarName: TypeAlias = Literal["str", "int", "Decimal", "bool", "date", "datetime", "bytes", "Any"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PyType:
    """The type of a model field: one of `scalar`, `model`, `items` (list), `values` (dict[str, …]) or `union` is set.

    `nullable` adds `| None`, `may_miss` adds `| MISSING` with `MISSING` as the default.
    """

    scalar: ScalarName | None = None
    model: str | None = None
    """Class name of a model: of the same module, or of `module`."""
    module: str | None = None
    """The module of `model`, where the type stands outside it: in a client."""
    items: PyType | None = None
    values: PyType | None = None
    union: tuple[PyType, ...] = ()
    """Two or more, none of them a union, nullable or `Any`: `Card | BankAccount`."""
    nullable: bool = False
    may_miss: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelField:
    """One field. Becomes one line of a class: `created_at: Annotated[str | None | MISSING, Field(alias="createdAt")] = MISSING`."""

    name: str
    wire_name: str
    type: PyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One class. `doc` is our own sentence; outside text never stands in it but for titles that passed as identifiers."""

    name: str
    doc: str
    fields: tuple[ModelField, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelModule:
    """`models/<module>.py`: one record and the objects inside it; nested classes come first."""

    module: str
    doc: str
    reads: bool
    """True for records that are read (aliases validate), False for bodies that are written (aliases serialise)."""
    models: tuple[Model, ...]
