"""One thread that owns the connection: the event loop hands it work and goes on.

`Inline` does the same without a thread, for tests and for a simulator that must be deterministic.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")


class Caller(Protocol):
    """Runs blocking work, one piece at a time and in order."""

    async def call(self, work: Callable[[], T]) -> T:
        """Run `work` and return what it returns. Cancelling the wait does not cancel the work."""

    def close(self) -> None:
        """Wait for the work that was handed over; none comes after."""


class Inline:
    """Runs the work at once, in the caller's own thread."""

    async def call(self, work: Callable[[], T]) -> T:
        return work()

    def close(self) -> None:
        return


class OneThread:
    """Runs the work on a thread of its own."""

    def __init__(self, name: str = "state") -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def call(self, work: Callable[[], T]) -> T:
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._pool, work))

    def close(self) -> None:
        self._pool.shutdown(wait=True)
