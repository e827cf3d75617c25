"""What the package remembers of its runs, what it puts back, and what it forgets."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bench import Bench
from tests.mocks.places import at
from tests.package import INTEGRATION, runtime

TOKENS = {"admin": "admin-of-the-tests-0123", "operate": "operate-of-the-tests-0123", "read": "read-of-the-tests-0123"}


def identity_of(bench: Bench, record: Any) -> str:
    """What the stream calls a source record."""
    return str(at(record, bench.source_records.form.identity))


async def ledger(bench: Bench, **asked: Any) -> list[dict[str, Any]]:
    async with bench.opened() as ready:
        found: list[dict[str, Any]] = runtime("actions.past").ledger(INTEGRATION, ready.state, **asked)
        return found


async def test_ledger_tells_of_every_write_with_its_run_and_rules(bench: Bench) -> None:
    first = await bench.run()
    written = await ledger(bench, run_id=first.run_id, limit=1000)

    assert len(written) == first.counts.written
    assert {entry["kind"] for entry in written} <= {"created"}
    assert {entry["mapping"] for entry in written} <= {bench.stream.mapping_digest}

    changed = bench.change(2)
    second = await bench.run()
    if bench.stream.mode == "upsert" and changed and second.counts.updated:
        of_run = [entry for entry in await ledger(bench, run_id=second.run_id, limit=1000) if entry["change"]]
        assert [entry["kind"] for entry in of_run] == ["updated"] * second.counts.updated
        of_record = await ledger(bench, stream=of_run[0]["stream"], source_id=of_run[0]["source_id"])
        assert [entry["run_id"] for entry in of_record] == [second.run_id, first.run_id]


async def test_run_that_wrote_nothing_leaves_the_ledger_as_it_was(bench: Bench) -> None:
    await bench.run()
    before = await ledger(bench, limit=1000)
    await bench.run()

    assert await ledger(bench, limit=1000) == before


async def test_run_is_put_back_and_what_changed_since_is_left(bench: Bench) -> None:
    """With `rollback: true`; here whether the manifest says so or not, wherever the destination's records can be read."""
    stream, destination = bench.stream, bench.stream.destination
    if (
        stream.mode == "append"
        or destination.update is None
        or destination.get is None
        or stream.merge is not None
        or stream.reverse_of
    ):
        pytest.skip("this stream cannot be rolled back")
    keeping = tuple(replace(each, rollback=True) if each.name == stream.name else each for each in INTEGRATION.streams)
    RunRequest = runtime("engine").RunRequest
    async with bench.opened() as ready:
        ready.engine.integration = replace(INTEGRATION, streams=keeping)
        await ready.engine.run(RunRequest(stream=stream.name))
        before = {id: copy.deepcopy(bench.destination_records.record(id)) for id in bench.destination_records.ids()}
        if bench.change(2) < 2:
            pytest.skip("no change of these records changes what is written")
        run = await ready.engine.run(RunRequest(stream=stream.name))
        if not run.counts.updated:
            pytest.skip("the destination has it already")
        undo = RunRequest(stream=stream.name, rollback=run.run_id, keep=True, only_settle=True)
        shown = await ready.engine.run(replace(undo, dry_run=True))
        report = await ready.engine.run(undo)

    assert shown.counts.restored == report.counts.restored == run.counts.updated
    assert report.state == "done"
    mapped = {id: bench.destination_records.record(id) for id in before}
    names = {name for record in bench.mappable() for name in bench.body(record)}
    for id, record in before.items():
        for name in names:
            assert mapped[id].get(name) == record.get(name), name


async def test_forgotten_record_leaves_no_trace(bench: Bench, tmp_path: Path) -> None:
    await bench.run()
    record = bench.mappable()[0]
    async with bench.opened() as ready:
        found = await runtime("forgetting").forget(ready.engine, bench.stream.name, [identity_of(bench, record)])

    assert found["erased"]["links"] == 1
    assert found["files_are_clean"]
    assert await ledger(bench, stream=bench.stream.name, source_id=identity_of(bench, record)) == []


async def test_monitor_sends_nothing_that_writes(bench: Bench) -> None:
    """`MONITOR=true`: every run is a dry run."""
    bench.environ["MONITOR"] = "true"
    report = await bench.run(trigger="schedule")

    assert report.dry_run
    assert (bench.effects, bench.writes()) == (0, 0)
    assert report.sample or not report.counts.created


@asynccontextmanager
async def control(bench: Bench) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    async with bench.opened() as ready:
        tokens = runtime("roles").Tokens(TOKENS)
        service = runtime("server").Service(ready, token=tokens, public_url=None, with_schedule=False)
        transport = httpx.ASGITransport(app=service.application())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield service, client


async def test_every_route_of_the_control_api_asks_for_its_role(bench: Bench) -> None:
    ranks = list(runtime("roles").ROLES)
    async with control(bench) as (service, client):
        for each in service.controls():
            path = "/".join("x" if part.startswith("{") else part for part in each.path.split("/"))
            assert (await client.request(each.method, path)).status_code == 401, path
            for role, token in TOKENS.items():
                reply = await client.request(each.method, path, headers={"Authorization": f"Bearer {token}"})
                assert (reply.status_code == 403) == (ranks.index(role) < ranks.index(each.role)), path


async def test_actions_are_on_record(bench: Bench) -> None:
    async with control(bench) as (_, client):
        headers = {"Authorization": f"Bearer {TOKENS['admin']}"}
        asked = {"stream": bench.stream.name, "ids": ["nobody"]}
        assert (await client.post("/forget", json=asked, headers=headers)).status_code == 200
        [entry] = (await client.get("/audit", headers=headers)).json()["audit"]

    assert (entry["action"], entry["role"], entry["outcome"]) == ("POST /forget", "admin", "200")
    assert "nobody" not in str(entry)


async def test_sealed_state_holds_no_value_of_a_record(bench: Bench, tmp_path: Path) -> None:
    """With `STATE_KEY`; what seals is in the extra `encrypt`, and in `test` for this."""
    from cryptography.fernet import Fernet

    bench.environ["STATE_KEY"] = Fernet.generate_key().decode()
    planted = "planted-value-of-a-person"
    async with bench.opened() as ready:
        row = {"stream": bench.stream.name, "topic": "t", "delivery_id": "d", "state": "done", "error": None}
        await ready.state.call(lambda: ready.state.inbox.put([{**row, "body": planted.encode()}]))
    folder = Path(bench.environ["DATABASE_URL"].removeprefix("sqlite:///")).parent
    stored = b"".join(file.read_bytes() for file in folder.glob("state.db*"))

    assert stored
    assert planted.encode() not in stored
    del bench.environ["STATE_KEY"]
    with pytest.raises(runtime("state").KeyWrong):
        await bench.run()
