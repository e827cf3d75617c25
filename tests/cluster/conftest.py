"""A world with workers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from runtime.state import State
from tests.processes.conftest import empty_database
from tests.processes.world import World
from tests.runtime.conftest import postgresql_url

__all__ = ["postgresql_url"]

NAME = "shopify-credo"


class Replicas(World):
    """A world whose package runs as several workers."""

    def __init__(self, folder: Path, database_url: str, *, customers: int = 300, lease_s: float = 2.0) -> None:
        self.lease_s = lease_s
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        super().__init__(folder, database_url, customers=customers)

    def environ(self, **more: str) -> dict[str, str]:
        return super().environ(**{
            "RUNNER": "cluster", "LEASE_SECONDS": str(self.lease_s), "LOG_FORMAT": "text", "DATABASE_POOL_SIZE": "3", **more
        })  # fmt: skip

    def worker(self, name: str, *, interval_s: float = 86_400 * 365, wait: bool = True, **environ: str) -> Any:
        """Start a worker and wait until it takes runs. Its schedule is an interval."""
        found = self.start("worker", name=name, WORKER_ID=name, SYNC_INTERVAL_SECONDS=str(int(interval_s)), **environ)
        self.workers[name] = found
        if wait:
            self.until(lambda: "takes runs" in self.said(name) or found.poll() is not None, 180)
            assert found.poll() is None, self.said(name)
        return found

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; SIGKILL is waited for."""
        self.workers[name].send_signal(number)
        if number is signal.SIGKILL:
            self.workers[name].wait(10)

    def until(self, is_so: Callable[[], bool], timeout_s: float = 30) -> None:
        """Wait until something is so."""
        until = time.monotonic() + timeout_s
        while not is_so():
            if time.monotonic() > until:
                said = "\n".join(f"--- {name}\n{self.said(name)}" for name in self.workers)
                raise AssertionError(f"it did not come to be in {timeout_s} s:\n{said}")
            time.sleep(0.05)

    def state(self) -> State:
        """The state, for a look."""
        return State(self.url, name=NAME)

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first."""
        state = self.state()
        try:
            state.prepare()
            return state.runs.latest(limit=1000)
        finally:
            state.close()

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows, from any table of the database."""
        engine = create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.connect() as connection:
            found = [tuple(row) for row in connection.execute(text(statement))]
        engine.dispose()
        return found

    def idle(self) -> bool:
        """No run waits or is under way."""
        query = "select count(*) from shopify_credo_queue.workflow_status where status in ('ENQUEUED', 'PENDING')"
        return self.query(query) == [(0,)]


@pytest.fixture
def replicas_of(tmp_path: Path, postgresql_url: str) -> Iterator[Callable[..., Replicas]]:
    """Makes worlds with workers; their processes end with the test."""
    made: list[Replicas] = []

    def make(**options: Any) -> Replicas:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Replicas(folder, empty_database(postgresql_url), **options))
        return made[-1]

    yield make
    for world in made:
        for process in world.processes:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGCONT)
        world.close()
