"""An event loop whose time jumps to the next timer as soon as nothing else is to do: hours pass in milliseconds, and the
same seed gives the same run."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
START_S = 1_700_000_000.0


class _Selector(selectors.SelectSelector):
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if not found:
            if timeout is None:
                raise RuntimeError("every task waits for something that never comes")
            self.loop.now += max(timeout, 0.0)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time is a number here."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 0.0
        super().__init__(selector)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.now


class VirtualClock:
    """The `Clock` of a `VirtualLoop`."""

    def __init__(self, loop: VirtualLoop, seed: int = 0) -> None:
        self._loop = loop
        self._random = random.Random(seed)

    def monotonic(self) -> float:
        return self._loop.now

    def now(self) -> float:
        return START_S + self._loop.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 1e-9))

    def random(self) -> float:
        return self._random.random()


def run_virtual(main: Callable[[VirtualClock], Coroutine[Any, Any, T]], seed: int = 0) -> T:
    """Run `main(clock)` to its end in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(VirtualClock(loop, seed)))
    finally:
        loop.close()
