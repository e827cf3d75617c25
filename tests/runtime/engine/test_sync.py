"""Promises of a sync: everything arrives, once, and only what changed is sent again."""

from __future__ import annotations

import logging

import pytest

from runtime.declare import Fixed
from runtime.errors import RequestRefused
from tests.runtime.engine.conftest import SINGLE, World
from tests.runtime.fakes import Shopify


@pytest.mark.parametrize("changes", [{}, SINGLE], ids=["batch", "single"])
async def test_sync_writes_all_then_nothing_then_what_changed(world: World, changes: dict[str, object]) -> None:
    """1,247 customers; again, all unchanged; three changed, three written."""
    world.shopify = Shopify(1247)
    first = await world.sync(changes=changes)
    assert (first.state, first.counts.read, first.counts.created) == ("done", 1247, 1247)
    assert first.to_json()["fetched_from_source"] == first.to_json()["pushed_to_dest"] == 1247
    assert len(world.credo.contacts) == 1247
    again = await world.sync(changes=changes, resync=True)
    assert (again.kind, again.counts.read, again.counts.unchanged) == ("full", 1247, 1247)
    for number in (1, 600, 1247):
        world.shopify.put(number, first_name="Changed")
    third = await world.sync(changes=changes)
    assert (third.kind, third.counts.updated, third.counts.created) == ("incremental", 3, 0)
    assert third.counts.unchanged == third.counts.read - 3
    assert sum(contact["first_name"] == "Changed" for contact in world.credo.contacts.values()) == 3
    assert len(world.credo.effects) == 1250


async def test_body_says_what_the_mapping_says(world: World) -> None:
    """Null stays null, missing stays out, a decimal is a JSON number with its digits."""
    customer = world.shopify.put(1, total_spent="12345678901234567.105", phone=None)
    del customer["tags"]
    await world.sync()
    [request] = [request for request in world.credo.requests if request.method == "POST"]
    assert b'"lifetime_value":12345678901234567.10' in request.content
    assert b'"phone_number":null' in request.content
    assert b"segments" not in request.content


async def test_replacing_update_keeps_what_is_not_mapped(world: World) -> None:
    """The record is read, the mapped fields laid over it, and read-only fields left out of what is written."""
    world.shopify.put(1)
    await world.sync(changes=SINGLE)
    [identity] = world.credo.contacts
    world.credo.contacts[identity]["owner"] = "ana"
    world.shopify.put(1, first_name="New")
    await world.sync(changes=SINGLE)
    assert world.credo.contacts[identity]["owner"] == "ana"
    assert world.credo.contacts[identity]["first_name"] == "New"
    put = world.credo.requests[-1]
    assert put.method == "PUT"
    assert b"created_at" not in put.content


async def test_update_of_a_record_that_is_gone_makes_it_again(world: World) -> None:
    """Somebody deleted the contact; the source still has the customer."""
    world.shopify.put(1)
    await world.sync()
    world.credo.contacts.clear()
    world.shopify.put(1, first_name="New")
    report = await world.sync()
    assert report.counts.created == 1
    assert len(world.credo.contacts) == 1
    world.shopify.put(1, first_name="Newer")
    assert (await world.sync()).counts.updated == 1


async def test_mapping_that_changed_over_old_state_stops_until_somebody_decides(world: World) -> None:
    """`--resync` writes everything anew; `--keep` goes on."""
    from runtime.engine import MappingChanged

    world.shopify = Shopify(3)
    await world.sync()
    other = {"mapping_digest": "sha256:other"}
    with pytest.raises(MappingChanged, match="the mapping changed: `--resync` or `--keep`"):
        await world.sync(changes=other)
    kept = await world.sync(changes=other, keep=True)
    assert (kept.kind, kept.counts.written) == ("incremental", 0)
    assert (await world.sync(changes=other)).state == "done"
    again = await world.sync(changes={"mapping_digest": "sha256:third"}, resync=True)
    assert (again.kind, again.counts.read, again.counts.unchanged) == ("full", 3, 3)


