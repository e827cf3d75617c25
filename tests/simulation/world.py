"""What one seed holds together: time, chance, the faults that are on, the trace, and what was found wrong."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.runtime.virtual_time import START_S
from tests.simulation.shapes import SECRETS, Shape, companions, draw_shape, fit

SOURCE_FAULTS = {
    "source-error": 0.15,
    "source-lost-reply": 0.1,
    "source-throttled": 0.1,
    "source-cut-page": 0.1,
    "source-refused-credential": 0.03,
    "source-cursor-forgotten": 0.1,
    "source-page-twice": 0.3,
    "source-changes-while-paging": 0.5,
    "source-late-commit": 0.3,
    "source-stale-read": 0.15,
    "source-vanishes": 0.2,
    "source-bad-record": 0.15,
    "source-poison-record": 0.05,
    "source-same-match": 0.2,
    "source-match-moves": 0.2,
}
DESTINATION_FAULTS = {
    "destination-lost-before": 0.12,
    "destination-lost-after": 0.15,
    "destination-500-before": 0.1,
    "destination-500-after": 0.12,
    "destination-503": 0.1,
    "destination-throttled": 0.1,
    "destination-busy-key": 0.3,
    "destination-refused-credential": 0.03,
    "destination-item-fails": 0.15,
    "destination-other-order": 0.5,
    "destination-item-untold": 0.15,
    "destination-too-large": 0.3,
    "destination-refuses": 0.12,
    "destination-lags": 0.5,
    "destination-forgets-keys": 0.5,
    "destination-loses-object": 0.1,
    "destination-cut-reply": 0.1,
    "destination-empty-reply": 0.3,
    "destination-had-it": 0.3,
    "destination-had-it-twice": 0.15,
    "destination-down": 0.02,
}
PROCESS_FAULTS = {
    "crash": 0.012,
    "pause": 0.006,
    "stop-asked": 0.01,
    "second-replica": 1.0,
    "clock-jumps": 0.02,
    "clock-differs": 1.0,
    "days-off": 0.2,
}
STATE_FAULTS = {
    "state-busy": 0.03,
    "state-lost-before-commit": 0.03,
    "state-lost-at-commit": 0.03,
    "state-down": 0.01,
    "crash-before-commit": 0.02,
    "crash-after-commit": 0.02,
}
WEBHOOK_FAULTS = {"delivery-twice": 0.3, "delivery-late": 0.4, "delivery-missed": 0.3}
FAULTS = {**SOURCE_FAULTS, **DESTINATION_FAULTS, **PROCESS_FAULTS, **STATE_FAULTS, **WEBHOOK_FAULTS}
"""Kind → how often it happens where it can, in a seed that has it."""
STORIES = ("one", "one", "one", "one", "one", "pair", "one")
"""What seeds in a row tell of: one stream, two systems that people change. All of them have the same kind of fault as their main one."""


DRAW = 3
"""How stories are drawn from seeds today, see `World`."""


def story_of(seed: int) -> str:
    """What a seed tells of."""
    return STORIES[seed % len(STORIES)]


def main_fault(seed: int, kinds: Sequence[str] = tuple(FAULTS)) -> str:
    """The kind that a seed has whatever is drawn: each is that of some seeds, also one that is hardly ever drawn."""
    return kinds[seed // len(STORIES) % len(kinds)]


class Crash(BaseException):
    """The process is gone."""


class Violation(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        self.what = what


class World:
    """One seed.

    `draw`: how stories are drawn from it. A seed that failed, and one that catches a broken engine, is kept with the draw that it
    was found with, and is played so:

        1   before each seed had a main fault
        2   before seeds whose batches are answered in part had both: an item that fails, and one of which nobody tells
        3   today
    """

    def __init__(self, seed: int, loop: asyncio.AbstractEventLoop, *, draw: int = DRAW) -> None:
        self.seed = seed
        self.draw = draw
        self.loop = loop
        self.chance = random.Random(seed)
        self.shape: Shape = draw_shape(self.chance)
        self.faults = self._draw_faults()
        self._due: dict[str, int] = {}
        """Of the main fault: at which of its chances it strikes at the latest."""
        if draw > 1:
            self._add_main_fault(main_fault(seed))
        self.quiet = False
        """Faults are over."""
        self.injected: Counter[str] = Counter()
        self.trace: list[tuple[float, str, str]] = []
        self.violations: list[Violation] = []
        self.runs = 0
        self.records = 0
        self.log_lines: list[str] = []
        self._ids = 0

    def _draw_faults(self) -> dict[str, float]:
        chance, found = self.chance, {}
        share = chance.choice([0.0, 0.1, 0.2, 0.35, 0.6])
        for kind, often in FAULTS.items():
            if chance.random() < share:
                found[kind] = often * chance.choice([0.5, 1.0, 2.0])
        return found

    def _add_main_fault(self, kind: str) -> None:
        fit(self.shape, kind, self.chance, draw=self.draw)
        for each in (kind, *companions(kind, draw=self.draw)):
            self.faults[each] = max(self.faults.get(each, 0.0), FAULTS[each] * self.chance.choice([1.0, 2.0, 4.0]))
            self._due[each] = self.chance.randint(1, 3)

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.loop.time()

    def true_time(self) -> float:
        """Seconds since 1970 by a clock that nobody has."""
        return START_S + self.loop.time()

    def happens(self, kind: str, share: float = 1.0) -> bool:
        """Whether a fault strikes here."""
        often = self.faults.get(kind)
        if often is None or self.quiet:
            return False
        self._due[kind] = left = self._due.get(kind, 0) - 1
        if self.chance.random() >= often * share and left != 0:
            return False
        self.injected[kind] += 1
        return True

    def has(self, kind: str) -> bool:
        """Whether this seed has a fault of the kind at all."""
        return kind in self.faults

    def pick(self, low: float, high: float) -> float:
        """A number in between, small ones as likely as large ones. Without logarithms: machines differ in their last digit."""
        if self.draw == 1:
            return pick(self.chance, low, high)
        doublings = 0
        while low * 2 ** (doublings + 1) <= high:
            doublings += 1
        floor = low * 2 ** self.chance.randint(0, doublings)
        return floor + (min(floor * 2, high) - floor) * self.chance.random()

    def note(self, who: str, what: str) -> None:
        """One line of the trace."""
        self.trace.append((self.loop.time(), who, what))

    def violate(self, invariant: str, what: str) -> None:
        """Something is wrong: it is kept, and the seed ends at the next look."""
        violation = Violation(invariant, what)
        self.violations.append(violation)
        self.note("auditor", f"VIOLATION {violation}")

    def new_id(self) -> str:
        """A name that nobody else has, the same in each run of a seed."""
        self._ids += 1
        return f"i{self._ids:05}"

    def shown(self, last: int | None = None) -> list[str]:
        """The trace as lines."""
        lines = self.trace if last is None else self.trace[-last:]
        return [f"{at:12.3f}  {who:12} {what}" for at, who, what in lines]

    def secrets(self) -> tuple[str, ...]:
        """What no output may hold."""
        return tuple(SECRETS.values())


def pick(chance: random.Random, low: float, high: float) -> float:
    """As `World.pick`, in the first way of drawing."""
    import math

    return math.exp(chance.uniform(math.log(low), math.log(high)))


Json = Any
