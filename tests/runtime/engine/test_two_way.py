"""Promises of a pair of streams: both sides end up the same, nothing is made twice, nothing goes to and fro."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.runtime.fakes import iso
from tests.runtime.two_way import PRODUCTS, Between

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


async def settled(world: Between) -> None:
    """Two more rounds of runs write nothing anywhere."""
    effects = len(world.shop.effects), len(world.ledger.effects)
    for _ in range(2):
        on, back = await world.both()
        assert (on.counts.written, back.counts.written) == (0, 0)
    assert (len(world.shop.effects), len(world.ledger.effects)) == effects


async def test_records_of_either_side_are_made_on_the_other_once(make: Make) -> None:
    world = make()
    for number in range(3):
        world.shop.put(sku=f"S{number}", title=f"T{number}", price="1.50", stock=number)
        world.ledger.put(code=f"L{number}", name=f"N{number}", amount=2.25, quantity=number)
    on, back = await world.both()
    assert (on.counts.created, back.counts.created) == (3, 3)
    assert back.counts.unchanged == 3  # what the other direction has just made is an echo
    assert world.agree()
    assert len(world.shop.records) == 6
    await settled(world)


async def test_change_of_either_side_reaches_the_other_and_does_not_come_back(make: Make) -> None:
    world = make()
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.both()
    [b] = world.ledger.records
    world.ledger.put(b, name="two")
    on, back = await world.both()
    assert (on.counts.written, back.counts.updated) == (0, 1)
    assert world.shop.records[a]["title"] == "two"
    world.shop.put(a, stock=7)
    on, back = await world.both()
    assert (on.counts.updated, back.counts.written) == (1, 0)
    assert world.agree()
    await settled(world)


async def test_record_that_both_sides_have_already_is_linked_and_not_doubled(make: Make) -> None:
    world = make()
    world.shop.put(sku="A", title="same", price="1.00", stock=None)
    world.ledger.put(code="A", name="same", amount=1, quantity=4)
    await world.both()
    assert len(world.shop.records) == len(world.ledger.records) == 1
    assert world.agree()
    await settled(world)


async def test_fields_that_different_sides_changed_are_put_together(make: Make) -> None:
    world = make()
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.both()
    [b] = world.ledger.records
    world.shop.put(a, title="new title")
    world.ledger.put(b, quantity=99)
    await world.both()
    assert world.shop.records[a] | {"title": "new title", "stock": 99} == world.shop.records[a]
    assert world.agree()
    assert world.state.conflicts.open_count() == 0
    await settled(world)


async def test_vendors_that_spell_values_their_own_way_do_not_play_ping_pong(make: Make) -> None:
    """The shop writes prices with three places and titles in capitals; the ledger cuts names."""
    world = make()
    world.shop.normalise = lambda record: {
        **record, "price": f"{float(record.get('price') or 0):.3f}", "title": str(record.get("title")).upper()
    }  # fmt: skip
    world.ledger.normalise = lambda record: {**record, "name": str(record.get("name"))[:5]}
    world.shop.put(sku="A", title="long title", price="1.5", stock=1)
    world.ledger.put(code="B", name="another", amount=2.5, quantity=1)
    await world.both()
    await world.both()
    await settled(world)


async def test_vendors_that_answer_without_a_body_do_not_play_ping_pong(make: Make) -> None:
    """What they made of a value is read back."""
    world = make()
    world.shop.is_silent = world.ledger.is_silent = True
    world.shop.normalise = lambda record: {**record, "title": str(record.get("title")).upper()}
    world.ledger.normalise = lambda record: {**record, "name": str(record.get("name")).lower()}
    a = world.shop.put(sku="A", title="Mixed", price="1.5", stock=1)
    world.ledger.put(code="B", name="Another", amount=2.5, quantity=1)
    await world.both()
    await settled(world)
    world.shop.put(a, title="Changed", stock=2)
    await world.both()
    await settled(world)
    assert world.ledger.view("name", "quantity")["A"] == ("changed", 2)


@pytest.mark.parametrize("side", ["shop", "ledger"])
async def test_creation_whose_answer_is_lost_is_not_made_again_nor_sent_back(make: Make, side: str) -> None:
    """The other direction waits until it is known what became of it."""
    world = make()
    if side == "ledger":
        world.shop.put(sku="A", title="one", price="1.00", stock=1)
        world.ledger.lose.append(lambda request: request.method == "POST")
        first = await world.sync("products")
    else:
        world.ledger.put(code="A", name="one", amount=1, quantity=1)
        world.shop.lose.append(lambda request: request.method == "POST")
        first = await world.sync("entries")
    assert first.counts.read == 1
    world.crash()
    await (world.sync("entries") if side == "ledger" else world.sync("products"))
    await world.both()
    assert len(world.shop.records) == len(world.ledger.records) == 1
    assert world.agree()
    await settled(world)


async def test_creation_that_is_answered_again_after_a_change_over_there_does_not_count_it_as_agreed(
    make: Make,
) -> None:
    """The answer to the repetition is of today; what was made is what was sent, and what is there now came later (seed 30399)."""
    create = replace(PRODUCTS.destination.create, idempotency_header="Idempotency-Key")
    world = make(destination__create=create, conflicts="destination_priority")
    answers: dict[str, httpx.Response] = {}

    def remembers(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST":
            return httpx.Response(200, json={"items": []}) if not world.reports else None  # it is not shown yet
        key = request.headers["idempotency-key"]
        if key in answers:
            return answers[key]
        world.ledger._answer("POST", "", request)
        answers[key] = httpx.Response(204, headers={"Date": formatdate(world.clock.moment + 10_000, usegmt=True)})
        raise httpx.ReadError("connection reset by peer", request=request)

    world.ledger.refuse.append(remembers)
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    assert (await world.sync("products")).counts.unknown == 1
    [b] = world.ledger.records
    world.ledger.put(b, name="theirs")
    await world.sync("products")
    world.shop.put(a, title="ours")
    await world.both()
    await world.both()
    assert world.ledger.view("name") == {"A": ("theirs",)}
    assert world.agree()
    await settled(world)


async def test_update_whose_answer_is_lost_is_merged_with_what_came_after(make: Make) -> None:
    """It is not sent blindly: what the other side changed since then stays."""
    world = make()
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.both()
    [b] = world.ledger.records
    world.shop.put(a, title="two")
    world.ledger.lose.append(lambda request: request.method == "PUT")
    report = await world.sync("products")
    assert report.counts.unknown == 1
    world.ledger.put(b, quantity=50)
    await world.both()
    await world.both()
    assert world.shop.view("title", "stock") == {"A": ("two", 50)}
    assert world.agree()
    await settled(world)


async def test_older_state_of_the_other_side_is_left_out(make: Make) -> None:
    """A delivery that comes late does not take anything back."""
    world = make()
    world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.both()
    [b] = world.ledger.records
    import json

    old = json.dumps(world.ledger.records[b]).encode()
    world.ledger.put(b, name="two")
    await world.both()
    world.ledger.put(b, name="three")
    await world.both()
    report = await world.sync("entries", records=(old,))
    assert (report.counts.skipped, report.counts.written) == (1, 0)
    assert world.shop.view("title") == {"A": ("three",)}


SEEDS = int(os.environ.get("VITESSE_SEEDS", "4"))


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
async def test_both_sides_changing_at_random_converge(make: Make, seed: int) -> None:
    """Records made, changed and read on both sides in any order, answers lost, states that move under our hands, restarts:
    when people stop, both sides hold the same after a few runs, each thing once, and then nothing is written any more."""
    chance = random.Random(seed)
    strategy = chance.choice(["merge_fields", "source_priority", "destination_priority"])
    otherwise = chance.choice(["source_priority", "destination_priority"])
    world = make(conflicts=strategy, merge__otherwise=otherwise)
    world.shop.has_etags = chance.random() < 0.5
    world.ledger.has_etags = chance.random() < 0.5
    world.shop.is_silent = chance.random() < 0.3
    if chance.random() < 0.3:
        world.shop.normalise = lambda record: {**record, "price": f"{float(record.get('price') or 0):.3f}"}
    made = itertools.count(1)
    for _ in range(chance.randint(8, 20)):
        for _ in range(chance.randint(0, 4)):
            _somebody(world, chance, made)
        if chance.random() < 0.25:
            shelf = chance.choice([world.shop, world.ledger])
            method = chance.choice(["POST", "PUT"])
            shelf.lose.append(lambda request, method=method: request.method == method)
        if chance.random() < 0.2:
            for shelf in (world.shop, world.ledger):
                shelf.before.append(lambda request: _somebody(world, chance, made))
        await world.sync(chance.choice(["products", "entries"]))
        if chance.random() < 0.2:
            world.crash()
    world.shop.lose, world.ledger.lose = [], []
    world.shop.before, world.ledger.before = [], []
    for _ in range(4):
        await world.both()
    assert world.agree(), (
        seed,
        strategy,
        world.shop.view("title", "price", "stock"),
        world.ledger.view("name", "amount", "quantity"),
    )
    assert len(world.state.store.intents("products")) == len(world.state.store.intents("entries")) == 0
    assert world.state.dead_letters.latest() == []
    await settled(world)


def _somebody(world: Between, chance: random.Random, made: Iterator[int]) -> None:
    """One change of one record on one side."""
    number = chance.randint(0, 99)
    if chance.random() < 0.35:
        key = f"K{next(made)}"
        if chance.random() < 0.5:
            world.shop.put(sku=key, title=f"t{number}", price="1.00", stock=number)
        else:
            world.ledger.put(code=key, name=f"n{number}", amount=1, quantity=number)
    elif chance.random() < 0.5 and world.shop.records:
        change = chance.choice([{"title": f"t{number}"}, {"stock": number}, {"price": f"{number}.50"}])
        world.shop.put(chance.choice(list(world.shop.records)), **change)
    elif world.ledger.records:
        edit = chance.choice([{"name": f"n{number}"}, {"quantity": number}, {"amount": number + 0.25}])
        world.ledger.put(chance.choice(list(world.ledger.records)), **edit)


@pytest.mark.parametrize("is_new", [True, False], ids=["create", "update"])
@pytest.mark.parametrize("way", ["products", "entries"])
async def test_change_between_a_silent_write_and_its_reading_back_is_a_change(
    make: Make, way: str, is_new: bool
) -> None:
    """What is read back a minute later has a version of then: it is not the vendor's spelling of what was written (seed 4632)."""
    world = make()
    here, there = (world.shop, world.ledger) if way == "products" else (world.ledger, world.shop)
    names = ("title", "name", "sku", "changed"), ("name", "title", "code", "updated_at")
    name, other, match, version = names[0] if way == "products" else names[1]
    there.is_silent = True
    there.normalise = lambda record: {**record, other: str(record.get(other)).upper()}
    first = here.put(**{match: "A", name: "one"})
    if not is_new:
        await world.both()
        await settled(world)
        here.put(first, **{name: "one again"})

    def stands_still(request: httpx.Request) -> None:
        if there.effects != before and request.method == "GET" and there.records:
            there.refuse.remove(stands_still)
            world.clock.moment += 60
            [written] = there.records
            there.put(written, **{other: "theirs"})
            assert there.records[written][version] == iso(world.clock.moment)

    before = list(there.effects)
    there.refuse.append(stands_still)
    await world.sync(way)
    assert stands_still not in there.refuse
    await world.both()
    await world.both()
    assert [record[name] for record in here.records.values()] == ["THEIRS"]
    assert world.agree()
    await settled(world)


