"""A worker makes the queue's tables, or waits for who does, before it takes anything."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.state import LeaseLost

pytest.importorskip("dbos", reason="the extra `cluster` is not installed")


async def test_worker_that_stood_still_while_it_made_the_tables_goes_on() -> None:
    """Its lease is another one's by then: what both make, the database makes once."""
    from runtime.cluster.worker import Worker

    made, renewed, released = threading.Event(), list[str](), list[str]()

    def renew(lease: str) -> None:
        renewed.append(lease)
        made.set()  # not before the lease was found to be lost
        raise LeaseLost(lease)

    async def call(work: Callable[[], Any]) -> Any:
        return work()

    worker = Worker.__new__(Worker)
    worker.identity, worker._at_once, worker._sign_s, worker._proof = "a", 1, 0.01, 0.0
    worker._queue = SimpleNamespace(launch=lambda *_, **__: made.wait())  # type: ignore[assignment]
    worker._shared = SimpleNamespace(  # type: ignore[assignment]
        call=call,
        leases=SimpleNamespace(acquire=lambda name, *_: name, renew=renew, release=released.append),
        workers=SimpleNamespace(beat=lambda *_: True),
    )
    await asyncio.wait_for(worker._launch(), 240)
    assert set(renewed) == {"queue"}
    assert released == ["queue"]
