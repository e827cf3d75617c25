"""Rules, as a person wrote them and as they were proved.

`Rules` come from `mappings/<stream>.yaml`; `ReviewedRules` come from `check_rules` and from nowhere else, so that whoever holds
them need not check anything again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, TypeAlias

from ..api.model import Field as ApiField
from ..api.model import Json, Operation, Place, Type
from ..api.paths import EACH, Path, format_path
from ..diagnostics import Diagnostic
from ..frozen import dataclass
from ..registry import RegisteredFunction


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """What stands in for an absent value: `{value: 0}`."""

    value: Json


OnMissing: TypeAlias = "Literal['omit', 'dead'] | Default"
OnNull: TypeAlias = "Literal['keep', 'omit', 'dead'] | Default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One destination field ← source field(s), transform. Its id is the destination path."""

    destination: Path
    sources: tuple[Path, ...] = ()
    """None for a constant."""
    transform: str
    """A name of the transforms table."""
    options: Mapping[str, Json] = field(default_factory=dict)
    """What stands under `with`."""
    on_missing: OnMissing | None = None
    """None: the default, `omit`."""
    on_null: OnNull | None = None
    """None: the default, `keep`."""
    waive: Mapping[str, str] = field(default_factory=dict)
    """Loss → why it is accepted."""
    place: Place

    @property
    def id(self) -> str:
        return format_path(self.destination)

    def at(self, *steps: str | int) -> Place:
        """The place of one of its keys."""
        escaped = (str(step).replace("~", "~0").replace("/", "~1") for step in steps)
        return Place(file=self.place.file, pointer="/".join([self.place.pointer, *escaped]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A destination field that stays empty, and why."""

    destination: Path
    reason: str
    place: Place

    @property
    def id(self) -> str:
        return format_path(self.destination)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One mapping file."""

    stream: str
    file: str
    """Relative to the integration's folder: `mappings/customers.yaml`."""
    rules: tuple[Rule, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    def rule(self, id: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.id == id), None)


# --- what a stream's ends offer ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One segment of a path, resolved."""

    segment: str | None
    """The wire name; None for the items of a list."""
    type: Type
    """Resolved: never a Ref."""
    required: bool
    """Whether its parent always has it; True for the items of a list."""
    field: ApiField | None = None
    """None inside a map, a list or a value of any type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The field at the end of a path, with all that stands above it."""

    path: Path
    steps: tuple[Step, ...]

    @property
    def type(self) -> Type:
        return self.steps[-1].type

    @property
    def place(self) -> Place:
        step = self.steps[-1]
        return step.field.place if step.field is not None else step.type.place

    @property
    def text(self) -> str:
        return format_path(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a stream: the operation, and the type of a record there."""

    api: str
    """The manifest's name of the API: `shopify`."""
    title: str
    operation: Operation
    type: Type
    """Of one source record, or of the destination's request body. Resolved."""
    types: Mapping[str, Type]
    """The API's components, for refs inside."""
    update: Type | None = None
    """Of a destination: the body of its update, which may ask for more than the create does. Resolved."""


# --- what was proved --------------------------------------------------------------------------------------------------

Kind: TypeAlias = Literal["string", "integer", "number", "boolean", "date", "datetime", "list", "object", "map", "any"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a value is in a mapper: `str`, `int`, `Decimal`, `bool`, `date`, `datetime`, a list, a model, a dict, anything.

    Text stays `str` whatever its format says; only a transform makes a `date` or `datetime`.
    """

    kind: Kind
    format: str | None = None
    items: Shape | None = None
    """Of a list or a map."""
    enum: tuple[Json, ...] = ()
    max_length: int | None = None

    def __str__(self) -> str:
        inner = f" of {self.items}" if self.items is not None else ""
        return f"{self.kind}{inner}" + (f" ({self.format})" if self.format else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Something that a rule may lose. `reason` is why a person accepts it; None while nobody does."""

    code: str
    detail: str
    """`3 of 5 values have no counterpart: a, b, c`."""
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How a rule's value is computed by the runtime, in its own words; Python names and layout are the plan's.

    value   function(value, **keywords)
    values  function(value, value, …, **keywords)
    named   function(text, name=value, …)
    none    the value as it is, or `constant` when there is no source
    """

    style: Literal["none", "value", "values", "named"]
    function: str | None = None
    """A name of `_runtime.values` or `_runtime.transforms`."""
    callee: RegisteredFunction | None = None
    """The function that `apply` or `combine` is handed first."""
    first: Json = None
    """A literal before the values (`template`) or after the one value (`enum_map`), when `has_first`."""
    has_first: bool = False
    names: tuple[str, ...] = ()
    """Keyword of each source, for `named`."""
    keywords: tuple[tuple[str, Json], ...] = ()
    item: Spelling | None = None
    """For `each`: what is done to one item."""
    constant: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedRule:
    """A rule that was proved against both ends."""

    rule: Rule
    sources: tuple[Reached, ...]
    destination: Reached
    loops: tuple[tuple[Path, Path], ...] = ()
    """Source list → destination list, outermost first, both ending in `[]`: the rule holds for each item of them."""
    spelling: Spelling
    shape: Shape
    """Of the result; the type of the destination model's field."""
    may_be_missing: bool
    may_be_null: bool
    """Of the result, before the policies."""
    on_missing: OnMissing
    on_null: OnNull
    ends_missing: bool
    ends_null: bool
    """After the policies: what the destination model's field must allow."""
    losses: tuple[Loss, ...] = ()
    rule_digest: str
    fields_digest: str
    accepted_by: str | None = None
    """Who accepted it; None in a draft."""
    accepted_on: str | None = None

    @property
    def id(self) -> str:
        return self.rule.id


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedRules:
    """The rules of one stream, proved and accepted (or a draft). Made by `check_rules` alone."""

    stream: str
    file: str
    source: End
    destination: End
    rules: tuple[CheckedRule, ...]
    """In the order of the destination's schema."""
    waivers: tuple[Waiver, ...]
    unfilled: tuple[Path, ...]
    """Destination leaves that no rule fills and no waiver names."""
    unread: tuple[Path, ...]
    """Source leaves that no rule reads."""
    open: tuple[str, ...]
    """Rules that nobody accepted; empty unless this is a draft."""
    digest: str
    """Of the rules' meaning: state that was written under another one is not mixed with it."""
    warnings: tuple[Diagnostic, ...] = ()


def lists_of(path: Path) -> tuple[Path, ...]:
    """The prefixes that end in `[]`, outermost first."""
    return tuple(path[: index + 1] for index, segment in enumerate(path) if segment is EACH)
