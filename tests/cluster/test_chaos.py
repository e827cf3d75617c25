"""Half a minute of chaos; `python -m tests.cluster.chaos --minutes 10` is the long one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cluster.chaos import storm
from tests.processes.conftest import empty_database
from tests.runtime.conftest import postgresql_url

pytest.importorskip("dbos", reason="the extra `cluster` is not installed")
pytestmark = [pytest.mark.postgres, pytest.mark.slow]
__all__ = ["postgresql_url"]


def test_two_replicas_to_four_under_kills_and_stops_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, postgresql_url: str
) -> None:
    minutes = float(os.environ.get("CHAOS_MINUTES", "0.5"))
    seed = int(os.environ.get("CHAOS_SEED", "7"))
    outcome = storm(tmp_path, empty_database(postgresql_url), minutes=minutes, replicas=3, seed=seed)
    assert outcome.problems() == [], f"seed {seed}: {outcome}"
    assert outcome.kills + outcome.stops > 0
