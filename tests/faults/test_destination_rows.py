"""Faults of the destination: every effect is counted where it happens, in the vendor's own log."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from runtime.declare import Operation
from tests.faults.conftest import Wired
from tests.faults.rows import fault
from tests.faults.server import Step
from tests.runtime.engine.conftest import SINGLE
from tests.runtime.fakes import Shopify
from tests.runtime.sample.clients.credo import CREATE_CONTACT

NO_KEY: dict[str, Any] = {
    "destination__batch": None,
    "destination__create": Operation(id=CREATE_CONTACT.id, api="credo", method="POST", path="/contacts", body="json"),
}
WAYS = [pytest.param({}, id="batch"), pytest.param(SINGLE, id="single"), pytest.param(NO_KEY, id="no key")]


def posts(wired: Wired) -> list[Any]:
    return [seen for seen in wired.destination.requests if seen.line.startswith("POST")]


async def until_whole(wired: Wired, changes: dict[str, Any], *, runs: int = 3) -> None:
    """Runs until nothing is left, a few at most."""
    for _ in range(runs):
        report = await wired.sync(changes=changes)
        if report.state == "done":
            break
    assert report.state == "done"
    assert wired.is_whole()
    assert wired.state.store.intents("customers") == []


# --- whether it was written ---


@fault("dst-timeout-after-commit")
@pytest.mark.parametrize("changes", WAYS)
@pytest.mark.parametrize("does", ["silence", "close", "reset", "cut", "cut_chunked"])
async def test_dst_timeout_after_commit_has_its_effect_once(wired: Wired, does: str, changes: dict[str, Any]) -> None:
    """By its key, or by a look; the vendor made each contact once."""
    wired.shopify = Shopify(12)
    if does == "silence":
        wired.environ["REQUEST_DEADLINE_SECONDS"] = "1"
    wired.destination.script(Step(does=does, method="POST", acts=True, times=2))
    await until_whole(wired, changes, runs=10)


@fault("dst-timeout-after-commit")
async def test_dst_timeout_after_commit_of_what_cannot_be_looked_up_stays_unknown(wired: Wired) -> None:
    """Neither key nor find: counted, told with exit code 3, never sent again."""
    wired.shopify = Shopify(4)
    changes = {**NO_KEY, "destination__find": None, "destination__list": None}
    wired.destination.script(Step(does="close", method="POST", holds="First2", acts=True))
    report = await wired.sync(changes=changes)
    assert (report.state, report.exit_code, report.counts.created, report.counts.unknown) == ("partial", 3, 3, 1)
    for _ in range(3):
        report = await wired.sync(changes=changes, resync=True)
        assert (report.state, report.counts.unknown) == ("partial", 1)
    assert len(posts(wired)) == 4


@fault("dst-reset-before-commit")
@pytest.mark.parametrize("changes", WAYS)
@pytest.mark.parametrize("does", ["close", "reset"])
async def test_dst_reset_before_commit_leads_to_one_record(wired: Wired, does: str, changes: dict[str, Any]) -> None:
    """Nothing was written, and nobody could know: the same way, one contact each."""
    wired.shopify = Shopify(12)
    wired.destination.script(Step(does=does, method="POST", times=2))
    await until_whole(wired, changes)


@fault("dst-500-after-commit")
@pytest.mark.parametrize("changes", WAYS)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_dst_500_after_commit_is_taken_for_a_lost_answer(
    wired: Wired, status: int, changes: dict[str, Any]
) -> None:
    """An answer of 500 does not say that nothing was done."""
    wired.shopify = Shopify(12)
    wired.destination.script(Step(does="status", status=status, method="POST", acts=True, times=2))
    await until_whole(wired, changes)


@fault("dst-idem-conflict")
async def test_dst_idem_conflict_while_the_first_request_is_under_way_is_waited_out(wired: Wired) -> None:
    """409 under the same key after a lost answer: it asks again, the same bytes under the same key."""
    wired.shopify = Shopify(5)
    wired.environ["MAX_ATTEMPTS"] = "5"
    wired.destination.script(
        Step(does="close", method="POST", acts=True), Step(does="status", status=409, method="POST", times=2)
    )
    report = await wired.sync()
    assert (report.state, report.counts.created) == ("done", 5)
    assert len({(seen.header("idempotency-key"), seen.body) for seen in posts(wired)}) == 1
    assert len(posts(wired)) == 4
    assert wired.is_whole()


@fault("dst-idem-conflict")
async def test_dst_idem_conflict_new_content_has_a_new_key(wired: Wired) -> None:
    """The source changed between the lost answer and the next run: the old request is settled first, then the new one."""
    wired.shopify = Shopify(3)
    wired.environ["MAX_ATTEMPTS"] = "1"
    wired.destination.script(Step(does="close", method="POST", holds="First2", acts=True))
    report = await wired.sync(changes=SINGLE)
    assert report.counts.unknown + report.counts.created == 3
    wired.shopify.put(2, first_name="Changed")
    await until_whole(wired, SINGLE)
    by_key: dict[str, set[bytes]] = {}
    for seen in wired.destination.requests:
        if (key := seen.header("idempotency-key")) is not None:
            by_key.setdefault(key, set()).add(seen.body)
    assert all(len(bodies) == 1 for bodies in by_key.values())
    assert [each["first_name"] for each in wired.credo.by_email("person2@example.com")] == ["Changed"]


@fault("dst-idem-expired")
async def test_dst_idem_expired_key_is_not_relied_on(wired: Wired) -> None:
    """A day later the vendor has forgotten it: the record is looked for, not sent under the old key."""
    wired.shopify = Shopify(3)
    wired.environ["MAX_ATTEMPTS"] = "1"
    wired.destination.script(
        Step(does="close", method="POST", holds="First2", acts=True), Step(does="status", path="email=", times=50)
    )
    report = await wired.sync(changes=SINGLE)
    assert report.counts.unknown == 1
    wired.destination.script()
    wired.credo.remembers_keys = False
    wired.credo.answers.clear()
    wired.clock.moment += 26 * 3600
    before = len(posts(wired))
    await until_whole(wired, SINGLE)
    assert len(posts(wired)) == before


# --- what is refused ---


@fault("dst-409-412")
@pytest.mark.parametrize("status", [409, 412])
async def test_dst_409_412_reads_again_and_lays_its_fields_over_what_is_there_now(wired: Wired, status: int) -> None:
    """Somebody changed the contact between our read and our write; their change of other fields stays."""
    wired.shopify = Shopify(3)
    await wired.sync()
    [contact] = wired.credo.by_email("person2@example.com")
    wired.shopify.put(2, first_name="Changed")

    def changed(request: httpx.Request) -> httpx.Response | None:
        if request.method != "PUT":
            return None
        wired.credo.fail.remove(changed)
        contact["owner"] = "support"
        return httpx.Response(status, json={"error": "the version is another one now"})

    wired.credo.fail.append(changed)
    report = await wired.sync()
    assert (report.state, report.counts.updated) == ("done", 1)
    [now] = wired.credo.by_email("person2@example.com")
    assert (now["first_name"], now["owner"]) == ("Changed", "support")
    keys = [seen.header("idempotency-key") for seen in wired.destination.requests if seen.line.startswith("PUT")]
    assert len(keys) == len(set(keys)) == 2


@fault("dst-409-412")
async def test_dst_409_412_for_ever_is_a_dead_letter_after_a_few(wired: Wired) -> None:
    """No crash loop, no endless loop."""
    wired.shopify = Shopify(3)
    await wired.sync()
    wired.shopify.put(2, first_name="Changed")
    wired.destination.script(Step(does="status", status=412, method="PUT", times=1000))
    report = await wired.sync()
    assert (report.state, report.counts.dead) == ("partial", 1)
    assert sum(seen.line.startswith("PUT") for seen in wired.destination.requests) == 4


@fault("dst-400-poison")
@pytest.mark.parametrize("status", [400, 422])
async def test_dst_400_poison_is_a_dead_letter_at_once_and_can_be_retried(wired: Wired, status: int) -> None:
    """One request for it, the others go on; after the fix it is written."""
    wired.shopify = Shopify(12)
    wired.destination.script(Step(does="status", status=status, method="POST", holds="First7", times=1000))
    report = await wired.sync(changes=SINGLE)
    assert (report.state, report.exit_code, report.counts.created, report.counts.dead) == ("partial", 3, 11, 1)
    assert len(posts(wired)) == 12
    [letter] = wired.state.dead_letters.latest()
    assert (letter["source_id"], letter["stage"], letter["failure"]) == ("7", "send", "permanent_record")
    wired.destination.script()
    report = await wired.sync(changes=SINGLE, ids=("7",), trigger="retry")
    assert (report.state, report.counts.created, wired.state.dead_letters.open_count()) == ("done", 1, 0)
    assert wired.is_whole()


@fault("dst-207-partial")
async def test_dst_207_partial_judges_each_record_by_its_own_entry(wired: Wired) -> None:
    """Refused, reordered, not mentioned: by the number of the entry and not by its place."""
    wired.shopify = Shopify(12)

    def partial(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/batch"):
            return None
        wired.credo.fail.remove(partial)
        results = []
        for index, body in enumerate(json.loads(request.content)["contacts"]):
            if index == 3:
                results.append({"index": index, "status": 422, "error": "no"})
            elif index == 5:
                continue  # neither made nor mentioned
            elif index == 6:
                wired.credo._create(body)  # made, and not mentioned
            else:
                _, made = wired.credo._create(body)
                results.append({"index": index, "status": 201, "id": made["id"]})
        return httpx.Response(207, json={"results": results[::-1]})

    wired.credo.fail.append(partial)
    report = await wired.sync()
    assert (report.counts.dead, report.counts.unknown) == (1, 1)
    linked = {link.source_id: link.destination_id for link in wired.state.store.links_of("customers", ["1", "9"])}
    for source_id, destination_id in linked.items():
        assert destination_id is not None
        assert wired.credo.contacts[destination_id]["first_name"] == f"First{source_id}"
    report = await wired.sync()
    assert (report.counts.unknown, report.counts.resolved > 0) == (0, True)
    await wired.sync(ids=("4",), trigger="retry")
    assert wired.state.dead_letters.open_count() == 0
    assert wired.is_whole()


@fault("dst-batch-all-rejected")
async def test_dst_batch_all_rejected_is_halved_until_one_is_alone(wired: Wired) -> None:
    """A hundred records and one that spoils them cost about two requests for each halving."""
    wired.shopify = Shopify(100)
    wired.destination.script(Step(does="status", status=400, method="POST", holds="First37", times=1000))
    report = await wired.sync()
    assert (report.state, report.counts.created, report.counts.dead) == ("partial", 99, 1)
    assert len(posts(wired)) <= 16
    assert len({seen.header("idempotency-key") for seen in posts(wired)}) == len(posts(wired))


@fault("dst-413")
async def test_dst_413_makes_batches_smaller_and_one_too_large_alone_a_dead_letter(wired: Wired) -> None:
    """The size is learnt; what is too large even alone does not stop the others."""
    wired.shopify = Shopify(60)
    wired.shopify.put(30, first_name="L" * 6000)

    def too_large(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(413) if request.method == "POST" and len(request.content) > 5000 else None

    wired.credo.fail.append(too_large)
    report = await wired.sync()
    assert (report.state, report.counts.created, report.counts.dead) == ("partial", 59, 1)
    [letter] = wired.state.dead_letters.latest()
    assert letter["source_id"] == "30"
    assert "413" in letter["reason"]


@fault("dst-429-concurrent")
async def test_dst_429_concurrent_pauses_all_workers_together(wired: Wired) -> None:
    """Sixteen at work, one hears 429: what was under way is answered, then nobody asks until the time is over."""
    wired.shopify = Shopify(60)
    wired.destination.script(Step(does="status", status=429, headers={"Retry-After": "3"}, method="POST", skip=20))
    report = await wired.sync(changes=SINGLE)
    assert (report.state, report.counts.created) == ("done", 60)
    assert wired.slept_s() >= 3
    assert len(posts(wired)) <= 62
    assert wired.is_whole()


# --- what is there, and what is not ---


@fault("dst-read-after-write")
async def test_dst_read_after_write_our_links_are_the_truth(wired: Wired) -> None:
    """The search shows nothing of what was just made: later runs update by identity, and make nothing again."""
    wired.shopify = Shopify(5)
    wired.destination.script(Step(does="status", status=200, body='{"contacts": []}', path="email=", times=1000))
    changes = {**NO_KEY, "adopt": "lookup"}
    await wired.sync(changes=changes)
    wired.shopify.put(3, first_name="Changed")
    report = await wired.sync(changes=changes, resync=True)
    assert (report.counts.created, report.counts.updated, report.counts.unchanged) == (0, 1, 4)
    assert wired.is_whole()


@fault("dst-read-after-write")
async def test_dst_read_after_write_of_a_lost_answer_is_looked_for_twice(wired: Wired) -> None:
    """Made, the answer lost, and the search some seconds behind: not made again on its word."""
    wired.shopify = Shopify(3)
    empty = Step(does="status", status=200, body='{"contacts": [], "next_cursor": null}', path="email=", times=1000)
    wired.destination.script(Step(does="close", method="POST", holds="First2", acts=True), empty)
    report = await wired.sync(changes=NO_KEY)
    assert report.counts.unknown == 1
    seen_at = wired.clock.now() + 12  # the run begins ten seconds on

    def lagging(request: httpx.Request) -> httpx.Response | None:
        is_search = "email" in request.url.params
        return httpx.Response(200, json={"contacts": []}) if is_search and wired.clock.now() < seen_at else None

    wired.destination.script()
    wired.credo.fail.append(lagging)
    report = await wired.sync(changes=NO_KEY)
    assert (report.state, report.counts.resolved) == ("done", 1)
    assert wired.is_whole()


@fault("dst-deleted-behind")
async def test_dst_deleted_behind_is_made_again_once(wired: Wired) -> None:
    """An update that finds nothing makes the record anew; the runs after that leave it alone."""
    wired.shopify = Shopify(5)
    await wired.sync()
    [contact] = wired.credo.by_email("person3@example.com")
    del wired.credo.contacts[contact["id"]]
    wired.shopify.put(3, first_name="Changed")
    report = await wired.sync()
    assert (report.state, report.counts.created, len(wired.credo.contacts)) == ("done", 1, 5)
    report = await wired.sync(resync=True)
    assert (report.state, report.counts.unchanged) == ("done", 5)


@fault("dst-422-dup-exists")
@pytest.mark.parametrize("status", [409, 422, 400])
async def test_dst_422_dup_exists_adopts_what_is_there_and_updates_it(wired: Wired, status: int) -> None:
    """Found by its match, linked, and brought up to date; nothing is made beside it."""
    wired.shopify = Shopify(5)
    identity = wired.credo.seed(email="person2@EXAMPLE.com", first_name="Old", note="by hand")

    def exists(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST" and b"Person2" in request.content and not request.url.path.endswith("/batch"):
            return httpx.Response(status, json={"error": "email has already been taken"})
        return None

    wired.credo.fail.append(exists)
    report = await wired.sync(changes=SINGLE)
    assert (report.state, report.counts.created, report.counts.updated) == ("done", 4, 1)
    assert (wired.credo.contacts[identity]["first_name"], len(wired.credo.contacts)) == ("First2", 5)
    assert wired.credo.contacts[identity]["note"] == "by hand"
