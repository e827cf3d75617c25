"""Promises under faults: nothing lost, nothing twice, nothing hidden."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from runtime.declare import Operation
from runtime.state import LeaseLost
from runtime.state.rows import Commit, Found, Lease
from tests.runtime.engine.conftest import SINGLE, World
from tests.runtime.fakes import Shopify
from tests.runtime.sample.app import CUSTOMERS
from tests.runtime.sample.clients.credo import BATCH_CONTACTS, CREATE_CONTACT

NO_KEY: dict[str, Any] = {
    "destination__batch": None,
    "destination__create": Operation(id=CREATE_CONTACT.id, api="credo", method="POST", path="/contacts", body="json"),
}


class Killed(BaseException):
    """The process is gone."""


def is_write(request: httpx.Request) -> bool:
    return request.method == "POST"


def status(code: int, *, when: Callable[[httpx.Request], bool] = lambda request: True, times: int = 1) -> Any:
    left = [times]

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not when(request) or not left[0]:
            return None
        left[0] -= 1
        return httpx.Response(code, json={"error": "as asked"})

    return answer


# --- records that are refused ---


async def test_refused_batch_is_halved_until_the_bad_record_is_alone(world: World) -> None:
    """One record that the destination chokes on costs a few requests, not its batch."""
    world.shopify = Shopify(100)
    world.credo.fail.append(
        lambda request: httpx.Response(400, json={"error": "bad"}) if b"First37" in request.content else None
    )
    report = await world.sync()
    assert (report.state, report.counts.created, report.counts.dead) == ("partial", 99, 1)
    [letter] = world.state.dead_letters.latest()
    assert (letter["source_id"], letter["stage"], letter["failure"]) == ("37", "send", "permanent_record")
    assert report.exit_code == 3
    assert len(world.credo.created()) == len(set(world.credo.created())) == 99


async def test_batch_that_is_too_large_gets_smaller_for_the_rest_of_the_run(world: World) -> None:
    """413 is about the size, not about the records."""
    world.shopify = Shopify(300)

    def too_large(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/batch") and len(json.loads(request.content)["contacts"]) > 30:
            return httpx.Response(413, json={})
        return None

    world.credo.fail.append(too_large)
    report = await world.sync()
    assert (report.state, report.counts.created) == ("done", 300)
    refused = [r for r in world.credo.requests if is_write(r) and len(json.loads(r.content)["contacts"]) > 30]
    assert len(refused) <= 9


async def test_items_of_one_batch_have_their_own_fates(world: World) -> None:
    """Made, refused, and there already, in one reply."""
    world.shopify = Shopify(4)
    world.credo.seed(email="PERSON2@example.com", first_name="Old")
    world.credo.refuse = lambda body: "lifetime value too high" if body["first_name"] == "First3" else None
    report = await world.sync()
    assert (report.counts.created, report.counts.updated, report.counts.dead) == (2, 1, 1)
    assert "lifetime value too high" in world.state.dead_letters.latest()[0]["reason"]
    assert world.credo.by_email("person2@example.com")[0]["first_name"] == "First2"
    world.credo.refuse = lambda body: None
    world.shopify.put(3)
    assert (await world.sync()).counts.created == 1
    assert world.state.dead_letters.open_count() == 0


async def test_bad_record_dies_alone_and_its_letter_holds_no_secret(world: World) -> None:
    """What cannot be decoded or mapped spoils nothing around it."""
    world.shopify = Shopify(60)
    world.shopify.put(7, email=["not", "text"], note="token shpat_planted inside")
    world.shopify.put(8, total_spent="a lot")
    report = await world.sync()
    assert (report.counts.created, report.counts.dead) == (58, 2)
    letters = {letter["source_id"]: letter for letter in world.state.dead_letters.latest()}
    assert letters["8"]["stage"] == "map"
    [unnamed] = [letter for letter in letters.values() if letter["stage"] == "decode"]
    assert "email" in unnamed["reason"]
    whole = world.state.dead_letters.get(unnamed["id"])
    assert whole is not None
    assert b"shpat_planted" not in whole["payload"]
    assert b"not" in whole["payload"]
    again = await world.sync(resync=True)
    assert (again.counts.unchanged, again.counts.dead) == (58, 2)
    assert {letter["attempts"] for letter in world.state.dead_letters.latest()} == {2}


async def test_too_many_bad_records_stop_the_run_before_they_are_all_dead(world: World) -> None:
    """When everything fails the cause is not in the records: the cursor stays, a few letters show why."""
    world.shopify = Shopify(400)
    for number in range(1, 400, 2):
        world.shopify.customers[number]["total_spent"] = "a lot"
    report = await world.sync()
    assert (report.state, report.failure) == ("failed", "systematic")
    assert report.counts.dead == 11
    assert not world.credo.effects
    assert world.state.store.checkpoint("customers").cursor is None
    assert (await world.sync()).kind == "full"


async def test_destination_that_refuses_everything_stops_the_run(world: World) -> None:
    """Records refused one by one are judged while they are sent."""
    world.shopify = Shopify(250)
    world.credo.refuse = lambda body: "no"
    report = await world.sync(changes=SINGLE)
    assert (report.state, report.failure) == ("failed", "systematic")
    assert 25 <= report.counts.dead <= 45


# --- failures of an API ---


async def test_credential_that_is_refused_stops_at_once(world: World) -> None:
    """401 is about us: no record is dead for it, and the next run begins where this one did."""
    world.shopify = Shopify(500)
    world.credo.fail.append(status(401, when=is_write, times=1000))
    report = await world.sync(changes=SINGLE)
    assert (report.state, report.failure, report.counts.read, report.counts.dead) == ("failed", "auth", 0, 0)
    assert report.exit_code == 1
    world.credo.fail.clear()
    assert (await world.sync(changes=SINGLE)).counts.created == 500


async def test_destination_that_is_down_ends_the_run_and_the_next_one_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole groups of pages before the failure stay done."""
    monkeypatch.setattr("runtime.engine.run.BATCHED_RECORDS", 200)
    world.shopify = Shopify(600)
    world.shopify.page_size = 200
    seen = []

    def down_after_two_pages(request: httpx.Request) -> httpx.Response | None:
        seen.append(request)
        return httpx.Response(408, json={}) if is_write(request) and len(seen) > 4 else None

    world.credo.fail.append(down_after_two_pages)
    report = await world.sync()
    assert (report.state, report.failure, report.counts.created) == ("failed", "transient", 400)
    world.credo.fail.clear()
    asked = len(world.shopify.requests)
    report = await world.sync()
    assert (report.state, report.counts.read, report.counts.created) == ("done", 200, 200)
    assert len(world.shopify.requests) == asked + 1
    assert len(world.credo.created()) == 600


