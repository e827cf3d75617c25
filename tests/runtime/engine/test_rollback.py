"""Promises of rollbacks: what a run wrote is put back as it was, what changed since is told and left alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.declare import Deletes
from runtime.engine import RunReport, RunRequest
from runtime.errors import RequestRefused
from runtime.mask import MASKED
from tests.runtime.engine.conftest import World
from tests.runtime.engine.test_deletes import DELETE
from tests.runtime.engine.test_kept import empty
from tests.runtime.fakes import Shopify

BATCH: dict[str, Any] = {"rollback": True, "destination__delete": DELETE}
SINGLE: dict[str, Any] = {**BATCH, "destination__batch": None}
MERGE: dict[str, Any] = {**SINGLE, "destination__update_is": "merge"}


class Kept(World):
    """The sample with before-images, and a destination that deletes."""

    changes: dict[str, Any] = SINGLE

    async def synced(self, **request: Any) -> RunReport:
        return await self.sync(changes=self.changes, **request)

    async def back(self, run_id: str, **request: Any) -> RunReport:
        self.clock.moment += 10
        asked = RunRequest(stream="customers", rollback=run_id, keep=True, only_settle=True, **request)
        report = await self.engine(**self.changes).run(asked)
        report.counts.check()
        return report

    def kinds(self, source_id: str) -> list[str]:
        return [entry["kind"] for entry in self.state.history.of_record("customers", source_id)]

    def shown(self) -> dict[str, dict[str, Any]]:
        """The contacts, without what the server stamps."""
        return {
            key: {name: value for name, value in contact.items() if name not in ("created_at", "updated_at")}
            for key, contact in copy.deepcopy(self.credo.contacts).items()
        }

    def of(self, number: int) -> dict[str, Any]:
        """The contact of a customer."""
        [found] = [each for each in self.credo.contacts.values() if each["last_name"] == f"Last{number}"]
        return found


@pytest.fixture(params=["single", "batch", "merge", pytest.param("postgresql", marks=pytest.mark.postgres)])
def kept(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Kept]:
    is_postgresql = request.param == "postgresql"
    world = Kept(request.getfixturevalue("postgresql_url") if is_postgresql else f"sqlite:///{tmp_path / 'state.db'}")
    if is_postgresql:
        empty(world.state)
    world.changes = {"batch": BATCH, "merge": MERGE}.get(request.param, SINGLE)
    if request.param == "merge":
        _merge_what_is_put(world)
    yield world
    world.state.close()


def _merge_what_is_put(world: Kept) -> None:
    """Let the destination keep the fields that an update does not name."""
    real = world.credo._route

    def route(request: httpx.Request) -> tuple[int, Any]:
        identity = request.url.path.rsplit("/", 1)[1]
        before = dict(world.credo.contacts.get(identity, {}))
        status, body = real(request)
        if request.method == "PUT" and status == 200:
            body = world.credo.contacts[identity] = {**before, **body}
        return status, body

    world.credo._route = route  # type: ignore[method-assign]


async def test_updates_are_put_back_and_creations_deleted(kept: Kept) -> None:
    """As everything was before the run, what nobody maps included; and the next run finds no mess."""
    kept.shopify = Shopify(4)
    await kept.synced()
    before = kept.shown()
    for number in (1, 2):
        kept.shopify.put(number, first_name="Wrong", phone=None)
    kept.shopify.put(9)
    run = await kept.synced()
    assert (run.counts.updated, run.counts.created) == (2, 1)
    report = await kept.back(run.run_id)
    assert (report.state, report.kind) == ("done", "rollback")
    assert (report.counts.restored, report.counts.deleted, report.counts.read) == (2, 1, 3)
    assert kept.shown() == before
    assert kept.kinds("1") == ["restored", "updated", "created"]
    assert kept.kinds("9") == ["deleted", "created"]
    row = kept.state.runs.get(report.run_id)
    assert row is not None
    assert (row["rollback_of"], row["restored"]) == (run.run_id, 2)
    again = await kept.synced(resync=True)
    assert (again.counts.updated, again.counts.created) == (2, 1)  # the source still says so


async def test_dry_run_shows_what_would_be_put_back_and_sends_nothing(kept: Kept) -> None:
    """Record by record, field by field."""
    kept.shopify = Shopify(2)
    await kept.synced()
    kept.shopify.put(1, first_name="Wrong")
    kept.shopify.put(3)
    run = await kept.synced()
    effects, after = list(kept.credo.effects), kept.shown()
    report = await kept.back(run.run_id, dry_run=True)
    assert (report.counts.restored, report.counts.deleted) == (1, 1)
    assert [(entry["source_id"], entry["action"]) for entry in report.sample] == [("1", "put back"), ("3", "delete")]
    assert report.sample[0]["fields"] == {"first_name": {"from": "Wrong", "to": "First1"}}
    assert (kept.credo.effects, kept.shown()) == (effects, after)


async def test_dry_run_names_a_masked_field_that_would_be_put_back_and_not_its_values(kept: Kept) -> None:
    """Whoever looks is to know that it changes."""
    kept.changes = {**kept.changes, "mask": (("email",),), "mask_destination": (("email",),)}
    kept.shopify = Shopify(1)
    await kept.synced()
    kept.shopify.put(1, email="other@example.com")
    run = await kept.synced()
    report = await kept.back(run.run_id, dry_run=True)
    assert report.sample[0]["fields"] == {"email": {"from": MASKED, "to": MASKED}}


async def test_what_changed_since_is_a_conflict_that_is_told_and_left(kept: Kept) -> None:
    """Changed in the destination, or written by a later run; the others are put back."""
    kept.shopify = Shopify(4)
    await kept.synced()
    for number in (1, 2, 3):
        kept.shopify.put(number, first_name="Wrong")
    run = await kept.synced()
    kept.of(1)["first_name"] = "By hand"
    kept.shopify.put(2, first_name="Later")
    later = await kept.synced()
    report = await kept.back(run.run_id)
    assert (report.state, report.exit_code) == ("partial", 3)
    assert (report.counts.restored, report.counts.skipped) == (1, 2)
    assert {entry["source_id"]: entry["reason"] for entry in report.sample} == {
        "1": "it was changed in the destination since",
        "2": f"run {later.run_id} wrote it since",
    }
    assert [kept.of(number)["first_name"] for number in (1, 2, 3, 4)] == ["By hand", "Later", "First3", "First4"]


async def test_creation_that_another_run_changed_is_left(kept: Kept) -> None:
    """It is not the run's alone any more."""
    kept.shopify = Shopify(2)
    run = await kept.synced()
    kept.shopify.put(1, first_name="Later")
    later = await kept.synced()
    report = await kept.back(run.run_id)
    assert (report.counts.deleted, report.counts.skipped) == (1, 1)
    assert report.sample == [
        {
            "source_id": "1",
            "destination_id": kept.of(1)["id"],
            "action": "leave",
            "reason": f"run {later.run_id} wrote it since",
        }
    ]


