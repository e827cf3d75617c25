"""A destination that shows what was written a little later: what is not there yet is not gone, and not made once more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.declare import Operation
from runtime.engine import RunReport, RunRequest
from runtime.http.session import open_api
from tests.runtime.engine.conftest import SINGLE, World
from tests.runtime.sample.app import CUSTOMERS
from tests.runtime.two_way import Between

CREATE: Operation = CUSTOMERS.destination.create
BY_LIST: dict[str, Any] = {
    **SINGLE,
    "destination__find": None,
    "destination__create": replace(CREATE, idempotency_header=None),
}
"""Records are found in the whole list, or not at all."""
BY_FIND = {**SINGLE, "destination__create": BY_LIST["destination__create"]}
Hook = Callable[[httpx.Request], "httpx.Response | None"]


def is_list(request: httpx.Request) -> bool:
    return request.method == "GET" and request.url.path == "/v1/contacts"


def answers_nothing(world: World) -> Hook:
    """Contacts are made, and what they are called is not said."""

    def hook(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST":
            return None
        status, _ = world.credo._route(request)
        return httpx.Response(204 if status < 300 else status)

    return hook


def shows_late(world: World, lag_s: float) -> Hook:
    """Lists leave out what was made less than `lag_s` ago."""
    made_at: dict[str, float] = {}

    def hook(request: httpx.Request) -> httpx.Response | None:
        for identity in world.credo.contacts:
            made_at.setdefault(identity, world.clock.moment)
        if not is_list(request):
            return None
        _, reply = world.credo._route(request)
        shown = [each for each in reply["contacts"] if made_at[each["id"]] + lag_s <= world.clock.moment]
        return httpx.Response(200, json={**reply, "contacts": shown})

    return hook


@pytest.mark.parametrize("changes", [BY_LIST, BY_FIND], ids=["list", "find"])
async def test_nameless_record_that_is_not_shown_yet_is_waited_for(world: World, changes: dict[str, Any]) -> None:
    """It was written before its list shows it; when it is shown it is updated, not called lost."""
    world.environ["DESTINATION_LAG_SECONDS"] = "60"
    world.credo.fail += [answers_nothing(world), shows_late(world, 45.0)]
    world.shopify.put(1)
    assert (await world.sync(changes=changes)).counts.created == 1
    world.shopify.put(1, first_name="New")
    report = await world.sync(changes=changes)
    assert (report.counts.updated, report.counts.dead) == (1, 0)
    assert [each["first_name"] for each in world.credo.contacts.values()] == ["New"]
    waited_s = [seconds for seconds in world.clock.slept if seconds > 5]
    assert len(waited_s) == 1
    assert waited_s[0] < 60


async def test_nameless_record_that_was_written_long_ago_is_not_waited_for(world: World) -> None:
    """It is gone, or called something else: nobody waits for it."""
    world.environ["DESTINATION_LAG_SECONDS"] = "5"
    world.credo.fail.append(answers_nothing(world))
    world.shopify.put(1)
    await world.sync(changes=BY_LIST)
    world.credo.contacts.clear()
    world.shopify.put(1, first_name="New")
    report = await world.sync(changes=BY_LIST)
    assert (report.counts.dead, world.clock.slept) == (1, [])


async def test_nameless_record_whose_match_value_moved_is_found_by_the_one_it_was_written_with(world: World) -> None:
    """What has its new value is another record's, made in the same group (seed 22143)."""
    credo = world.credo
    credo.by_email = lambda email: []  # type: ignore[method-assign]  # it takes two of a kind
    hook = answers_nothing(world)
    credo.fail.append(hook)
    world.shopify.put(1)
    await world.sync(changes=SINGLE)
    credo.fail.remove(hook)
    [mine] = credo.contacts
    world.shopify.put(1, email="moved@example.com", first_name="Mine")
    world.shopify.put(2, email="moved@example.com", first_name="Theirs")
    await world.sync(changes=SINGLE)
    await world.sync(changes=SINGLE)
    assert {each["first_name"] for each in credo.contacts.values()} == {"Mine", "Theirs"}
    assert credo.contacts[mine]["first_name"] == "Mine"


async def test_record_that_was_made_again_is_not_looked_for_where_it_was_before(world: World) -> None:
    """The list was read before its first object went; the second one was made without a word about its name (seed 5078)."""
    credo = world.credo
    world.shopify.put(1)
    await world.sync(changes=BY_LIST)
    [first] = credo.contacts
    # A run that learns nothing: neither how the update of the one nor how the creation of the other ended.
    world.shopify.put(1, first_name="Second")
    world.shopify.put(2)

    def silence(request: httpx.Request) -> httpx.Response | None:
        if is_list(request):
            return httpx.Response(500, json={})
        if request.method == "PUT" or (request.method == "POST" and b"person2" in request.content.lower()):
            raise httpx.ReadError("connection reset by peer", request=request)
        return None

    credo.fail.append(silence)
    assert (await world.sync(changes=BY_LIST)).counts.unknown == 2
    credo.fail.remove(silence)

    def removes(request: httpx.Request) -> httpx.Response | None:
        if request.method == "PUT" and request.url.path.endswith(f"/{first}"):
            credo.contacts.pop(first, None)
        return None

    credo.by_email = lambda email: []  # type: ignore[method-assign]  # it takes two of a kind
    credo.fail += [removes, answers_nothing(world), shows_late(world, 3.0)]
    world.shopify.put(1, first_name="Third")
    report = await world.sync(changes=BY_LIST)
    assert report.counts.dead == 0
    assert sorted((each["email"].lower(), each["first_name"]) for each in credo.contacts.values()) == [
        ("person1@example.com", "Third"),
        ("person2@example.com", "First2"),
    ]
    assert credo.created().count("Person1@Example.com") == 2  # once at first, once again


