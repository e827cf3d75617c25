"""Promises about requests that write many records: each gets its own fate, by the record a result names, never another one's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from runtime.declare import Batch, Operation
from runtime.engine import RunReport
from runtime.engine.batches import UNTOLD, Results, with_key
from runtime.engine.items import Item
from tests.runtime.engine.conftest import World
from tests.runtime.fakes import Shopify
from tests.runtime.sample.app import CUSTOMERS

assert CUSTOMERS.destination.batch is not None
CREATES: Batch = replace(CUSTOMERS.destination.batch, index=None)
CHANGE = Operation(id="PATCH /contacts/batch", api="credo", method="PATCH", path="/contacts/batch", body="json")
UPDATES = Batch(
    operation=CHANGE, items=("contacts",), max=100, results=("results",), status=("status",), ok=(200,), identity=("id",),
    error=("error",), key=("id",),
)  # fmt: skip
UPDATING: dict[str, Any] = {"destination__batch_update": UPDATES, "destination__update_is": "merge"}
Reply = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def changes(world: World, reply: Reply = list, *, most: int | None = None, refuse: Any = None) -> list[int]:
    """Let the destination take batches of updates; returns the sizes of those that came."""
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response | None:
        if request.method != "PATCH":
            return None
        sent = json.loads(request.content)["contacts"]
        sizes.append(len(sent))
        if most is not None and len(sent) > most:
            return httpx.Response(413, json={"error": "too large"})
        if refuse is not None and any(refuse(each) for each in sent):
            return httpx.Response(422, json={"error": "one of them is bad"})
        results = []
        for each in sent:
            if each["id"] not in world.credo.contacts:
                results.append({"id": each["id"], "status": 404, "error": "no such contact"})
                continue
            world.credo.contacts[each["id"]].update(each)
            world.credo.effects.append(("update", each["email"]))
            results.append({"id": each["id"], "status": 200})
        return httpx.Response(207, json={"results": reply(results)})

    world.credo.fail.append(answer)
    return sizes


async def changed(world: World, count: int) -> RunReport:
    """All customers are written; then some change."""
    world.shopify = Shopify(count)
    await world.sync(changes=UPDATING)
    world.credo.effects.clear()
    for number in range(1, count + 1):
        world.shopify.put(number, first_name=f"New{number}")
    return await world.sync(changes=UPDATING)


def is_as_it_should(world: World, count: int) -> bool:
    found = {each["email"]: each["first_name"] for each in world.credo.contacts.values()}
    return found == {f"Person{number}@Example.com": f"New{number}" for number in range(1, count + 1)}


async def test_updates_go_together(world: World) -> None:
    sizes = changes(world)
    report = await changed(world, 250)
    assert (report.state, report.counts.updated) == ("done", 250)
    assert sizes == [100, 100, 50]
    assert is_as_it_should(world, 250)
    assert len(world.credo.effects) == 250


@pytest.mark.parametrize(
    "reply",
    [
        lambda results: results[::-1],
        lambda results: results[1:],
        lambda results: [],
        lambda results: results[::2][::-1],
    ],
    ids=["turned round", "one fewer", "none", "half, turned round"],
)
async def test_updates_whose_results_come_otherwise_end_as_they_should(world: World, reply: Reply) -> None:
    """What the reply leaves open is updated alone; nobody gets another one's fate."""
    changes(world, reply)
    report = await changed(world, 6)
    assert (report.state, report.counts.updated, report.counts.unknown) == ("done", 6, 0)
    assert is_as_it_should(world, 6)
    assert (await world.sync(changes=UPDATING, resync=True)).counts.unchanged == 6


async def test_update_of_a_record_that_is_gone_makes_it_again(world: World) -> None:
    changes(world)
    world.shopify = Shopify(3)
    await world.sync(changes=UPDATING)
    world.credo.contacts.pop(next(iter(world.credo.contacts)))
    for number in (1, 2, 3):
        world.shopify.put(number, first_name=f"New{number}")
    report = await world.sync(changes=UPDATING)
    assert (report.counts.updated, report.counts.created) == (2, 1)
    assert is_as_it_should(world, 3)


async def test_batch_of_updates_that_is_too_large_goes_in_smaller_ones(world: World) -> None:
    sizes = changes(world, most=30)
    report = await changed(world, 100)
    assert (report.state, report.counts.updated) == ("done", 100)
    assert max(size for size in sizes[1:]) <= 50
    assert is_as_it_should(world, 100)


