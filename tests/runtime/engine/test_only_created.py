"""Mapped fields that only a creation takes: an update says nothing of them, and a change of them alone is nothing to write."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from runtime.engine.verify import verify
from tests.runtime.engine.conftest import SINGLE, World
from tests.runtime.fakes import Shopify
from tests.runtime.sample.app import CUSTOMERS

assert CUSTOMERS.destination.update is not None
UPDATE = replace(CUSTOMERS.destination.update, not_taken=(("first_name",),))
REPLACING: dict[str, Any] = {**SINGLE, "destination__update": UPDATE}
MERGING: dict[str, Any] = {**REPLACING, "destination__update_is": "merge"}
BOTH = pytest.mark.parametrize("changes", [REPLACING, MERGING], ids=["replace", "merge"])


def keeping(world: World) -> World:
    """The vendor's update knows no first name: it refuses one, and leaves it as the creation set it."""
    real = world.credo._route

    def route(request: httpx.Request) -> tuple[int, Any]:
        if request.method != "PUT":
            return real(request)
        before = dict(world.credo.contacts[request.url.path.rsplit("/", 1)[1]])
        if "first_name" in json.loads(request.content):
            return 422, {"error": "first_name is unknown"}
        status, body = real(request)
        if status == 200:
            merged = {**before, **world.credo.contacts[body["id"]], "first_name": before["first_name"]}
            world.credo.contacts[body["id"]] = merged
            body = merged
        return status, body

    world.credo._route = route  # type: ignore[method-assign]
    return world


def puts(world: World) -> int:
    return sum(request.method == "PUT" for request in world.credo.requests)


@BOTH
async def test_change_of_such_a_field_alone_is_nothing_to_write(world: World, changes: dict[str, Any]) -> None:
    """Not even a request: the record is unchanged, run after run."""
    keeping(world).shopify.put(1)
    await world.sync(changes=changes)
    world.shopify.put(1, first_name="Other")
    sent = len(world.credo.requests)
    for _ in range(2):
        report = await world.sync(changes=changes)
        assert (report.state, report.counts.updated) == ("done", 0)
    assert len(world.credo.requests) == sent
    assert [each["first_name"] for each in world.credo.contacts.values()] == ["First1"]


@BOTH
async def test_update_of_other_fields_leaves_it_out(world: World, changes: dict[str, Any]) -> None:
    keeping(world).shopify.put(1)
    await world.sync(changes=changes)
    world.shopify.put(1, first_name="Other", last_name="Newer")
    report = await world.sync(changes=changes)
    assert (report.state, report.counts.updated, puts(world)) == ("done", 1, 1)
    [found] = world.credo.contacts.values()
    assert (found["first_name"], found["last_name"]) == ("First1", "Newer")


async def test_record_that_is_adopted_and_differs_in_nothing_else_is_not_written(world: World) -> None:
    """Somebody made it under another first name: there is nothing that an update could say."""
    keeping(world).shopify.put(1)
    await world.sync(changes=REPLACING)
    [identity] = world.credo.contacts
    world.credo.contacts[identity]["first_name"] = "by hand"
    world.state.close()
    fresh = World("sqlite:///" + world.url.removeprefix("sqlite:///") + ".other")
    fresh.shopify, fresh.credo, fresh.clock = world.shopify, world.credo, world.clock
    report = await fresh.sync(changes=REPLACING)
    assert (report.state, puts(world), len(world.credo.contacts)) == ("done", 0, 1)
    fresh.state.close()
    world.state = world.open_state()


@BOTH
async def test_record_that_is_gone_is_made_again_with_all_its_fields(world: World, changes: dict[str, Any]) -> None:
    keeping(world).shopify.put(1)
    await world.sync(changes=changes)
    world.credo.contacts.clear()
    world.credo._route = type(world.credo)._route.__get__(world.credo)  # type: ignore[method-assign]
    world.shopify.put(1, first_name="Other", last_name="Newer")
    report = await world.sync(changes=changes)
    assert report.counts.created == 1
    [found] = world.credo.contacts.values()
    assert (found["first_name"], found["last_name"]) == ("Other", "Newer")


@BOTH
async def test_verify_does_not_compare_it_and_says_so(world: World, changes: dict[str, Any]) -> None:
    """A repair could not mend it."""
    keeping(world).shopify = Shopify(3)
    await world.sync(changes=changes)
    for found in world.credo.contacts.values():
        found["first_name"] = "by hand"
    verified = await verify(world.engine(**changes), "customers")
    assert (verified.equal, verified.exit_code, verified.not_updated) == (3, 0, ["first_name"])
    assert any("no update takes first_name" in line for line in verified.lines())
    assert verified.to_json()["not_updated"] == ["first_name"]


@BOTH
async def test_dry_run_shows_what_an_update_would_say(world: World, changes: dict[str, Any]) -> None:
    keeping(world).shopify.put(1)
    await world.sync(changes=changes)
    world.shopify.put(1, first_name="Other", last_name="Newer")
    report = await world.sync(changes=changes, dry_run=True)
    [shown] = report.sample
    assert (shown["action"], list(shown["fields"])) == ("update", ["last_name"])


async def test_batch_of_updates_that_takes_it_makes_a_change_of_it_one(world: World) -> None:
    """Then a change can be written: it counts."""
    batch = CUSTOMERS.destination.batch
    assert batch is not None
    update = replace(CUSTOMERS.destination, update=UPDATE, batch_update=batch)
    assert update.only_created == ()
    many = replace(batch, operation=replace(batch.operation, not_taken=(("contacts", 0, "first_name"),)))
    assert replace(update, batch_update=many).only_created == (("first_name",),)
    assert replace(update, batch_update=many, envelope=("first_name",)).only_created == ()
