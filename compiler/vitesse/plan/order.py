"""Streams in the order in which they are run when all are: what others refer to comes first."""

from __future__ import annotations

from collections.abc import Sequence

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import pointer
from ..manifest import Manifest
from .model import StreamPlan


def in_order(streams: Sequence[StreamPlan], manifest: Manifest) -> list[StreamPlan]:
    """The order of the manifest, but for streams that come after others.

    Raises:
        DiagnosticError: V513 for streams that wait for one another.
    """
    first = {plan.name: tuple(dict.fromkeys((*plan.after, *plan.lookups))) for plan in streams}
    found: list[StreamPlan] = []
    placed: set[str] = set()
    left = list(streams)
    while left:
        fit = next(
            (plan for plan in left if all(name in placed or name == plan.name for name in first[plan.name])), None
        )
        if fit is None:
            raise DiagnosticError([_circle([plan.name for plan in left], first)])
        left.remove(fit)
        placed.add(fit.name)
        found.append(fit)
    return found


def _circle(left: Sequence[str], first: dict[str, tuple[str, ...]]) -> Diagnostic:
    """One circle among streams of which each waits for another one that is left."""
    way = [left[0]]
    while True:
        follows = next(name for name in first[way[-1]] if name in left and name != way[-1])
        if follows in way:
            way = way[way.index(follows) :]
            break
        way.append(follows)
    told = " → ".join(f"`{name}`" for name in (*way, way[0]))
    return Diagnostic(
        code="V513",
        message=f"these streams wait for one another: {told}",
        places=tuple(Place(file="integration.yaml", pointer=pointer("streams", name)) for name in way),
        help="leave one reference out, or write it with a second stream that updates it afterwards",
    )
