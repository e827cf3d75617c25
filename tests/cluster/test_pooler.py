"""The package through a real PgBouncer in transaction mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import make_url

from tests.cluster.conftest import Replicas
from tests.runtime.conftest import pgbouncer_url

__all__ = ["pgbouncer_url"]
pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def through(pooler: str, world: Any) -> str:
    """The URL of a world's database behind the pooler."""
    return make_url(pooler).set(database=make_url(world.url).database).render_as_string(hide_password=False)


def test_sync_through_a_pooler_converges_and_finds_nothing_to_do_again(
    replicas_of: Callable[..., Replicas], pgbouncer_url: str
) -> None:
    world = replicas_of(customers=300)
    pooled = through(pgbouncer_url, world)
    [first] = world.sync(DATABASE_URL=pooled, RUNNER="local")
    assert (first["state"], first["written"]) == ("done", 300)
    world.set(put={"7": {"last_name": "Changed"}})
    [second] = world.sync(DATABASE_URL=pooled, RUNNER="local")
    assert (second["state"], second["written"]) == ("done", 1)
    world.assert_converged(customers=300)


def test_workers_through_a_pooler_share_runs_and_take_over_when_the_first_made_the_queue_without_it(
    replicas_of: Callable[..., Replicas], pgbouncer_url: str
) -> None:
    pytest.importorskip("dbos", reason="the extra `cluster` is not installed")
    world = replicas_of(customers=1_000)
    pooled = through(pgbouncer_url, world)
    world.set(hold_after=100)
    world.worker("maker")  # a lock of a session makes the queue's tables
    world.until(lambda: world.tell()["held"] > 0)
    world.kill("maker")
    world.worker("a", DATABASE_URL=pooled)
    world.bury("maker")
    world.until(lambda: any(run["id"] == "first-customers.2" for run in world.runs()))
    world.kill("a")
    world.worker("b", DATABASE_URL=pooled)
    world.bury("a")
    world.set(hold_after=0)
    world.until(world.idle)
    world.assert_converged(customers=1_000)
    world.assert_made_once()
    assert world.runs()[0]["state"] == "done"
    world.set(put={"7": {"last_name": "Changed"}})
    [report] = world.sync("customers", DATABASE_URL=pooled)
    assert (report["state"], report["written"]) == ("done", 1)
