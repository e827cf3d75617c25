"""Promises about deletions where streams merge: they reach the other side, unless that has changed its record meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.actions.conflicts import conflict_of, conflicts_of, resolve
from runtime.declare import Deletes
from runtime.engine.merge import Side
from runtime.engine.partings import verdict
from runtime.engine.verify import verify
from runtime.errors import RequestRefused
from runtime.redact import Redactor
from tests.runtime.engine.conftest import forget_state
from tests.runtime.two_way import DELETES_IN_LEDGER, DELETES_IN_SHOP, PRODUCTS, Between

Make = Callable[..., Between]
DAY_S = 86_400
HARD_ON = {"deletes": Deletes(mode="hard"), "destination__delete": DELETES_IN_LEDGER}
HARD_BACK = {"deletes": Deletes(mode="hard", identity=("ref",)), "destination__delete": DELETES_IN_SHOP}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def make(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Between] = []

    def one(**changes: Any) -> Between:
        url = f"sqlite:///{tmp_path / f'state{len(made)}.db'}"
        if request.param == "postgresql":
            url = request.getfixturevalue("postgresql_url")
            forget_state(url, "shop_ledger")
        made.append(Between(url, **{**HARD_ON, "back": HARD_BACK, **changes}))
        return made[-1]

    yield one
    for each in made:
        each.state.close()


async def begun(world: Between, count: int = 3) -> None:
    """Some records that both sides have."""
    for number in range(count):
        world.shop.put(sku=f"s{number}", title=f"T{number}", price="1.00", stock=number)
    await world.both()
    await world.both()


async def passed(world: Between, stream: str) -> Any:
    """A run of one direction when a complete pass is due."""
    world.clock.moment += DAY_S + 1
    return await world.sync(stream)


async def quiet(world: Between) -> None:
    """Complete passes of both directions write nothing any more."""
    effects = len(world.shop.effects), len(world.ledger.effects)
    for stream in ("products", "entries", "products", "entries"):
        report = await passed(world, stream)
        assert report.counts.written == 0, report
    assert (len(world.shop.effects), len(world.ledger.effects)) == effects


def gone_at_shop(world: Between, sku: str) -> None:
    del world.shop.records[str(world.shop.of(sku))]


def gone_at_ledger(world: Between, code: str) -> None:
    del world.ledger.records[str(world.ledger.of(code))]


async def test_deletion_of_either_side_reaches_the_other_and_is_not_undone(make: Make) -> None:
    world = make()
    await begun(world)
    gone_at_shop(world, "s0")
    assert (await passed(world, "products")).counts.deleted == 1
    gone_at_ledger(world, "s1")
    assert (await passed(world, "entries")).counts.deleted == 1
    assert (world.shop.of("s1"), world.ledger.of("s0")) == (None, None)
    assert (set(world.shop.view()), world.agree()) == ({"s2"}, True)
    told = [entry["reason"] for sku in ("1", "2") for entry in world.state.history.of_record("products", sku)[:1]]
    assert told == ["it is gone at the source", "it is gone at the destination"]
    await quiet(world)


@pytest.mark.parametrize("first", ["products", "entries"])
async def test_record_that_both_sides_deleted_is_deleted_once(make: Make, first: str) -> None:
    """Whichever direction finds it out: nothing is asked for, nothing made again."""
    world = make()
    await begun(world)
    gone_at_shop(world, "s0")
    gone_at_ledger(world, "s0")
    await passed(world, first)
    await quiet(world)
    assert world.agree()
    assert len(world.shop.records) == 2


@pytest.mark.parametrize(
    ("strategy", "side", "stays"),
    [
        ("source_priority", "source", False),
        ("source_priority", "destination", True),
        ("destination_priority", "source", True),
        ("destination_priority", "destination", False),
    ],
)
@pytest.mark.parametrize("finds_out", ["who deletes", "who changed"])
async def test_deletion_of_a_record_that_the_other_side_changed_is_decided_by_priority(
    make: Make, strategy: str, side: Side, stays: bool, finds_out: str
) -> None:
    """Deleted on both sides, or made again from the change, once and under one link."""
    world = make(conflicts="merge_fields", merge__otherwise=strategy)
    await begun(world)
    world.clock.moment += 5
    if side == "source":
        gone_at_shop(world, "s0")
        world.ledger.put(world.ledger.of("s0"), name="Changed")
    else:
        gone_at_ledger(world, "s0")
        world.shop.put(world.shop.of("s0"), title="Changed")
    deleting, changed = ("products", "entries") if side == "source" else ("entries", "products")
    if finds_out == "who changed":
        await world.sync(changed)
    await passed(world, deleting)
    await world.sync(changed)
    await quiet(world)
    assert world.agree()
    assert (world.shop.of("s0") is not None) is stays
    assert len(world.shop.records) == 2 + stays
    if stays:
        assert (world.shop.view("title")["s0"], world.ledger.view("name")["s0"]) == (("Changed",), ("Changed",))


@pytest.mark.parametrize("side", ["source", "destination"])
@pytest.mark.parametrize("take", ["source", "destination"])
async def test_deletion_of_a_changed_record_waits_for_a_person_and_is_carried_out_as_answered(
    make: Make, side: Side, take: Side
) -> None:
    world = make(conflicts="manual_review")
    await begun(world)
    if side == "source":
        gone_at_shop(world, "s0")
        world.ledger.put(world.ledger.of("s0"), name="Changed")
    else:
        gone_at_ledger(world, "s0")
        world.shop.put(world.shop.of("s0"), title="Changed")
    deleting, changed = ("products", "entries") if side == "source" else ("entries", "products")
    report = await passed(world, deleting)
    assert (report.state, report.counts.held, report.counts.deleted) == ("partial", 1, 0)
    assert (await world.sync(changed, resync=True)).counts.held == 1
    [row] = conflicts_of(world.state, None)
    shown = conflict_of(world.state, PRODUCTS, Redactor(()), row["id"])
    assert (shown["gone"], row["fields"]) == (side, ["name"])
    assert shown["values"]["name"]["destination" if side == "source" else "source"] == "Changed"
    with pytest.raises(RequestRefused, match="has deleted its record"):
        await resolve(world.engine(), row["id"], take=None, values={"name": "Other"}, by="me")
    world.clock.moment += 10
    _, is_resolved = await resolve(world.engine(), row["id"], take=take, values={}, by="me")
    assert is_resolved
    assert (world.shop.of("s0") is None, world.ledger.of("s0") is None) == ((take == side,) * 2)
    await quiet(world)
    assert world.agree()
    assert len(world.shop.records) == 2 + (take != side)
    assert conflicts_of(world.state, None) == []


async def test_answer_about_a_record_that_changed_since_leaves_the_conflict_open(make: Make) -> None:
    """With what is there now."""
    world = make(conflicts="manual_review")
    await begun(world)
    gone_at_shop(world, "s0")
    world.ledger.put(world.ledger.of("s0"), name="Changed")
    await passed(world, "products")
    [row] = conflicts_of(world.state, None)
    world.ledger.put(world.ledger.of("s0"), name="Changed again")
    world.clock.moment += 10
    _, is_resolved = await resolve(world.engine(), row["id"], take="source", values={}, by="me")
    assert not is_resolved
    assert world.ledger.of("s0") is not None
    shown = conflict_of(world.state, PRODUCTS, Redactor(()), row["id"])
    assert shown["values"]["name"]["destination"] == "Changed again"


async def test_change_taken_back_lets_the_deletion_go_on(make: Make) -> None:
    """And closes the conflict."""
    world = make(conflicts="manual_review")
    await begun(world)
    gone_at_shop(world, "s0")
    world.ledger.put(world.ledger.of("s0"), name="Changed")
    await passed(world, "products")
    world.ledger.put(world.ledger.of("s0"), name="T0")
    assert (await passed(world, "products")).counts.deleted == 1
    assert conflicts_of(world.state, None) == []
    await quiet(world)


async def test_skip_leaves_both_sides_as_they_are(make: Make) -> None:
    world = make(conflicts="skip")
    await begun(world)
    gone_at_shop(world, "s0")
    world.ledger.put(world.ledger.of("s0"), name="Changed")
    await passed(world, "products")
    await quiet(world)
    assert (world.shop.of("s0"), world.ledger.of("s0") is not None) == (None, True)


async def test_one_way_stream_leaves_a_record_to_the_destination_that_has_priority(make: Make) -> None:
    """Unlinked, with a row in the ledger; what nobody changed is deleted."""
    world = make(both_ways=False, conflicts="destination_priority")
    for number in range(3):
        world.shop.put(sku=f"s{number}", title=f"T{number}")
    await world.sync()
    world.ledger.put(world.ledger.of("s0"), name="Changed")
    gone_at_shop(world, "s0")
    gone_at_shop(world, "s1")
    report = await passed(world, "products")
    assert (report.counts.deleted, report.counts.skipped) == (1, 1)
    assert set(world.ledger.view()) == {"s0", "s2"}
    assert [entry["kind"] for entry in world.state.history.of_record("products", "1")][:1] == ["kept"]
    assert world.state.store.links_of("products", ["1"]) == []
    assert (await passed(world, "products")).counts.written == 0
    world.shop.put(sku="s0", title="Changed")
    report = await passed(world, "products")
    assert (report.counts.created, len(world.ledger.records)) == (0, 2)


@pytest.mark.parametrize(("stream", "gone"), [("products", gone_at_shop), ("entries", gone_at_ledger)])
async def test_brake_of_each_direction_stops_before_the_first_delete(make: Make, stream: str, gone: Any) -> None:
    world = make()
    await begun(world, 30)
    for number in range(12):
        gone(world, f"s{number}")
    report = await passed(world, stream)
    assert (report.state, report.counts.deleted) == ("failed", 0)
    assert "12 of 30" in str(report.error)
    report = await world.sync(stream, allow_deletes=True)
    assert (report.state, report.counts.deleted) == ("done", 12)
    await quiet(world)
    assert world.agree()


async def test_soft_delete_at_the_source_is_no_record_that_comes_again(make: Make) -> None:
    """The list still shows it, and newer than before: it is not written to the destination that has deleted its own."""
    soft = Deletes(mode="soft", set=((("title",), "(deleted)"),), identity=("ref",))
    world = make(back={"deletes": soft})
    await begun(world)
    gone_at_ledger(world, "s0")
    assert (await passed(world, "entries")).counts.deleted == 1
    assert world.shop.view("title")["s0"] == ("(deleted)",)
    await quiet(world)
    assert world.ledger.of("s0") is None


async def test_destination_record_that_was_deleted_first_and_comes_again_is_made_again(make: Make) -> None:
    """Of a vendor that lets people take a deletion back."""
    world = make()
    await begun(world)
    kept = dict(world.ledger.records[str(world.ledger.of("s0"))])
    id = str(world.ledger.of("s0"))
    gone_at_ledger(world, "s0")
    await passed(world, "entries")
    assert world.shop.of("s0") is None
    world.ledger.put(id, **{name: value for name, value in kept.items() if name != "changed"})
    await world.sync("entries")
    assert world.shop.view("title")["s0"] == ("T0",)
    await quiet(world)
    assert world.agree()


async def test_delete_whose_answer_is_lost_is_settled_by_either_direction(make: Make) -> None:
    world = make()
    await begun(world)
    world.shop.lose.append(lambda request: request.method == "DELETE")
    gone_at_ledger(world, "s0")
    assert (await passed(world, "entries")).counts.unknown == 1
    await world.sync("products")
    await quiet(world)
    assert world.agree()
    assert [kind for kind, _ in world.shop.effects].count("delete") == 1


async def test_record_that_is_deleted_while_it_is_written_is_asked_about(make: Make) -> None:
    """Between reading and writing: the update finds nothing, and nothing is made again behind the back of who deleted it."""
    world = make(conflicts="manual_review")
    await begun(world)
    world.shop.put(world.shop.of("s0"), title="Changed")

    def deletes(_: httpx.Request) -> None:
        gone_at_ledger(world, "s0")

    world.ledger.before.append(deletes)
    report = await world.sync("products")
    assert (report.counts.held, report.counts.created, world.ledger.of("s0")) == (1, 0, None)
    [row] = conflicts_of(world.state, None)
    assert conflict_of(world.state, PRODUCTS, Redactor(()), row["id"])["gone"] == "destination"


async def test_dry_run_shows_what_a_complete_pass_would_decide(make: Make) -> None:
    world = make(conflicts="manual_review")
    await begun(world)
    gone_at_ledger(world, "s0")
    gone_at_ledger(world, "s1")
    world.shop.put(world.shop.of("s0"), title="Changed")
    effects = len(world.shop.effects)
    world.clock.moment += DAY_S + 1
    report = await world.sync("entries", dry_run=True)
    assert (report.counts.deleted, report.counts.held) == (1, 1)
    assert sorted(entry["action"] for entry in report.sample) == ["delete", "held"]
    assert (len(world.shop.effects), conflicts_of(world.state, None)) == (effects, [])


async def test_repair_takes_what_is_missing_for_deleted(make: Make) -> None:
    """As the manifest says: the other direction carries it to the source."""
    world = make()
    await begun(world)
    gone_at_ledger(world, "s0")
    found = await verify(world.engine(), "products", repair=True)
    assert (found.counts["missing"], [report.stream for report in found.repairs]) == (1, ["entries"])
    assert (world.shop.of("s0"), found.exit_code) == (None, 0)
    await quiet(world)


def test_deletion_has_no_time_to_compare() -> None:
    assert PRODUCTS.merge is not None
    assert verdict(PRODUCTS.merge, "timestamp_based", "source", None) == ("hold", "timestamp_based")
