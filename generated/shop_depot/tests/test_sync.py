"""Runs against both mocks: what they write, what they leave alone, and that their numbers add up.

The mocks are made from the same plan as the package: these tests prove that the package agrees with its plan, not that a
vendor behaves as its description says.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.bench import Bench
from tests.mocks.places import NOTHING, at
from tests.mocks.synthesis import hole
from tests.package import is_refused_by_the_mapper, runtime


async def test_first_run_writes_every_record_that_can_be_mapped(bench: Bench) -> None:
    """Each once; the others are dead letters. None may be lost, and the mapping must take some."""
    mappable = bench.mappable()
    assert mappable, "the mapping takes none of the synthetic records"

    report = await bench.run()

    assert report.counts.read == len(bench.source_records)
    counts = report.counts
    assert (counts.created, counts.dead + counts.held) == (len(mappable), len(bench.source_records) - len(mappable))
    assert counts.unknown == 0
    assert counts.held == 0 or bench.stream.lookups
    assert len(bench.destination_records) == len(mappable)
    assert len(bench.dead_letters()) == report.counts.dead


async def test_destination_holds_what_the_mapper_says(bench: Bench) -> None:
    """Field by field: every mapped value is in one record of the destination."""
    await bench.run()
    stored = [entry.record for entry in bench.destination_records]

    for record in bench.mappable():
        body = bench.body(record)
        assert any(holds(one, body) for one in stored), f"no destination record holds {body}"


async def test_second_run_sends_nothing(bench: Bench) -> None:
    await bench.run()
    before = bench.effects, bench.writes()
    report = await bench.run()

    assert (report.counts.written, report.counts.unknown) == (0, 0)
    assert report.counts.unchanged == report.counts.read - report.counts.dead - report.counts.held
    assert (bench.effects, bench.writes()) == before


async def test_run_after_three_changes_writes_three(bench: Bench) -> None:
    """Reading only what changed where the source has a filter for it; else everything, with the rest unchanged."""
    await bench.run()
    changed = bench.change(3)
    before = bench.effects
    report = await bench.run()

    if bench.stream.mode == "upsert" and bench.stream.destination.update is None:
        assert (report.counts.written, bench.effects) == (0, before)
        return
    assert report.counts.written == changed
    assert bench.effects - before == changed
    assert report.counts.unchanged == report.counts.read - changed - report.counts.dead - report.counts.held
    if bench.stream.source.since is not None and bench.stream.source.version is not None:
        assert report.kind == "incremental"
        assert report.counts.read < len(bench.source_records)
    else:
        assert report.counts.read == len(bench.source_records)
    if bench.stream.mode == "upsert":
        assert len(bench.destination_records) == len(bench.mappable())


async def test_update_keeps_what_the_mapping_does_not_know(bench: Bench) -> None:
    """A field that somebody filled at the destination survives a change of the source record."""
    await bench.run()
    for id in bench.destination_records.ids():
        bench.destination_records.change(id, {"kept_by_hand": "yes"})
    if not bench.change(1) or bench.stream.mode == "append" or bench.stream.destination.update is None:
        pytest.skip("this stream updates nothing")
    await bench.run()

    assert all(entry.record["kept_by_hand"] == "yes" for entry in bench.destination_records)


async def test_dry_run_sends_nothing(bench: Bench) -> None:
    report = await bench.run(dry_run=True)

    assert report.dry_run
    assert report.counts.read == len(bench.source_records)
    assert (bench.effects, bench.writes()) == (0, 0)


async def test_limit_reads_no_more_than_it_says(bench: Bench) -> None:
    report = await bench.run(limit=3)

    assert report.counts.read == 3
    assert len(bench.destination_records) == report.counts.written <= 3


async def test_source_of_several_pages_is_read_to_its_end(bench: Bench) -> None:
    """One record more than a page, and than a group that shares a transaction."""
    size = bench.stream.source.list.paging.max or 50
    if size > 1000:
        pytest.skip(f"a page holds {size} records")
    bench.source.store.seed(size + 1)
    await bench.run_parents()
    report = await bench.run()

    assert report.counts.read == size + 1


async def test_existing_destination_record_is_adopted(bench: Bench) -> None:
    """A record that stands there already, with the same match value, is not created a second time."""
    if not bench.stream.match or bench.stream.adopt == "never" or bench.stream.mode == "append":
        pytest.skip("this stream adopts nothing")
    record = bench.mappable()[0]
    bench.destination_records.create(bench.body(record))
    await bench.run()

    assert len(bench.destination_records) == len(bench.mappable())


async def test_two_source_records_with_one_match_value_make_one_destination_record(bench: Bench) -> None:
    if not bench.stream.match or bench.stream.mode == "append":
        pytest.skip("this stream matches nothing")
    expected = len(bench.mappable())
    identity = bench.source_records.form.identity
    if len(identity) > 1 or any(part.path == identity for parts in bench.source_records.form.unique for part in parts):
        pytest.skip("what names a source record is also what it is matched by")
    twin = {name: value for name, value in bench.mappable()[0].items() if name != identity[0]}
    bench.source_records.add(twin)
    report = await bench.run()

    assert len(bench.destination_records) == expected
    assert report.counts.dead + report.counts.skipped >= 1


async def test_record_that_cannot_be_mapped_is_a_dead_letter_until_it_can(bench: Bench) -> None:
    """It stops no other record, and is written once it is mended.

    A record that could not be decoded has no name, so its dead letter stays until somebody discards it.
    """
    good = bench.mappable()[0]
    id = str(at(good, bench.source_records.form.identity))
    bench.source_records.change(id, _spoiled(bench, good))
    if any(str(at(record, bench.source_records.form.identity)) == id for record in bench.mappable()):
        pytest.skip("the mapping takes any value of every field")
    report = await bench.run()
    assert (report.counts.dead, report.state, report.exit_code) == (1, "partial", 3)
    assert len(bench.dead_letters()) == 1

    bench.source_records.change(id, good)
    report = await bench.run()
    assert report.counts.dead == 0
    assert len(bench.destination_records) == len(bench.mappable())
    assert [letter for letter in bench.dead_letters() if not letter["source_id"].startswith("unnamed-")] == []


async def test_dead_letter_is_retried_once_its_record_is_mended(bench: Bench) -> None:
    """By its name: the record is read again where the source can be asked for it, else what was kept is tried again."""
    good = bench.mappable()[0]
    spoiled = _refused(bench, good)
    if spoiled is None:
        pytest.skip("the mapper takes every record that can be read")
    id = str(at(good, bench.source_records.form.identity))
    bench.source_records.change(id, spoiled)
    await bench.run()
    assert [letter["source_id"] for letter in bench.dead_letters()] == [id]

    bench.source_records.change(id, good)
    if bench.stream.source.get is None:
        with suppress(runtime("errors").RequestRefused):  # kept with parts hidden, it cannot be tried again
            assert [report.counts.dead for report in await bench.retry()] == [1]
        return
    reports = await bench.retry()
    assert [report.counts.created for report in reports] == [1]
    assert bench.dead_letters() == []
    assert len(bench.destination_records) == len(bench.mappable())


async def test_runs_of_one_stream_do_not_overlap(bench: Bench) -> None:
    """The second of two runs at once is refused, not mixed with the first."""
    go_on = asyncio.Event()
    bench.source.faults.add("delay", until=go_on, operation=bench.stream.source.list.id)
    first = asyncio.create_task(bench.run())
    while not bench.source.requests and not first.done():
        await asyncio.sleep(0.01)
    with pytest.raises(runtime("state").LeaseHeld):
        await bench.run()
    go_on.set()

    assert (await first).state in {"done", "partial"}
    assert len(bench.destination_records) == len(bench.mappable())


# --- small things -----------------------------------------------------------------------------------------------------


def holds(stored: Any, body: Any) -> bool:
    """Whether every value of the body is in the stored record."""
    if isinstance(body, dict):
        return isinstance(stored, dict) and all(name in stored and holds(stored[name], body[name]) for name in body)
    return bool(stored == body)


def _refused(bench: Bench, record: Any) -> Any:
    """The record with one null that the mapper refuses; None when there is no such null."""
    form = bench.source.form.stream(bench.stream.name)
    kept = {bench.source_records.form.identity, bench.source_records.form.version}
    for path in (path for rule in form.rules for path in rule.sources if path not in kept):
        spoiled = hole(record, path, as_null=True)
        with suppress(runtime("errors").DecodeError):
            if is_refused_by_the_mapper(bench.stream, spoiled):
                return spoiled
    return None


def _spoiled(bench: Bench, record: Any) -> Any:
    """Values of no type that a mapping reads, in every field that a rule reads, but for what names the record."""
    form = bench.source.form.stream(bench.stream.name)
    kept = {path for parts in bench.source_records.form.unique for path in (part.path for part in parts)}
    kept |= {bench.source_records.form.identity}
    fields = {path[0] for rule in form.rules for path in rule.sources if path not in kept and (path[0],) not in kept}
    return {str(name): {"spoiled": [name]} for name in fields if at(record, (name,)) is not NOTHING}
