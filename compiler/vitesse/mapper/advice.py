"""The one seam at which something else than names may have a say: after the ways to fill each destination are scored.

An adviser ranks ways and says why. It makes no rule: what it prefers goes through the same thresholds and the same proof as what
the names prefer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ..api.model import Json
from .choose import Choice
from .schema_fields import EndFields

if TYPE_CHECKING:
    from .scoring import Pair, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What was said of one way."""

    by: str
    """Who said it: a model's name."""
    chance: float
    """Of the way before anything was said: what the names alone make of it."""
    says: tuple[str, ...]
    """Sentences for the evidence, each naming who says it."""
    decided: bool = False
    """Whether the way is the first only because of what was said."""
    choice: Choice | None = None
    """Another transform than names and types would choose."""

    def choices(self, own: Choice) -> tuple[Choice, ...]:
        """The transforms to try, in order.

        Names and types keep their own where they are sure of a conversion; what was said fills the gaps of a table and replaces
        an unchanged or a doubtful value.
        """
        said = self.choice
        if said is None:
            return (own,)
        if said.transform == own.transform:
            options = {**said.options, **own.options}
            if said.transform == "enum":
                options["map"] = {**_table(said), **_table(own)}
                return (replace(own, options=options, holes=said.holes), own)
            return (replace(own, options=options), own)
        if own.transform in ("direct", "mapping"):
            return (replace(said, holes=(*own.holes, *said.holes)), own)
        return (own, said) if own.sure >= 0.9 else (said, own)


def _table(choice: Choice) -> dict[str, Json]:
    table = choice.options.get("map")
    return dict(table) if isinstance(table, dict) else {}


class Adviser(Protocol):
    """Ranks the ways again."""

    def advise(
        self,
        source: EndFields,
        destination: EndFields,
        ways: Sequence[Sequence[Way]],
        pairs: Sequence[Sequence[Pair]],
        wanted: Sequence[int],
    ) -> list[list[Way]]:
        """The ways of each destination, best first.

        Args:
            ways: By the position of the destination, best first.
            pairs: All pairs that were looked at, in the same order.
            wanted: Positions of the destinations that are open; nothing is to be said of the others.
        """