async def test_one_bad_update_is_found_by_halving(world: World) -> None:
    """The others are written; the bad one is refused by itself and is a dead letter."""
    changes(world, refuse=lambda each: each["email"] == "Person5@Example.com")

    def refuses(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PUT" and b"Person5@" in request.content:
            return httpx.Response(422, json={"error": "bad"})
        return None

    world.credo.fail.append(refuses)
    report = await changed(world, 8)
    assert (report.state, report.counts.updated, report.counts.dead) == ("partial", 7, 1)
    [letter] = world.state.dead_letters.latest("customers")
    assert letter["source_id"] == "5"


async def test_updates_whose_answer_is_lost_are_made_again_by_the_next_run(world: World) -> None:
    changes(world)
    lost: list[bool] = []

    def loses(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PATCH" and len(lost) < 5:
            lost.append(True)
            raise httpx.ReadError("connection reset by peer", request=request)
        return None

    world.credo.fail.insert(0, loses)
    report = await changed(world, 4)
    assert report.counts.unknown + report.counts.updated == 4 or report.state == "failed"
    lost += [True] * 5
    await world.sync(changes=UPDATING)
    assert is_as_it_should(world, 4)
    assert world.state.store.intents("customers") == []


# --- whose result is it ---


def item(match: str, destination_id: str | None = None) -> Item:
    made = Item(match, None, b'{"email":"x"}', b"h", match, (match,))
    made.destination_id = destination_id
    return made


def digest(record: dict[str, Any]) -> str | None:
    return record.get("email")


A, B, C = item("a"), item("b"), item("c")


def result(email: str | None, status: int = 201) -> dict[str, Any]:
    return {"id": f"id-{email}", "status": status, **({"email": email} if email else {})}


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (["a", "b", "c"], ["a", "b", "c"]),
        (["c", "a", "b"], ["a", "b", "c"]),
        (["c", "a"], ["a", None, "c"]),
        ([None, None, None], [0, 1, 2]),
        ([None, None], [None, None, None]),
        ([None, "b", "c"], [0, "b", "c"]),
        ([None, "c", "b"], [0, "b", "c"]),
        (["c", None, None], [None, None, "c"]),
        (["a", "a", "b"], ["a", "b", None]),
        (["x", "b", "c"], [0, "b", "c"]),
        (["a", "b", "c", "c"], ["a", "b", "c"]),
    ],
)
def test_result_is_whose_record_it_names(results: list[str | None], expected: list[Any]) -> None:
    """By position only where nothing contradicts that; what cannot be told stays open."""
    read = Results(CREATES, ("id",), digest)
    reply = json.dumps({"results": [{**result(name), "at": place} for place, name in enumerate(results)]}).encode()
    told = read.in_order([A, B, C], reply)
    shown = [None if one is UNTOLD else one.get("email", one["at"]) for one in told]
    wanted = ["x" if results[0] == "x" and one == 0 else one for one in expected]
    assert shown == wanted


@pytest.mark.parametrize("body", [b"", b"[]", b'{"results": null}', b'{"results": "no"}', b"<html>"])
def test_reply_that_is_no_list_of_results_tells_nothing(body: bytes) -> None:
    assert Results(CREATES, ("id",), digest).in_order([A, B], body) == [UNTOLD, UNTOLD]


@pytest.mark.parametrize(("kind", "name"), [("string", '"17"'), ("integer", "17")])
def test_item_of_a_batch_of_updates_names_its_record_as_the_destination_does(kind: Any, name: str) -> None:
    made = with_key(replace(UPDATES, key_kind=kind), item("a", "17"))
    assert made == b'{"email":"x","id":' + name.encode() + b"}"


async def test_new_records_whose_results_are_turned_round_are_linked_to_their_own(world: World) -> None:
    """The reply numbers nothing, and shows the address of each."""
    world.shopify = Shopify(5)
    inner = world.credo._route

    def turned(request: httpx.Request) -> tuple[int, Any]:
        status, body = inner(request)
        if request.url.path.endswith("/batch"):
            results = [{**each, "email": world.credo.contacts[each["id"]]["email"]} for each in body["results"]]
            body = {"results": results[::-1]}
        return status, body

    world.credo._route = turned  # type: ignore[method-assign]
    settings: dict[str, Any] = {"destination__batch": CREATES}
    assert (await world.sync(changes=settings)).counts.created == 5
    for link in world.state.store.links_of("customers", [str(number) for number in range(1, 6)]):
        assert world.credo.contacts[str(link.destination_id)]["email"] == f"Person{link.source_id}@Example.com"
