"""Promises of drift: replies that are not as described are counted by place and kind, told once, and hold no values."""

from __future__ import annotations

import logging

import httpx
import pytest

from runtime.actions.runs import history_of, status_of, summary
from runtime.engine.drift import MOST, Drift
from runtime.errors import DecodeError, Truncated
from runtime.records import MISSING, Record
from tests.runtime.engine.conftest import SINGLE, World
from tests.runtime.fakes import Shopify
from tests.runtime.sample.app import CUSTOMERS, INTEGRATION


def on_file(world: World) -> list[tuple[str, str, str, int]]:
    rows = world.state.drift.latest("customers")
    return sorted((row["side"], row["path"], row["kind"], row["times"]) for row in rows)


async def test_records_that_break_their_schema_are_dead_letters_and_counted_by_path_and_kind(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are synced; the log has one line for each kind, not for each record."""
    world.shopify = Shopify(40)
    for number in (3, 5, 7):
        world.shopify.put(number, email=["planted@example.com"])
    world.shopify.put(9, total_spent=None, phone={"planted": 1})
    with caplog.at_level(logging.WARNING, "sync"):
        report = await world.sync()
    assert (report.state, report.counts.created, report.counts.dead, report.counts.drift) == ("partial", 36, 4, 4)
    assert on_file(world) == [
        ("source", "email", "string type", 3),
        ("source", "phone", "string type", 1),
        ("source", "total_spent", "string type", 1),
    ]
    lines = [record.getMessage() for record in caplog.records if "as described" in record.getMessage()]
    assert len(lines) == 3
    assert "customers: source does not answer as described at `email`: string type" in lines
    assert "planted" not in caplog.text


async def test_drift_stands_in_history_and_status_and_grows_with_each_run(world: World) -> None:
    world.shopify = Shopify(12)
    world.shopify.put(3, email=1)
    await world.sync()
    world.shopify.put(4, email=2)
    await world.sync()
    last, first = history_of(world.state, "customers")
    assert (first["drift"], last["drift"]) == (1, 2)  # the record that was dead before is read again
    assert "not as described" in summary(last)
    [stream] = status_of(INTEGRATION, world.state)["streams"]
    [drift] = stream["drift"]
    assert (drift["path"], drift["kind"], drift["times"]) == ("email", "string type", 3)
    assert drift["run_id"] == last["run_id"]
    assert drift["first_at"] < drift["last_at"]


async def test_reply_without_its_list_fails_the_run_and_is_counted(world: World) -> None:
    """It is no crash: the run says what was wrong, and the next one goes on."""
    world.shopify = Shopify(5)
    answers = [httpx.Response(200, json={"customers": {"planted": 1}}) for _ in range(2)]
    world.shopify.fail.append(lambda request: answers.pop() if answers else None)
    report = await world.sync()
    assert (report.state, report.failure, report.exit_code) == ("failed", "systematic", 1)
    assert on_file(world) == [("source", "customers", "not as described", 1)]
    assert history_of(world.state, None)[0]["drift"] == 1
    answers.clear()
    assert (await world.sync()).counts.created == 5


async def test_written_record_that_comes_back_without_its_name_is_counted(world: World) -> None:
    """It was written; its identity is found by match when it is needed."""
    world.shopify = Shopify(1)
    world.credo.fail.append(
        lambda request: httpx.Response(201, json={"ok": True}) if request.method == "POST" else None
    )
    report = await world.sync(changes=SINGLE)
    assert (report.state, report.counts.created, report.counts.drift) == ("done", 1, 1)
    assert on_file(world) == [("destination", "id", "missing", 1)]


async def test_dry_run_counts_drift_and_writes_nothing_down(world: World) -> None:
    world.shopify = Shopify(3)
    world.shopify.put(2, email=1)
    report = await world.sync(dry_run=True)
    assert (report.counts.drift, on_file(world)) == (1, [])


class Inner(Record):
    city: str | MISSING = MISSING


class Bag(Record):
    places: list[Inner] | MISSING = MISSING
    scores: dict[str, int] | MISSING = MISSING


def refused(model: type[Record], value: object) -> Exception:
    try:
        model.model_validate(value, by_alias=True, by_name=False)
    except Exception as error:
        return error
    raise AssertionError


def test_path_has_no_position_and_no_key_of_a_map() -> None:
    """A key may be somebody's address."""
    stream = _stream_of(Bag)
    drift = Drift(stream)
    drift.record(refused(Bag, {"places": [{"city": "x"}, {"city": 1}], "scores": {"ada@example.com": "x"}}))
    assert sorted((row.path, row.kind) for row in drift.take(0.0)) == [
        ("places[].city", "string type"),
        ("scores.*", "int parsing"),
    ]


def test_kinds_beyond_the_most_are_counted_together() -> None:
    """A source that answers nonsense does not fill the state."""
    drift = Drift(_stream_of(Bag))
    for number in range(MOST + 50):
        drift.lacks(("field", str(number)))
    rows = drift.take(0.0)
    assert len(rows) == MOST + 1
    assert (rows[-1].path, rows[-1].kind, rows[-1].times) == ("", "further kinds", 50)
    assert drift.take(0.0) == []


def test_reply_that_ends_early_is_no_drift() -> None:
    drift = Drift(CUSTOMERS)
    drift.reply(Truncated("cut", operation="GET /customers.json"))
    assert drift.total == 0
    drift.reply(DecodeError("odd", operation="GET /contacts"))
    assert [(row.side, row.path, row.kind) for row in drift.take(0.0)] == [("destination", "", "not as described")]


def _stream_of(record: type[Record]):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(CUSTOMERS, source=replace(CUSTOMERS.source, record=record))
