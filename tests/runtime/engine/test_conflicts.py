"""Promises about records that both sides changed: every strategy, the queue, and what is kept of what lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from runtime.actions.conflicts import conflict_of, conflicts_of, given_values, resolve
from runtime.errors import RequestRefused
from runtime.hashing import decode_exact
from runtime.redact import Redactor
from tests.runtime.two_way import FIELDS, Between

Make = Callable[..., Between]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Between] = []

    def one(**changes: Any) -> Between:
        made.append(Between(f"sqlite:///{tmp_path / f'state{len(made)}.db'}", **changes))
        return made[-1]

    yield one
    for each in made:
        each.state.close()


async def clash(world: Between) -> tuple[str, str]:
    """One pair of records of which both sides changed the name, and the shop the stock as well."""
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.sync()
    [b] = world.ledger.records
    world.shop.put(a, title="shop's", stock=5)
    world.ledger.put(b, name="ledger's")
    return a, b


ONE_WAY = {"both_ways": False}


async def test_plain_stream_does_not_read_the_destination(make: Make) -> None:
    """The default: the source wins, and nothing is asked for it."""
    world = make(**ONE_WAY, conflicts="source_priority", merge=None, adopt="never")
    await clash(world)
    world.ledger.requests.clear()
    await world.sync()
    assert [method for method, _ in world.ledger.requests] == ["PUT"]
    assert world.ledger.view("name", "quantity") == {"A": ("shop's", 5)}


@pytest.mark.parametrize(
    ("strategy", "name", "quantity"),
    [
        ("source_priority", "shop's", 5),
        ("destination_priority", "ledger's", 1),
        ("merge_fields", "shop's", 5),
        ("timestamp_based", "ledger's", 1),
    ],
)
@pytest.mark.parametrize("both_ways", [False, True])
async def test_strategy_decides_and_what_lost_is_kept(
    make: Make, strategy: str, name: str, quantity: int, both_ways: bool
) -> None:
    world = make(both_ways=both_ways, conflicts=strategy)
    _a, _b = await clash(world)
    report = await world.sync()
    assert report.counts.held == 0
    assert world.ledger.view("name", "quantity") == {"A": (name, quantity)}
    if both_ways:
        assert world.shop.view("title", "stock") == {"A": (name, quantity)}
        assert world.agree()
    [change] = [row for row in rows(world, "changes") if row["loser"] is not None]
    lost = decode_exact(bytes(change["loser"]))
    assert change["kind"] == ("merged" if name == "shop's" else "kept")
    assert lost == ({"destination": {"name": "ledger's"}} if name == "shop's" else {"source": lost["source"]})
    if name != "shop's":
        assert lost["source"]["name"] == "shop's"
    before = len(world.ledger.effects), len(world.shop.effects)
    await world.sync()
    assert (len(world.ledger.effects), len(world.shop.effects)) == before


async def test_record_that_loses_in_one_field_keeps_the_others(make: Make) -> None:
    world = make(**ONE_WAY, conflicts="merge_fields", merge__otherwise="destination_priority")
    await clash(world)
    await world.sync()
    assert world.ledger.view("name", "quantity") == {"A": ("ledger's", 5)}


async def test_field_has_a_rule_of_its_own(make: Make) -> None:
    fields = tuple(replace(each, strategy="destination_priority") if each.name == "name" else each for each in FIELDS)
    world = make(**ONE_WAY, conflicts="source_priority", merge__fields=fields)
    await clash(world)
    await world.sync()
    assert world.ledger.view("name", "quantity") == {"A": ("ledger's", 5)}


async def test_skip_writes_nothing_until_the_sides_do_not_clash_any_more(make: Make) -> None:
    world = make(**ONE_WAY, conflicts="skip")
    _a, b = await clash(world)
    report = await world.sync()
    assert (report.counts.skipped, report.counts.written) == (1, 0)
    assert world.ledger.view("name", "quantity") == {"A": ("ledger's", 1)}
    world.ledger.put(b, name="one")
    report = await world.sync(resync=True)
    assert report.counts.updated == 1
    assert world.ledger.view("name", "quantity") == {"A": ("shop's", 5)}


async def test_times_closer_than_the_skew_wait_for_a_person(make: Make) -> None:
    world = make(**ONE_WAY, conflicts="timestamp_based", merge__clock_skew_s=60.0)
    await clash(world)
    assert (await world.sync()).counts.held == 1
    assert len(conflicts_of(world.state, "products")) == 1


@pytest.mark.parametrize("both_ways", [False, True])
async def test_record_is_held_while_its_conflict_is_open(make: Make, both_ways: bool) -> None:
    """Once, however often it is read; with the newest state of both sides."""
    world = make(both_ways=both_ways, conflicts="manual_review")
    a, b = await clash(world)
    first = await world.sync()
    assert (first.counts.held, first.counts.written, first.state, first.exit_code) == (1, 0, "partial", 3)
    world.shop.put(a, title="newer")
    await world.sync()
    if both_ways:
        back = await world.sync("entries")
        assert (back.counts.held, back.counts.written) == (1, 0)
    [row] = conflicts_of(world.state, None)
    found = conflict_of(world.state, world.streams[0], Redactor(), row["id"])
    assert found["values"]["name"] == {
        "base": "one", "source": "newer", "destination": "ledger's", "is_conflict": True
    }  # fmt: skip
    assert found["values"]["amount"]["is_conflict"] is False
    assert row["source_id"] == a
    assert row["destination_id"] == b
    assert world.ledger.view("name") == {"A": ("ledger's",)}


@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize(
    ("take", "values", "name", "quantity"),
    [
        ("source", {}, "shop's", 5),
        ("destination", {}, "ledger's", 1),
        (None, {"name": "ours", "quantity": 9}, "ours", 9),
        ("source", {"name": "one"}, "one", 5),  # back to what it was
    ],
)
async def test_answer_is_written_to_both_sides(
    make: Make, both_ways: bool, take: Any, values: dict[str, Any], name: str, quantity: int
) -> None:
    world = make(both_ways=both_ways, conflicts="manual_review")
    await clash(world)
    await world.sync()
    [row] = conflicts_of(world.state, None)
    engine = world.engine()
    report, is_resolved = await resolve(engine, row["id"], take=take, values=values, by="ana")
    assert is_resolved
    assert report.counts.held == 0
    assert world.ledger.view("name", "quantity") == {"A": (name, quantity)}
    if both_ways:
        assert world.shop.view("title", "stock") == {"A": (name, quantity)}
    [row] = conflicts_of(world.state, None, state_name="resolved")
    assert row["resolved_by"] == "ana"
    assert world.state.conflicts.open_count() == 0
    before = len(world.ledger.effects), len(world.shop.effects)
    await world.sync()
    if both_ways:
        await world.sync("entries")
    assert (len(world.ledger.effects), len(world.shop.effects)) == before
    with pytest.raises(RequestRefused, match="resolved already"):
        await resolve(world.engine(), row["id"], take="source", values={}, by="ana")


async def test_answer_about_a_version_that_nobody_saw_is_not_carried_out(make: Make) -> None:
    world = make(conflicts="manual_review")
    _a, b = await clash(world)
    await world.sync()
    [row] = conflicts_of(world.state, None)
    world.ledger.put(b, name="yet another")
    report, is_resolved = await resolve(world.engine(), row["id"], take="source", values={}, by="ana")
    assert (is_resolved, report.counts.held, report.counts.written) == (False, 1, 0)
    found = conflict_of(world.state, world.streams[0], Redactor(), row["id"])
    assert found["values"]["name"]["destination"] == "yet another"
    assert (await resolve(world.engine(), row["id"], take="source", values={}, by="ana"))[1]


@pytest.mark.parametrize("side", ["source", "destination"])
async def test_answer_is_not_carried_out_when_a_field_that_was_no_conflict_has_changed_since(
    make: Make, side: str
) -> None:
    """Who takes a side takes all of it: what nobody saw is not written over."""
    world = make(**ONE_WAY, conflicts="manual_review")
    a, b = await clash(world)
    await world.sync()
    [row] = conflicts_of(world.state, None)
    assert "amount" not in row["fields"]
    if side == "source":
        world.shop.put(a, price="77.00")
        was, now = world.ledger.records[b]["amount"], "77"
    else:
        world.ledger.put(b, amount=77)
        was = now = 77
    report, is_resolved = await resolve(world.engine(), row["id"], take="source", values={}, by="ana")
    assert (is_resolved, report.counts.held, report.counts.written) == (False, 1, 0)
    assert world.ledger.records[b]["amount"] == was
    found = conflict_of(world.state, world.streams[0], Redactor(), row["id"])
    assert Decimal(str(found["values"]["amount"][side])) == Decimal(now)
    assert (await resolve(world.engine(), row["id"], take="destination", values={}, by="ana"))[1]


async def test_answer_that_leaves_a_field_open_is_refused(make: Make) -> None:
    world = make(conflicts="manual_review")
    await clash(world)
    await world.sync()
    [row] = conflicts_of(world.state, None)
    engine = world.engine()
    with pytest.raises(RequestRefused, match="still open: quantity"):
        await resolve(engine, row["id"], take=None, values={"name": "ours"}, by="ana")
    with pytest.raises(RequestRefused, match="`nmae` is no field"):
        await resolve(engine, row["id"], take="source", values={"nmae": "ours"}, by="ana")
    with pytest.raises(RequestRefused, match="there is no conflict"):
        await resolve(engine, "another", take="source", values={}, by="ana")
    with pytest.raises(RequestRefused, match="is not FIELD=JSON"):
        given_values(["name=no quotes"])
    assert given_values(["price=1.50", 'name="a=b"'])["name"] == "a=b"


async def test_source_that_cannot_be_asked_is_answered_for_with_what_was_kept(make: Make) -> None:
    world = make(**ONE_WAY, conflicts="manual_review", source__get=None)
    await clash(world)
    await world.sync()
    [row] = conflicts_of(world.state, None)
    _, is_resolved = await resolve(world.engine(), row["id"], take="source", values={}, by="ana")
    assert is_resolved
    assert world.ledger.view("name", "quantity") == {"A": ("shop's", 5)}


@pytest.mark.parametrize("who", ["shop", "ledger"])
async def test_conflict_that_a_side_takes_back_resolves_itself(make: Make, who: str) -> None:
    """And the other side's change arrives, although its run has passed it by."""
    world = make(conflicts="manual_review")
    a, b = await clash(world)
    await world.both()
    assert world.state.conflicts.open_count() == 1
    if who == "shop":
        world.shop.put(a, title="one", stock=1)
    else:
        world.ledger.put(b, name="one")
    await world.both()
    assert world.state.conflicts.open_count() == 0
    assert world.agree()
    name = world.ledger.view("name")["A"][0]
    assert name == ("ledger's" if who == "shop" else "shop's")


