"""Faults of what holds the state, and of lists that lose records: what no real process is needed for."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from runtime.doctor import examine
from runtime.state import LeaseLost, State, drives
from runtime.state.rows import Lease
from tests.faults.conftest import Wired
from tests.faults.rows import fault
from tests.faults.server import Step
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.engine.test_deletes import HARD, NO_GET
from tests.runtime.fakes import Shopify
from tests.runtime.sample.app import INTEGRATION
from tests.shared import REPOSITORY, WIRE
from tests.waiting import PATIENCE_S


async def later(wired: Wired, changes: dict[str, Any], **request: Any) -> Any:
    """A complete pass, two days on."""
    wired.clock.moment += 2 * 86_400
    return await wired.sync(changes=changes, **request)


# --- records that disappear ---


@fault("src-deletes")
@pytest.mark.parametrize("changes", [{}, HARD], ids=["ignored", "hard"])
@pytest.mark.parametrize("status", [404, 410])
async def test_src_deletes_are_carried_out_as_the_stream_declares(
    wired: Wired, changes: dict[str, Any], status: int
) -> None:
    """By default the contact stays; with `deletes: hard` it goes once a complete pass came without its record and the
    source says 404 or 410 of it."""
    wired.shopify = Shopify(20)
    await wired.sync(changes=changes)
    del wired.shopify.customers[7]
    wired.source.script(Step(does="status", status=status, path="/customers/7", times=100))
    report = await later(wired, changes)
    assert report.counts.deleted == (1 if changes else 0)
    assert len(wired.credo.contacts) == (19 if changes else 20)
    report = await later(wired, changes)
    assert (report.state, report.counts.deleted) == ("done", 0)


@fault("src-deletes")
async def test_src_deletes_of_a_listed_identity_that_is_gone_stop_nothing(wired: Wired) -> None:
    """Asked for by name and not there: counted, and the others are synced."""
    wired.shopify = Shopify(5)
    del wired.shopify.customers[3]
    report = await wired.sync(ids=("2", "3", "4"))
    assert (report.state, report.counts.created, report.counts.skipped) == ("done", 2, 1)


@fault("src-empty-list")
@pytest.mark.parametrize("changes", [HARD, NO_GET], ids=["confirmed", "trusted"])
async def test_src_empty_list_deletes_nothing(wired: Wired, changes: dict[str, Any]) -> None:
    """200 with no records, where there were forty: the brake stops the run before the first delete."""
    wired.shopify = Shopify(40)
    await wired.sync(changes=changes)
    wired.shopify.fail.append(
        lambda request: httpx.Response(200, json={"customers": []}) if "/customers.json" in request.url.path else None
    )
    report = await later(wired, changes)
    assert (report.state, report.exit_code, report.counts.deleted) == ("failed", 1, 0)
    assert len(wired.credo.contacts) == 40
    assert not [kind for kind, _ in wired.credo.effects if kind == "delete"]


# --- power ---


@fault("power-loss")
def test_power_loss_commits_of_sqlite_reach_the_disk(tmp_path: Path) -> None:
    """A write-ahead log with `synchronous=FULL`: the log is flushed with every commit."""
    state = State(f"sqlite:///{tmp_path / 's.db'}", name="power-loss")
    state.prepare()
    found = state._database.read(
        lambda connection: [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        ]
    )
    state.close()
    assert found == ["wal", 2]


@fault("power-loss")
@pytest.mark.postgres
def test_power_loss_commits_of_postgresql_wait_for_the_disk(postgresql_url: str) -> None:
    """Nothing of ours turns `synchronous_commit` off."""
    state = State(postgresql_url, name="power-loss")
    state.prepare()
    try:
        found = state._database.read(
            lambda connection: connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()
        )
    finally:
        state.close()
    assert found in ("on", "remote_apply", "remote_write")


# --- one file, several machines ---


@fault("sqlite-nfs")
def test_sqlite_nfs_more_than_one_replica_on_sqlite_is_refused() -> None:
    """A SQLite file is for one machine: the manifest of two replicas names PostgreSQL."""
    from vitesse.manifest import Deploy

    assert Deploy(replicas=2).needs_postgresql
    assert not Deploy().needs_postgresql


@fault("sqlite-nfs")
def test_sqlite_nfs_two_on_one_file_are_kept_apart_by_the_lease(tmp_path: Path) -> None:
    """Two processes with one file by mistake: one runs the stream, and its token is in every transaction that writes."""
    from runtime.state import LeaseHeld

    url = f"sqlite:///{tmp_path / 's.db'}"
    one, other = State(url, name="x"), State(url, name="x")
    one.prepare()
    other.prepare()
    one.leases.acquire("stream:customers", "one")
    with pytest.raises(LeaseHeld):
        other.leases.acquire("stream:customers", "other")
    one.close()
    other.close()


MOUNTS = """\
proc /proc proc rw 0 0
/dev/vda1 / ext4 rw 0 0
files:/export/{folder} {folder} nfs4 rw,vers=4.2 0 0
/dev/vdb1 {folder}/local xfs rw 0 0
//files/share {folder}/a\\040share cifs rw 0 0
host:/ {folder}/behind ext4 rw 0 0
host:/ {folder}/behind fuse.sshfs rw 0 0
"""


@fault("sqlite-nfs")
@pytest.mark.parametrize(
    ("place", "kind"), [("", "nfs4"), ("a share", "cifs"), ("behind/deep", "fuse.sshfs"), ("local", None), ("..", None)]
)
async def test_sqlite_nfs_file_on_a_network_drive_is_told_at_each_start_and_by_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str, kind: str | None
) -> None:
    """The drive that the file really lies on counts, links followed."""
    folder = tmp_path / "shared"
    (folder / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / "link").symlink_to(folder / place)
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS.format(folder=folder))
    monkeypatch.setattr(drives, "MOUNTS", mounts)
    environ = {**ENVIRON, "DATABASE_URL": f"sqlite:///{tmp_path / 'link' / 's.db'}"}
    checks = await examine(INTEGRATION, environ, offline=True)
    told = [each.text for each in checks if each.name == "state drive" and not each.is_ok]
    assert [kind] * len(told) == [kind for text in told if f"network drive ({kind})" in text]
    assert bool(told) == (kind is not None) == ("lies on a network drive" in caplog.text)


# --- transactions that the database undoes ---


@fault("pg-serialization")
@pytest.mark.postgres
@pytest.mark.parametrize("round_", range(3))
def test_pg_serialization_deadlock_is_tried_again_as_a_whole(postgresql_url: str, round_: int) -> None:
    """Two transactions take the same two rows the other way round: one is undone by the database, and both are done."""
    name = "pg-serialization"
    states = [State(postgresql_url, name=name) for _ in range(2)]
    states[0].prepare()
    leases = states[0]._database.tables.leases
    keys = [f"a{round_}", f"b{round_}"]
    for key in keys:
        states[0].leases.acquire(key, "nobody")
    barrier = threading.Barrier(2, timeout=PATIENCE_S)
    attempts = [0, 0]
    other_is_done = threading.Event()

    def work(number: int) -> None:
        order = keys if number == 0 else keys[::-1]

        def transact(connection: Any) -> None:
            attempts[number] += 1
            if attempts[number] > 1:
                other_is_done.wait(PATIENCE_S)  # or it meets this one again, at the lock that it waits for
            for position, key in enumerate(order):
                connection.execute(select(leases).where(leases.c.name == key).with_for_update())
                connection.execute(leases.update().where(leases.c.name == key).values(token=leases.c.token + 1))
                if position == 0 and attempts[number] == 1:
                    barrier.wait()

        states[number]._database.write(transact)
        other_is_done.set()

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    rows = states[0]._database.read(
        lambda connection: dict(connection.execute(select(leases.c.name, leases.c.token)).tuples().all())
    )
    for state in states:
        state.close()
    assert sum(attempts) == 3
    assert [rows[key] for key in keys] == [3, 3]


# --- a holder that sleeps ---


@fault("zombie")
async def test_zombie_that_wakes_up_writes_nothing_more(wired: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sleeps past its lease in the middle of a pass, another takes over: its next transaction fails by its token."""
    wired.shopify = Shopify(60)
    wired.shopify.page_size = 10
    commit, count = wired.state.store.commit, 0

    def asleep(work: Any) -> Any:
        nonlocal count
        count += 1
        if count == 3:
            wired.clock.moment += 1000
            wired.state.leases.acquire("stream:customers", "another")
        return commit(work)

    monkeypatch.setattr(wired.state.store, "commit", asleep)
    report = await wired.sync()
    assert report.state == "failed"
    assert "taken over" in (report.error or "")
    with pytest.raises(LeaseLost):
        wired.state.leases.renew(Lease(name="stream:customers", holder="me", token=1, ttl_s=1))
    monkeypatch.undo()
    wired.clock.moment += 1000
    assert (await wired.sync()).state == "done"
    assert wired.is_whole()


