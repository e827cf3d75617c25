"""The one seam at which something else than names may have a say: after the ways to fill each destination are scored.

An adviser ranks ways and says why. It makes no rule: what it prefers goes through the same thresholds and the same proof as what
the names prefer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ..api.model import Json
from .choose import Choice, Known
from .fields import Side

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
    values: tuple[str, ...] = ()
    """The source's closed set, when `choice` pairs values."""

    def choices(self, own: Choice) -> tuple[Choice, ...]:
        """The transforms to try, in order.

        Names and types keep their own where they are sure of a conversion; what was said fills the gaps of a table and replaces
        an unchanged or a doubtful value.
        """
        said = self.choice
        if said is None:
            return (own,)
        if said.transform == "enum":
            return (self._table(said, own), own)
        if said.transform == own.transform:
            return (replace(own, options={**said.options, **own.options}), own)
        if own.transform in ("direct", "mapping"):
            return (replace(said, holes=(*own.holes, *said.holes)), own)
        return (own, said) if own.sure >= _SURE else (said, own)

    def _table(self, said: Choice, own: Choice) -> Choice:
        """One table of both: equal words keep each other, then what was said, then what names find likely. A person looks at it."""
        mine = _entries(own) if own.sure > 0.5 else {}
        equal = {key: value for key, value in mine.items() if str(value).casefold() == key.casefold()}
        table = {**mine, **_entries(said), **equal}
        gaps = [value for value in self.values if value not in table]
        holes = [f"`{self.by}` paired the values: look at each"]
        if gaps:
            holes.append(f"say what becomes of {', '.join(f'`{gap}`' for gap in gaps[:8])}")
        return replace(said, options={**said.options, "map": table}, holes=tuple(holes))


_SURE = 0.95
"""A conversion that types settle."""


def _entries(choice: Choice) -> dict[str, Json]:
    table = choice.options.get("map") if choice.transform == "enum" else None
    return dict(table) if isinstance(table, dict) else {}


class Fields(Protocol):
    """One side as an adviser needs it; `EndFields` is one."""

    @property
    def side(self) -> Side: ...

    def known(self, position: int, lists: int) -> Known:
        """The type of a field as seen from inside `lists` lists."""


class Adviser(Protocol):
    """Ranks the ways again."""

    def advise(
        self,
        source: Fields,
        destination: Fields,
        ways: Sequence[Sequence[Way]],
        pairs: Sequence[Sequence[Pair]],
        wanted: Sequence[int],
    ) -> list[list[Way]]:
        """The ways of each destination, best first.

        Args:
            ways: By the position of the destination, best first.
            pairs: All pairs that were looked at, by the position of the destination, in any order.
            wanted: Positions of the destinations that are open; nothing is to be said of the others.
        """
