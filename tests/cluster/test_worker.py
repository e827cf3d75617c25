"""Workers of a cluster: once each, taken over, handed over, fenced, never two of one identity."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.cluster.conftest import SIGN_S, Replicas
from tests.faults.rows import fault
from tests.waiting import PATIENCE_S

pytest.importorskip("dbos", reason="the extra `cluster` is not installed")
pytestmark = [pytest.mark.postgres, pytest.mark.slow]

Make = Callable[..., Replicas]


def test_a_schedule_fires_once_over_replicas_and_what_the_command_asks_for_is_done_by_a_worker(
    replicas_of: Make,
) -> None:
    world = replicas_of(customers=120)
    for name in ("a", "b"):
        world.worker(name, interval_s=3, wait=False)
    world.until(lambda: len([run for run in world.runs() if run["state"] == "done"]) >= 3)
    world.assert_converged(customers=120)
    ticks = [run["id"] for run in world.runs() if run["trigger"] == "schedule"]
    assert len(ticks) == len(set(ticks))
    # Their names are the moments that were due, however late each began; the very first is due at no moment.
    moments = sorted(datetime.strptime(tick.partition("-")[0], "%Y%m%dT%H%M%S") for tick in ticks if tick[0] != "f")
    assert all(second - first >= timedelta(seconds=3) for first, second in itertools.pairwise(moments))
    for name in ("a", "b"):
        world.until(lambda name=name: "takes runs" in world.wrote(name))
        world.workers[name].send_signal(signal.SIGTERM)
        assert world.workers[name].wait(PATIENCE_S) == 0, world.said(name)
    world.worker("c")  # a schedule that is due every few seconds would come first, again and again on a slow machine
    world.until(world.idle)
    world.set(put={"7": {"phone": "+49 30 1234567"}})
    [report] = world.sync("customers")
    assert report["state"] == "done"
    assert world.runs()[0]["trigger"] == "cli"


def test_a_dead_workers_run_goes_on_elsewhere_from_its_checkpoint(replicas_of: Make) -> None:
    world = replicas_of(customers=2_000)
    world.set(hold_after=300)
    world.worker("a")
    world.midway()
    world.kill("a")
    world.set(hold_after=0)
    world.worker("b")
    world.bury("a")
    world.until(world.idle)
    world.assert_converged(customers=2_000)
    first, second = sorted(world.runs(), key=lambda run: str(run["started_at"]))
    assert (first["id"], first["state"]) == ("first-customers", "crashed")
    assert "first-customers.2 goes on" in first["error"]
    assert (second["id"], second["state"]) == ("first-customers.2", "done")
    assert second["read"] < 2_000, "it began anew instead of going on"


def test_a_worker_that_is_told_to_leave_hands_its_run_over(replicas_of: Make) -> None:
    world = replicas_of(customers=2_000)
    world.set(latency_s=0.3, hold_after=300)
    leaving = world.worker("a")
    world.midway()
    leaving.send_signal(signal.SIGTERM)
    world.set(hold_after=0)
    assert leaving.wait(PATIENCE_S) == 0, world.said("a")
    assert [run["state"] for run in world.runs()] == ["stopped"]
    world.set(latency_s=0.0)
    world.worker("b")
    world.until(lambda: world.idle())
    world.assert_converged(customers=2_000)
    assert {run["state"] for run in world.runs()} == {"stopped", "done"}
    assert world.query("select state from shopify_credo.workers where id = 'a'") == [("left",)]


@fault("zombie")
def test_zombie_a_worker_that_was_stopped_past_its_lease_writes_nothing_more_and_ends(replicas_of: Make) -> None:
    world = replicas_of(customers=2_000)
    world.set(hold_after=300)
    zombie = world.worker("a")
    world.midway()
    world.kill("a", signal.SIGSTOP)
    world.worker("b")
    world.bury("a")
    world.until(lambda: any(run["id"] == "first-customers.2" for run in world.runs()))
    token = world.query("select token from shopify_credo.leases where name = 'stream:customers'")
    world.kill("a", signal.SIGCONT)
    assert zombie.wait(PATIENCE_S) == 75, world.said("a")
    world.set(hold_after=0)
    world.until(world.idle)
    world.assert_converged(customers=2_000)
    assert world.query("select token from shopify_credo.leases where name = 'stream:customers'") == token
    assert world.query("select distinct token from shopify_credo.checkpoints where stream = 'customers'") == token


def test_a_worker_that_is_awake_when_it_is_taken_for_dead_takes_its_run_no_more_and_leaves_it_to_others(
    replicas_of: Make,
) -> None:
    """It is the only one that could take the run that goes back, and does: what came of it there must not end it."""
    world = replicas_of(customers=600)
    world.set(hold_after=100)
    dead = world.worker("a", SIGNS="1")  # so that it does not learn of it from its next sign of life
    world.midway()
    [(run, status, _)] = world.waiting()
    assert status == "PENDING"
    world.give_back("a", run)
    assert dead.wait(PATIENCE_S) == 75, world.said("a")
    assert [each[0] for each in world.waiting()] == [run]
    world.set(hold_after=0)
    world.worker("b")
    world.until(world.idle)
    world.assert_converged(customers=600)
    world.assert_made_once()
    assert world.runs()[0]["state"] == "done"


def test_a_second_live_worker_of_one_identity_is_refused(replicas_of: Make) -> None:
    world = replicas_of(customers=10)
    world.worker("a")
    again = world.start("worker", name="again", WORKER_ID="a")
    assert again.wait(PATIENCE_S) == 1
    assert "a worker `a` is alive already" in world.said("again")
    assert world.workers["a"].poll() is None


def test_a_worker_that_comes_back_under_its_identity_waits_until_the_old_one_is_dead(replicas_of: Make) -> None:
    world = replicas_of(customers=500)
    world.worker("a")
    world.kill("a")
    began = world.query("select started_at from shopify_credo.workers")
    seen = "select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    world.until(lambda: world.query(seen) == [])  # the server has noticed
    world.worker("a", wait=False)
    world.until(lambda: world.query(seen) != [])  # it is there, and asks
    time.sleep(2 * SIGN_S)
    assert world.query("select started_at from shopify_credo.workers") == began
    world.silence("a")
    world.until(lambda: "takes runs" in world.wrote("a"))
    world.until(lambda: world.runs() != [] and world.idle())  # the first may have put none into the queue
    world.assert_converged(customers=500)


def test_what_the_queue_keeps_is_json_without_records_or_secrets(replicas_of: Make) -> None:
    world = replicas_of(customers=50)
    world.worker("a")
    world.until(lambda: world.idle() and world.runs() != [])
    tables = world.query("select table_name from information_schema.tables where table_schema = 'shopify_credo_queue'")
    everything = " ".join(
        str(row) for (table,) in tables for row in world.query(f'select t::text from shopify_credo_queue."{table}" t')
    )
    assert "first-customers" in everything
    assert "@example" not in everything
    for secret in ("shpat_planted", "credo_planted", "whsec_planted", "control-planted"):
        assert secret not in everything
    assert '{""args"":[{""run_id"":""first-customers""' in everything.replace("\\", "")
    assert world.query("select distinct serialization from shopify_credo_queue.workflow_status") == [("json",)]


def test_work_of_a_version_that_no_worker_has_any_more_is_moved(replicas_of: Make) -> None:
    world = replicas_of(customers=30)
    world.worker("a", FLOW="0")
    world.until(lambda: world.idle() and world.runs() != [])
    world.kill("a", signal.SIGSTOP)
    world.set(put={"3": {"phone": "+49 30 7654321"}})
    asking = world.start("sync", name="asking", FLOW="0")
    world.until(lambda: not world.idle())
    world.kill("a")
    asking.kill()
    world.worker("b", FLOW="1")
    world.bury("a")
    world.until(world.idle)
    assert world.runs()[0]["id"].endswith("-v1")
    assert world.runs()[0]["state"] == "done"
    world.assert_converged()


def test_the_parts_of_a_run_are_shared_by_workers_and_one_that_dies_loses_nothing(replicas_of: Make) -> None:
    world = replicas_of(customers=2_400)
    world.set(hold=True)  # until all are there, and then each in its first part
    for name in ("a", "b", "c"):
        world.worker(name, PARTITION="300", WORKER_RUNS="1")
    world.set(hold=False, hold_after=100)
    parts = "select holder, count(*), sum(read) from shopify_credo.runs where partition <> '' group by holder"
    world.until(lambda: len(world.query(parts)) >= 2)
    helpers = {row[0] for row in world.query(parts)}
    [coordinator] = world.query("select holder from shopify_credo.runs where partition = ''")
    victim = next(name for name in helpers if name != coordinator[0])
    world.kill(victim)
    world.set(hold_after=0)
    world.bury(victim)
    world.until(world.idle)
    world.assert_converged(customers=2_400)
    world.assert_made_once()
    [(state, read, written, created, unchanged, resolved, other)] = world.query(
        "select state, read, written, created, unchanged, resolved, skipped + dead + unknown + held"
        " from shopify_credo.runs where partition = ''"
    )
    assert (state, other) == ("done", 0)
    # Whoever goes on reads the page in flight once more: what the dead one had on record is unchanged then, and what it had
    # sent and not on record is found out (`resolved`), which no equation counts as written.
    assert written == created
    assert written + resolved == 2_400
    assert read == written + unchanged >= 2_400
    assert world.query("select count(*) from shopify_credo.checkpoints where partition <> ''") == [(0,)]
