"""Faults of shared state: several processes, a database that kills connections, deadlocks, and goes back in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text

from runtime.state.database import Database
from tests.cluster.conftest import Replicas
from tests.faults.rows import fault
from tests.postgresql import copy_database
from tests.processes.conftest import empty_database
from tests.processes.world import World
from tests.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.postgres


def administrator(url: str) -> Any:
    """An engine whose statements are transactions of their own."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")


@fault("two-replicas")
@pytest.mark.slow
def test_two_replicas_and_more_at_the_same_moment_make_one_run_and_write_nothing_twice(
    tmp_path: Path, postgresql_url: str
) -> None:
    """Four processes start one stream; one has the lease, the others are told who has it."""
    world = World(tmp_path, empty_database(postgresql_url), customers=400)
    try:
        world.set(hold=True)  # so that the one that runs does so until the others have ended
        started = [world.start("sync", name=f"p{number}") for number in range(4)]
        wait_until(lambda: sum(process.poll() is not None for process in started) >= 3)
        world.set(hold=False)
        codes = sorted(process.wait(PATIENCE_S) for process in started)
        assert codes == [0, 1, 1, 1], codes
        refused = [number for number in range(4) if "is being run by" in world.said(f"p{number}")]
        assert len(refused) == 3
        world.assert_converged(customers=400)
        world.assert_made_once()
    finally:
        world.close()


@fault("pg-pool")
@pytest.mark.slow
def test_pg_pool_connections_that_are_killed_all_the_time_stop_nothing(tmp_path: Path, postgresql_url: str) -> None:
    """`pg_terminate_backend` in a loop beside two workers: work goes on, connections stay few, nothing is written twice."""
    url = empty_database(postgresql_url)
    world = Replicas(tmp_path, url, customers=600)
    engine = administrator(postgresql_url)
    most, ended = 0, [0]
    name = url.partition("?")[0].rpartition("/")[2]
    mine = "from pg_stat_activity where datname = :name and pid <> pg_backend_pid() and backend_type = 'client backend'"
    try:
        world.set(latency_s=0.05)
        for worker in ("a", "b"):
            world.worker(worker, interval_s=1)
        with engine.connect() as connection:
            for _ in range(25):
                time.sleep(0.15)
                query = text(f"select pid {mine} and pid <> all(:ended) order by random()")
                pids = connection.execute(query, {"name": name, "ended": ended}).scalars().all()
                most = max(most, len(pids))
                for pid in pids[:1]:
                    connection.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
                    ended.append(pid)  # it goes when the server comes to it: its worker has another one by then
        world.set(latency_s=0.0)
        world.until(lambda: world.tell()["missing"] == [])
        world.until(lambda: any(run["state"] == "done" for run in world.runs()[:2]))
        world.assert_converged(customers=600)
        assert most <= 2 * (2 + 3) + 2, "a worker holds two connections and a pool of three"
        assert all(process.poll() is None for process in world.workers.values())
    finally:
        engine.dispose()
        world.close()


@fault("pg-serialization")
def test_pg_serialization_a_deadlock_runs_the_whole_transaction_again(postgresql_url: str) -> None:
    """Two transactions that lock two rows in opposite order: the one that is ended runs again from its beginning."""
    url = empty_database(postgresql_url)
    with administrator(url).connect() as connection:
        connection.execute(text("create table pair (id int primary key, touched int not null)"))
        connection.execute(text("insert into pair values (1, 0), (2, 0)"))
    barrier = threading.Barrier(2, timeout=PATIENCE_S)
    tries = {"up": 0, "down": 0}
    other_is_done = threading.Event()

    def touch(name: str, order: tuple[int, int]) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            tries[name] += 1
            if tries[name] > 1:
                other_is_done.wait(PATIENCE_S)  # or it meets this one again, at the lock that it waits for
            connection.execute(text("update pair set touched = touched + 1 where id = :id"), {"id": order[0]})
            if tries[name] == 1:
                barrier.wait()
            connection.execute(text("update pair set touched = touched + 1 where id = :id"), {"id": order[1]})

        return work

    databases = {name: Database(url, name="sample") for name in tries}

    def write(name: str, order: tuple[int, int]) -> None:
        databases[name].write(touch(name, order))
        other_is_done.set()

    threads = [threading.Thread(target=write, args=(name, order)) for name, order in (("up", (1, 2)), ("down", (2, 1)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sum(tries.values()) == 3, tries
    with administrator(url).connect() as connection:
        assert connection.execute(text("select touched from pair order by id")).scalars().all() == [2, 2]
    for database in databases.values():
        database.close()


@fault("pg-failover")
@pytest.mark.slow
def test_pg_failover_to_a_state_that_lost_the_last_commits_writes_nothing_twice(
    tmp_path: Path, postgresql_url: str
) -> None:
    """The state goes back to a copy from before: what was written since is found in the destination, not made again."""
    url = empty_database(postgresql_url)
    world = World(tmp_path, url, customers=150)
    try:
        world.sync()
        older = url.partition("?")[0].rpartition("/")[2]
        copy_database(url, f"{older}_copy")
        world.set(put={str(number): {} for number in range(151, 301)})
        world.set(put={"7": {"last_name": "Newer"}})
        world.sync()
        world.url = url.replace(older, f"{older}_copy")
        [report] = world.sync()
        assert report["state"] == "done", report
        world.assert_converged(customers=300)
        world.assert_made_once()
    finally:
        world.close()


@fault("sqlite-nfs")
def test_sqlite_nfs_workers_refuse_a_file_that_one_machine_holds(tmp_path: Path) -> None:
    """Replicas need PostgreSQL; a SQLite state is for one machine, and whoever would share it is told so."""
    world = World(tmp_path, f"sqlite:///{tmp_path / 'state.db'}", customers=3)
    try:
        for command in ("worker", "sync"):
            assert world.run(command, RUNNER="cluster") == 1
            assert "a SQLite file is for one machine" in world.said()
        assert world.sync()[0]["state"] == "done"
    finally:
        world.close()


@fault("sqlite-nfs")
def test_sqlite_nfs_files_for_replicas_name_postgresql_and_those_for_sqlite_one_replica() -> None:
    """What a package ships: the cluster profile shares a PostgreSQL, the plain service has a volume and no replicas."""
    [skeleton] = (Path(__file__).resolve().parents[2] / "runtime_template" / "skeleton").iterdir()
    compose = (skeleton / "compose.yaml").read_text()
    worker = compose.partition("-worker:")[2].partition("\n\n")[0]
    assert "profiles: [cluster]" in worker
    assert "replicas: 3" in worker
    assert "state:/data" not in worker
    assert "replicas" not in compose.partition("-worker:")[0]
