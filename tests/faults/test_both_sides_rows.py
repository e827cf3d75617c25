"""Faults of two sides that live: our own writes coming back, and records that both sides changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.declare import Merge, MergeField
from runtime.engine.merge import Base, alike, merge
from runtime.hashing import decode_exact
from tests.faults.rows import fault
from tests.runtime.two_way import Between

NAMES = ("a", "b", "c")
FIELDS = tuple(MergeField(name=name, path=(name,)) for name in NAMES)
VIEWS = st.fixed_dictionaries(dict.fromkeys(NAMES, st.sampled_from(["x", "y", "z", 1, None])))


@fault("bidirectional-echo")
@pytest.mark.parametrize("is_silent", [False, True], ids=["told", "silent"])
@pytest.mark.parametrize("spells", [False, True], ids=["as-sent", "own-spelling"])
async def test_bidirectional_echo_is_recognised_by_its_content(tmp_path: Path, is_silent: bool, spells: bool) -> None:
    """Ten rounds of both directions after the changes, with webhooks of our own writes: not one effect more."""
    world = Between(f"sqlite:///{tmp_path / 'state.db'}")
    world.shop.is_silent = world.ledger.is_silent = is_silent
    if spells:
        world.shop.normalise = lambda record: {**record, "price": f"{float(record.get('price') or 0):.4f}"}
        world.ledger.normalise = lambda record: {**record, "name": str(record.get("name")).strip().title()}
    for number in range(4):
        world.shop.put(sku=f"S{number}", title=f"thing {number}", price="1.5", stock=number)
        world.ledger.put(code=f"L{number}", name=f"item {number}", amount=2.25, quantity=number)
    await world.both()
    await world.both()
    for shelf, change in ((world.shop, {"title": "changed"}), (world.ledger, {"quantity": 77})):
        shelf.put(next(iter(shelf.records)), **change)
    await world.both()
    await world.both()
    before = len(world.shop.effects), len(world.ledger.effects)
    for _ in range(5):
        await world.both()
        await world.sync("products", ids=tuple(world.shop.records))
        await world.sync("entries", ids=tuple(world.ledger.records))
    assert (len(world.shop.effects), len(world.ledger.effects)) == before
    assert len(world.shop.records) == len(world.ledger.records) == 8
    world.state.close()


@fault("conflict-both")
@pytest.mark.parametrize(
    ("strategy", "winner"),
    [
        ("source_priority", "shop's"),
        ("destination_priority", "ledger's"),
        ("timestamp_based", "ledger's"),
        ("merge_fields", "shop's"),
        ("manual_review", None),
        ("skip", None),
    ],
)
async def test_conflict_both_sides_changed_is_decided_as_declared_and_the_loser_is_kept(
    tmp_path: Path, strategy: str, winner: str | None
) -> None:
    """Where nobody may decide, both versions stay where they are, and the run says so."""
    world = Between(f"sqlite:///{tmp_path / 'state.db'}", conflicts=strategy)
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.both()
    [b] = world.ledger.records
    world.shop.put(a, title="shop's")
    world.ledger.put(b, name="ledger's")
    report = await world.sync()
    await world.sync("entries")
    names = world.shop.view("title")["A"][0], world.ledger.view("name")["A"][0]
    lost = [row for row in _changes(world) if row["loser"] is not None]
    if winner is None:
        assert names == ("shop's", "ledger's")
        assert (report.counts.held, report.counts.skipped) == ((1, 0) if strategy == "manual_review" else (0, 1))
        assert report.exit_code == (3 if strategy == "manual_review" else 0)
        assert lost == []
    else:
        assert names == (winner, winner)
        kept = [value for row in lost for side in decode_exact(bytes(row["loser"])).values() for value in side.values()]
        assert kept == ["ledger's" if winner == "shop's" else "shop's"]
    world.state.close()


@fault("conflict-both")
@settings(max_examples=400)
@given(VIEWS, VIEWS, VIEWS, st.sampled_from(["source_priority", "destination_priority"]), st.booleans())
def test_conflict_both_no_change_is_lost_without_a_trace(
    base: Any, source: Any, destination: Any, winner: Any, by_field: bool
) -> None:
    """Whatever either side changed is in the result, or among what lost."""
    rule = Merge(fields=FIELDS, otherwise=winner)
    found = merge(rule, "merge_fields" if by_field else winner, Base(base, base), source, destination)
    assert not found.conflicts
    for side, view in (("source", source), ("destination", destination)):
        for name in NAMES:
            if alike(view[name], base[name]):
                continue
            lost = found.lost.get(side, {})  # type: ignore[call-overload]
            assert alike(found.view.get(name), view[name]) or (name in lost and lost[name] == view[name])


def _changes(world: Between) -> list[dict[str, Any]]:
    from sqlalchemy import select

    database = world.state.store.database
    query = select(database.tables.changes)
    return [dict(row) for row in database.read(lambda connection: connection.execute(query).mappings().all())]