async def test_pages_that_were_read_before_the_source_failed_are_written(world: World) -> None:
    """Also those that were gathered for one transaction while the next page failed."""
    world.shopify = Shopify(600)
    world.shopify.page_size = 200
    world.shopify.fail.append(status(401, when=lambda r: "page_info=400" in str(r.url), times=9))
    report = await world.sync()
    assert (report.state, report.failure, report.counts.created) == ("failed", "auth", 400)
    asked = len(world.shopify.requests)
    world.shopify.fail.clear()
    report = await world.sync()
    assert (report.state, report.counts.read, report.counts.created) == ("done", 200, 200)
    assert len(world.shopify.requests) == asked + 1


async def test_cursor_that_the_source_forgot_begins_the_pass_again(world: World) -> None:
    """A stored cursor may die of old age; what was written is found unchanged."""
    world.shopify = Shopify(600)
    world.shopify.page_size = 200
    world.shopify.fail.append(status(401, when=lambda r: "page_info=400" in str(r.url), times=9))
    assert (await world.sync()).state == "failed"
    world.shopify.fail[:] = [status(400, when=lambda r: "page_info=400" in str(r.url), times=1)]
    report = await world.sync()
    assert (report.state, report.counts.unchanged, report.counts.created) == ("done", 400, 200)


# --- outcomes that nobody knows ---


@pytest.mark.parametrize("changes", [{}, SINGLE], ids=["batch", "single"])
async def test_lost_answer_is_found_out_by_the_key(world: World, changes: dict[str, Any]) -> None:
    """The request was carried out, its answer never came: the same bytes under the same key bring the answer again."""
    world.shopify = Shopify(5)
    world.environ["MAX_ATTEMPTS"] = "1"
    world.credo.lose += [is_write]
    world.credo.fail.append(status(503, when=lambda r: r.method == "GET", times=100))
    report = await world.sync(changes=changes)
    lost = 5 if not changes else 1
    assert (report.state, report.counts.unknown) == ("partial", lost)
    assert report.exit_code == 3
    world.credo.fail.clear()
    report = await world.sync(changes=changes)
    assert report.counts.resolved == lost
    assert sorted(world.credo.created()) == sorted(set(world.credo.created()))
    assert len(world.credo.contacts) == 5
    assert world.state.store.intents("customers") == []


