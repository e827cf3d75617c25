"""Promises of rollbacks where streams merge: each direction puts back what it wrote, and nothing goes to and fro afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.declare import Deletes
from runtime.engine import RunReport, RunRequest
from tests.runtime.engine.conftest import forget_state
from tests.runtime.engine.test_partings import HARD_BACK, HARD_ON, begun, gone_at_ledger, gone_at_shop, passed, quiet
from tests.runtime.two_way import DELETES_IN_LEDGER, DELETES_IN_SHOP, Between

Make = Callable[..., Between]
ON: dict[str, Any] = {"rollback": True, "destination__delete": DELETES_IN_LEDGER}
BACK: dict[str, Any] = {"rollback": True, "destination__delete": DELETES_IN_SHOP}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def make(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Between] = []

    def one(**changes: Any) -> Between:
        url = f"sqlite:///{tmp_path / f'state{len(made)}.db'}"
        if request.param == "postgresql":
            url = request.getfixturevalue("postgresql_url")
            forget_state(url, "shop_ledger")
        made.append(Between(url, **{**ON, "back": BACK, **changes}))
        return made[-1]

    yield one
    for each in made:
        each.state.close()


async def put_back(world: Between, run: RunReport, **more: Any) -> RunReport:
    world.clock.moment += 10
    asked = RunRequest(stream=run.stream, rollback=run.run_id, keep=True, only_settle=True, **more)
    report = await world.engine().run(asked)
    report.counts.check()
    return report


async def test_what_goes_on_is_put_back_and_stays_so(make: Make) -> None:
    """In the destination; the source keeps what it has, and complete passes of both directions leave it at that."""
    world = make()
    await begun(world)
    world.ledger.put(world.ledger.of("s0"), quantity=7)
    await world.both()
    world.shop.put(world.shop.of("s0"), title="Wrong", price="9.00")
    run = await world.sync("products")
    assert run.counts.updated == 1
    shown = await put_back(world, run, dry_run=True)
    assert shown.sample[0]["fields"] == {"name": {"from": "Wrong", "to": "T0"}, "amount": {"from": 9, "to": 1}}
    report = await put_back(world, run)
    assert (report.state, report.counts.restored) == ("done", 1)
    assert world.ledger.view("name", "amount", "quantity")["s0"] == ("T0", 1.0, 7)
    assert world.shop.view("title", "stock")["s0"] == ("Wrong", 7)
    await quiet(world)
    world.shop.put(world.shop.of("s0"), title="Right")
    await world.sync("products")
    assert world.ledger.view("name", "amount")["s0"] == ("Right", 1.0)
    world.ledger.put(world.ledger.of("s0"), amount=3)
    await world.sync("entries")
    assert world.shop.view("title", "price")["s0"] == ("Right", "3.00")
    await quiet(world)


async def test_what_goes_back_is_put_back_and_stays_so(make: Make) -> None:
    world = make()
    await begun(world)
    world.ledger.put(world.ledger.of("s0"), name="Wrong")
    run = await world.sync("entries")
    assert world.shop.view("title")["s0"] == ("Wrong",)
    report = await put_back(world, run)
    assert (report.state, report.counts.restored) == ("done", 1)
    assert (world.shop.view("title")["s0"], world.ledger.view("name")["s0"]) == (("T0",), ("Wrong",))
    await quiet(world)
    world.shop.put(world.shop.of("s0"), title="Right")
    await world.sync("products")
    assert world.ledger.view("name")["s0"] == ("Right",)
    await quiet(world)
    twice = await put_back(world, run)
    assert twice.counts.written == 0


async def test_field_that_was_changed_since_is_told_and_left(make: Make) -> None:
    """The others of the record are put back. What was changed goes on its way to the other side, and they with it."""
    world = make()
    await begun(world)
    world.shop.put(world.shop.of("s0"), title="Wrong", stock=99)
    run = await world.sync("products")
    world.ledger.put(world.ledger.of("s0"), quantity=5)
    report = await put_back(world, run)
    assert (report.state, report.counts.restored) == ("partial", 1)
    assert report.sample[0]["reason"] == "changed since, and left: quantity"
    assert world.ledger.view("name", "quantity")["s0"] == ("T0", 5)
    await world.sync("entries")
    assert world.shop.view("title", "stock")["s0"] == ("T0", 5)
    await quiet(world)


async def test_record_that_goes_back_and_was_changed_since_is_told_and_left(make: Make) -> None:
    world = make()
    await begun(world)
    world.ledger.put(world.ledger.of("s0"), name="Wrong")
    run = await world.sync("entries")
    world.shop.put(world.shop.of("s0"), stock=50)
    report = await put_back(world, run)
    assert (report.state, report.counts.restored, report.counts.skipped) == ("partial", 0, 1)
    assert report.sample[0]["reason"] == "changed since, and left: quantity"
    assert world.shop.view("title", "stock")["s0"] == ("Wrong", 50)


@pytest.mark.parametrize("stream", ["products", "entries"])
async def test_creation_is_taken_away(make: Make, stream: str) -> None:
    world = make()
    await begun(world)
    here, there = (world.shop, world.ledger) if stream == "products" else (world.ledger, world.shop)
    here.put(**({"sku": "new", "title": "N"} if stream == "products" else {"code": "new", "name": "N"}))
    run = await world.sync(stream)
    assert there.of("new") is not None
    report = await put_back(world, run)
    assert (report.state, report.counts.deleted) == ("done", 1)
    assert (there.of("new"), here.of("new") is not None) == (None, True)
    again = await world.sync(stream, resync=True)
    assert again.counts.created == 1  # that side still has it
    await quiet(world)
    assert world.agree()


@pytest.mark.parametrize("stream", ["products", "entries"])
async def test_deletion_is_made_again_under_one_link(make: Make, stream: str) -> None:
    """As it was there; the next complete pass finds the other side's record gone as before."""
    world = make(**{**ON, **HARD_ON}, back={**BACK, **HARD_BACK})
    await begun(world)
    gone, there = (gone_at_shop, world.ledger) if stream == "products" else (gone_at_ledger, world.shop)
    gone(world, "s0")
    run = await passed(world, stream)
    assert (run.counts.deleted, there.of("s0")) == (1, None)
    report = await put_back(world, run)
    assert (report.state, report.counts.restored) == ("done", 1)
    title = "name" if stream == "products" else "title"
    assert there.view(title)["s0"] == ("T0",)
    assert (await passed(world, stream)).counts.deleted == 1
    await quiet(world)
    assert world.agree()


