"""Fates → counts, and whether so many records are dead that the cause lies elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..errors import IntegrationError
from .errors import TooManyDead
from .items import Bad, Item
from .report import Counts

DEAD_AT_LEAST = 10
"""So many dead letters never stop a run."""


class Tally:
    """Counts the records of one run."""

    def __init__(self, max_dead_share: float) -> None:
        self.counts = Counts()
        self._max_dead_share = max_dead_share
        self._dead = 0
        """Of the group under way, which is not counted yet."""
        self._size = 0

    def begin_group(self, size: int, dead: int = 0) -> None:
        """So many records are under way; so many of them are dead already."""
        self._size, self._dead = size, dead

    def end_group(self) -> None:
        """The group under way has been counted."""
        self._size = self._dead = 0

    def count(self, items: Iterable[Item], bad: Sequence[Bad] = (), gone: int = 0) -> None:
        """Count what became of a group. `gone`: records that were asked for and are not there."""
        counts = self.counts
        for fate, times in Counter([item.fate for item in items]).items():
            if fate is not None:
                setattr(counts, fate, getattr(counts, fate) + times)
                counts.read += times
        counts.dead += len(bad)
        counts.skipped += gone
        counts.read += len(bad) + gone

    @staticmethod
    def samples(bad: Sequence[Bad]) -> Sequence[Bad]:
        """As many dead records as are kept when a run is stopped for them."""
        return bad[: DEAD_AT_LEAST + 1]

    def judge(self, more: int = 0) -> IntegrationError | None:
        """What stops the run, when too many are dead. `more` died just now."""
        self._dead += more
        dead = self.counts.dead + self._dead
        read = self.counts.read + self._size
        if dead <= DEAD_AT_LEAST or dead <= self._max_dead_share * read:
            return None
        return TooManyDead(dead, read)