async def test_lost_answer_without_a_key_is_looked_up(world: World) -> None:
    """No idempotency key: the record is found by its match value and adopted, in the same run."""
    world.shopify = Shopify(5)
    world.credo.lose += [is_write, is_write]
    report = await world.sync(changes=NO_KEY)
    assert (report.state, report.counts.written) == ("done", 5)
    assert len(world.credo.contacts) == 5


async def test_lost_request_without_a_key_is_sent_anew_after_a_look(world: World) -> None:
    """It was not carried out: at the next start it is not found, so it is made."""
    world.shopify = Shopify(3)

    def reset(request: httpx.Request) -> httpx.Response | None:
        if is_write(request) and b"First2" in request.content:
            world.credo.fail.remove(reset)
            raise httpx.ReadError("reset", request=request)
        return None

    world.credo.fail.append(reset)
    report = await world.sync(changes=NO_KEY)
    assert (report.counts.created, report.counts.unknown) == (2, 1)
    # The record is not sent by a pass either, while nobody knows.
    report = await world.sync(changes=NO_KEY)
    assert report.counts.resolved == 1
    assert sorted(world.credo.created()) == [f"Person{n}@Example.com" for n in (1, 2, 3)]


async def test_run_that_sends_an_earlier_write_again_and_loses_the_answer_is_partial(world: World) -> None:
    """The record is not among those that this run reads, so its counts do not tell of it; its state does."""
    world.shopify = Shopify(3)
    world.environ["MAX_ATTEMPTS"] = "1"

    def reset(request: httpx.Request) -> httpx.Response | None:
        if is_write(request) and b"First2" in request.content:
            raise httpx.ReadError("reset", request=request)
        return None

    world.credo.fail.append(reset)
    assert (await world.sync(changes=NO_KEY)).counts.unknown == 1
    report = await world.sync(changes=NO_KEY, ids=("3",))
    assert (report.state, report.exit_code) == ("partial", 3)
    assert (report.counts.read, report.counts.unchanged, report.counts.resolved) == (1, 1, 0)
    world.credo.fail.clear()
    report = await world.sync(changes=NO_KEY, ids=("3",))
    assert (report.state, report.counts.resolved) == ("done", 1)


async def test_append_never_sends_an_unknown_outcome_again(world: World) -> None:
    """It stays unknown, is counted, and its record is not sent by later passes."""
    world.shopify = Shopify(3)
    append = {**NO_KEY, "mode": "append"}
    world.credo.lose.append(lambda request: b"First2" in request.content)
    assert (await world.sync(changes=append)).counts.unknown == 1
    for _ in range(2):
        report = await world.sync(changes=append, resync=True)
        assert (report.state, report.counts.unknown, report.counts.unchanged) == ("partial", 1, 2)
    assert len(world.credo.created()) == 3


async def give_up(world: World) -> str:
    """A write that stays unknown for so long that a person is asked; returns the dead letter's source identity."""
    world.shopify = Shopify(1)
    world.environ["MAX_ATTEMPTS"] = "1"
    world.credo.fail.append(status(500, when=is_write, times=99))
    for _ in range(8):
        world.clock.moment += 3 * 3600  # while the vendor remembers the key, trying again does no harm
        await world.sync(changes=SINGLE)
    world.credo.fail.clear()
    [letter] = world.state.dead_letters.latest()
    assert (letter["stage"], letter["failure"]) == ("resolve", "unknown")
    return str(letter["source_id"])


async def test_outcome_that_cannot_be_found_out_waits_for_a_person(world: World) -> None:
    """After some attempts nothing is sent any more, and the record still counts as unknown."""
    await give_up(world)
    report = await world.sync(changes=SINGLE, resync=True)
    assert (report.counts.unknown, report.counts.written, world.credo.created()) == (1, 0, [])


async def test_person_who_says_that_it_is_not_there_has_it_sent(world: World) -> None:
    """`dead-letters retry`."""
    source_id = await give_up(world)
    report = await world.sync(changes=SINGLE, ids=(source_id,), not_there=(source_id,), trigger="retry")
    assert report.counts.created == 1
    assert world.state.dead_letters.open_count() == 0
    assert world.state.store.intents("customers") == []


