"""A world with workers."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from runtime.state import State
from tests.processes.conftest import empty_database
from tests.processes.world import World
from tests.runtime.conftest import postgresql_url
from tests.waiting import PATIENCE_S, wait_until

__all__ = ["postgresql_url"]

NAME = "shopify-credo"
SIGN_S = 0.4
"""How often a worker shows that it lives, however long it may be silent."""


class Replicas(World):
    """A world whose package runs as several workers.

    However long a worker stands still on a busy machine, it is not taken for dead: the time after which one that was killed or
    stopped is taken for dead passes when a test says so (`bury`).
    """

    def __init__(self, folder: Path, database_url: str, *, customers: int = 300, lease_s: float = 1800.0) -> None:
        self.lease_s = lease_s
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        super().__init__(folder, database_url, customers=customers)

    def environ(self, **more: str) -> dict[str, str]:
        return super().environ(**{
            "RUNNER": "cluster", "LEASE_SECONDS": str(self.lease_s), "SIGNS": str(self.lease_s / SIGN_S), "LOG_FORMAT": "text",
            "DATABASE_POOL_SIZE": "3", **more
        })  # fmt: skip

    def worker(self, name: str, *, interval_s: float = 86_400 * 365, wait: bool = True, **environ: str) -> Any:
        """Start a worker and wait until it takes runs. Its schedule is an interval."""
        found = self.start("worker", name=name, WORKER_ID=name, SYNC_INTERVAL_SECONDS=str(int(interval_s)), **environ)
        self.workers[name] = found
        if wait:
            self.until(lambda: "takes runs" in self.wrote(name) or found.poll() is not None)
            assert found.poll() is None, self.said(name)
        return found

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; SIGKILL is waited for."""
        self.workers[name].send_signal(number)
        if number is signal.SIGKILL:
            self.workers[name].wait(PATIENCE_S)

    def silence(self, name: str) -> None:
        """Let the time pass after which a worker that was killed or stopped may be taken for dead: its leases have run out too."""
        engine = self._engine()
        long_ago = "extract(epoch from clock_timestamp()) - 3600"  # and not so long that it is forgotten
        with engine.begin() as connection:
            connection.execute(text(f"update shopify_credo.workers set seen_at = {long_ago} where id = '{name}'"))
            connection.execute(text(f"update shopify_credo.leases set expires_at = 0 where holder = '{name}'"))
        engine.dispose()

    def bury(self, name: str) -> None:
        """`silence`, until another worker, which has to be there, has taken it for dead."""

        def is_dead() -> bool:
            self.silence(name)
            return self.query(f"select state from shopify_credo.workers where id = '{name}'") == [("dead",)]

        self.until(is_dead)

    def give_back(self, name: str, run: str) -> None:
        """What another worker does with one that is silent and the run that it has, with none there to take it."""
        from runtime.cluster.queue import FLOW, Queue

        self.silence(name)
        state, queue = self.state(), Queue(self.url, name=NAME, connections=2, flow=FLOW)

        def bury(connection: Connection) -> None:
            assert state.workers.bury(connection, 60.0, 1e9)[0] == [name]

        try:
            state.prepare()
            assert state.workers.alone(bury)
            queue.put_back([run])
        finally:
            queue.close()
            state.close()

    def midway(self) -> None:
        """Wait until the vendor holds a run (`hold_after`) of which something is on record."""
        self.until(lambda: self.tell()["held"] > 0 and any(run["written"] > 0 for run in self.runs()))

    def until(self, is_so: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """Wait until something is so."""
        wait_until(
            is_so,
            seconds=timeout_s,
            said=lambda: (
                f"it did not come to be in {timeout_s} s:\n{self.held()}\n{self.waiting()}\n"
                + "\n".join(f"--- {name}\n{self.said(name)}" for name in self.workers)
            ),
        )

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
        engine = self._engine()
        with engine.connect() as connection:
            found = [tuple(row) for row in connection.execute(text(statement))]
        engine.dispose()
        return found

    def waiting(self) -> list[tuple[Any, ...]]:
        """What of the queue has not ended."""
        query = "select workflow_uuid, status, executor_id from shopify_credo_queue.workflow_status"
        try:
            return self.query(f"{query} where status in ('ENQUEUED', 'PENDING')")
        except Exception as error:  # it is said in the message of a failure that has another cause
            return [(str(error),)]

    def _engine(self) -> Engine:
        return create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))

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
