"""Promises about records that are gone at the source: found, deleted once, and never many by mistake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from runtime.declare import Deletes, Operation, Parameter
from runtime.engine import RunReport
from runtime.errors import IntegrationError
from tests.runtime.engine.conftest import SINGLE, World
from tests.runtime.fakes import Shopify
from tests.runtime.sample.app import CUSTOMERS

DELETE = Operation(
    id="DELETE /contacts/{id}",
    api="credo",
    method="DELETE",
    path="/contacts/{id}",
    parameters=(Parameter(argument="id", name="id", location="path", style="simple", required=True),),
)
HARD: dict[str, Any] = {"deletes": Deletes(mode="hard"), "destination__delete": DELETE}
SOFT: dict[str, Any] = {"deletes": Deletes(mode="soft", set=((("first_name",), "archived"),))}
TOMBSTONE: dict[str, Any] = {
    "deletes": Deletes(mode="hard", found_by="tombstone", tombstone=("deleted_at",)),
    "destination__delete": DELETE,
}
NO_GET: dict[str, Any] = {**HARD, "source__get": None}


async def passing(world: World, changes: dict[str, Any], **request: Any) -> RunReport:
    """A complete pass, a day later."""
    world.clock.moment += 2 * 86_400
    return await world.sync(changes=changes, **request)


def names(world: World) -> set[str]:
    return {contact["last_name"] for contact in world.credo.contacts.values()}


def answering(customers: list[dict[str, Any]]) -> Any:
    """A list of these, whatever there is."""
    return lambda request: (
        httpx.Response(200, json={"customers": customers}) if request.url.path.endswith("/customers.json") else None
    )


async def test_record_that_is_gone_stays_by_default(world: World) -> None:
    world.shopify = Shopify(3)
    await world.sync()
    del world.shopify.customers[2]
    report = await world.sync(resync=True)
    assert (report.state, report.counts.deleted, len(world.credo.contacts)) == ("done", 0, 3)


@pytest.mark.parametrize("changes", [HARD, NO_GET], ids=["confirmed", "trusted"])
async def test_record_that_a_complete_pass_comes_without_is_deleted_once(world: World, changes: dict[str, Any]) -> None:
    """It counts as read and as written; the next pass finds nothing to do."""
    world.shopify = Shopify(5)
    await world.sync(changes=changes)
    del world.shopify.customers[2]
    report = await passing(world, changes)
    assert (report.kind, report.state) == ("full", "done")
    assert (report.counts.read, report.counts.deleted, report.counts.unchanged) == (5, 1, 4)
    assert report.to_json()["written_by_kind"]["deleted"] == report.counts.written == 1
    assert names(world) == {"Last1", "Last3", "Last4", "Last5"}
    assert (await passing(world, changes)).counts.deleted == 0
    assert [kind for kind, _ in world.credo.effects].count("delete") == 1


async def test_incremental_run_deletes_nothing(world: World) -> None:
    """What did not change does not come either."""
    world.shopify = Shopify(5)
    await world.sync(changes=HARD)
    del world.shopify.customers[2]
    report = await world.sync(changes=HARD)
    assert (report.kind, report.counts.deleted) == ("incremental", 0)


async def test_complete_pass_comes_when_the_last_one_is_a_day_old(world: World) -> None:
    world.shopify = Shopify(2)
    kinds = [(await world.sync(changes=HARD)).kind for _ in range(2)]
    kinds.append((await passing(world, HARD)).kind)
    kinds.append((await world.sync(changes=HARD)).kind)
    assert kinds == ["full", "incremental", "full", "incremental"]


async def test_soft_delete_writes_what_is_declared_and_keeps_the_rest(world: World) -> None:
    world.shopify = Shopify(3)
    await world.sync(changes=SOFT)
    del world.shopify.customers[2]
    report = await passing(world, SOFT)
    assert report.counts.deleted == 1
    [contact] = [each for each in world.credo.contacts.values() if each["last_name"] == "Last2"]
    assert (contact["first_name"], contact["email"]) == ("archived", "Person2@Example.com")
    assert (await passing(world, SOFT)).counts.written == 0


@pytest.mark.parametrize("changes", [HARD, SOFT], ids=["hard", "soft"])
async def test_record_that_is_there_again_is_written_again(world: World, changes: dict[str, Any]) -> None:
    world.shopify = Shopify(3)
    await world.sync(changes=changes)
    del world.shopify.customers[2]
    await passing(world, changes)
    world.shopify.put(2)
    report = await world.sync(changes=changes)
    assert (report.counts.created + report.counts.updated, report.counts.dead) == (1, 0)
    assert sorted(contact["first_name"] for contact in world.credo.contacts.values()) == ["First1", "First2", "First3"]


async def test_new_record_may_take_the_match_value_of_a_deleted_one(world: World) -> None:
    """A customer is deleted and made anew under another number, with the same address."""
    world.shopify = Shopify(3)
    await world.sync(changes=HARD)
    del world.shopify.customers[2]
    await passing(world, HARD)
    world.shopify.put(9, email="Person2@Example.com")
    report = await world.sync(changes=HARD)
    assert (report.counts.created, report.counts.dead) == (1, 0)


async def test_record_that_is_asked_for_and_not_there_is_deleted(world: World) -> None:
    """By name, as a webhook asks; one that was never written is left alone."""
    world.shopify = Shopify(3)
    await world.sync(changes=HARD)
    del world.shopify.customers[2]
    report = await world.sync(changes=HARD, ids=("2", "77"))
    assert (report.counts.read, report.counts.deleted, report.counts.skipped) == (2, 1, 1)
    again = await world.sync(changes=HARD, ids=("2",))
    assert (again.counts.deleted, again.counts.unchanged) == (0, 1)


async def test_tombstone_deletes_also_when_little_of_the_record_is_left(world: World) -> None:
    world.shopify = Shopify(3)
    await world.sync(changes=TOMBSTONE)
    world.shopify.now_s += 1
    moment = world.shopify.put(1)["updated_at"]
    world.shopify.customers[2] = {"id": 2, "deleted_at": moment, "updated_at": moment}
    report = await world.sync(changes=TOMBSTONE)
    assert (report.kind, report.counts.deleted, report.counts.dead) == ("incremental", 1, 0)
    assert names(world) == {"Last1", "Last3"}
    again = await world.sync(changes=TOMBSTONE)
    assert (again.counts.deleted, again.counts.dead) == (0, 0)


async def test_tombstone_that_a_list_hid_is_found_by_a_run_over_everything(world: World) -> None:
    """A list of changes that leaves one out looks like any other, and the watermark passes it; nothing else is lost by that."""
    world.shopify = Shopify(3)
    await world.sync(changes=TOMBSTONE)
    world.shopify.now_s += 600
    moment = world.shopify.put(2)["updated_at"]
    world.shopify.put(2, deleted_at=moment)
    world.shopify.now_s += 600
    world.shopify.put(3, first_name="Changed")
    world.shopify.fail.append(answering([world.shopify.customers[3]]))
    await world.sync(changes=TOMBSTONE)
    world.shopify.fail.clear()
    report = await world.sync(changes=TOMBSTONE)
    assert (report.kind, report.counts.deleted) == ("incremental", 0)
    report = await world.sync(changes=TOMBSTONE, resync=True)
    assert (report.kind, report.counts.deleted) == ("full", 1)
    assert names(world) == {"Last1", "Last3"}


async def test_record_that_shifting_pages_hid_is_not_deleted(world: World) -> None:
    """The list leaves it out, the source has it all the same: asked for by name it comes, and is synced."""
    world.shopify = Shopify(3)
    await world.sync(changes=HARD)
    world.shopify.put(2, first_name="Changed")

    def hides(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/customers.json"):
            return None
        shown = [customer for number, customer in world.shopify.customers.items() if number != 2]
        return httpx.Response(200, json={"customers": shown})

    world.shopify.fail.append(hides)
    report = await passing(world, HARD)
    assert (report.counts.deleted, report.counts.updated) == (0, 1)
    assert len(world.credo.contacts) == 3


# --- the brake ---


async def test_empty_list_deletes_nothing_until_a_person_says_so(world: World) -> None:
    """A credential that lost its scope answers 200 with no records."""
    world.shopify = Shopify(4)
    await world.sync(changes=NO_GET)
    world.shopify.customers.clear()
    report = await passing(world, NO_GET)
    assert (report.state, report.exit_code, report.counts.deleted) == ("failed", 1, 0)
    assert "gave no record at all, and 4 are linked" in (report.error or "")
    assert "sync customers --allow-deletes" in (report.error or "")
    assert len(world.credo.contacts) == 4
    allowed = await world.sync(changes=NO_GET, allow_deletes=True)
    assert (allowed.state, allowed.counts.deleted, len(world.credo.contacts)) == ("done", 4, 0)


async def test_shrunken_list_stops_before_the_first_delete(world: World) -> None:
    """More than the share and more than ten."""
    world.shopify = Shopify(40)
    await world.sync(changes=HARD)
    for number in range(1, 12):
        del world.shopify.customers[number]
    report = await passing(world, HARD)
    assert (report.state, report.counts.deleted, len(world.credo.contacts)) == ("failed", 0, 40)
    assert "11 of 40 linked records did not come, more than 5%" in (report.error or "")
    again = await world.sync(changes=HARD)
    assert (again.kind, again.state) == ("full", "failed")
    world.shopify.put(11)
    assert (await passing(world, HARD)).counts.deleted == 10


async def test_ids_that_are_all_gone_are_braked_too(world: World) -> None:
    world.shopify = Shopify(20)
    await world.sync(changes=HARD)
    world.shopify.customers.clear()
    report = await world.sync(changes=HARD, ids=tuple(str(number) for number in range(1, 12)))
    assert (report.state, report.counts.deleted, len(world.credo.contacts)) == ("failed", 0, 20)


async def test_pass_with_a_record_that_nobody_can_name_deletes_nothing(world: World) -> None:
    world.shopify = Shopify(12)
    await world.sync(changes=NO_GET)
    del world.shopify.customers[2]
    world.shopify.fail.append(answering([*list(world.shopify.customers.values())[1:], {"email": "x@example.com"}]))
    report = await passing(world, NO_GET)
    assert (report.state, report.counts.deleted) == ("failed", 0)
    assert "nobody can name" in (report.error or "")


async def test_record_that_cannot_be_mapped_still_counts_as_having_come(world: World) -> None:
    world.shopify = Shopify(3)
    await world.sync(changes=NO_GET)
    world.shopify.put(2, email=["no", "text"])
    report = await passing(world, NO_GET)
    assert (report.counts.dead, report.counts.deleted, len(world.credo.contacts)) == (1, 0, 3)


async def test_pass_that_was_cut_short_deletes_nothing(world: World) -> None:
    """The second page fails; the next run goes on behind the first and knows what had come."""
    world.shopify = Shopify(6)
    world.shopify.page_size = 2
    await world.sync(changes=NO_GET)
    del world.shopify.customers[3]

    def fails(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(500) if "page_info" in request.url.params else None

    world.shopify.fail.append(fails)
    report = await passing(world, NO_GET)
    assert (report.state, report.counts.deleted) == ("failed", 0)
    world.shopify.fail.clear()
    report = await world.sync(changes=NO_GET)
    assert (report.kind, report.state, report.counts.deleted) == ("full", "done", 1)
    assert names(world) == {"Last1", "Last2", "Last4", "Last5", "Last6"}


async def test_record_written_while_the_pass_was_under_way_is_not_missing(world: World) -> None:
    """A webhook brings it behind the page it would have stood on."""
    world.shopify = Shopify(3)
    await world.sync(changes=NO_GET)
    listed = dict(world.shopify.customers)
    state: dict[str, bool] = {}

    def answers(request: httpx.Request) -> httpx.Response | None:
        if not state:
            state["done"] = True
            world.clock.moment += 1
            link = world.state.store.links_of("customers", ["3"])[0]
            links = world.state.store.database.tables.links
            written = links.update().where(links.c.source_id == link.source_id)
            world.state.store.database.execute(written.values(written_at=world.clock.moment))
        return httpx.Response(200, json={"customers": [c for number, c in listed.items() if number != 3]})

    world.shopify.fail.append(answers)
    report = await passing(world, NO_GET)
    assert (report.counts.deleted, len(world.credo.contacts)) == (0, 3)


# --- at the destination ---


async def test_record_that_somebody_deleted_there_already_counts_as_deleted(world: World) -> None:
    world.shopify = Shopify(3)
    await world.sync(changes=HARD)
    [gone] = [identity for identity, contact in world.credo.contacts.items() if contact["last_name"] == "Last2"]
    del world.credo.contacts[gone]
    del world.shopify.customers[2]
    report = await passing(world, HARD)
    assert (report.state, report.counts.deleted) == ("done", 1)


async def test_delete_that_is_refused_is_a_dead_letter_until_it_is_taken(world: World) -> None:
    world.shopify = Shopify(3)
    await world.sync(changes=HARD)
    del world.shopify.customers[2]
    refuses = lambda request: httpx.Response(422, json={"error": "in use"}) if request.method == "DELETE" else None  # noqa: E731
    world.credo.fail.append(refuses)
    report = await passing(world, HARD)
    assert (report.state, report.counts.dead, report.counts.deleted) == ("partial", 1, 0)
    world.credo.fail.clear()
    assert (await world.sync(changes=HARD, ids=("2",), trigger="retry")).counts.deleted == 1
    assert world.state.dead_letters.open_count("customers") == 0


async def test_crash_after_a_delete_deletes_it_no_second_time(world: World) -> None:
    """Its intent stands; the next run asks again, and hears that it is not there."""
    world.shopify = Shopify(3)
    await world.sync(changes=HARD)
    del world.shopify.customers[2]

    def loses(request: httpx.Request) -> bool:
        return request.method == "DELETE"

    world.credo.lose += [loses, loses, loses]
    report = await passing(world, HARD)
    assert report.counts.unknown + report.counts.deleted == 1
    world.credo.lose.clear()
    report = await passing(world, HARD)
    assert report.state == "done"
    assert names(world) == {"Last1", "Last3"}
    assert [kind for kind, _ in world.credo.effects].count("delete") == 1
    assert world.state.store.intents("customers") == []


async def test_delete_with_an_unknown_outcome_is_asked_again_by_the_next_run(world: World) -> None:
    """Also where no pass would come without the record: it was asked for once, by its identity."""
    world.shopify = Shopify(3)
    world.environ["MAX_ATTEMPTS"] = "1"
    await world.sync(changes=HARD)
    del world.shopify.customers[2]
    world.credo.lose.append(lambda request: request.method == "DELETE")
    report = await world.sync(changes=HARD, ids=("2",))
    assert report.counts.unknown == 1
    report = await world.sync(changes=HARD)
    assert (report.counts.resolved, report.state) == (1, "done")
    [link] = world.state.store.links_of("customers", ["2"])
    assert link.gone_at is not None
    assert names(world) == {"Last1", "Last3"}


async def test_intent_of_a_delete_is_on_record_before_it_is_sent(world: World) -> None:
    world.shopify = Shopify(3)
    await world.sync(changes=HARD)
    del world.shopify.customers[2]
    seen: list[int] = []

    def looks(request: httpx.Request) -> httpx.Response | None:
        if request.method == "DELETE":
            seen.append(len(world.state.store.intents("customers")))
        return None

    world.credo.fail.append(looks)
    await passing(world, HARD)
    assert seen == [1]


async def test_dry_run_shows_what_would_be_deleted(world: World) -> None:
    world.shopify = Shopify(3)
    await world.sync(changes=HARD)
    del world.shopify.customers[2]
    world.clock.moment += 2 * 86_400
    report = await world.sync(changes=HARD, dry_run=True)
    assert (report.counts.deleted, len(world.credo.contacts)) == (1, 3)
    assert [(entry["action"], entry["source_id"]) for entry in report.sample] == [("delete", "2")]


def test_brake_needs_more_than_ten() -> None:
    from runtime.engine.deletes import Brake
    from runtime.state.lifecycle import PassEnd

    stream = replace(CUSTOMERS, deletes=Deletes(mode="hard", brake=0.0))
    Brake(stream, Deletes(mode="hard", brake=0.0), is_released=False).judge(PassEnd(5, 15, 10, True))
    with pytest.raises(IntegrationError, match="11 of 16"):
        Brake(stream, Deletes(mode="hard", brake=0.0), is_released=False).judge(PassEnd(5, 16, 11, True))


async def test_single_updates_and_deletes_share_a_pass(world: World) -> None:
    changes = {**HARD, **SINGLE}
    world.shopify = Shopify(4)
    await world.sync(changes=changes)
    del world.shopify.customers[1]
    world.shopify.put(2, first_name="Changed")
    world.shopify.put(5)
    report = await passing(world, changes)
    counts = report.counts
    assert (counts.read, counts.created, counts.updated, counts.deleted, counts.unchanged) == (5, 1, 1, 1, 2)