async def test_conflict_without_a_base_is_about_all_that_differs(make: Make) -> None:
    """Two records that were never synced and are found to be the same thing."""
    world = make(conflicts="merge_fields", merge__otherwise="manual_review")
    world.shop.put(sku="A", title="shop's", price="1.00", stock=1)
    world.ledger.put(code="A", name="ledger's", amount=1, quantity=None)
    report = await world.sync()
    assert report.counts.held == 1
    [row] = conflicts_of(world.state, None)
    assert row["fields"] == ["name"]


async def test_destination_that_changes_under_our_hands_is_read_again(make: Make) -> None:
    """If-Match goes out where the operation takes it; 412 → read, decide, send anew."""
    world = make(**ONE_WAY, conflicts="merge_fields", merge__otherwise="destination_priority")
    world.ledger.has_etags = True
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.sync()
    [b] = world.ledger.records
    world.shop.put(a, title="two", stock=2)
    world.ledger.before.append(lambda request: world.ledger.put(b, name="in between") and None)
    report = await world.sync()
    assert report.counts.updated == 1
    assert world.ledger.view("name", "quantity") == {"A": ("in between", 2)}


async def test_destination_that_never_stands_still_is_left_after_some_attempts(make: Make) -> None:
    world = make(**ONE_WAY)
    world.ledger.has_etags = True
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.sync()
    [b] = world.ledger.records
    world.shop.put(a, title="two")
    world.ledger.before = [lambda request: world.ledger.put(b, quantity=1) and None] * 20
    report = await world.sync()
    assert report.counts.dead == 1
    assert sum(method == "PUT" for method, _ in world.ledger.requests) <= 4