async def test_rollback_can_be_put_back_itself(kept: Kept) -> None:
    """It is a run like any other; twice is once."""
    kept.shopify = Shopify(2)
    await kept.synced()
    kept.shopify.put(1, first_name="Right after all")
    kept.shopify.put(3)
    run = await kept.synced()
    after = {contact["last_name"]: contact["first_name"] for contact in kept.credo.contacts.values()}
    first = await kept.back(run.run_id)
    twice = await kept.back(run.run_id)
    assert (twice.state, twice.counts.written, twice.counts.skipped) == ("done", 0, 1)
    await kept.back(first.run_id)
    assert {contact["last_name"]: contact["first_name"] for contact in kept.credo.contacts.values()} == after


async def test_field_that_was_missing_before_is_emptied(tmp_path: Path) -> None:
    """What an adopted record did not have, it does not have afterwards; and it is linked to nothing, as before."""
    kept = Kept(f"sqlite:///{tmp_path / 's.db'}")
    kept.credo.seed(email="person1@example.com", last_name="Last1", first_name="Own")
    kept.shopify = Shopify(1)
    run = await kept.synced()
    assert run.counts.updated == 1
    await kept.back(run.run_id)
    assert kept.of(1)["first_name"] == "Own"
    assert kept.of(1)["phone_number"] is None
    assert kept.state.store.links_of("customers", ["1"]) == []
    kept.state.close()


async def gone(kept: Kept, number: int) -> RunReport:
    """A customer is deleted at the shop, and a complete pass finds it out."""
    del kept.shopify.customers[number]
    kept.clock.moment += 2 * 86_400
    run = await kept.synced(resync=True)
    assert run.counts.deleted == 1
    return run


