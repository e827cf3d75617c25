"""Waiting in tests: for the thing itself, with a bound that no machine is too busy for."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import socket
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 240.0
"""How long what must come may take on a machine that has much else to do. Nothing is slower because of it: each wait ends with
what it waits for."""
_PORTS = itertools.count(os.getpid() % 200 * 100 + 10_000)


def wait_until(
    what: Callable[[], Any], *, seconds: float = PATIENCE_S, said: Callable[[], str] = lambda: "it took too long"
) -> Any:
    """The first true answer; without one in time, what `said` tells."""
    until = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > until:
            raise AssertionError(said())
        time.sleep(0.03)
    return found


async def until(what: Callable[[], Any], *, seconds: float = PATIENCE_S) -> Any:
    """As `wait_until`, while other tasks go on. `what` may be asynchronous."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError("it took too long")
        await asyncio.sleep(0.01)


def free_port() -> int:
    """A port to name before somebody listens on it: below those that the system gives to whoever asks for any, and of this
    process alone among those that run tests."""
    while True:
        port = next(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
