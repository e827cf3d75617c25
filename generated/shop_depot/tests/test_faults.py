"""Bad days: what the package does when a vendor is slow, full, broken or says no."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.bench import PATIENCE_S, Bench, QuickClock, serving
from tests.mocks.store import dumps
from tests.package import destination_form, runtime, source_form


def _writing(bench: Bench) -> Any:
    """The operation that creates, as this stream uses it for several records."""
    destination = bench.stream.destination
    return destination.batch.operation if destination.batch is not None else destination.create


def _copies(bench: Bench) -> int:
    """How many creates there were beyond one for each record of the destination."""
    creates = [entry for entry in bench.destination.store.log if entry.effect == "create"]
    if bench.destination_records.form.unique:
        return len(creates) - len({entry.match for entry in creates})
    return len(creates) - len({entry.id for entry in creates})


@pytest.mark.parametrize("side", ["source", "destination"])
async def test_refused_credential_ends_the_run(bench: Bench, side: str) -> None:
    mock = getattr(bench, side)
    if mock.form.auth is None:
        pytest.skip(f"the {side} asks for no credential")
    another = dict.fromkeys(("value", "token", "password", "client_secret"), "another")
    mock.form = replace(mock.form, auth=replace(mock.form.auth, **another))
    report = await bench.run()

    assert (report.state, report.failure, report.exit_code) == ("failed", "auth", 1)
    assert bench.effects == 0
    under_way = runtime("options").Options().max_concurrent
    assert sum(status == 401 for _, status in mock.requests) <= 1 + under_way
    assert len(bench.dead_letters()) == 0


async def test_full_source_is_given_the_time_it_asks_for(bench: Bench) -> None:
    bench.source.faults.add("status", status=429, headers={"Retry-After": "7"}, operation=bench.stream.source.list.id)
    report = await bench.run()

    assert report.state in ("done", "partial")
    assert report.counts.created == len(bench.mappable())
    assert sum(bench.clock.slept_s) > 6.9


async def test_full_destination_is_given_the_time_it_asks_for(bench: Bench) -> None:
    bench.destination.faults.add("status", status=429, headers={"Retry-After": "7"}, operation=_writing(bench).id)
    report = await bench.run()

    assert report.counts.created == len(bench.mappable())
    assert sum(bench.clock.slept_s) > 6.9
    assert _copies(bench) == 0


@pytest.mark.parametrize("kind", ["status", "reset", "truncate"])
async def test_broken_read_is_tried_again(bench: Bench, kind: Any) -> None:
    """503, a connection that is cut, a body that ends early."""
    bench.source.faults.add(kind, count=2, operation=bench.stream.source.list.id)
    report = await bench.run()

    assert report.counts.read == len(bench.source_records)
    assert report.counts.created == len(bench.mappable())
    assert len(bench.clock.slept_s) >= 2


@pytest.mark.parametrize("kind", ["status", "reset", "truncate"])
@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
async def test_broken_write_makes_no_second_record(bench: Bench, kind: Any, after_effect: bool) -> None:
    """Whether the write took effect or not: nothing is created twice, and what is not known is said to be unknown."""
    if kind == "truncate" and not after_effect:
        pytest.skip("a reply that is cut has had its effect")
    bench.destination.faults.add(kind, status=503, operation=_writing(bench).id, after_effect=after_effect)
    first = await bench.run()
    report = first
    for _ in range(3):
        if report.counts.unknown == 0 and report.state == "done":
            break
        report = await bench.run()

    assert _copies(bench) == 0
    assert len(bench.destination_records) <= len(bench.mappable())
    if _can_be_looked_up(bench):
        assert len(bench.destination_records) == len(bench.mappable())


def _can_be_looked_up(bench: Bench) -> bool:
    """Whether the package can find out what became of a write."""
    stream = bench.stream
    finds = stream.match and (stream.destination.find is not None or stream.destination.list is not None)
    return stream.mode == "upsert" and bool(finds or _writing(bench).idempotency_header)


def _mark(bench: Bench) -> str:
    """A word that stands in what is written for one record alone, as it goes over the wire in any form."""
    bodies = [bench.body(record) for record in bench.mappable()]
    texts = [dumps(body) for body in bodies]
    for number, body in enumerate(bodies):
        for word in sorted(_words(body)):
            if sum(word in text for text in texts) == 1 and word in texts[number]:
                return word
    pytest.skip("no record of this stream has a plain word of its own")


def _words(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value} if value.isascii() and value.isalnum() and len(value) > 3 else set()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {word for each in inner for word in _words(each)}


@pytest.mark.parametrize("text", ["in 9 s", "a minute ago", "-1", "1e99", "soon", ""])
@pytest.mark.parametrize("side", ["source", "destination"])
async def test_wait_that_is_a_date_or_makes_no_sense_neither_hangs_nor_crashes(
    bench: Bench, side: str, text: str
) -> None:
    """A date is measured by the server's own clock; nonsense is no time; what is too long ends the run."""
    now = bench.clock.now() + 600  # the vendor's clock is ten minutes off
    dates = {"in 9 s": formatdate(now + 9, usegmt=True), "a minute ago": formatdate(now - 60, usegmt=True)}
    headers = {"Date": formatdate(now, usegmt=True), "Retry-After": dates.get(text, text)}
    operation = bench.stream.source.list if side == "source" else _writing(bench)
    getattr(bench, side).faults.add("status", status=429, headers=headers, operation=operation.id)
    report = await bench.run()

    if report.state == "failed":
        assert (text, report.failure) == ("1e99", "throttled")
        assert sum(bench.clock.slept_s) < 1000
        bench.clock.slept_s.clear()
        await bench.clock.sleep(90_000)
        report = await bench.run()
    assert report.state in ("done", "partial")
    assert len(bench.destination_records) == len(bench.mappable())
    assert _copies(bench) == 0


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_record_that_is_always_refused_dies_alone_and_is_written_after_the_fix(bench: Bench, status: int) -> None:
    """By itself or with the whole batch that it is in: the others are written, and a retry writes it too.

    A source that cannot be asked for one record is read again where the record was kept with parts hidden.
    """
    word = _mark(bench)
    writes = {bench.stream.destination.create.id, _writing(bench).id}
    for operation in writes:
        bench.destination.faults.add("status", status=status, holds=word, count=10_000, operation=operation)
    report = await bench.run()

    assert report.counts.created == len(bench.mappable()) - 1
    assert report.counts.dead == 1 + len(bench.source_records) - len(bench.mappable())
    assert (report.state, report.exit_code) == ("partial", 3)
    [letter] = [letter for letter in bench.dead_letters() if letter["stage"] == "send"]
    assert letter["failure"] == "permanent_record"
    bench.destination.faults.clear()
    try:
        await bench.retry()
    except runtime("errors").RequestRefused:
        await bench.run(resync=True)
    assert len(bench.destination_records) == len(bench.mappable())
    assert _copies(bench) == 0