async def test_record_that_the_look_up_does_not_give_any_more_is_not_made_twice(make: Make) -> None:
    """Without `get`, a changed match value hides the linked record: that is said, not taken for a deletion."""
    world = make(**ONE_WAY, destination__get=None)
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.sync()
    world.shop.put(a, title="two")
    assert (await world.sync()).counts.updated == 1
    world.shop.put(a, sku="B")
    report = await world.sync()
    assert (report.counts.dead, report.counts.created) == (1, 0)
    assert len(world.ledger.records) == 1


async def test_list_is_enough_to_read_what_is_there(make: Make) -> None:
    from tests.runtime.two_way import _LEDGER

    world = make(
        **ONE_WAY, destination__get=None, destination__find=None, destination__list=_LEDGER["list"], adopt="prefetch"
    )
    await clash(world)
    await world.sync()
    assert world.ledger.view("name", "quantity") == {"A": ("shop's", 5)}
    assert [row["kind"] for row in rows(world, "changes") if row["loser"] is not None] == ["merged"]


async def test_drift_of_the_destination_alone_is_left_alone_in_a_one_way_stream(make: Make) -> None:
    world = make(**ONE_WAY)
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.sync()
    [b] = world.ledger.records
    world.ledger.put(b, quantity=50)
    assert (await world.sync(resync=True)).counts.unchanged == 1
    world.shop.put(a, title="two")
    await world.sync()
    assert world.ledger.view("name", "quantity") == {"A": ("two", 50)}


