"""Promises of `verify`: what it finds, what it leaves alone, what a repair does."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from runtime.engine.compare import differing, paths_in
from runtime.engine.verify import Verified, verify
from runtime.errors import RequestRefused
from runtime.state import LeaseHeld, LeaseLost
from tests.runtime.engine.conftest import World
from tests.runtime.engine.test_deletes import HARD, TOMBSTONE, passing
from tests.runtime.fakes import Shopify
from tests.runtime.sample.app import CUSTOMERS

LISTED: dict[str, Any] = {}
UNLISTED: dict[str, Any] = {"destination__list": None}


async def look(world: World, changes: dict[str, Any] = LISTED, *, repair: bool = False) -> Verified:
    return await verify(world.engine(**changes), "customers", repair=repair)


def contact(world: World, number: int) -> dict[str, Any]:
    [found] = [each for each in world.credo.contacts.values() if each["email"] == f"Person{number}@Example.com"]
    return found


def counts(verified: Verified) -> dict[str, int]:
    return {kind: count for kind, count in verified.counts.items() if count}


async def test_sides_that_are_equal_are_told_so(world: World) -> None:
    world.shopify = Shopify(30)
    await world.sync(changes=LISTED)
    found = await look(world)
    assert (found.compared, found.equal, counts(found), found.exit_code) == (30, 30, {}, 0)
    assert found.to_json()["state"] == "equal"


async def test_each_kind_of_difference_is_found(world: World) -> None:
    world.shopify = Shopify(8)
    await world.sync(changes=LISTED)
    contact(world, 1)["first_name"] = "by hand"
    contact(world, 1)["lifetime_value"] = 7
    gone = contact(world, 2)
    world.credo.contacts = {name: each for name, each in world.credo.contacts.items() if each is not gone}
    world.credo.seed(email="nobody@example.com")
    world.credo.seed(email="person3@example.com")
    world.shopify.put(4, first_name="newer")
    world.shopify.put(99)
    del world.shopify.customers[5]
    found = await look(world)
    assert counts(found) == {
        "missing": 1, "different": 1, "extra": 2, "duplicate": 1, "pending": 1, "unsynced": 1, "gone": 1
    }  # fmt: skip
    assert found.exit_code == 3
    [different] = [each for each in found.findings if each["kind"] == "different"]
    assert different["source_id"] == "1"
    assert sorted(different["fields"]) == ["first_name", "lifetime_value"]
    assert "by hand" not in str(found.to_json())
    assert any("1 missing, 1 different, 2 extra, 1 duplicate" in line for line in found.lines())


async def test_repair_writes_what_differs_through_the_normal_path(world: World) -> None:
    """And leaves alone what is nobody's, and what the next run is for."""
    world.shopify = Shopify(5)
    await world.sync(changes=LISTED)
    contact(world, 1)["first_name"] = "by hand"
    contact(world, 1)["owner"] = "ana"
    gone = contact(world, 2)
    world.credo.contacts = {name: each for name, each in world.credo.contacts.items() if each is not gone}
    world.credo.seed(email="nobody@example.com")
    found = await look(world, repair=True)
    assert counts(found) == {"missing": 1, "different": 1, "extra": 1}
    assert found.left is not None
    assert counts(found.left) == {"extra": 1}
    [report] = found.repairs
    assert (report.counts.updated, report.counts.created) == (1, 1)
    assert (contact(world, 1)["first_name"], contact(world, 1)["owner"]) == ("First1", "ana")
    assert contact(world, 2)["first_name"] == "First2"
    [row] = [run for run in world.state.runs.latest("customers") if run["id"] == report.run_id]
    assert row["trigger"] == "verify"
    assert (await world.sync(changes=LISTED, resync=True)).counts.written == 0


async def test_repair_asks_for_what_is_gone_where_the_stream_deletes(world: World) -> None:
    changes = {**LISTED, **HARD}
    world.shopify = Shopify(5)
    await world.sync(changes=changes)
    del world.shopify.customers[3]
    found = await look(world, changes, repair=True)
    assert counts(found) == {"gone": 1}
    assert [report.counts.deleted for report in found.repairs] == [1]
    assert len(world.credo.contacts) == 4


