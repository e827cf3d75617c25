"""The fixed number of workers that a run sends with, and what stops them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from ..errors import IntegrationError
from .items import Item, Why

Unit: TypeAlias = Callable[[], Awaitable[None]]
"""One request and what its answer says, or one look-up."""


class Workers:
    """Carry units of work out, a few at a time, until one of them says that the run stops."""

    def __init__(self, count: int, judge: Callable[[int], IntegrationError | None]) -> None:
        self._count = count
        self._judge = judge
        self._halted: IntegrationError | None = None
        self.stopped_by: IntegrationError | None = None
        """What stops the run, if anything did since `begin`. No worker takes another unit then."""

    def begin(self) -> None:
        """Work anew, unless all work is over."""
        self.stopped_by = self._halted

    async def carry_out(self, units: Sequence[Unit]) -> None:
        """Carry out all units, or those that were begun before something stopped the run."""
        queue = deque(units)

        async def work() -> None:
            while queue and self.stopped_by is None:
                unit = queue.popleft()
                try:
                    await unit()
                except IntegrationError as error:
                    self._stop(error)

        count = min(self._count, len(queue))
        if count == 1:
            await work()
        else:
            await asyncio.gather(*[work() for _ in range(count)])

    def halt(self, error: IntegrationError) -> None:
        """Begin nothing more, now and whenever work begins anew; what is under way is waited for."""
        self._halted = error
        self._stop(error)

    def refused(self, item: Item, error: IntegrationError | str) -> None:
        """Make an item a dead letter, or raise what is no fault of the record."""
        if isinstance(error, IntegrationError) and error.failure != "permanent_record":
            raise error
        self.dead(item, Why("send", "permanent_record", str(error)))

    def dead(self, item: Item, why: Why) -> None:
        """Make an item a dead letter; too many of them stop the run."""
        item.fate, item.why = "dead", why
        self._stop(self._judge(1))

    def _stop(self, error: IntegrationError | None) -> None:
        """Begin nothing more; the first reason counts."""
        if self.stopped_by is None:
            self.stopped_by = error