async def test_workers_that_need_the_index_read_it_once(world: World) -> None:
    """An index that another worker begins to read anew is not whole: nobody is looked up in it meanwhile."""
    world.shopify = type(world.shopify)(20)
    credo = world.credo
    credo.fail.append(answers_nothing(world))
    await world.sync(changes=BY_LIST)
    for number in range(1, 21):
        world.shopify.put(number, first_name=f"New{number}")
    credo.requests.clear()

    async def slowly(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return credo(request)

    plain = world.session
    world.session = lambda api, settings, fake: (  # type: ignore[method-assign]
        open_api(api, settings, transport=httpx.MockTransport(slowly), clock=world.clock)
        if fake is credo
        else plain(api, settings, fake)
    )
    report = await world.sync(changes=BY_LIST)
    assert (report.counts.updated, report.counts.dead) == (20, 0)
    assert sum(map(is_list, credo.requests)) == 1


# --- streams that merge ---


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Between]]:
    made: list[Between] = []

    def one(**changes: Any) -> Between:
        made.append(Between(f"sqlite:///{tmp_path / f'state{len(made)}.db'}", **changes))
        return made[-1]

    yield one
    for each in made:
        each.state.close()


async def at_once(world: Between) -> RunReport:
    """A run of the way on, without any time in between."""
    return await world.engine().run(RunRequest(stream="products"))


async def test_linked_record_that_its_look_up_does_not_show_yet_is_waited_for(make: Callable[..., Between]) -> None:
    """No operation reads it by its name; it was made a second ago (seed 5248)."""
    world = make(destination__get=None)
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await at_once(world)
    made_at = world.clock.moment
    world.ledger.refuse.append(
        lambda request: (
            httpx.Response(200, json={"items": []})
            if "match" in request.url.params and world.clock.moment < made_at + 4
            else None
        )
    )
    world.shop.put(a, title="two")
    report = await at_once(world)
    assert (report.counts.updated, report.counts.dead) == (1, 0)
    assert world.agree()
    assert len(world.clock.slept) == 1


async def test_dead_letter_of_a_record_that_waits_for_a_person_now_is_over(make: Callable[..., Between]) -> None:
    """Somebody renamed it and took that back; both sides have changed it since: the queue has it."""
    world = make(destination__get=None, conflicts="manual_review")
    a = world.shop.put(sku="A", title="one", price="1.00", stock=1)
    await world.sync()
    [b] = world.ledger.records
    world.ledger.put(b, code="renamed")
    world.shop.put(a, title="two")
    assert (await world.sync()).counts.dead == 1
    world.ledger.put(b, code="A", name="theirs")
    world.shop.put(a, title="three")
    assert (await world.sync()).counts.held == 1
    assert world.state.dead_letters.open_count("products") == 0
    [row] = world.state.conflicts.latest()
    assert row["fields"] == ["name"]


@pytest.mark.parametrize("again", ["at once", "in the same run"])
async def test_record_that_went_back_and_is_not_shown_yet_is_not_made_once_more(
    make: Callable[..., Between], again: str
) -> None:
    """It was made without learning what it is called, by a run or by what settles an earlier one (seed 20564)."""
    world = make()
    made_at: dict[str, float] = {}

    def late(request: httpx.Request) -> httpx.Response | None:
        for identity in world.shop.records:
            made_at.setdefault(identity, world.clock.moment)
        if request.method == "POST" and again == "in the same run" and not made_at and not world.clock.slept:
            raise httpx.ReadError("connection reset by peer", request=request)  # nothing was made
        if request.method == "POST":
            world.shop._answer("POST", "", request)
            return httpx.Response(201, content=b'{"cut')
        if "match" not in request.url.params:
            return None
        found = [world.shop.records[each] for each, moment in made_at.items() if moment + 4 <= world.clock.moment]
        return httpx.Response(200, json={"items": found})

    world.shop.refuse.append(late)
    world.ledger.put(code="A", name="one", amount=1, quantity=1)
    first = await back_at_once(world)
    assert (first.counts.unknown, first.counts.created) == (1, 0)
    for _ in range(3):
        await back_at_once(world)
    assert len(world.shop.records) == 1
    assert (await back_at_once(world)).counts.unknown == 0
    await world.both()
    assert world.agree()
    assert [kind for kind, _ in (*world.shop.effects, *world.ledger.effects)] == ["create"]


async def back_at_once(world: Between) -> RunReport:
    """A run of the way back, without any time in between."""
    return await world.engine().run(RunRequest(stream="entries"))
