"""Dead letters: what they keep, what they hide, and the ways out of them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from runtime.actions import runs as actions
from runtime.engine.letters import MAX_PAYLOAD_BYTES
from runtime.errors import RequestRefused
from tests.runtime.engine.conftest import SINGLE, World, world
from tests.runtime.fakes import Shopify
from tests.runtime.sample.app import CUSTOMERS, INTEGRATION

__all__ = ["world"]


def dying(world: World, *numbers: int) -> None:
    """The destination refuses these customers."""
    marks = [f'"First{number}"'.encode() for number in numbers]

    def refuse(request: httpx.Request) -> httpx.Response | None:
        is_bad = request.method == "POST" and any(mark in request.content for mark in marks)
        return httpx.Response(422, json={"error": "no"}) if is_bad else None

    world.credo.fail.append(refuse)


async def test_letter_says_stage_class_reason_attempts_mapping_and_run(world: World) -> None:
    """Everything that somebody needs who looks at it the next morning."""
    world.shopify = Shopify(12)
    dying(world, 7)
    report = await world.sync(changes=SINGLE)
    await world.sync(changes=SINGLE, resync=True)
    [letter] = world.state.dead_letters.latest()
    assert (letter["source_id"], letter["stage"], letter["failure"]) == ("7", "send", "permanent_record")
    assert "422" in letter["reason"]
    assert letter["attempts"] == 2
    assert letter["first_at"] < letter["last_at"]
    assert letter["run_id"] != report.run_id
    assert letter["mapping"] == CUSTOMERS.mapping_digest
    whole = actions.letter_of(INTEGRATION, world.state, letter["id"])
    assert whole["payload"]["first_name"] == "First7"


@pytest.mark.parametrize("stage", ["decode", "map", "match", "send"])
async def test_stage_is_where_the_record_stopped(world: World, stage: str) -> None:
    """Reading, mapping, finding its like, sending."""
    world.shopify = Shopify(12)
    match stage:
        case "decode":
            world.shopify.put(7, email=5)
        case "map":
            world.shopify.put(7, total_spent="a lot")
        case "match":
            world.shopify.put(7, email="Person6@Example.com")
        case "send":
            dying(world, 7)
    await world.sync(changes=SINGLE)
    letters = world.state.dead_letters.latest()
    assert [letter["stage"] for letter in letters] == [stage]


async def test_payload_is_cut_and_then_not_retried_from_itself(world: World) -> None:
    """A record of a megabyte is not kept whole; where the source cannot be asked for it, retrying says so."""
    world.shopify = Shopify(12)
    world.shopify.put(7, note="n" * 1_000_000)
    changes: dict[str, Any] = {**SINGLE, "source__get": None}
    dying(world, 7)
    await world.sync(changes=changes)
    [listed] = world.state.dead_letters.latest()
    letter = world.state.dead_letters.get(listed["id"])
    assert letter is not None
    assert (len(letter["payload"]), letter["whole"]) == (MAX_PAYLOAD_BYTES, False)
    with pytest.raises(RequestRefused, match="--resync"):
        actions.retry_requests(world.engine(**changes), [letter])


async def test_secrets_in_a_record_are_hidden_and_it_is_no_longer_whole(world: World) -> None:
    """By name, and by value where the environment holds it."""
    world.shopify = Shopify(12)
    world.shopify.put(7, password="hunter-planted", note="key credo_planted inside")
    dying(world, 7)
    await world.sync(changes=SINGLE)
    [listed] = world.state.dead_letters.latest()
    letter = world.state.dead_letters.get(listed["id"])
    assert letter is not None
    assert b"planted" not in bytes(letter["payload"])
    assert not letter["whole"]
    assert b"First7" in bytes(letter["payload"])


async def test_all_are_retried_after_the_fix_and_close_by_themselves(world: World) -> None:
    """One run for all of a stream; what is written is no letter any more."""
    world.shopify = Shopify(30)
    dying(world, 7, 12, 19)
    await world.sync(changes=SINGLE)
    assert world.state.dead_letters.open_count() == 3
    world.credo.fail.clear()
    letters = [world.state.dead_letters.get(each["id"]) for each in world.state.dead_letters.latest()]
    requests = actions.retry_requests(world.engine(**SINGLE), [each for each in letters if each is not None])
    assert len(requests) == 1
    report = await world.sync(changes=SINGLE, ids=requests[0].ids, trigger="retry")
    assert (report.counts.created, world.state.dead_letters.open_count()) == (3, 0)
    assert len(world.credo.created()) == len(set(world.credo.created())) == 30


async def test_letter_closes_when_the_record_is_written_by_any_run(world: World) -> None:
    """Nobody has to tidy up."""
    world.shopify = Shopify(12)
    dying(world, 7)
    await world.sync(changes=SINGLE)
    world.credo.fail.clear()
    world.shopify.put(7)
    await world.sync(changes=SINGLE)
    assert world.state.dead_letters.open_count() == 0


async def test_discarded_letter_opens_again_with_a_newer_version(world: World) -> None:
    """Letting one state of a record be is no word on the next."""
    world.shopify = Shopify(12)
    dying(world, 7)
    await world.sync(changes=SINGLE)
    [letter] = world.state.dead_letters.latest()
    assert world.state.dead_letters.discard([letter["id"]]) == 1
    assert world.state.dead_letters.open_count() == 0
    world.shopify.put(7)
    await world.sync(changes=SINGLE)
    assert world.state.dead_letters.open_count() == 1
