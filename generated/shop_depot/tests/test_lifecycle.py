"""Records that are gone at the source, and records that refer to others: for the streams that say what that means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench import Bench, serving
from tests.mocks.places import NOTHING, at
from tests.package import INTEGRATION, runtime, stream_named


def those(streams: list[str], otherwise: str) -> list[Any]:
    """Parameters of a test for some streams; without any it is skipped, and says why."""
    return streams or [pytest.param("", marks=pytest.mark.skip(reason=otherwise))]


DELETING = those(
    [stream.name for stream in INTEGRATION.streams if stream.deletes is not None], "no stream of this package deletes"
)
REFERRING = those(
    [stream.name for stream in INTEGRATION.streams if stream.lookups], "no stream of this package refers to another"
)


def _gone(bench: Bench, id: str) -> None:
    """Let a source record be gone as its stream expects to find that out."""
    deletes = bench.stream.deletes
    if deletes.found_by == "tombstone":
        mark = at(bench.source_records.get(id).record, deletes.tombstone)  # type: ignore[union-attr]
        said: Any = True if isinstance(mark, bool) else bench.source.store.clock.now.isoformat()
        for step in reversed(deletes.tombstone):
            said = {step: said}
        bench.source_records.change(id, said)
    else:
        bench.source_records.delete(id)


def _id(bench: Bench, record: Any) -> str:
    return str(at(record, bench.source_records.form.identity))


def _is_marked(bench: Bench, record: Any) -> bool:
    depth = len(bench.stream.destination.envelope)
    return all(at(record, path[depth:]) == value for path, value in bench.stream.deletes.set)


def _pick(bench: Bench) -> Any:
    """A record that can be mapped, and whose body does not look deleted already."""
    is_soft = bench.stream.deletes.mode == "soft"
    return next(each for each in bench.mappable() if not (is_soft and _is_marked(bench, bench.body(each))))


def _left(bench: Bench) -> int:
    """Destination records that are not deleted, softly or for good."""
    is_soft = bench.stream.deletes.mode == "soft"
    return sum(not (is_soft and _is_marked(bench, entry.record)) for entry in bench.destination_records)


async def _passed(bench: Bench, **request: Any) -> Any:
    """A run when a complete pass is due."""
    await bench.clock.sleep(bench.stream.deletes.every_s + 1)
    return await bench.run(**request)


@pytest.mark.parametrize("stream", DELETING)
async def test_record_that_is_gone_is_deleted_once(stream: str, tmp_path: Path) -> None:
    async with serving(stream, tmp_path) as bench:
        await bench.run()
        before = _left(bench)
        _gone(bench, _id(bench, _pick(bench)))
        report = await _passed(bench)

        assert (report.state, report.counts.deleted) == ("done", 1)
        assert _left(bench) == before - 1
        writes = bench.writes()
        assert (await _passed(bench)).counts.deleted == 0
        assert bench.writes() == writes


@pytest.mark.parametrize("stream", DELETING)
async def test_record_that_was_deleted_and_is_there_again_is_written_again(stream: str, tmp_path: Path) -> None:
    async with serving(stream, tmp_path) as bench:
        await bench.run()
        record = _pick(bench)
        id, count = _id(bench, record), len(bench.mappable())
        _gone(bench, id)
        await _passed(bench)
        if bench.stream.deletes.found_by == "tombstone":
            bench.source_records.change(id, {})
        else:
            bench.source_records.add(record)
            bench.source_records.change(id, {})
        report = await _passed(bench)

        assert report.counts.created + report.counts.updated == 1
        assert len(bench.destination_records) == count


@pytest.mark.parametrize("stream", DELETING)
async def test_run_that_deleted_is_put_back(stream: str, tmp_path: Path) -> None:
    """With `rollback: true`; here whether the manifest says so or not. What was deleted for good is made again and linked."""
    async with serving(stream, tmp_path) as bench:
        its = bench.stream
        if its.destination.get is None or its.merge is not None or its.reverse_of or its.mode == "append":
            pytest.skip("this stream cannot be rolled back")
        streams = tuple(replace(each, rollback=True) if each.name == stream else each for each in INTEGRATION.streams)
        RunRequest = runtime("engine").RunRequest
        async with bench.opened() as ready:
            ready.engine.integration = replace(INTEGRATION, streams=streams)
            await ready.engine.run(RunRequest(stream=stream))
            before = _left(bench)
            _gone(bench, _id(bench, _pick(bench)))
            await bench.clock.sleep(bench.stream.deletes.every_s + 1)
            run = await ready.engine.run(RunRequest(stream=stream))
            assert (run.counts.deleted, _left(bench)) == (1, before - 1)
            report = await ready.engine.run(RunRequest(stream=stream, rollback=run.run_id, keep=True, only_settle=True))

        assert (report.state, report.counts.restored, _left(bench)) == ("done", 1, before)


@pytest.mark.parametrize("stream", DELETING)
async def test_record_that_is_asked_for_and_gone_is_deleted(stream: str, tmp_path: Path) -> None:
    async with serving(stream, tmp_path) as bench:
        if bench.stream.source.get is None:
            pytest.skip("the source cannot be asked for one record")
        await bench.run()
        before, id = _left(bench), _id(bench, _pick(bench))
        bench.source_records.delete(id)
        report = await bench.run(ids=(id,))

        assert (report.counts.deleted, _left(bench)) == (1, before - 1)


@pytest.mark.parametrize("stream", DELETING)
async def test_source_that_is_suddenly_empty_deletes_nothing_until_a_person_says_so(
    stream: str, tmp_path: Path
) -> None:
    async with serving(stream, tmp_path) as bench:
        if bench.stream.deletes.found_by == "tombstone":
            pytest.skip("only a tombstone deletes")
        written = (await bench.run()).counts.created
        before = _left(bench)
        bench.source_records.clear()
        report = await _passed(bench)

        assert (report.state, report.exit_code, report.counts.deleted, _left(bench)) == ("failed", 1, 0, before)
        assert "--allow-deletes" in (report.error or "")
        report = await bench.run(allow_deletes=True)
        assert (report.state, report.counts.deleted, _left(bench)) == ("done", written, 0)


@pytest.mark.parametrize("stream", REFERRING)
async def test_record_without_its_parent_is_held_has_it_fetched_or_is_dead(stream: str, tmp_path: Path) -> None:
    """Nothing that refers to others was written before: what the stream says about parents decides."""
    async with serving(stream, tmp_path, parents=False) as bench:
        report = await bench.run()
        counts = report.counts
        await bench.run_parents()
        policy, mappable = bench.stream.parents, len(bench.mappable())
        if policy == "fetch" and all(stream_named(name).source.get is not None for name in bench.stream.lookups):
            assert (counts.created, counts.held + counts.dead) == (mappable, counts.read - mappable)
        elif policy == "dead":
            assert counts.held == 0
            assert counts.dead > 0
        else:
            assert counts.held > 0
        if policy == "dead":
            assert {letter["failure"] for letter in bench.dead_letters()} == {"permanent_record"}
        else:
            assert len(bench.destination_records) == mappable


@pytest.mark.parametrize("stream", REFERRING)
async def test_reference_is_what_the_parent_is_called_at_the_destination(stream: str, tmp_path: Path) -> None:
    async with serving(stream, tmp_path) as bench:
        await bench.run()
        names = set((bench.links or {}).values())
        form = bench.source.form.stream(stream)
        references = [rule.destination for rule in form.rules if rule.transform == "lookup"]
        depth = len(bench.stream.destination.envelope)
        said = [
            value
            for entry in bench.destination_records
            for path in references
            if (value := at(entry.record, path[depth:])) is not NOTHING and value is not None
        ]

        assert said
        assert {str(value) for value in said} <= names


async def test_comparing_both_sides_finds_what_somebody_changed_and_repairs_it(bench: Bench) -> None:
    """Where the destination shows its records."""
    destination = bench.stream.destination
    if bench.stream.mode == "append" or (destination.list is None and destination.get is None):
        pytest.skip("the destination shows no record")
    if destination.update is None or bench.stream.reverse_of is not None:
        pytest.skip("nothing could be repaired")
    verify = runtime("engine.verify").verify
    await bench.run()
    async with bench.opened() as ready:
        found = await verify(ready.engine, bench.stream.name)
        assert (found.differences, found.exit_code) == (0, 0), found.to_json()
        if not len(bench.destination_records) or found.compared == 0:
            pytest.skip("nothing is linked")
        before = len(bench.destination_records)
        bench.destination_records.delete(bench.destination_records.ids()[0])
        found = await verify(ready.engine, bench.stream.name, repair=True)

    assert (found.counts["missing"], found.exit_code) == (1, 0), found.to_json()
    # Where the other direction deletes, a record that is missing was deleted; else it is written again.
    back = [each for each in INTEGRATION.streams if each.reverse_of == bench.stream.name and each.deletes is not None]
    assert len(bench.destination_records) == before - len(back)
