"""Null, missing, empty text and empty list are four things, from the source's reply to the destination's record."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.runtime.engine.conftest import SINGLE, World
from tests.runtime.sample.app import CUSTOMERS

MERGE: dict[str, Any] = {**SINGLE, "destination__update_is": "merge"}
ABSENT = object()


async def written(
    world: World, changes: dict[str, Any], phone: Any, tags: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A customer with phone and tags; then the source says this of them. The record that stands there, and what was sent."""
    world.shopify.put(1, phone="+491", tags="vip")
    await world.sync(changes=changes)
    customer = world.shopify.put(1, first_name="New")
    for name, value in (("phone", phone), ("tags", tags)):
        if value is ABSENT:
            del customer[name]
        else:
            customer[name] = value
    await world.sync(changes=changes)
    [contact] = world.credo.contacts.values()
    return contact, json.loads(world.credo.requests[-1].content)


@pytest.mark.parametrize("changes", [SINGLE, MERGE], ids=["replacing", "merging"])
async def test_field_that_the_source_leaves_out_is_not_cleared(world: World, changes: dict[str, Any]) -> None:
    """A replacing update lays what is there under it; a merging one does not name it."""
    contact, sent = await written(world, changes, ABSENT, ABSENT)
    assert contact["first_name"] == "New"
    if changes is SINGLE:
        assert (contact["phone_number"], contact["segments"]) == ("+491", ["vip"])
    else:
        assert "phone_number" not in sent
        assert "segments" not in sent


@pytest.mark.parametrize("changes", [SINGLE, MERGE], ids=["replacing", "merging"])
async def test_null_clears_and_empty_text_stays_empty_text(world: World, changes: dict[str, Any]) -> None:
    contact, sent = await written(world, changes, None, "")
    assert contact["phone_number"] is None
    assert sent["phone_number"] is None
    assert sent["segments"] == []
    other = World(world.url.replace("state", "other"))
    contact, sent = await written(other, changes, "", "a")
    assert (contact["phone_number"], sent["phone_number"]) == ("", "")
    other.state.close()


@pytest.mark.parametrize(
    ("phones", "updates"),
    [((None, ABSENT), 0), ((None, ""), 1), (("", None), 1), (("", ""), 0), ((None, None), 0), ((ABSENT, ABSENT), 0)],
    ids=["null to missing", "null to empty", "empty to null", "empty", "null", "missing"],
)
async def test_only_an_absence_that_says_something_else_is_written(
    world: World, phones: tuple[Any, Any], updates: int
) -> None:
    """What is missing says nothing, so what is there stays; the same absence twice is no change."""
    reports = []
    for phone in phones:
        customer = world.shopify.put(1, phone=None)
        if phone is ABSENT:
            del customer["phone"]
        else:
            customer["phone"] = phone
        reports.append(await world.sync(changes=SINGLE))
    assert [report.counts.updated for report in reports] == [0, updates]
    assert [report.counts.unchanged for report in reports] == [0, 1 - updates]
    puts = [request for request in world.credo.requests if request.method == "PUT"]
    assert len(puts) == updates


SPELLINGS = [
    ("Ada@Example.com", "ada@example.COM"),
    ("  ada@example.com ", "ada@example.com"),
    ("jos\u00e9@example.com", "jose\u0301@example.com"),
    ("STRASSE@example.com", "stra\u00dfe@example.com"),
    ("\u0130lk@example.com", "i\u0307lk@example.com"),
]


@pytest.mark.parametrize(("ours", "theirs"), SPELLINGS)
async def test_addresses_that_are_one_by_the_declared_rule_are_one_contact(
    world: World, ours: str, theirs: str
) -> None:
    """Case, blanks, accents written in two ways: compared as `compare` says, and kept as each side spells them."""
    match = replace(CUSTOMERS.match[0], compare=("trim", "nfc", "casefold", "nfc"))
    known = world.credo.seed(email=theirs)
    world.shopify.put(1, email=ours)
    changes: dict[str, Any] = {"match": (match,), "adopt": "prefetch"}
    report = await world.sync(changes=changes)
    assert (report.counts.updated, report.counts.created, list(world.credo.contacts)) == (1, 0, [known])
    world.shopify.put(2, email=theirs)
    report = await world.sync(changes={**changes, "duplicates": "first"})
    assert (report.counts.skipped, len(world.credo.contacts)) == (1, 1)


@pytest.mark.parametrize(("ours", "theirs"), SPELLINGS[2:4])
async def test_addresses_that_differ_by_the_declared_rule_are_two(world: World, ours: str, theirs: str) -> None:
    """Without `nfc` and `casefold` nothing is guessed."""
    match = replace(CUSTOMERS.match[0], compare=("trim",))
    world.credo.seed(email=theirs)
    world.shopify.put(1, email=ours)
    report = await world.sync(changes={"match": (match,), "adopt": "prefetch"})
    assert (report.counts.created, len(world.credo.contacts)) == (1, 2)