async def test_ids_reads_those_records_alone(world: World) -> None:
    """A record that is not there is skipped, not lost; the checkpoint stays where it is."""
    world.shopify = Shopify(5)
    report = await world.sync(ids=("2", "4", "99"))
    assert (report.kind, report.counts.created, report.counts.skipped) == ("ids", 2, 1)
    assert world.state.store.checkpoint("customers").watermark is None
    assert (await world.sync()).counts.created == 3


async def test_ids_are_asked_for_without_the_parameters_that_only_the_list_takes(world: World) -> None:
    """A fixed `status=any` of the list is no parameter of the operation that reads one record."""
    world.shopify = Shopify(5)
    await world.sync(ids=("2",), changes={"source__parameters": (Fixed(name="status", value="any"),)})
    assert world.shopify.requests[-1].url.query == b""
    await world.sync(changes={"source__parameters": (Fixed(name="status", value="any"),)})
    assert "status=any" in str(world.shopify.requests[-1].url)


async def test_limit_syncs_so_many_and_moves_no_watermark(world: World) -> None:
    """A sample proves nothing about the rest."""
    world.shopify = Shopify(30)
    report = await world.sync(limit=7)
    assert (report.counts.read, report.counts.created) == (7, 7)
    full = await world.sync()
    assert (full.kind, full.counts.created, full.counts.unchanged) == ("full", 23, 7)


async def test_since_filters_the_source(world: World) -> None:
    """`--since` is a pass of its own."""
    world.shopify = Shopify(4)
    moment = world.shopify.customers[3]["updated_at"]
    report = await world.sync(since=moment)
    assert (report.kind, report.counts.read) == ("incremental", 2)


async def test_dry_run_sends_nothing_and_shows_what_it_would(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Counts for all, fields for the first; neither the destination nor the state is touched. The log has counts alone."""
    world.shopify = Shopify(3)
    await world.sync(ids=("1",))
    world.shopify.put(1, first_name="New")
    writes = len([request for request in world.credo.requests if request.method != "GET"])
    with caplog.at_level(logging.INFO, "runtime.engine"):
        report = await world.sync(dry_run=True)
    [line] = [record for record in caplog.records if record.getMessage().endswith("ended: done")]
    assert vars(line)["run"]["read"] == 3
    assert not any(str(value) in str(vars(line)) for value in ("First1", "New", "Person"))
    assert (report.counts.updated, report.counts.created) == (1, 2)
    assert len([request for request in world.credo.requests if request.method != "GET"]) == writes
    [changed] = [entry for entry in report.sample if entry["action"] == "update"]
    assert changed["fields"] == {"first_name": {"from": "First1", "to": "New"}}
    assert (await world.sync()).counts.created == 2


async def test_two_runs_of_one_stream_never_overlap(world: World) -> None:
    """The second is told who holds the lease."""
    from runtime.state import LeaseHeld

    world.state.leases.acquire("stream:customers", "another")
    with pytest.raises(LeaseHeld, match="another"):
        await world.sync()


@pytest.mark.parametrize("conflicts", ["skip", "manual_review"])
async def test_conflict_rule_without_the_fields_that_it_needs_is_refused(world: World, conflicts: str) -> None:
    """A rule that would be ignored in silence is none."""
    with pytest.raises(RequestRefused, match="needs the fields"):
        world.engine(conflicts=conflicts)


@pytest.mark.postgres
async def test_state_in_postgresql_carries_a_sync(postgresql_url: str) -> None:
    """The same story, the same numbers."""
    world = World(postgresql_url)
    world.shopify = Shopify(300)
    try:
        assert (await world.sync()).counts.created == 300
        world.shopify.put(3, first_name="New")
        world.credo.seed(email="person301@example.com")
        world.shopify.put(301)
        report = await world.sync()
        assert (report.kind, report.counts.updated) == ("incremental", 2)
        assert (await world.sync(resync=True)).counts.unchanged == 301
    finally:
        world.state.close()