async def test_batch_that_is_too_large_is_sent_in_smaller_ones(bench: Bench) -> None:
    batch = bench.stream.destination.batch
    if batch is None:
        pytest.skip("this stream writes records one by one")
    largest = max(len(dumps(bench.body(record))) for record in bench.mappable())
    bench.destination.faults.add(
        "status", status=413, over=4 * largest + 300, count=10_000, operation=batch.operation.id
    )
    report = await bench.run()

    assert report.counts.created == len(bench.mappable())
    assert _copies(bench) == 0


async def test_each_record_of_a_batch_has_the_fate_that_its_own_result_tells(bench: Bench) -> None:
    """One is refused, one is written and not mentioned, results come in another order where they are numbered."""
    batch = bench.stream.destination.batch
    if batch is None or batch.results is None or (batch.status is None and batch.error is None):
        pytest.skip("no batch of this stream has results of its own for each record")
    bench.destination.faults.add("partial", operation=batch.operation.id)
    report = await bench.run()
    before = len(bench.destination_records)
    assert before == len(bench.mappable()) - 1
    refused = 1 + len(bench.source_records) - len(bench.mappable())
    if batch.index is not None:
        assert report.counts.dead == refused
    else:  # with one result fewer, those that name no record may be anybody's
        assert refused - 1 <= report.counts.dead <= refused
        assert report.counts.dead + report.counts.unknown >= refused
    for _ in range(3):
        await bench.run()
    await bench.retry()
    assert _copies(bench) == 0
    if _can_be_looked_up(bench):
        assert len(bench.destination_records) == len(bench.mappable())


