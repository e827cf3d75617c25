"""What a package keeps of the past, and what of it nobody is shown: `retention`, `mask`."""

from __future__ import annotations

from ..api.paths import EACH, Path, format_path, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import pointer
from ..manifest import Retention, Stream
from ..rules.model import ReviewedRules
from ..rules.shapes import Unreached, reach
from .model import JsonPath, RetentionPlan


def plan_retention(retention: Retention) -> RetentionPlan:
    """Lengths in seconds."""
    return RetentionPlan(**{f"{name}_s": seconds for name, seconds in retention.lengths_s().items()})


def plan_masks(
    name: str, stream: Stream, rules: ReviewedRules, envelope: JsonPath
) -> tuple[tuple[JsonPath, ...], tuple[JsonPath, ...]]:
    """Masked source fields, and the destination fields that rules fill from them or from what is inside them.

    Raises:
        DiagnosticError: V519 for a field that source records do not have.
    """
    masked = [parse_path(text) for text in stream.mask]
    faults = [
        _unknown(name, index, text, found)
        for index, (text, path) in enumerate(zip(stream.mask, masked, strict=True))
        if isinstance(found := reach(rules.source.type, rules.source.types, path), Unreached)
    ]
    if faults:
        raise DiagnosticError(faults)
    filled = [
        rule.rule.destination
        for rule in rules.rules
        if any(_touch(source, path) for source in rule.rule.sources for path in masked)
    ]
    length = len(envelope)
    inside = [path[length:] if length and path[:length] == envelope else path for path in filled]
    return tuple(map(_steps, masked)), tuple(dict.fromkeys(map(_steps, inside)))


def _touch(first: Path, second: Path) -> bool:
    """Whether one of them is the other, or inside it."""
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


def _steps(path: Path) -> JsonPath:
    """Keys alone: a list on the way means each of its members."""
    return tuple(str(step) for step in path if step is not EACH)


def _unknown(name: str, index: int, text: str, found: Unreached) -> Diagnostic:
    there = ", ".join(f"`{each}`" for each in found.names[:8])
    parent = f"`{format_path(found.parent)}`" if found.parent else "a record"
    return Diagnostic(
        code="V519",
        message=f"the stream `{name}` masks `{text}`, which its records do not have",
        places=(Place(file="integration.yaml", pointer=pointer("streams", name, "mask", index)),),
        notes=(f"{parent} has {there}",) if there else (),
        help="name a field of the source's records as the description does, or take the line out",
    )
