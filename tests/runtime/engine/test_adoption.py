"""Promises of adoption: a destination record that is the same thing is found, linked and brought up to date, not doubled."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.engine.conftest import SINGLE, World
from tests.runtime.fakes import Shopify


@pytest.mark.parametrize("adopt", ["on_conflict", "prefetch", "lookup"])
@pytest.mark.parametrize("changes", [{}, SINGLE], ids=["batch", "single"])
async def test_existing_contact_is_adopted_whatever_the_case_of_its_address(
    world: World, adopt: str, changes: dict[str, Any]
) -> None:
    """Match values are compared as declared: trimmed, in lower case."""
    world.shopify = Shopify(6)
    known = world.credo.seed(email="person3@EXAMPLE.com", first_name="Old")
    report = await world.sync(changes={**changes, "adopt": adopt})
    assert (report.counts.created, report.counts.updated) == (5, 1)
    assert world.credo.contacts[known]["first_name"] == "First3"
    assert world.credo.contacts[known]["owner"] == "sales"
    assert len(world.credo.contacts) == 6
    world.shopify.put(3, first_name="New")
    await world.sync(changes={**changes, "adopt": adopt})
    assert world.credo.contacts[known]["first_name"] == "New"


async def test_prefetch_asks_once_and_makes_no_look_up_per_record(world: World) -> None:
    """A batch sync stays a batch sync."""
    world.shopify = Shopify(200)
    for number in range(1, 151):
        world.credo.seed(email=f"person{number}@example.com")
    report = await world.sync(changes={"adopt": "prefetch"})
    assert (report.counts.created, report.counts.updated) == (50, 150)
    lists = [r for r in world.credo.requests if r.method == "GET" and r.url.path == "/v1/contacts"]
    assert len(lists) == 2


async def test_match_value_that_moved_on_to_another_record_leads_it_to_no_object_of_the_first(world: World) -> None:
    """The list was read while the contact of the one had it: the other one's is not that contact (seed 7583)."""
    changes = {"adopt": "prefetch"}
    known = world.credo.seed(email="ana@example.com")
    world.shopify.put(1, email="ana@example.com", first_name="Ana")
    assert (await world.sync(changes=changes)).counts.updated == 1
    world.shopify.put(1, email="ana.new@example.com")
    await world.sync(changes=changes)
    world.shopify.put(2, email="ana@example.com", first_name="Another")
    report = await world.sync(changes=changes)
    assert (report.counts.created, report.counts.dead) == (1, 0)
    assert world.credo.contacts[known]["first_name"] == "Ana"
    assert [each["first_name"] for each in world.credo.by_email("ana@example.com")] == ["Another"]
    assert [each["first_name"] for each in world.credo.by_email("ana.new@example.com")] == ["Ana"]


async def test_match_value_that_several_contacts_had_is_ambiguous_when_one_is_taken(world: World) -> None:
    """Which of the others is meant nobody can tell, so none is written over, whoever comes first."""
    for _ in range(2):
        world.credo.seed(email="ana@example.com")
    world.shopify.put(1, email="ana@example.com", first_name="Ana")
    changes = {"adopt": "prefetch", "duplicates": "first"}
    assert (await world.sync(changes=changes)).counts.updated == 1
    world.shopify.put(1, email="ana.new@example.com")
    await world.sync(changes=changes)
    world.shopify.put(2, email="ana@example.com", first_name="Another")
    assert (await world.sync(changes=changes)).counts.dead == 1
    assert sorted(each.get("first_name") or "" for each in world.credo.contacts.values()) == ["", "Ana"]


async def test_adopt_never_leaves_what_exists_alone(world: World) -> None:
    """The conflict is the record's own trouble."""
    world.shopify = Shopify(2)
    known = world.credo.seed(email="person1@example.com", first_name="Old")
    report = await world.sync(changes={"adopt": "never"})
    assert (report.counts.created, report.counts.dead) == (1, 1)
    assert world.credo.contacts[known]["first_name"] == "Old"


@pytest.mark.parametrize(("duplicates", "fate"), [("dead", "dead"), ("first", "skipped")])
@pytest.mark.parametrize("page_size", [1, 10])
async def test_two_sources_with_one_match_value_do_not_share_a_contact(
    world: World, duplicates: str, fate: str, page_size: int
) -> None:
    """In one group or in two: the first has it, the second is told apart."""
    world.shopify.put(1, email="ana@example.com")
    world.shopify.put(2, email="ANA@example.com ")
    world.shopify.page_size = page_size
    report = await world.sync(changes={"duplicates": duplicates})
    assert (report.counts.created, getattr(report.counts, fate)) == (1, 1)
    again = await world.sync(changes={"duplicates": duplicates}, resync=True)
    assert (again.counts.unchanged, getattr(again.counts, fate)) == (1, 1)
    assert len(world.credo.contacts) == 1


async def test_two_destination_records_with_the_match_value_are_ambiguous(world: World) -> None:
    """Which of them is meant is for a person to say."""
    world.shopify.put(1)
    for _ in range(2):
        world.credo.seed(email="person1@example.com")
    report = await world.sync()
    assert report.counts.dead == 1
    assert "several destination records" in world.state.dead_letters.latest()[0]["reason"]


async def test_records_without_a_match_value_are_all_made(world: World) -> None:
    """Nothing matches nothing."""
    world.shopify.put(1, email=None)
    world.shopify.put(2, email=None)
    assert (await world.sync()).counts.created == 2


async def test_older_state_that_comes_late_overwrites_nothing(world: World) -> None:
    """A destination record never goes back to an older version."""
    old = dict(world.shopify.put(1, first_name="Old"))
    world.shopify.put(1, first_name="New")
    await world.sync()
    import json

    report = await world.sync(records=(json.dumps(old).encode(),), trigger="webhook")
    assert report.counts.skipped == 1
    assert world.credo.by_email("person1@example.com")[0]["first_name"] == "New"


async def test_record_that_stands_on_two_pages_counts_once(world: World) -> None:
    """Pages that overlap are not two records; the newer state wins."""
    import json

    older = dict(world.shopify.put(1, first_name="Old"))
    newer = dict(world.shopify.put(1, first_name="New"))
    records = tuple(json.dumps(each).encode() for each in (newer, older))
    report = await world.sync(records=records)
    assert (report.counts.read, report.counts.created, report.counts.skipped) == (2, 1, 1)
    assert world.credo.by_email("person1@example.com")[0]["first_name"] == "New"