async def test_deleted_record_is_made_again_as_the_destination_had_it(kept: Kept) -> None:
    """Not as it was written last: what somebody changed there since comes back too. It has a new identity, which is told."""
    kept.changes = {**kept.changes, "deletes": Deletes(mode="hard")}
    kept.shopify = Shopify(2)
    await kept.synced()
    old = kept.of(2)["id"]
    kept.of(2)["first_name"] = "Corrected"
    run = await gone(kept, 2)
    report = await kept.back(run.run_id)
    assert (report.state, report.counts.restored) == ("done", 1)
    new = kept.of(2)
    assert new["first_name"] == "Corrected"
    assert new["id"] != old
    [link] = kept.state.store.links_of("customers", ["2"])
    assert (link.destination_id, link.gone_at) == (new["id"], None)
    assert report.sample == [{"source_id": "2", "destination_id": new["id"], "was": old, "action": "make again"}]
    assert kept.kinds("2") == ["restored", "deleted", "created"]
    twice = await kept.back(run.run_id)
    assert (twice.state, twice.counts.written) == ("done", 0)


async def test_deleted_record_that_does_not_fit_any_more_is_made_again_as_it_was_written(tmp_path: Path) -> None:
    """What the link remembers is kept then."""
    kept = Kept(f"sqlite:///{tmp_path / 's.db'}")
    kept.changes = {**SINGLE, "deletes": Deletes(mode="hard")}
    kept.shopify = Shopify(2)
    await kept.synced()
    kept.of(2)["lifetime_value"] = {"amount": "many"}
    run = await gone(kept, 2)
    await kept.back(run.run_id)
    assert kept.of(2)["first_name"] == "First2"
    kept.state.close()


async def test_delete_whose_answer_was_lost_can_still_be_put_back(tmp_path: Path) -> None:
    """The next run finds it out, and the record is made again from what was written last."""
    kept = Kept(f"sqlite:///{tmp_path / 's.db'}")
    kept.changes = {**SINGLE, "deletes": Deletes(mode="hard")}
    kept.shopify = Shopify(2)
    await kept.synced()
    kept.environ["MAX_ATTEMPTS"] = "1"
    kept.credo.lose.append(lambda request: request.method == "DELETE")
    del kept.shopify.customers[2]
    kept.clock.moment += 2 * 86_400
    assert (await kept.synced(resync=True)).counts.unknown == 1
    run = await kept.synced()
    assert (run.counts.resolved, len(kept.credo.contacts)) == (1, 1)
    report = await kept.back(run.run_id)
    assert report.counts.restored == 1
    assert kept.of(2)["first_name"] == "First2"
    kept.state.close()


async def test_record_that_the_destination_does_not_take_again_is_told(tmp_path: Path) -> None:
    """As a dead letter: nothing is lost without a word."""
    kept = Kept(f"sqlite:///{tmp_path / 's.db'}")
    kept.changes = {**SINGLE, "deletes": Deletes(mode="hard")}
    kept.shopify = Shopify(2)
    await kept.synced()
    run = await gone(kept, 2)
    real = kept.credo._route
    kept.credo._route = (  # type: ignore[method-assign]
        lambda request: (422, {"error": "never again"}) if request.method == "POST" else real(request)
    )
    report = await kept.back(run.run_id)
    assert (report.state, report.counts.dead) == ("partial", 1)
    assert len(kept.credo.contacts) == 1
    kept.state.close()


async def test_soft_delete_is_put_back(tmp_path: Path) -> None:
    """The field that said it has its value again."""
    kept = Kept(f"sqlite:///{tmp_path / 's.db'}")
    kept.changes = {**SINGLE, "deletes": Deletes(mode="soft", set=((("owner",), "nobody"),))}
    kept.shopify = Shopify(2)
    await kept.synced()
    kept.of(2)["owner"] = "ana"
    del kept.shopify.customers[2]
    kept.clock.moment += 2 * 86_400
    run = await kept.synced(resync=True)
    assert kept.of(2)["owner"] == "nobody"
    report = await kept.back(run.run_id)
    assert (report.counts.restored, report.state) == (1, "done")
    assert kept.of(2)["owner"] == "ana"
    kept.state.close()


async def test_creation_without_a_delete_operation_is_told(tmp_path: Path) -> None:
    """Nothing is done by halves."""
    kept = Kept(f"sqlite:///{tmp_path / 's.db'}")
    kept.changes = {"rollback": True}
    kept.shopify = Shopify(1)
    run = await kept.synced()
    report = await kept.back(run.run_id)
    assert (report.state, report.counts.skipped, len(kept.credo.contacts)) == ("partial", 1, 1)
    assert report.sample[0]["reason"] == "it was created, and no operation deletes it"
    kept.state.close()


