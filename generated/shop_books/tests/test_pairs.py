"""Streams that go both ways on one set of links: both sides end up the same, and nothing goes to and fro."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.bench import Bench, serving
from tests.mocks.places import at, put
from tests.package import INTEGRATION, is_mappable, runtime, stream_named

PAIRS = {stream.reverse_of: stream.name for stream in INTEGRATION.streams if stream.reverse_of is not None}
pytestmark = pytest.mark.skipif(not PAIRS, reason="no stream of this package goes back")


class Pair:
    """Both streams between the two mocks. `bench` is that of the stream that goes on."""

    def __init__(self, bench: Bench, back: str) -> None:
        self.bench, self.back = bench, stream_named(back)
        self.merge = bench.stream.merge
        self.view_of = runtime("engine.merge").view_of

    async def run(self, name: str, **request: Any) -> Any:
        async with self.bench.opened() as ready:
            report = await ready.engine.run(runtime("engine").RunRequest(stream=name, **request))
            report.counts.check()
            return report

    async def both(self) -> tuple[Any, Any]:
        return await self.run(self.bench.stream.name), await self.run(self.back.name)

    def effects(self) -> int:
        return len(self.bench.source.store.log) + len(self.bench.destination.store.log)

    async def settle(self) -> None:
        """A few rounds, after which a further one writes nothing on either side."""
        for _ in range(3):
            await self.both()
        before = self.effects()
        on, back = await self.both()
        assert (on.counts.written, back.counts.written) == (0, 0)
        assert self.effects() == before

    def apart(self) -> list[tuple[Any, Any]]:
        """Linked records whose mapped fields differ: the source's as it is mapped, the destination's."""
        alike = runtime("engine.merge").alike
        written = {
            str(at(stored.record, self.bench.stream.destination.identity)): stored.record
            for stored in self.bench.destination_records
        }
        found = []
        for source_id, destination_id in self.links():
            ours = self.bench.body(self.bench.source_records.record(source_id))
            ours, theirs = (self.view_of(each, self.merge.fields) for each in (ours, written[destination_id]))
            if not all(alike(ours[name], theirs.get(name)) for name in ours):
                found.append((ours, theirs))
        return found

    def links(self) -> list[tuple[str, str]]:
        from sqlalchemy import select

        settings = runtime("settings").resolve_settings(INTEGRATION, self.bench.environ)
        state = runtime("engine.opened").open_state(INTEGRATION, settings)
        try:
            table = state.store.database.tables.links
            query = select(table.c.source_id, table.c.destination_id).where(table.c.stream == self.bench.stream.name)
            return [tuple(row) for row in state.store.database.read(lambda connection: connection.execute(query).all())]
        finally:
            state.close()

    def edit(self, count: int) -> int:
        """Somebody changes linked records of the destination, in one field that both directions map and nobody matches by."""
        matched = {part.destination for part in self.bench.stream.match}
        taken = [field.path for field in self.merge.fields if field.path not in matched and field.strategy is None]
        records, changed = self.bench.destination_records, 0
        for _, id in self.links()[:count]:
            record = records.record(id)
            for path in taken:
                other = next((value for value in self._others(path) if value not in (None, at(record, path))), None)
                after = put(record, path, other) if other is not None else record
                if other is not None and is_mappable(self.back, after):
                    records.change(id, put({}, path, other))
                    changed += 1
                    break
        return changed

    def _others(self, path: Any) -> list[Any]:
        return [at(self.bench.destination_records.synthetic(5_000 + number), path) for number in range(20)]


@pytest_asyncio.fixture(params=list(PAIRS))
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    async with serving(request.param, tmp_path) as bench:
        yield Pair(bench, PAIRS[request.param])


async def test_what_one_direction_wrote_does_not_come_back(pair: Pair) -> None:
    """The other direction reads it, and knows it."""
    on, back = await pair.both()

    assert on.counts.created == len(pair.bench.mappable())
    assert (back.counts.written, back.counts.unchanged) == (0, on.counts.created)
    await pair.settle()


async def test_changes_of_both_sides_arrive_on_the_other(pair: Pair) -> None:
    await pair.both()
    if not pair.bench.change(3) or not pair.edit(6):
        pytest.skip("the synthetic records of these streams do not change")
    await pair.settle()

    held = {row["source_id"] for row in await _conflicts(pair)}
    assert len(pair.apart()) <= len(held)


async def test_record_that_is_new_on_the_other_side_is_made_here_once(pair: Pair) -> None:
    await pair.both()
    before = len(pair.bench.source_records)
    records = pair.bench.destination_records
    fresh = next(
        (one for number in range(50) if is_mappable(pair.back, one := records.synthetic(3_000 + number))), None
    )
    assert fresh is not None, "the mapping takes none of the synthetic records"
    records.add(fresh)
    await pair.settle()

    assert len(pair.bench.source_records) == before + 1
    assert len(pair.links()) == len(records)


async def test_lost_answer_to_a_creation_makes_no_second_record(pair: Pair) -> None:
    """The direction that comes next waits until it is known what became of it."""
    create = pair.bench.stream.destination.create.id
    pair.bench.destination.faults.add("reset", operation=create, after_effect=True)
    await pair.run(pair.bench.stream.name)
    await pair.run(pair.back.name)
    await pair.settle()

    assert len(pair.bench.destination_records) == len(pair.bench.mappable())
    assert len(pair.bench.source_records) == 30


async def test_conflict_waits_for_a_person_and_the_answer_reaches_both_sides(pair: Pair) -> None:
    """Where a field or the stream asks for a person; the record is held, and nothing of it is written."""
    waits = [field for field in pair.merge.fields if (field.strategy or pair.bench.stream.conflicts) == "manual_review"]
    if not waits:
        pytest.skip("nothing of these streams waits for a person")
    await pair.both()
    clash = _clash(pair, waits[0].path)
    if clash is None:
        pytest.skip("the synthetic records of these streams do not clash")
    source_id, destination_id = clash
    on = await pair.run(pair.bench.stream.name)
    assert on.counts.held == 1
    [row] = await _conflicts(pair)
    assert (row["source_id"], row["destination_id"]) == (source_id, destination_id)

    async with pair.bench.opened() as ready:
        resolve = runtime("actions.conflicts").resolve
        _, is_resolved = await resolve(ready.engine, row["id"], take="destination", values={}, by="test")
    assert is_resolved
    await pair.settle()
    assert await _conflicts(pair) == []
    assert pair.apart() == []


@pytest.mark.parametrize("side", ["source", "destination"])
async def test_deletion_of_one_side_reaches_the_other_and_is_not_undone(pair: Pair, side: str) -> None:
    records, stream = await _deletable(pair, side)
    source_id, destination_id = pair.links()[0]
    records.delete(source_id if side == "source" else destination_id)
    report = await _passed(pair, stream)

    assert (report.state, report.counts.deleted) == ("done", 1)
    await pair.settle()
    assert len(records) == len(pair.links()) - 1


@pytest.mark.parametrize("side", ["source", "destination"])
async def test_deletion_of_a_record_that_the_other_side_changed_is_a_conflict(pair: Pair, side: str) -> None:
    """The strategy decides: deleted on both sides, made again, left, or asked about."""
    records, stream = await _deletable(pair, side)
    source_id, destination_id = pair.links()[0]
    if side == "source":
        if not pair.edit(1):
            pytest.skip("the synthetic records of these streams do not change")
    else:
        clash = _clash(pair, pair.merge.fields[-1].path)
        if clash is None:
            pytest.skip("the synthetic records of these streams do not change")
        source_id, destination_id = clash
    records.delete(source_id if side == "source" else destination_id)
    before = len(records)
    decided, _ = runtime("engine.partings").verdict(pair.merge, pair.bench.stream.conflicts, side, None)
    report = await _passed(pair, stream)

    assert report.counts.deleted == (decided == "delete")
    assert report.counts.held == (decided == "hold")
    assert len(await _conflicts(pair)) == (decided == "hold")
    assert len(records) == before + (decided == "again")
    if decided != "hold":
        await pair.settle()


@pytest.mark.parametrize("side", ["source", "destination"])
async def test_run_of_either_direction_is_put_back_and_stays_so(pair: Pair, side: str) -> None:
    """With `rollback: true`; here whether the manifest says so or not."""
    await pair.settle()
    if not (pair.bench.change(3) if side == "source" else pair.edit(3)):
        pytest.skip("the synthetic records of these streams do not change")
    name, there = (
        (pair.bench.stream.name, pair.bench.destination_records)
        if side == "source"
        else (pair.back.name, pair.bench.source_records)
    )
    before = {id: copy.deepcopy(there.record(id)) for id in there.ids()}
    streams = tuple(replace(each, rollback=True) if each.name == name else each for each in INTEGRATION.streams)
    RunRequest = runtime("engine").RunRequest
    async with pair.bench.opened() as ready:
        ready.engine.integration = replace(INTEGRATION, streams=streams)
        ready.engine.links = runtime("engine.reverse").merging(ready.engine.integration)
        run = await ready.engine.run(RunRequest(stream=name))
        if not run.counts.updated or run.counts.held:
            pytest.skip("nothing of these changes is written")
        report = await ready.engine.run(RunRequest(stream=name, rollback=run.run_id, keep=True, only_settle=True))

    def fields(record: Any) -> Any:
        return pair.view_of(record if side == "source" else pair.bench.body(record), pair.merge.fields)

    assert (report.state, report.counts.restored) == ("done", run.counts.updated)
    alike = runtime("engine.merge").alike
    assert all(alike(fields(there.record(id)), fields(record)) for id, record in before.items())
    await pair.settle()


async def _deletable(pair: Pair, side: str) -> tuple[Any, str]:
    """The records of a side whose deletions the pair carries to the other, and the stream that finds them out."""
    name = pair.bench.stream.name if side == "source" else pair.back.name
    deletes = stream_named(name).deletes
    if deletes is None or deletes.found_by != "reconciliation":
        pytest.skip(f"no complete pass of `{name}` deletes anything")
    await pair.settle()
    return (pair.bench.source_records if side == "source" else pair.bench.destination_records), name


async def _passed(pair: Pair, name: str) -> Any:
    await pair.bench.clock.sleep(stream_named(name).deletes.every_s + 1)
    return await pair.run(name)


async def _conflicts(pair: Pair) -> list[dict[str, Any]]:
    async with pair.bench.opened() as ready:
        found: list[dict[str, Any]] = await ready.state.call(lambda: ready.state.conflicts.latest())
        return found


def _clash(pair: Pair, path: Any) -> tuple[str, str] | None:
    """Change one field of one linked pair on both sides, to two values; the pair, or None when no two were found."""
    bench = pair.bench
    for source_id, destination_id in pair.links():
        agreed = at(bench.destination_records.record(destination_id), path)
        record = bench.source_records.record(source_id)
        for number in range(40):
            other = bench.source_records.synthetic(7_000 + number)
            for name in other:
                after = {**record, name: other[name]}
                if not is_mappable(bench.stream, after):
                    continue
                ours = at(bench.body(after), path)
                same = [
                    part
                    for part in bench.stream.match
                    if at(bench.body(after), part.destination) != at(bench.body(record), part.destination)
                ]
                theirs = next((value for value in pair._others(path) if value not in (None, agreed, ours)), None)
                if same or ours in (None, agreed) or theirs is None:
                    continue
                bench.source_records.change(source_id, {name: other[name]})
                bench.destination_records.change(destination_id, put({}, path, theirs))
                return source_id, destination_id
    return None


def test_pair_is_declared_with_what_it_needs() -> None:
    for forward, back in PAIRS.items():
        on, other = stream_named(forward), stream_named(back)
        assert on.merge is not None
        assert on.source.get is not None
        assert other.source.get is not None
        assert on.match
        assert other.match
