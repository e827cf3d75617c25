"""The event loop that a program runs on: asyncio's own, or uvloop's beside the fast wire, where it is installed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ..settings import is_fast_asked

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`."""
    if is_fast_asked():
        try:
            import uvloop
        except ModuleNotFoundError:
            pass  # it does not run everywhere; the wire does
        else:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(work)
    return asyncio.run(work)