async def test_person_who_says_that_it_is_settled_has_it_left_alone(world: World) -> None:
    """`dead-letters discard`."""
    source_id = await give_up(world)
    await world.sync(changes=SINGLE, ids=(source_id,), settled=(source_id,), trigger="retry")
    assert world.credo.created() == []
    assert (await world.sync(changes=SINGLE, resync=True)).counts.unchanged == 1


# --- crashes ---


@pytest.mark.parametrize("changes", [{}, SINGLE, NO_KEY], ids=["batch", "single", "no key"])
@pytest.mark.parametrize("side", ["before", "after"])
async def test_kill_at_each_commit_converges_without_a_second_effect(
    world: World, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], side: str
) -> None:
    """Whatever commit the process dies at, the next runs finish the work and each contact is made once."""
    commits = 0
    for fatal in range(1, 9):
        world.shopify = Shopify(0)
        for number in range(fatal * 1000 + 1, fatal * 1000 + 36):
            world.shopify.put(number)
        world.shopify.page_size = 12
        count = 0
        commit = world.state.store.commit

        def dying(work: Commit, commit: Any = commit, fatal: int = fatal) -> Found:
            nonlocal count, commits
            count += 1
            commits += 1
            if count == fatal and side == "before":
                raise Killed
            found: Found = commit(work)
            if count == fatal:
                raise Killed
            return found

        monkeypatch.setattr(world.state.store, "commit", dying)
        try:
            await world.sync(changes=changes, resync=True)
        except Killed:
            world.crash()
            report = await world.sync(changes=changes)
            assert report.state == "done"
        else:
            monkeypatch.undo()
        for number in range(fatal * 1000 + 1, fatal * 1000 + 36):
            assert world.credo.created().count(f"Person{number}@Example.com") == 1, number
    assert commits >= 8
    assert world.state.store.intents("customers") == []


async def test_record_that_ends_the_process_each_time_becomes_a_dead_letter(world: World) -> None:
    """After some starts that did not end, records are read one by one, each written down before it is read."""
    world.shopify = Shopify(30)

    def deadly(customer: Any) -> Any:
        if customer.id == 17:
            raise Killed
        return CUSTOMERS.map(customer)

    deaths = 0
    for _ in range(6):
        try:
            report = await world.sync(changes={"map": deadly})
            break
        except Killed:
            deaths += 1
            world.crash()
    assert (
        deaths == 5
    )  # three before records are read one by one, two at the same one: an innocent is not blamed for one
    assert (report.counts.dead, len(world.credo.contacts)) == (1, 29)
    assert sorted(world.credo.created()) == sorted(f"Person{n}@Example.com" for n in range(1, 31) if n != 17)
    [letter] = world.state.dead_letters.latest()
    assert "ended the process" in letter["reason"]
    assert (await world.sync(changes={"map": deadly}, ids=("1", "2"))).state == "done"


async def test_holder_that_lost_its_lease_stops_and_moves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paused process that wakes after another took over finds the fence."""
    world.shopify = Shopify(30)
    world.shopify.page_size = 10
    commit = world.state.store.commit
    count = 0

    def slow(work: Commit) -> Found:
        nonlocal count
        count += 1
        if count == 2:
            world.clock.moment += 1000
            world.state.leases.acquire("stream:customers", "another")
        return commit(work)

    monkeypatch.setattr(world.state.store, "commit", slow)
    report = await world.sync()
    assert report.state == "failed"
    assert "taken over" in (report.error or "")
    assert world.state.store.checkpoint("customers").cursor is None
    with pytest.raises(LeaseLost):
        world.state.leases.renew(Lease(name="stream:customers", holder="me", token=1, ttl_s=1))


def test_batch_operation_of_the_sample_has_a_key() -> None:
    """What the tests above rest on."""
    assert BATCH_CONTACTS.idempotency_header == CREATE_CONTACT.idempotency_header == "Idempotency-Key"


async def test_record_that_ends_the_process_is_found_though_other_runs_end_well_in_between(world: World) -> None:
    """Deliveries of webhooks, say: that a run of some records ends proves nothing about the one that reads everything."""
    world.shopify = Shopify(30)

    def deadly(customer: Any) -> Any:
        if customer.id == 17:
            raise Killed
        return CUSTOMERS.map(customer)

    for _ in range(8):
        try:
            report = await world.sync(changes={"map": deadly})
            break
        except Killed:
            world.crash()
            assert (await world.sync(changes={"map": deadly}, ids=("1", "2"))).state == "done"
    assert (report.counts.dead, len(world.credo.contacts)) == (1, 29)
