"""State whose disk, file or server fails under a running package."""

from __future__ import annotations

import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Index, Table, create_engine, text

from runtime.state import State, migrations
from tests.faults.rows import fault
from tests.postgresql import copy_database, following, pg_ctl, running
from tests.processes.world import KILLED, World
from tests.waiting import PATIENCE_S, wait_until


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A file system of its own with so much room."""
    folder = Path(tempfile.mkdtemp(prefix="vitesse-disk-"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        folder.rmdir()
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
        folder.rmdir()


@pytest.mark.slow
@fault("disk-full")
def test_disk_full_stops_cleanly_and_goes_on_when_there_is_space(world_of: Callable[..., World]) -> None:
    """No half step is written, nobody is told that all went well, and nothing is sent twice afterwards."""
    with small_disk("8m") as disk:
        world = world_of(f"sqlite:///{disk / 'state.db'}", customers=60)
        assert world.sync()[0]["state"] == "done"
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                pass
        world.set(put={str(number): {} for number in range(61, 400)})
        code = world.run("sync")
        assert code == 1, world.said()
        assert "Traceback" not in world.said()
        assert (
            "the database does not answer as it should: d" in world.said()
        )  # disk I/O error, database or disk is full
        filler.unlink()
        world.end_lease()
        assert world.sync()[0]["state"] == "done"
        world.assert_converged(customers=399)


@pytest.mark.slow
@fault("ro-fs")
def test_ro_fs_is_told_at_the_start(world_of: Callable[..., World]) -> None:
    """With a state on it, and without one."""
    with small_disk("4m") as disk:
        world = world_of(f"sqlite:///{disk / 'state.db'}", customers=20)
        assert world.sync()[0]["state"] == "done"
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for name in ("state.db", "other.db"):
            world.url = f"sqlite:///{disk / name}"
            assert world.run("sync") == 1
            assert "error:" in world.said()
            assert "Traceback" not in world.said()
        world.assert_made_once()


@pytest.mark.slow
@fault("sqlite-locked")
def test_sqlite_locked_by_another_process_is_waited_for(world_of: Callable[..., World], tmp_path: Path) -> None:
    """Somebody holds the write lock for seconds, again and again: the run takes longer and loses nothing."""
    path = tmp_path / "state.db"
    world = world_of(f"sqlite:///{path}", customers=120)
    assert world.run("status") == 0
    over = threading.Event()

    def version(connection: sqlite3.Connection) -> int:
        """Another one when somebody else has written."""
        [found] = connection.execute("PRAGMA data_version").fetchone()
        return int(found)

    def hold() -> None:
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        while not over.is_set():
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(0.7)
            connection.execute("ROLLBACK")
            before = version(connection)
            while version(connection) == before and not over.is_set():
                time.sleep(0.01)  # until the other had its turn, however late it comes to it
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert world.sync()[0]["state"] == "done"
    finally:
        over.set()
        holder.join()
    world.assert_converged(customers=120)


@pytest.mark.slow
@fault("sqlite-corrupt")
@pytest.mark.parametrize("damage", ["header", "cut", "newer"])
def test_sqlite_corrupt_is_refused_and_left_as_it_is(
    world_of: Callable[..., World], tmp_path: Path, damage: str
) -> None:
    """It is never made anew by itself: that would send everything again."""
    path = tmp_path / "state.db"
    world = world_of(f"sqlite:///{path}", customers=20)
    assert world.sync()[0]["state"] == "done"
    if damage == "newer":
        with sqlite3.connect(path) as connection:
            connection.execute("INSERT INTO schema_version VALUES (99, 0)")
        connection.close()
    else:
        content = path.read_bytes()
        for end in ("-wal", "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)
        path.write_bytes(b"\xff" * 100 + content[100:] if damage == "header" else content[: len(content) // 3])
    before = path.read_bytes()
    requests = world.tell()["requests"]
    assert world.run("sync") == 1
    said = world.said()
    assert "Traceback" not in said
    assert ("schema 99" if damage == "newer" else "damaged") in said
    assert path.read_bytes() == before
    assert world.tell()["requests"] == requests


@pytest.mark.slow
@fault("migrate-crash")
def test_migrate_crash_leaves_the_version_before(world_of: Callable[..., World], database: str) -> None:
    """Killed inside the step, the next start does it whole."""
    world = world_of(database, customers=20)
    with old_schema(database):
        assert world.run("status", FAILPOINT="in-migration:1") == KILLED, world.said()
        assert version_of(database) == 2
        assert world.sync()[0]["state"] == "done"
    assert version_of(database) > 2
    world.assert_converged(customers=20)


@pytest.mark.slow
@fault("migrate-crash")
def test_migrate_crash_several_processes_at_once_migrate_once(world_of: Callable[..., World], database: str) -> None:
    """On an empty database and on an old one."""
    world = world_of(database, customers=5)
    for _ in range(2):
        started = [world.start("status", name=f"status{number}") for number in range(4)]
        codes = [process.wait(PATIENCE_S) for process in started]
        assert codes == [0] * 4, [world.said(f"status{number}") for number in range(4)]
        with old_schema(database):
            pass


@contextmanager
def old_schema(url: str) -> Iterator[None]:
    """Make the state one of schema 2, as a package of before would have left it."""
    state = State(url, name="shopify-credo")
    state.prepare()
    database = state._database
    schema = "" if database.tables.schema is None else f'"{database.tables.schema}".'
    made: list[str] = []
    added: list[tuple[str, str]] = []
    with (
        patch.object(Table, "create", lambda table, *_: made.append(f"TABLE {schema}{table.name}")),
        patch.object(Index, "create", lambda index, *_: made.append(f"INDEX {schema}{index.name}")),
        patch.object(migrations, "_add", lambda _, table, *names: added.extend((table.name, name) for name in names)),
    ):
        migrations.STEPS[3](None, database.tables)  # type: ignore[arg-type]
    with database._engine.begin() as connection:
        for name in made:
            connection.execute(text(f"DROP {name}"))
        for table, column in added:
            connection.execute(text(f"ALTER TABLE {schema}{table} DROP COLUMN {column}"))
        connection.execute(text(f"DELETE FROM {schema}schema_version"))
        connection.execute(text(f"INSERT INTO {schema}schema_version VALUES (2, 0)"))
    state.close()
    yield


def version_of(url: str) -> int:
    """What the state says of itself."""
    state = State(url, name="shopify-credo")
    table = state._database.tables.schema_version
    found = state._database.read(lambda connection: max(connection.execute(table.select()).scalars()))
    state.close()
    return int(found)


@pytest.fixture
def server() -> Iterator[Any]:
    """A PostgreSQL of this test's own, to be stopped."""
    with running() as found:
        yield found


