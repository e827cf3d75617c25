"""Promises about what is kept of people: masked where it is shown, sealed where it is stored, gone when it is to be forgotten."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import event, text

from runtime.engine import RunRequest
from runtime.forgetting import forget
from runtime.mask import MASKED, Mask
from runtime.state import KeyWrong, LeaseHeld, State
from runtime.state.sealing import MARK, sealer_of
from tests.runtime.engine.conftest import World
from tests.runtime.fakes import Shopify

PLANTED = ("planted.person@example.com", "PlantedFirst", "+49555000111", "PlantedNote")
CHANGES: dict[str, Any] = {"rollback": True, "destination__batch": None}


def plant(shopify: Shopify, number: int, **more: Any) -> None:
    """A person with values that are looked for everywhere."""
    email, first, phone, note = PLANTED
    shopify.put(number, **{"email": email, "first_name": first, "phone": phone, "note": note, **more})


class Filled(World):
    """A state in which one person has left traces everywhere."""

    async def fill(self) -> None:
        self.shopify = Shopify(5)
        plant(self.shopify, 3)
        await self.sync(changes=CHANGES)
        plant(self.shopify, 3, last_name="Married")
        plant(self.shopify, 77, email=PLANTED[0].upper())
        await self.sync(changes=CHANGES)  # the second is a duplicate of the first: a dead letter
        plant(self.shopify, 3, last_name="Again")
        self.environ["MAX_ATTEMPTS"] = "1"
        self.credo.lose.append(lambda request: request.method == "PUT")
        assert (await self.sync(changes=CHANGES)).counts.unknown == 1
        await self.sync(changes=CHANGES, dry_run=True, ids=("3",))
        body = json.dumps(self.shopify.customers[3]).encode()
        row = {"stream": "customers", "topic": "customers/update", "delivery_id": "d1", "body": body, "state": "done"}
        self.state.inbox.put([{**row, "error": None}, {**row, "delivery_id": "d2", "state": "waiting", "error": None}])
        conflict = self.state.store.database.tables.conflicts.insert().values(
            id="k1", stream="customers", source_id="3", base=self.state.sealer.seal(body), fields="[]", state="open",
            source=self.state.sealer.seal(body), destination=self.state.sealer.seal(body), made_at=1.0, run_id="r",
        )  # fmt: skip
        self.state.store.database.execute(conflict)
        held = self.state.store.database.tables.waiting.insert().values(
            stream="customers", source_id="3", parent_stream="companies", parent_id="1", since_at=1.0, run_id="r",
            payload=self.state.sealer.seal(body),
        )  # fmt: skip
        self.state.store.database.execute(held)

    def stored(self) -> bytes:
        """Everything in the database: its files, or all rows of all tables."""
        if self.url.startswith("sqlite"):
            path = Path(self.url.removeprefix("sqlite:///"))
            return b"".join(file.read_bytes() for file in sorted(path.parent.glob(path.name + "*")))
        database, found = self.state.store.database, b""
        for table in database.tables.metadata.tables.values():
            rows = database.read(lambda connection, table=table: connection.execute(table.select()).all())  # type: ignore[misc]
            found += b"".join(
                bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for row in rows for v in row
            )
        return found


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Filled]:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    world = Filled(url)
    if request.param == "postgresql":
        empty(world.state)
    yield world
    world.state.close()


def empty(state: State) -> None:
    """Nothing of tests before in a database that they share."""
    tables = state.store.database.tables
    kept = [table.name for table in tables.metadata.tables.values() if table.name != "schema_version"]
    names = ", ".join(f'"{tables.schema}".{name}' for name in kept)
    state.store.database.write(lambda connection: connection.execute(text(f"TRUNCATE {names}")))


async def test_forgotten_person_is_nowhere_in_the_database(filled: Filled) -> None:
    """Whatever table, whatever file; the others are all there, and the next run goes on."""
    await filled.fill()
    before = filled.stored()
    assert all(value.encode() in before for value in PLANTED)
    engine = filled.engine(**CHANGES)
    found = await forget(engine, "customers", ["3"])
    assert found["files_are_clean"] is True
    kinds = {"links", "changes", "conflicts", "waiting", "intents", "deliveries", "matches", "runs"}
    assert kinds - {"matches"} <= set(found["erased"]), found
    await forget(engine, "customers", ["77"])
    after = filled.stored()
    assert [value for value in PLANTED if value.encode() in after] == []
    assert b"Married" not in after
    assert len(filled.state.store.links_of("customers", ["1", "2", "4", "5"])) == 4
    assert filled.state.inbox.counts() == {"done": 1, "ignored": 1}
    del filled.shopify.customers[3], filled.shopify.customers[77]
    filled.environ["MAX_ATTEMPTS"] = "2"
    assert (await filled.sync(changes=CHANGES, resync=True)).state == "done"


async def test_forgetting_a_part_of_a_batch_never_repeats_it_under_its_key(filled: Filled) -> None:
    """The vendor knows the key with another body: the others are looked up."""
    filled.shopify = Shopify(4)
    plant(filled.shopify, 3)
    filled.environ["MAX_ATTEMPTS"] = "1"
    filled.credo.lose.append(lambda request: request.url.path.endswith("/batch"))
    filled.credo.fail.append(lambda request: httpx.Response(500) if request.url.params.get("email") else None)
    assert (await filled.sync()).counts.unknown == 4
    found = await forget(filled.engine(), "customers", ["3"])
    assert found["erased"]["intents"] == 1
    filled.credo.fail.clear()
    del filled.shopify.customers[3]
    report = await filled.sync()
    assert report.counts.resolved == 3
    assert sorted(filled.credo.created()) == sorted(set(filled.credo.created()))
    assert len(filled.state.store.links_of("customers", ["1", "2", "4"])) == 3


async def test_stream_that_is_being_run_is_not_forgotten_from(world: World) -> None:
    """What a run has in its hands would be written again."""
    world.state.leases.acquire("stream:customers", "somebody")
    with pytest.raises(LeaseHeld):
        await forget(world.engine(), "customers", ["1"])


async def test_sealed_state_shows_nothing_and_works_as_ever(filled: Filled) -> None:
    """No planted value in any file or row; what is stored comes back."""
    key = Fernet.generate_key().decode()
    filled.state.close()
    filled.state = State(filled.url, name="shopify-credo", now=filled.clock.now, sealer=sealer_of(key))
    filled.state.prepare()
    await filled.fill()
    found = filled.stored()
    assert [value for value in PLANTED if value.encode() in found] == []
    assert found.count(MARK) > 10
    [letter] = filled.state.dead_letters.latest("customers")
    shown = filled.state.dead_letters.get(letter["id"])
    assert shown is not None
    assert PLANTED[1].encode() in shown["payload"]
    [waiting] = filled.state.inbox.waiting("customers")
    assert PLANTED[0].encode() in waiting["body"]
    filled.environ["MAX_ATTEMPTS"] = "2"
    filled.state.dead_letters.discard([letter["id"]])
    assert (await filled.sync(changes=CHANGES, ids=("3",))).counts.resolved == 1
    filled.state.close()
    # Without the key, and with another one, nothing begins.
    for wrong in (None, Fernet.generate_key().decode()):
        state = State(filled.url, name="shopify-credo", now=filled.clock.now, sealer=sealer_of(wrong))
        with pytest.raises(KeyWrong, match="STATE_KEY"):
            state.prepare()
        state.close()
    # A new key in front, everything brought under it, the old one dropped.
    new = Fernet.generate_key().decode()
    both = State(filled.url, name="shopify-credo", now=filled.clock.now, sealer=sealer_of(f"{new} {key}"))
    both.prepare()
    assert both.seals.reseal() > 5
    assert both.seals.reseal() == 0
    both.close()
    filled.state = State(filled.url, name="shopify-credo", now=filled.clock.now, sealer=sealer_of(new))
    filled.state.prepare()
    assert filled.state.dead_letters.get(letter["id"]) is not None
    # And back to no key at all.
    assert filled.state.seals.unseal() > 5
    filled.state.close()
    filled.state = filled.open_state()
    assert filled.state.dead_letters.get(letter["id"])["payload"] == shown["payload"]  # type: ignore[index]


async def test_first_key_of_an_old_state_seals_what_is_new_then_all(filled: Filled) -> None:
    """What was stored before stays readable until it is sealed too."""
    await filled.fill()
    filled.state.close()
    filled.state = State(
        filled.url, name="shopify-credo", now=filled.clock.now, sealer=sealer_of(Fernet.generate_key().decode())
    )
    filled.state.prepare()
    [letter] = filled.state.dead_letters.latest("customers")
    assert PLANTED[1].encode() in filled.state.dead_letters.get(letter["id"])["payload"]  # type: ignore[index]
    assert filled.state.seals.reseal() > 5
    assert filled.state.forgetting.compact()
    found = filled.stored()
    assert [value for value in PLANTED if value.encode() in found] == []


def test_key_that_is_none_is_refused_without_being_shown(tmp_path: Path) -> None:
    """The message says what a key looks like."""
    from runtime.state import StateError

    with pytest.raises(StateError, match="Fernet key") as refused:
        sealer_of("not-a-key")
    assert "not-a-key" not in str(refused.value)


MASKING: dict[str, Any] = {"mask": (("email",), ("phone",)), "mask_destination": (("email",), ("phone_number",))}


async def test_masked_fields_are_hidden_in_samples_letters_and_messages(world: World) -> None:
    """The diff says that they change and not what they are; what is stored can still be tried again."""
    from runtime.actions.runs import letter_of

    world.shopify = Shopify(2)
    await world.sync(changes=MASKING)
    plant(world.shopify, 1)
    shown = await world.sync(changes=MASKING, dry_run=True)
    [entry] = shown.sample
    assert entry["fields"]["email"] == {"from": MASKED, "to": MASKED}
    assert entry["fields"]["first_name"] == {"from": "First1", "to": PLANTED[1]}
    world.credo.refuse = lambda body: f"{body['email']} is on a list, as is {body['phone_number']}"
    plant(world.shopify, 9, email="other@example.com")
    await world.sync(changes=MASKING)
    [letter] = world.state.dead_letters.latest("customers")
    assert "other@example.com" not in letter["reason"]
    assert PLANTED[2] not in letter["reason"]
    integration = world.engine(**MASKING).integration
    payload = letter_of(integration, world.state, letter["id"])["payload"]
    assert (payload["email"], payload["phone"], payload["first_name"]) == (MASKED, MASKED, PLANTED[1])
    assert b"other@example.com" in world.state.dead_letters.get(letter["id"])["payload"]  # type: ignore[index]
    redactor = world.engine(**MASKING)._around.settings.redactor
    assert redactor.text('422: {"email": "a@b.example", "city": "Rome"}') == (
        '422: {"email": [redacted], "city": "Rome"}'
    )


@pytest.mark.parametrize(
    ("paths", "record", "expected"),
    [
        ((("a", "b"),), {"a": {"b": 1, "c": 2}}, {"a": {"b": MASKED, "c": 2}}),
        ((("a", "b"),), {"a": [{"b": 1}, {"c": 2}]}, {"a": [{"b": MASKED}, {"c": 2}]}),
        ((("a",),), {"a": {"b": 1}}, {"a": MASKED}),
        ((("a",),), {"a": None}, {"a": None}),
        ((("a",),), {"b": 1}, {"b": 1}),
        ((), {"a": 1}, {"a": 1}),
    ],
)
def test_mask_hides_what_stands_at_its_paths(paths: Any, record: Any, expected: Any) -> None:
    assert Mask(paths).value(record) == expected
    assert Mask((("a", "b"),)).at(("a",), {"b": 1}) == {"b": MASKED}


async def test_dry_run_shows_creates_updates_and_deletes_field_by_field(world: World) -> None:
    """And a destination that counts writes saw none."""
    from runtime.declare import Deletes
    from tests.runtime.engine.test_deletes import DELETE

    changes: dict[str, Any] = {"deletes": Deletes(mode="hard"), "destination__delete": DELETE}
    world.shopify = Shopify(30)
    await world.sync(changes=changes)
    writes = len([request for request in world.credo.requests if request.method != "GET"])
    effects = list(world.credo.effects)
    world.shopify.put(1, first_name="New")
    del world.shopify.customers[2]
    for number in range(40, 70):
        world.shopify.put(number)
    world.clock.moment += 2 * 86_400
    report = await world.sync(changes=changes, dry_run=True, resync=True)
    counts = report.counts
    assert (counts.created, counts.updated, counts.deleted, counts.unchanged) == (30, 1, 1, 28)
    actions = [entry["action"] for entry in report.sample]
    assert {action: actions.count(action) for action in set(actions)} == {"create": 20, "update": 1, "delete": 1}
    [update] = [entry for entry in report.sample if entry["action"] == "update"]
    assert update["fields"] == {"first_name": {"from": "First1", "to": "New"}}
    assert len([request for request in world.credo.requests if request.method != "GET"]) == writes
    assert world.credo.effects == effects


async def test_monitor_mode_writes_nothing_whoever_asks(world: World) -> None:
    """Every run is a dry run; what it would do is kept with it."""
    world.shopify = Shopify(3)
    world.environ["MONITOR"] = "true"
    engine = world.engine()
    assert engine.is_monitor
    for trigger in ("schedule", "cli", "webhook"):
        report = await engine.run(RunRequest(stream="customers", trigger=trigger))  # type: ignore[arg-type]
        assert (report.dry_run, report.counts.created) == (True, 3)
    assert [request for request in world.credo.requests if request.method != "GET"] == []
    from runtime.actions.past import sample_of

    assert [entry["action"] for entry in sample_of(world.state, report.run_id)] == ["create"] * 3
    assert world.state.store.checkpoint("customers").watermark is None


async def test_cleanup_takes_what_is_over_and_old_and_nothing_else(world: World) -> None:
    """Links, open letters, waiting deliveries and the last run stay; a call does a bounded part."""
    from runtime.declare import Retention

    world.shopify = Shopify(3)
    world.credo.refuse = lambda body: "no" if "2" in body["last_name"] else None
    await world.sync()
    world.shopify.put(1, first_name="New")
    await world.sync()
    state = world.state
    row = {"stream": "customers", "topic": "t", "body": b"{}", "error": None}
    state.inbox.put([{**row, "delivery_id": "a", "state": "waiting"}, {**row, "delivery_id": "b", "state": "done"}])
    state.audit.begin(actor="me", role="local", action="sync")
    world.clock.moment += 200 * 86_400
    last = await world.sync(ids=("3",))
    found, is_done = state.cleanup.clean(Retention(), most=1)
    assert (dict(found), is_done) == ({"runs": 1, "changes": 1, "inbox": 1, "audit": 1}, False)
    found, is_done = state.cleanup.clean(Retention(), most=100)
    assert (dict(found), is_done) == ({"runs": 1}, True)
    assert [run["id"] for run in state.runs.latest()] == [last.run_id]
    assert len(state.store.links_of("customers", ["1", "3"])) == 2
    assert state.dead_letters.open_count() == 1
    assert state.inbox.counts() == {"waiting": 1}
    [letter] = state.dead_letters.latest()
    state.dead_letters.discard([letter["id"]])
    assert dict(state.cleanup.clean(Retention(), most=100)[0]) == {"dead_letters": 1}


async def test_scheduled_run_cleans_up_by_itself(world: World) -> None:
    """A bounded part, once an hour."""
    world.shopify = Shopify(1)
    await world.sync()
    world.clock.moment += 200 * 86_400
    await world.sync(trigger="schedule", limit=1)
    assert len(world.state.runs.latest()) == 1


def test_sealed_bytes_that_were_changed_are_refused() -> None:
    """Whoever changes a row is found out."""
    sealer = sealer_of(Fernet.generate_key().decode())
    stored = sealer.seal(b"what was read")
    assert sealer.open(stored) == b"what was read"
    assert sealer.seal(b"what was read") != stored
    for position in (len(MARK) + 20, len(stored) - 5):
        changed = bytearray(stored)
        changed[position] ^= 1
        with pytest.raises(KeyWrong):
            sealer.open(bytes(changed))


async def test_compacting_while_somebody_writes_says_so(world: World) -> None:
    """Nothing is lost; it is done again later."""
    other = sqlite3.connect(world.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database = world.state.store.database
    database._drop()

    def impatient(connection: Any, _: object) -> None:
        connection.execute("PRAGMA busy_timeout=50")

    event.listen(database._engine, "connect", impatient)
    assert not world.state.forgetting.compact()
    other.execute("ROLLBACK")
    other.close()
    assert world.state.forgetting.compact()


def test_sqlite_opens_what_sqlite_wrote(tmp_path: Path) -> None:
    """Compacting leaves a sound file."""
    state = State(f"sqlite:///{tmp_path / 's.db'}", name="x")
    state.prepare()
    assert state.forgetting.compact()
    state.close()
    assert sqlite3.connect(tmp_path / "s.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)