async def test_stream_that_keeps_nothing_is_refused(world: World) -> None:
    """With the way out."""
    world.shopify = Shopify(1)
    run = await world.sync()
    with pytest.raises(RequestRefused, match="rollback: true"):
        await world.engine().run(RunRequest(stream="customers", rollback=run.run_id, keep=True, only_settle=True))


async def test_rollback_that_a_crash_ends_is_settled_by_the_next_run(tmp_path: Path) -> None:
    """Intents were written first: what was sent is found out, nothing is lost."""
    kept = Kept(f"sqlite:///{tmp_path / 's.db'}")
    kept.shopify = Shopify(3)
    await kept.synced()
    for number in (1, 2):
        kept.shopify.put(number, first_name="Wrong")
    run = await kept.synced()
    kept.credo.lose.append(lambda request: request.method == "PUT")
    kept.credo.lose.append(lambda request: request.method == "PUT")
    kept.environ["MAX_ATTEMPTS"] = "1"
    report = await kept.back(run.run_id)
    assert report.counts.unknown == 2
    kept.environ["MAX_ATTEMPTS"] = "2"
    settled = await kept.synced(only_settle=True)
    assert settled.counts.resolved == 2
    assert [kept.of(number)["first_name"] for number in (1, 2)] == ["First1", "First2"]
    twice = await kept.back(run.run_id)
    assert twice.counts.written == 0
    kept.state.close()


async def test_update_whose_answer_was_lost_keeps_what_it_replaced(tmp_path: Path) -> None:
    """Found out later, it is in the ledger, with what both sides had agreed on before."""
    kept = Kept(f"sqlite:///{tmp_path / 's.db'}")
    kept.shopify = Shopify(1)
    await kept.synced()
    kept.shopify.put(1, first_name="Wrong")
    kept.environ["MAX_ATTEMPTS"] = "1"
    kept.credo.lose.append(lambda request: request.method == "PUT")
    assert (await kept.synced()).counts.unknown == 1
    run = await kept.synced()
    assert run.counts.resolved == 1
    assert kept.kinds("1") == ["updated", "created"]
    await kept.back(run.run_id)
    assert kept.of(1)["first_name"] == "First1"
    kept.state.close()


async def test_vendor_that_spells_values_its_own_way_is_not_taken_for_a_change(tmp_path: Path) -> None:
    """What its reply showed after the write is what is compared."""
    kept = Kept(f"sqlite:///{tmp_path / 's.db'}")
    real = kept.credo._route

    def spelled(request: httpx.Request) -> tuple[int, Any]:
        status, body = real(request)
        if isinstance(body, dict) and "first_name" in body:
            kept.credo.contacts[body["id"]]["first_name"] = str(body["first_name"]).upper()
            body = kept.credo.contacts[body["id"]]
        return status, body

    kept.credo._route = spelled  # type: ignore[method-assign]
    kept.shopify = Shopify(1)
    await kept.synced()
    kept.shopify.put(1, first_name="Wrong")
    run = await kept.synced()
    report = await kept.back(run.run_id)
    assert (report.counts.restored, report.state) == (1, "done")
    assert kept.of(1)["first_name"] == "FIRST1"
    kept.state.close()


async def test_field_that_no_update_takes_is_not_taken_for_a_change(tmp_path: Path) -> None:
    """The creation set it, the update could not: what the destination has there tells of nobody."""
    kept = Kept(f"sqlite:///{tmp_path / 's.db'}")
    kept.changes = SINGLE | {"destination__never_sent": (("id",), ("created_at",), ("updated_at",), ("first_name",))}
    real = kept.credo._route

    def ignoring(request: httpx.Request) -> tuple[int, Any]:
        before = dict(kept.credo.contacts.get(request.url.path.rsplit("/", 1)[1], {}))
        status, body = real(request)
        if request.method == "PUT" and status == 200:
            kept.credo.contacts[body["id"]]["first_name"] = before["first_name"]
            body = {"id": body["id"]}
        return status, body

    kept.credo._route = ignoring  # type: ignore[method-assign]
    kept.shopify = Shopify(1)
    await kept.synced()
    kept.shopify.put(1, first_name="Other", phone="+1 555")
    run = await kept.synced()
    assert (kept.of(1)["first_name"], kept.of(1)["phone_number"]) == ("First1", "+1 555")
    report = await kept.back(run.run_id)
    assert (report.counts.restored, report.state) == (1, "done")
    assert kept.of(1)["phone_number"] != "+1 555"
    kept.state.close()