def stop_at_once(server: Any) -> None:
    """As when the machine loses power: no checkpoint, every connection gone."""
    pg_ctl(server, "-m", "immediate", "stop")


@pytest.mark.slow
@pytest.mark.postgres
@fault("pg-lost")
def test_pg_lost_in_a_loop_the_runs_converge(world_of: Callable[..., World], server: Any) -> None:
    """`stop -m immediate` while it writes, five times: whether a commit took place is asked, not assumed."""
    world = world_of(server.get_uri(), customers=400)
    world.set(latency_s=0.02)
    for number in range(5):
        process = world.start("sync", name=f"sync{number}", SHAPE="single" if number % 2 else "batch")
        before = world.tell()["requests"]
        wait_until(
            lambda process=process, before=before: world.tell()["requests"] >= before + 8 or process.poll() is not None
        )
        stop_at_once(server)
        server.ensure_postgres_running()
        code = process.wait(PATIENCE_S)
        assert code in (0, 1, 3), world.said(f"sync{number}")
        assert "Traceback" not in world.said(f"sync{number}")
        world.end_lease()
    world.set(latency_s=0)
    [report] = world.sync()
    assert report["state"] == "done", f"{report}\n{world.held()}"
    world.assert_converged(customers=400)


@pytest.mark.slow
@pytest.mark.postgres
@fault("pg-pool")
def test_pg_pool_connections_that_are_ended_are_made_anew(world_of: Callable[..., World], server: Any) -> None:
    """An administrator, or a pooler, ends every connection again and again."""
    world = world_of(server.get_uri(), customers=200)
    world.set(latency_s=0.02, hold_after=20)  # so that it is in the middle of its work when the first ones are ended
    engine = create_engine(server.get_uri(driver="psycopg"), isolation_level="AUTOCOMMIT")
    process = world.start("sync", "--json", SHAPE="single")
    wait_until(lambda: world.tell()["held"] > 0 or process.poll() is not None)
    ended = 0
    with engine.connect() as connection:
        while process.poll() is None:
            ended += len(
                connection.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                         " AND backend_type = 'client backend'")
                ).all()
            )  # fmt: skip
            world.set(hold_after=0)
            time.sleep(0.4)
    assert ended > 0
    engine.dispose()
    assert process.wait() in (0, 1), world.said()
    assert "Traceback" not in world.said()
    world.set(latency_s=0)
    world.end_lease()  # to give it back needs a connection too
    assert world.sync()[0]["state"] == "done"
    world.assert_converged(customers=200)