# --- memory ---


_HUGE = """
import asyncio, resource, sys
sys.path[:0] = sys.argv[1:3]
from tests.runtime.sample.app import INTEGRATION
from runtime.engine import RunRequest
from runtime.engine.opened import opened
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
async def main():
    async with opened(INTEGRATION) as found:
        report = await found.engine.run(RunRequest(stream="customers"))
        print(report.state, report.failure, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) // 1024)
asyncio.run(main())
"""


@fault("oom")
async def test_oom_is_kept_away_by_the_cap_of_a_reply(tmp_path: Path) -> None:
    """A page of two gigabytes and a bomb of one, in a process of its own: it ends with a sentence, far below either."""
    from tests.faults.server import bomb, vendor

    bomb(1000)  # made before somebody waits for it
    async with vendor(Shopify(3)) as source:
        for step in (Step(does="huge", megabytes=2000, times=1000), Step(does="bomb", megabytes=1000, times=1000)):
            source.script(step)
            environ = {
                "SHOPIFY_SHOP": "shop",
                "SHOPIFY_ACCESS_TOKEN": "shpat_planted",
                "SHOPIFY_WEBHOOK_SECRET": "hook_planted",
                "CREDO_API_KEY": "credo_planted",
                "SHOPIFY_BASE_URL": source.url + "/admin",
                "CREDO_BASE_URL": source.url,
                "MAX_BODY_BYTES": str(32 << 20),
                "MAX_ATTEMPTS": "2",
                **WIRE,
                "DATABASE_URL": f"sqlite:///{tmp_path / step.does}.db",
            }
            import asyncio

            paths = (str(REPOSITORY), str(REPOSITORY / "runtime_template"))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _HUGE, *paths, env=environ, cwd=tmp_path, stdout=subprocess.PIPE
            )
            out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
            state, failure, megabytes = out.decode().split()
            assert (state, failure) == ("failed", "systematic")
            assert int(megabytes) < 200, step.does