async def test_pages_that_come_twice_write_each_record_once(bench: Bench) -> None:
    paging, records = bench.stream.source.list.paging, bench.stream.source.list.records or ()
    if paging.style not in ("link", "cursor", "next_url") or (paging.next or ())[: len(records)] == records != ():
        pytest.skip("pages of this list are not named by tokens")
    if bench.stream.source.partition is not None:
        pytest.skip("a part of this list may be one page")
    bench.source.page_cap = 10
    bench.source.faults.add("again", skip=1, operation=bench.stream.source.list.id)
    report = await bench.run()

    assert report.counts.read > len(bench.source_records)
    assert len(bench.destination_records) == len(bench.mappable())
    assert _copies(bench) == 0


async def test_pages_that_go_in_a_circle_come_to_an_end(bench: Bench) -> None:
    """Whatever page is asked for, the first one comes."""
    paging = bench.stream.source.list.paging
    if paging.style == "none":
        pytest.skip("this list has one page")
    bench.source.page_cap = 10
    bench.source.faults.add("loop", count=100_000, operation=bench.stream.source.list.id)
    report = await asyncio.wait_for(bench.run(), PATIENCE_S)

    assert len(bench.source.requests) < 10
    assert _copies(bench) == 0
    if paging.style in ("link", "cursor", "next_url"):
        assert (report.state, report.failure) == ("failed", "systematic")


@pytest.mark.parametrize("commit", range(1, 5))
@pytest.mark.parametrize("side", ["before", "after"])
async def test_process_that_dies_at_a_commit_is_made_up_for(bench: Bench, side: str, commit: int) -> None:
    """It dies there, dies there once more, and writes and gives back nothing: nothing is made twice, nothing is lost."""
    if not await bench.die(commit, side):
        pytest.skip("a run of this stream has fewer commits")
    await bench.die(commit, side)
    unknown = 0
    for _ in range(4):
        report = await bench.run()
        unknown = max(unknown, report.counts.unknown)  # a later run reads only what changed, and counts fewer
        if report.counts.unknown == 0:
            break

    assert _copies(bench) == 0
    if _can_be_looked_up(bench):
        assert report.counts.unknown == 0
        assert len(bench.destination_records) == len(bench.mappable())
    else:
        assert len(bench.destination_records) + unknown >= len(bench.mappable())


async def test_source_that_answers_with_a_web_page_ends_the_run(bench: Bench) -> None:
    bench.source.faults.add("garbage", count=50, operation=bench.stream.source.list.id)
    report = await bench.run()

    assert report.state == "failed"
    assert report.error
    assert bench.effects == 0


async def test_source_that_stays_down_ends_the_run_and_the_next_one_catches_up(bench: Bench) -> None:
    bench.source.faults.add("status", status=503, count=500, operation=bench.stream.source.list.id)
    report = await bench.run()
    assert (report.state, report.exit_code) == ("failed", 1)

    bench.source.faults.clear()
    bench.clock.slept_s.clear()
    report = await bench.run()
    assert report.counts.created == len(bench.mappable())


async def test_body_that_the_destination_refuses_is_a_dead_letter(bench: Bench) -> None:
    """One refused record of a create; the others are written."""
    if bench.stream.destination.batch is not None:
        pytest.skip("records of a batch are refused one by one, in its reply")
    bench.destination.faults.add("status", status=422, operation=bench.stream.destination.create.id)
    report = await bench.run()

    assert report.counts.dead == 1 + len(bench.source_records) - len(bench.mappable())
    assert report.counts.created == len(bench.mappable()) - 1


async def test_declared_rate_limits_are_kept(stream: str, tmp_path: Path) -> None:
    """Both mocks keep their limits, and the package paces itself: hardly ever is it told to wait."""
    limits = [form.rate_limit for form in (source_form(), destination_form()) if form.rate_limit is not None]
    if not limits:
        pytest.skip("no rate limit is declared")
    slowest = min(limit.per_s for limit in limits)
    clock = QuickClock(speed=min(max(20 / slowest, 1.0), 20.0))
    async with serving(stream, tmp_path, count=20, limited=True, clock=clock) as bench:
        report = await asyncio.wait_for(bench.run(), PATIENCE_S)
        sent = [status for mock in (bench.source, bench.destination) for _, status in mock.requests]

        assert report.counts.created == len(bench.mappable())
        assert sent.count(429) <= 1 + len(sent) // 10