@pytest.mark.slow
@pytest.mark.postgres
@fault("pg-failover")
def test_pg_failover_to_older_state_repeats_and_does_not_double(world_of: Callable[..., World], server: Any) -> None:
    """The copy lacks the last commits: what it does not know is found in the destination and linked."""
    url = server.get_uri()
    world = world_of(url, customers=50)
    assert world.sync()[0]["state"] == "done"
    copy_database(url, "older")
    world.set(put={str(number): {} for number in range(51, 101)})
    assert world.sync()[0]["written"] == 50
    world.url = server.get_uri(database="older")
    [report] = world.sync()
    assert report["state"] == "done"
    world.assert_converged(customers=100)


@pytest.mark.slow
@pytest.mark.postgres
@fault("pg-failover")
def test_pg_failover_to_a_standby_that_was_behind_repeats_and_does_not_double(
    world_of: Callable[..., World], server: Any
) -> None:
    """The primary is lost in the middle of a run; its standby had been cut off before, and takes over under the same URL."""
    with following(server) as standby:
        world = world_of(standby.both(), customers=50)
        assert world.sync()[0]["state"] == "done"
        standby.catch_up()
        standby.cut_off()
        world.set(put={str(number): {} for number in range(51, 201)}, latency_s=0.02)
        process = world.start("sync", SHAPE="single")
        wait_until(lambda: len(world.made()) > 80 or process.poll() is not None)
        stop_at_once(server)
        standby.promote()
        assert process.wait(PATIENCE_S) in (0, 1, 3), world.said()
        assert "Traceback" not in world.said()
        assert int(standby.ask("SELECT count(*) FROM shopify_credo.links")) < len(world.made())
        world.end_lease()
        world.set(latency_s=0)
        [report] = world.sync(SHAPE="single")
        assert report["state"] == "done", f"{report}\n{world.held()}"
        world.assert_converged(customers=200)
        world.assert_made_once()


@pytest.mark.slow
@fault("two-replicas")
def test_two_replicas_at_the_same_moment_one_runs(world_of: Callable[..., World], database: str) -> None:
    """The others are told who does; each contact is made once, though the destination would take it twice."""
    world = world_of(database, customers=100)
    assert world.run("status") == 0
    world.set(unique=False, hold=True)  # so that the one that runs does so until the others have ended
    started = [world.start("sync", name=f"sync{number}") for number in range(4)]
    said = lambda: "\n".join(world.said(f"sync{number}") for number in range(4))  # noqa: E731
    wait_until(lambda: sum(process.poll() is not None for process in started) >= 3, said=said)
    world.set(hold=False)
    codes = sorted(process.wait(PATIENCE_S) for process in started)
    assert codes == [0, 1, 1, 1], said()
    assert said().count("is being run by") == 3
    world.assert_converged(customers=100)
