"""What an integration may call and know beside what is built in: the registry, as plain data.

Plugins and the integration's own `custom/` end in the same `RegisteredFunction`; nobody behind this point can tell them
apart, nor needs to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal, TypeAlias

from ..diagnostics import Diagnostic, Place
from ..frozen import dataclass
from ..hooks import Parameter, SignaturePreset, Vendor, Words

Kind: TypeAlias = Literal["string", "integer", "number", "boolean", "date", "date-time", "object", "any"]

KINDS: tuple[Kind, ...] = ("string", "integer", "number", "boolean", "date", "date-time", "object", "any")
"""In the order in which types are written. `number` is a `Decimal` in Python: numbers never pass through float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueType:
    """What a function takes or gives: one of `kinds`, or a list of `items`, or null. Written `string | list[date] | null`."""

    kinds: tuple[Kind, ...] = ()
    items: ValueType | None = None
    nullable: bool = False

    def __str__(self) -> str:
        words: list[str] = list(self.kinds)
        if self.items is not None:
            words.append(f"list[{self.items}]")
        if self.nullable:
            words.append("null")
        return " | ".join(words)

    def accepts(self, other: ValueType) -> bool:
        """True when every value of `other` is one of this type. An integer is a number; everything is `any`."""
        if "any" in self.kinds:
            return True
        if other.nullable and not self.nullable:
            return False
        taken = {*self.kinds, "integer"} if "number" in self.kinds else set(self.kinds)
        if not taken.issuperset(other.kinds):
            return False
        return other.items is None or (self.items is not None and self.items.accepts(other.items))

    def without_null(self) -> ValueType:
        return replace(self, nullable=False)


def union(*types: ValueType) -> ValueType:
    """One type of all the values of several, written in one order whatever the order of the parts."""
    kinds = {kind for type in types for kind in type.kinds}
    lists = [type.items for type in types if type.items is not None]
    return ValueType(
        kinds=tuple(kind for kind in KINDS if kind in kinds),
        items=union(*lists) if lists else None,
        nullable=any(type.nullable for type in types),
    )


def parse_type(text: str) -> ValueType:
    """`string | list[date] | null` → ValueType. Raises ValueError that says which word is not a type."""
    parts = [part.strip() for part in _split_union(text)]
    return union(*(_parse_part(part) for part in parts))


def _split_union(text: str) -> list[str]:
    parts = [""]
    depth = 0
    for char in text:
        depth += (char == "[") - (char == "]")
        if char == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _parse_part(part: str) -> ValueType:
    if part == "null":
        return ValueType(nullable=True)
    if part.startswith("list[") and part.endswith("]"):
        return ValueType(items=parse_type(part[5:-1]))
    for kind in KINDS:
        if part == kind:
            return ValueType(kinds=(kind,))
    raise ValueError(f"`{part}` is no type; the types are {', '.join(KINDS)}, list[…] and null")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredFunction:
    """A function that a rule may name. Becomes an import and a call: `apply(parse_shopify_timestamp, src.created_at)`."""

    name: str
    origin: str
    """`vitesse-shopify 0.1.0`, `custom/dates.py`, `built in`."""
    module: str
    """Where a generated package has it, relative to the package: `_plugins.vitesse_shopify.timestamps`, `custom.dates`."""
    function: str
    inputs: tuple[ValueType, ...]
    """One for each source field, in order; never null."""
    result: ValueType
    parameters: tuple[Parameter, ...] = ()
    """What a rule may give under `with`, sent as keywords."""
    loses: tuple[str, ...] = ()
    description: str = ""
    place: Place
    """The `def`; for a plugin its file is relative to the vendored folder's parent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A Python file that goes into the package byte for byte."""

    path: str
    """Relative to the package's import folder: `custom/dates.py`."""
    content: bytes
    origin: str
    """`custom/dates.py`, `vitesse-shopify 0.1.0`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All that an integration's plugins and `custom/` bring. Names are unique; mappings are in name order."""

    functions: Mapping[str, RegisteredFunction] = field(default_factory=dict)
    signatures: Mapping[str, SignaturePreset] = field(default_factory=dict)
    vendors: tuple[Vendor, ...] = ()
    words: tuple[Words, ...] = ()
    plugins: tuple[tuple[str, str], ...] = ()
    """(name, version), in the manifest's order; for the lock."""
    files: tuple[SourceFile, ...] = ()
    """In path order, with the `__init__.py` that packages need."""
    warnings: tuple[Diagnostic, ...] = ()
