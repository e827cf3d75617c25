"""Half a minute of chaos; `python -m tests.cluster.chaos --minutes 10` is the long one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.chaos import Chaos, Outcome, storm
from tests.cluster.conftest import Replicas
from tests.processes.conftest import empty_database
from tests.promises import promised
from tests.runtime.conftest import postgresql_url
from tests.waiting import PATIENCE_S

pytest.importorskip("dbos", reason="the extra `cluster` is not installed")
pytestmark = [pytest.mark.postgres, pytest.mark.slow]
__all__ = ["postgresql_url"]


def test_two_replicas_to_four_under_kills_and_stops_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, postgresql_url: str
) -> None:
    minutes = float(os.environ.get("CHAOS_MINUTES", "0.5"))
    seed = int(os.environ.get("CHAOS_SEED", "7"))
    outcome = storm(tmp_path, empty_database(postgresql_url), minutes=minutes, replicas=3, seed=seed)
    promised(not outcome.problems(), f"seed {seed}: {outcome}")
    assert outcome.kills + outcome.stops > 0


@pytest.mark.parametrize("environ", [{"UNFENCED": "1"}, {}], ids=["unfenced", "fenced"])
def test_the_storms_audit_sees_workers_that_go_on_without_their_leases(
    replicas_of: Callable[..., Replicas], environ: dict[str, str]
) -> None:
    """The mutant of the storm: one is stopped past its lease, another goes on, and the first wakes up in its run."""
    world = replicas_of(customers=2_000)
    chaos = Chaos(world, seed=1, replicas=2)

    def audit() -> Outcome:
        found = Outcome(seed=1, minutes=0, replicas=2)
        chaos.count(found)
        return found

    world.set(hold=True)
    world.worker("a", **environ)
    chaos._witness()
    world.set(hold=False, hold_after=300)
    world.until(lambda: audit().checkpoints > 0)
    world.midway()
    world.kill("a", signal.SIGSTOP)
    world.worker("b", **environ)
    world.bury("a")
    world.set(hold_after=0)
    world.until(lambda: audit().tokens > 1)
    world.kill("a", signal.SIGCONT)
    if environ:
        world.until(lambda: audit().older_token_after_newer > 0)
        assert any("under an older token" in problem for problem in audit().problems())
    else:
        assert world.workers["a"].wait(PATIENCE_S) == 75, world.said("a")
        world.until(world.idle)
        promised(not audit().problems(), audit())
