"""Promises about merges whose write nobody heard of, whose record cannot be asked for, or of which a part is left undecided.

Each was found by a seed of `tests/simulation/pair.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.actions.conflicts import conflicts_of, resolve
from runtime.hashing import decode_exact
from tests.runtime.two_way import FIELDS, Between

Make = Callable[..., Between]
ONE_WAY = {"both_ways": False}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Between] = []

    def one(**changes: Any) -> Between:
        made.append(Between(f"sqlite:///{tmp_path / f'state{len(made)}.db'}", **changes))
        return made[-1]

    yield one
    for each in made:
        each.state.close()


def never_asked(world: Between) -> None:
    """Take away the ledger's operation that reads one record, which the way back reads by."""
    entries = world.streams[1]
    world.streams = (world.streams[0], replace(entries, source=replace(entries.source, get=None)))


def losers(world: Between) -> list[tuple[str, Any]]:
    """(kind, what the destination lost)."""
    rows = world.state._database.read(
        lambda c: c.execute(world.state._database.tables.changes.select()).mappings().all()
    )
    return [(row["kind"], decode_exact(row["loser"])["destination"]) for row in rows if row["loser"] is not None]


async def test_answer_about_records_that_were_never_linked_resolves_their_conflict(make: Make) -> None:
    """They were there on both sides from the beginning, so the conflict is older than the link."""
    world = make(**ONE_WAY, conflicts="manual_review")
    world.shop.put(sku="A", title="shop's", price="1.00", stock=1)
    world.ledger.put(code="A", name="ledger's", amount=1, quantity=1)
    assert (await world.sync()).counts.held == 1
    [row] = conflicts_of(world.state, None)
    _, is_resolved = await resolve(world.engine(), row["id"], take="source", values={}, by="ana")
    assert is_resolved
    [row] = conflicts_of(world.state, None, state_name="resolved")
    assert (row["resolved_by"], row["resolution"]) == ("ana", "take source")


async def test_conflict_that_the_way_back_found_is_answered_though_the_source_cannot_be_asked(make: Make) -> None:
    world = make(conflicts="manual_review", source__get=None)
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.both()
    [b] = world.ledger.records
    world.shop.put(a, title="shop's")
    world.ledger.put(b, name="ledger's")
    assert (await world.sync("entries")).counts.held == 1
    [row] = conflicts_of(world.state, None)
    _, is_resolved = await resolve(world.engine(), row["id"], take="source", values={}, by="ana")
    assert is_resolved
    await world.both()
    assert world.agree()


async def test_field_that_is_left_undecided_is_not_written_along_with_another(make: Make) -> None:
    """`skip` leaves the name to both sides; the quantity has a rule of its own and goes back. Also not by the run after that."""
    own = {"quantity": "destination_priority"}
    fields = tuple(replace(each, strategy=own.get(each.name)) for each in FIELDS)
    world = make(conflicts="skip", merge__fields=fields)
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.both()
    [b] = world.ledger.records
    world.shop.put(a, title="shop's")
    world.ledger.put(b, name="ledger's", quantity=7)
    for _ in range(3):
        await world.sync("entries", resync=True)
        assert world.shop.view("title", "stock") == {"A": ("shop's", 7)}
    await world.both()
    assert world.shop.view("title") == {"A": ("shop's",)}
    assert world.ledger.view("name") == {"A": ("ledger's",)}


async def test_what_is_to_go_back_goes_back_though_the_record_cannot_be_asked_for(make: Make) -> None:
    """A person decided for the destination; nothing changes there any more, so a run that reads changes would not meet it."""
    world = make(conflicts="manual_review")
    never_asked(world)
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.both()
    [b] = world.ledger.records
    world.shop.put(a, title="shop's")
    world.ledger.put(b, name="ledger's")
    assert (await world.sync()).counts.held == 1
    world.clock.moment += 3600
    world.ledger.put(code="B", name="two", amount=1, quantity=1)
    await world.both()  # the watermark has passed the record now
    [row] = conflicts_of(world.state, None)
    await resolve(world.engine(), row["id"], take="destination", values={}, by="ana")
    await world.both()
    assert world.shop.view("title")["A"] == ("ledger's",)
    assert world.agree()


async def test_what_lost_is_kept_though_nobody_learns_how_the_write_ended(make: Make) -> None:
    world = make(**ONE_WAY, conflicts="source_priority")
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.sync()
    [b] = world.ledger.records
    world.shop.put(a, title="shop's")
    world.ledger.put(b, name="ledger's")
    world.ledger.lose.append(lambda request: request.method == "PUT")
    assert (await world.sync()).counts.unknown == 1
    assert world.ledger.view("name") == {"A": ("shop's",)}
    await world.sync()
    assert losers(world) == [("losing", {"name": "ledger's"})]


async def test_what_loses_around_a_first_write_without_an_answer_is_all_in_the_history(make: Make) -> None:
    """The record was there on both sides, and no link says yet what both had: the strategy decides again, and keeps again."""
    world = make(**ONE_WAY, conflicts="source_priority")
    world.shop.put(sku="A", title="shop's", price="1.00", stock=1)
    b = world.ledger.put(code="A", name="ledger's", amount=1, quantity=1)
    world.ledger.lose.append(lambda request: request.method == "PUT")
    assert (await world.sync()).counts.unknown == 1
    assert world.ledger.view("name") == {"A": ("shop's",)}
    world.ledger.put(b, name="somebody's")
    await world.sync(resync=True)
    assert losers(world) == [("losing", {"name": "ledger's"}), ("merged", {"name": "somebody's"})]
    world.ledger.put(b, name="later")
    await world.sync(resync=True)
    assert world.ledger.view("name") == {"A": ("later",)}


async def test_what_lost_stands_in_the_history_once(make: Make) -> None:
    world = make(**ONE_WAY, conflicts="source_priority")
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.sync()
    [b] = world.ledger.records
    world.shop.put(a, title="shop's")
    world.ledger.put(b, name="ledger's")
    await world.sync()
    assert losers(world) == [("merged", {"name": "ledger's"})]


async def test_update_without_an_answer_is_merged_anew_though_the_source_cannot_be_asked(make: Make) -> None:
    """Sent again as it was, it would go over what somebody changed since."""
    world = make(**ONE_WAY, conflicts="manual_review", source__get=None)
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.sync()
    [b] = world.ledger.records
    world.shop.put(a, title="two")
    world.ledger.lose.append(lambda request: request.method == "PUT")
    assert (await world.sync()).counts.unknown == 1
    world.ledger.put(b, name="somebody's")
    await world.sync()
    await world.sync()
    assert world.ledger.view("name") == {"A": ("somebody's",)}


async def test_source_that_changes_after_a_creation_without_an_answer_is_no_conflict(make: Make) -> None:
    """What was sent and is there as it was sent is what both sides had last."""
    world = make(**ONE_WAY, conflicts="manual_review")
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    world.ledger.lose.append(lambda request: request.method == "POST")
    world.ledger.refuse.append(lambda request: httpx.Response(503) if world.ledger.effects else None)
    assert (await world.sync()).counts.unknown == 1
    world.ledger.refuse.clear()
    world.shop.put(a, title="two")
    await world.sync()
    await world.sync()
    assert world.ledger.view("name") == {"A": ("two",)}
    assert world.state.conflicts.open_count() == 0