async def test_dry_run_says_what_would_be_held_and_writes_nothing(make: Make) -> None:
    world = make(conflicts="manual_review")
    await clash(world)
    effects = len(world.ledger.effects)
    report = await world.sync(dry_run=True)
    assert report.counts.held == 1
    assert report.sample[0]["action"] == "held"
    assert len(world.ledger.effects) == effects
    assert world.state.conflicts.open_count() == 0


async def test_versions_in_the_queue_are_sealed(tmp_path: Path) -> None:
    class Reverse:
        def seal(self, data: bytes) -> bytes:
            return data[::-1]

        def open(self, stored: bytes) -> bytes:
            return stored[::-1]

    world = Between(f"sqlite:///{tmp_path / 's.db'}", conflicts="manual_review")
    world.state.close()
    from runtime.state import State

    world.state = State(world.url, name="shop-ledger", now=world.clock.now, sealer=Reverse())
    world.state.prepare()
    await clash(world)
    await world.sync()
    [row] = rows(world, "conflicts")
    assert b"ledger's" not in bytes(row["destination"])
    [link] = rows(world, "links")
    assert b'"name"' not in bytes(link["base"])
    found = conflict_of(world.state, world.streams[0], Redactor(), row["id"])
    assert found["values"]["name"]["source"] == "shop's"
    assert (await resolve(world.engine(), row["id"], take="destination", values={}, by="ana"))[1]
    assert world.agree()
    world.state.close()


async def test_masked_fields_are_not_shown(make: Make) -> None:
    world = make(conflicts="manual_review", mask_destination=(("name",),))
    await clash(world)
    await world.sync()
    [row] = conflicts_of(world.state, None)
    found = conflict_of(world.state, world.streams[0], Redactor(), row["id"])
    assert found["values"]["name"]["source"] == "[masked]"
    assert found["values"]["quantity"]["source"] == 5


@pytest.mark.postgres
async def test_conflict_in_postgresql_is_held_and_resolved(postgresql_url: str) -> None:
    """The same story, the same numbers."""
    world = Between(postgresql_url, conflicts="manual_review")
    a, _b = await clash(world)
    await world.both()
    world.shop.put(a, title="newer")
    await world.both()
    [row] = conflicts_of(world.state, None)
    assert (await resolve(world.engine(), row["id"], take="destination", values={}, by="ana"))[1]
    await world.both()
    assert world.agree()
    assert world.ledger.view("name") == {"A": ("ledger's",)}
    world.state.close()


def rows(world: Between, table: str) -> list[dict[str, Any]]:
    from sqlalchemy import select

    database = world.state.store.database
    query = select(getattr(database.tables, table))
    return [dict(row) for row in database.read(lambda connection: connection.execute(query).mappings().all())]
