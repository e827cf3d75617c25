"""Time and chance as one port, so that a simulator can drive everything that waits.

`monotonic` measures (limits, deadlines, breakers), `now` dates (Retry-After, audit), `sleep` waits, `random` spreads retries.
Nothing in the runtime reads a clock in another way.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Protocol


class Clock(Protocol):
    """What the runtime asks of time. Seconds throughout."""

    def monotonic(self) -> float:
        """Seconds that never go back; the zero means nothing."""

    def now(self) -> float:
        """Seconds since 1970 in UTC, as the machine believes them."""

    async def sleep(self, seconds: float) -> None:
        """Wait at least so long."""

    def random(self) -> float:
        """A number in [0, 1)."""


class SystemClock:
    """The machine's own time."""

    __slots__ = ("_random",)

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311  spreads retries, keeps no secret

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def random(self) -> float:
        return self._random.random()