@pytest.mark.parametrize("stream", ["products", "entries"])
async def test_soft_deletion_is_put_back(make: Make, stream: str) -> None:
    soft_on = Deletes(mode="soft", set=((("name",), "(gone)"),))
    soft_back = Deletes(mode="soft", set=((("title",), "(gone)"),), identity=("ref",))
    world = make(deletes=soft_on, back={**BACK, "deletes": soft_back})
    await begun(world)
    gone, there = (gone_at_shop, world.ledger) if stream == "products" else (gone_at_ledger, world.shop)
    gone(world, "s0")
    run = await passed(world, stream)
    title = "name" if stream == "products" else "title"
    assert there.view(title)["s0"] == ("(gone)",)
    report = await put_back(world, run)
    assert (report.state, report.counts.restored) == ("done", 1)
    assert there.view(title)["s0"] == ("T0",)
    assert (await passed(world, stream)).counts.deleted == 1
    await quiet(world)


async def test_run_that_another_direction_followed_is_put_back_after_that(make: Make) -> None:
    """The newer write first: until then, the record is told and left."""
    world = make()
    await begun(world)
    world.shop.put(world.shop.of("s0"), title="One")
    first = await world.sync("products")
    world.ledger.put(world.ledger.of("s0"), quantity=5)
    second = await world.sync("entries")
    report = await put_back(world, first)
    assert (report.state, report.counts.restored) == ("partial", 0)
    assert "wrote it since" in report.sample[0]["reason"]
    assert (await put_back(world, second)).counts.restored == 1
    assert world.shop.view("title", "stock")["s0"] == ("One", 0)


async def test_stream_that_merges_one_way_is_put_back(make: Make) -> None:
    world = make(both_ways=False, conflicts="merge_fields")
    world.shop.put(sku="s0", title="T0", price="1.00", stock=0)
    await world.sync()
    world.shop.put("1", title="Wrong")
    run = await world.sync()
    assert (await put_back(world, run)).counts.restored == 1
    assert world.ledger.view("name")["s0"] == ("T0",)
    assert (await world.sync(resync=True)).counts.written == 0


async def test_rollback_can_be_put_back_itself(make: Make) -> None:
    world = make()
    await begun(world)
    world.shop.put(world.shop.of("s0"), title="Wanted")
    run = await world.sync("products")
    undone = await put_back(world, run)
    report = await put_back(world, undone)
    assert report.counts.restored == 1
    assert world.ledger.view("name")["s0"] == ("Wanted",)
    await quiet(world)
    assert world.agree()