async def test_change_between_a_silent_write_and_its_reading_back_meets_another_one(make: Make) -> None:
    """Both sides have changed the record since it was made: a person decides."""
    world = make(conflicts="manual_review")
    world.shop.is_silent = True
    b = world.ledger.put(code="A", name="one", amount=1, quantity=1)

    def stands_still(request: httpx.Request) -> None:
        if world.shop.records and request.method == "GET":
            world.shop.refuse.remove(stands_still)
            world.clock.moment += 60
            [a] = world.shop.records
            world.shop.put(a, title="theirs")
            world.ledger.put(b, name="ours")

    world.shop.refuse.append(stands_still)
    assert (await world.sync("entries")).counts.created == 1
    on, back = await world.both()
    assert (on.counts.held + back.counts.held > 0, on.counts.written, back.counts.written) == (True, 0, 0)
    assert (world.shop.view("title"), world.ledger.view("name")) == ({"A": ("theirs",)}, {"A": ("ours",)})


@pytest.mark.parametrize("side", ["shop", "ledger"])
async def test_record_that_is_made_by_a_later_run_is_what_both_sides_had(make: Make, side: str) -> None:
    """The first run did not learn that it was not made; what one side changes afterwards is no conflict (seed 7824)."""
    world = make(conflicts="destination_priority" if side == "shop" else "source_priority")
    b = world.ledger.put(code="A", name="one", amount=1, quantity=1)

    def lost(request: httpx.Request) -> None:
        if request.method == "POST":
            world.shop.refuse.remove(lost)
            raise httpx.ReadError("connection reset by peer", request=request)

    world.shop.refuse.append(lost)
    assert (await world.sync("entries")).counts.unknown == 1
    assert (await world.sync("entries", only_settle=True)).counts.resolved == 1
    [a] = world.shop.records
    if side == "shop":
        world.shop.put(a, title="two")
    else:
        world.ledger.put(b, name="two")
    await world.both()
    assert (world.shop.records[a]["title"], world.ledger.records[b]["name"]) == ("two", "two")
    assert world.agree()
    await settled(world)
