"""What a group of records costs, counted and not timed: hops to the state's thread, transactions, statements, tasks, objects.

A plain stream (no conflicts, deletes, parents, history) must not pay for what other streams ask for. Whoever makes one of these
numbers larger makes every sync slower: a new hook on the hot path asks a flag a group and adds no statement, hop or task.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.surroundings import BATCHED_RECORDS, GROUP_RECORDS
from tests.runtime.engine.conftest import SINGLE, World
from tests.runtime.fakes import Shopify


class Meter:
    """Counts while one run lasts."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: Counter[str] = Counter()
        self.statements: Counter[str] = Counter()
        self._world = world
        call = world.state.call

        async def counted(work: Callable[[], Any]) -> Any:
            self.seen["hops"] += 1
            return await call(work)

        monkeypatch.setattr(world.state, "call", counted)

    async def of(self, count: int, changes: dict[str, Any]) -> Counter[str]:
        """A sync of so many new customers by one run."""
        world = self._world
        world.shopify = Shopify(count)
        world.state.store.database.read(self._trace)
        loop = asyncio.get_running_loop()

        def make(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
            self.seen["tasks"] += 1
            return asyncio.Task(work, loop=loop, **options)

        loop.set_task_factory(make)
        try:
            report = await world.sync(changes=changes)
        finally:
            loop.set_task_factory(None)
        assert report.counts.created == count
        return self.seen

    def _trace(self, connection: Any) -> None:
        connection.connection.dbapi_connection.set_trace_callback(self._see)

    def _see(self, sql: str) -> None:
        self.seen["statements"] += 1
        self.statements[" ".join(sql.split()[:3])] += 1
        if sql.startswith("BEGIN"):
            self.seen["transactions"] += 1


async def _a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> tuple[dict[str, float], Counter[str]]:
    """What a group costs: the difference between many and few, so that what a run costs once is left out."""
    found = []
    together = GROUP_RECORDS if changes == SINGLE else BATCHED_RECORDS
    for groups in (1, 3):
        world = World(f"sqlite:///{tmp_path / f'{groups}.db'}")
        meter = Meter(world, monkeypatch)
        found.append((await meter.of(groups * together, changes), meter.statements))
        world.state.close()
    (few, _), (many, statements) = found
    return {name: (many[name] - few[name]) / 2 for name in many}, statements


async def test_group_of_batches_costs_one_hop_one_transaction_and_few_statements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links and match values of 1,000 records go as a few statements of many rows, all else is one statement each."""
    cost, statements = await _a_group(tmp_path, monkeypatch, {})
    assert cost["hops"] <= 1, cost
    assert cost["transactions"] <= 1, cost
    rows = 2 * (BATCHED_RECORDS // 64 + 8)
    assert cost["statements"] <= rows + 12, (cost, statements)
    assert cost["tasks"] <= BATCHED_RECORDS // 100 + 3, cost


async def test_group_of_single_requests_costs_no_task_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fixed number of workers sends them."""
    cost, statements = await _a_group(tmp_path, monkeypatch, SINGLE)
    assert cost["hops"] <= 1, cost
    assert cost["transactions"] <= 1, cost
    assert cost["statements"] <= 2 * (GROUP_RECORDS // 64 + 8) + 12, (cost, statements)
    assert cost["tasks"] <= 24, cost


async def test_records_that_are_unchanged_cost_one_statement_a_look_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most runs find most records as they were: nothing is written for them, and none is asked for by itself."""
    world = World(f"sqlite:///{tmp_path / 'state.db'}")
    pages = 4
    world.shopify = Shopify(pages * 250)
    await world.sync()
    meter = Meter(world, monkeypatch)
    world.state.store.database.read(meter._trace)
    report = await world.sync(resync=True)
    assert report.counts.unchanged == pages * 250
    assert meter.seen["statements"] <= 30 + 14 * pages, meter.statements
    assert meter.seen["hops"] <= 16 + 3 * pages, meter.seen
    world.state.close()
