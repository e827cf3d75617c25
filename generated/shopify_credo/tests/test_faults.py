"""Bad days: what the package does when a vendor is slow, full, broken or says no."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench import Bench, QuickClock, serving
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
    under_way = runtime("settings").Options().max_concurrent
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
        report = await asyncio.wait_for(bench.run(), 60)
        sent = [status for mock in (bench.source, bench.destination) for _, status in mock.requests]

        assert report.counts.created == len(bench.mappable())
        assert sent.count(429) <= 1 + len(sent) // 10
