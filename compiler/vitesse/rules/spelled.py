"""What a rule is spelled from and into, and what is wrong with one that cannot be."""

from __future__ import annotations

from collections.abc import Mapping

from ..api.model import Json
from ..api.paths import Path, format_path
from ..frozen import dataclass
from .model import Kind, Shape, Spelling
from .transforms import TRANSFORMS, Transform


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


def not_accepted(row: Transform, input: Input) -> Fault:
    """A source of a kind that the transform does not take, and what does."""
    accepted = [kind for kind in ("string", "integer", "number", "boolean", "date", "list") if kind in row.accepts]
    return Fault(
        kind="source type",
        message=f"`{row.name}` does not take {article(input.shape)}, which `{format_path(input.path)}` is",
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


def article(shape: Shape) -> str:
    """A shape as a sentence names it: `an integer`."""
    return f"{'an' if str(shape)[0] in 'aeiou' else 'a'} {shape}"