async def test_deleted_record_is_no_difference(world: World) -> None:
    changes = {**LISTED, **HARD}
    world.shopify = Shopify(5)
    await world.sync(changes=changes)
    del world.shopify.customers[3]
    await passing(world, changes)
    assert counts(await look(world, changes)) == {}


async def test_tombstone_is_no_record(world: World) -> None:
    """Carried out, it is nothing; not yet, its link is of a record that is gone."""
    world.shopify = Shopify(3)
    await world.sync(changes=TOMBSTONE)
    world.shopify.put(2, deleted_at="2026-01-01T00:00:00Z")
    assert counts(await look(world, TOMBSTONE)) == {"gone": 1}
    await world.sync(changes=TOMBSTONE)
    assert counts(await look(world, TOMBSTONE)) == {}


async def test_destination_that_lists_nothing_is_asked_record_by_record(world: World) -> None:
    world.shopify = Shopify(3)
    await world.sync(changes=UNLISTED)
    contact(world, 1)["first_name"] = "by hand"
    world.credo.seed(email="nobody@example.com")
    found = await look(world, UNLISTED)
    assert counts(found) == {"different": 1}
    assert found.not_known == ["extra", "duplicate"]


async def test_destination_that_shows_nothing_is_refused(world: World) -> None:
    with pytest.raises(RequestRefused, match="neither lists records nor shows one"):
        await look(world, {**UNLISTED, "destination__get": None})


async def test_verify_beside_a_run_is_refused(world: World) -> None:
    lease = world.state.leases.acquire("stream:customers", "another", 60)
    with pytest.raises(LeaseHeld):
        await look(world)
    world.state.leases.release(lease)


async def test_comparison_whose_lease_another_took_meanwhile_tells_of_no_difference(world: World) -> None:
    world.shopify = Shopify(2)
    await world.sync(changes=LISTED)
    credo, another = world.credo, world.open_state()

    def taken_over(request: httpx.Request) -> httpx.Response:
        leases = another.leases._table
        another.leases._database.execute(update(leases).values(token=leases.c.token + 1))
        credo.contacts.clear()
        return credo(request)

    world.credo = taken_over  # type: ignore[assignment]
    with pytest.raises(LeaseLost):
        await look(world)
    another.close()


async def test_field_that_the_destination_never_shows_is_no_difference(world: World) -> None:
    world.shopify = Shopify(2)
    await world.sync(changes=LISTED)
    for each in world.credo.contacts.values():
        del each["lifetime_value"]
    found = await look(world)
    assert (counts(found), found.not_shown) == ({}, ["lifetime_value"])
    contact(world, 1)["lifetime_value"] = 1
    found = await look(world)
    assert counts(found) == {"different": 2}


@pytest.mark.parametrize(
    ("body", "there", "fields"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": Decimal("1.10")}, {"a": "1.1"}, []),
        ({"a": "19.90"}, {"a": Decimal("19.9")}, []),
        ({"a": True}, {"a": 1}, ["a"]),
        ({"a": "2026-01-01T10:00:00+01:00"}, {"a": "2026-01-01T09:00:00Z"}, []),
        ({"a": "2026-01-01T10:00:00+01:00"}, {"a": "2026-01-01T10:00:00Z"}, ["a"]),
        ({"a": None}, {"a": None}, []),
        ({"a": None}, {}, []),
        ({"a": None}, {"a": ""}, ["a"]),
        ({"a": ""}, {"a": None}, ["a"]),
        ({"a": []}, {"a": None}, ["a"]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "id": 5}]}, []),
        ({"a": [{"b": 1}]}, {"a": []}, ["a"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a[]"]),
    ],
)
def test_differing_compares_as_people_do(body: Any, there: Any, fields: list[str]) -> None:
    """Null, missing, empty text and empty list are four things; numbers and moments are compared by what they mean."""
    shown = set(paths_in({"a": {"b": 1}}))
    assert list(differing(body, there, shown, set())) == fields


async def test_record_that_is_not_linked_by_identity_is_found_by_its_match(world: World) -> None:
    """A batch whose reply names nobody."""
    batch = CUSTOMERS.destination.batch
    assert batch is not None
    changes = {**LISTED, "destination__batch": replace(batch, identity=None)}
    world.shopify = Shopify(3)
    await world.sync(changes=changes)
    contact(world, 1)["first_name"] = "by hand"
    assert counts(await look(world, changes)) == {"different": 1}
