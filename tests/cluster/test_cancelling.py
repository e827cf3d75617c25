"""`runs cancel` over workers: of a run that waits, of one that waits to go on, of one whose worker dies before it hears of it."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.conftest import Replicas
from tests.processes.test_lifecycle import Service
from tests.waiting import PATIENCE_S

pytest.importorskip("dbos", reason="the extra `cluster` is not installed")
pytestmark = [pytest.mark.postgres, pytest.mark.slow]

Make = Callable[..., Replicas]
QUEUED = "select workflow_uuid from shopify_credo_queue.workflow_status where status = 'ENQUEUED'"


def nobody_works(world: Replicas) -> None:
    """A cluster whose one worker has made the queue, synced everything and left."""
    worker = world.worker("maker")
    world.until(lambda: world.runs() != [] and world.idle())
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE_S) == 0, world.said("maker")


def ids_of(world: Replicas) -> dict[str, str]:
    """Each run on record with its state."""
    return {run["id"]: run["state"] for run in world.runs()}


def test_run_that_waits_for_a_worker_is_taken_out_by_the_command(replicas_of: Make) -> None:
    world = replicas_of(customers=10)
    nobody_works(world)
    world.set(put={"11": {}})
    asking = world.start("sync", "--json", name="asking")
    world.until(lambda: len(world.query(QUEUED)) == 1)
    [(run_id,)] = world.query(QUEUED)
    assert world.run("runs", "cancel", run_id) == 0, world.said()
    assert f"{run_id} was taken out of the queue" in world.said()
    assert asking.wait(PATIENCE_S) == 1
    [report] = json.loads((world.folder / "asking.out").read_text())
    assert (report["run_id"], report["state"], report["read"]) == (run_id, "cancelled", 0)
    assert world.idle()
    assert world.run("runs", "cancel", run_id) == 1
    assert f"run `{run_id}` is not under way: cancelled" in world.said()
    assert world.run("runs", "cancel", "no-such-run") == 1
    assert "there is no run" in world.said()

    world.worker("later")
    [report] = world.sync("customers")  # the stream's place in the queue is free again
    assert (report["state"], report["written"]) == ("done", 1)
    assert ids_of(world)[run_id] == "cancelled"


def test_run_that_waits_for_a_worker_is_taken_out_over_http_and_resumed(replicas_of: Make) -> None:
    world = replicas_of(customers=10)
    nobody_works(world)
    world.set(put={"11": {}})
    port = Service(world, PUBLIC_URL="https://sync.example").port

    def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": "Bearer control-planted", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    status, begun = ask("POST", "/sync", {"stream": "customers", "ids": ["11"]})
    assert status == 202, begun
    run_id = begun["run_id"]
    assert ask("GET", f"/runs/{run_id}")[1]["state"] == "waiting"
    status, shown = ask("POST", f"/runs/{run_id}/cancel", {})
    assert (status, shown["run_id"], shown["state"]) == (202, run_id, "cancelled"), shown
    assert shown["kind"] == "ids"
    assert ask("GET", f"/runs/{run_id}")[1]["state"] == "cancelled"
    assert ask("POST", f"/runs/{run_id}/cancel", {})[0] == 409
    assert ask("POST", "/runs/no-such-run/cancel", {})[0] == 404

    world.worker("later")
    status, resumed = ask("POST", f"/runs/{run_id}/resume", {})
    assert status == 202, resumed
    world.until(lambda: ids_of(world).get(resumed["run_id"]) == "done")
    world.assert_converged(customers=11)


def test_run_that_was_handed_over_and_waits_to_go_on_is_taken_out(replicas_of: Make) -> None:
    world = replicas_of(customers=2_000)
    world.set(latency_s=0.3, hold_after=300)
    leaving = world.worker("a")
    world.midway()
    leaving.send_signal(signal.SIGTERM)
    world.set(hold_after=0)
    assert leaving.wait(PATIENCE_S) == 0, world.said("a")
    world.until(lambda: world.query(QUEUED) == [("first-customers",)])
    assert world.run("runs", "cancel", "first-customers") == 0, world.said()
    assert "first-customers.2 was taken out of the queue" in world.said()
    written = len(world.made())
    world.set(latency_s=0.0)
    world.worker("b")
    reports = world.sync("customers")
    assert reports[0]["state"] == "done"
    assert ids_of(world).items() >= {"first-customers": "stopped", "first-customers.2": "cancelled"}.items()
    assert written < 2_000
    world.assert_converged(customers=2_000)  # the next run went on from the checkpoint


def test_run_that_was_cancelled_and_whose_worker_dies_before_it_hears_of_it_does_not_go_on(replicas_of: Make) -> None:
    world = replicas_of(customers=2_000)
    world.set(hold_after=300)
    world.worker("a")
    world.midway()
    world.kill("a", signal.SIGSTOP)
    assert world.run("runs", "cancel", "first-customers") == 0, world.said()
    assert "first-customers was asked to end" in world.said()
    world.kill("a")
    world.set(hold_after=0)
    world.until(lambda: world.tell()["held"] == 0)  # what was in flight is carried out there
    written = len(world.made())
    assert written < 2_000
    world.worker("b")
    world.bury("a")
    world.until(lambda: ids_of(world) == {"first-customers": "cancelled"} and world.idle())
    assert len(world.made()) == written
