"""Promises of the state's hot path: one transaction a group, behind the fence."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import OperationalError

from runtime.state import LeaseLost, State
from runtime.state.connect import end_frozen
from runtime.state.rows import (
    Checkpoint,
    Commit,
    DeadLetter,
    Found,
    IntentRow,
    Lease,
    Look,
    NewLink,
    Outcomes,
)

S = "customers"


def run(state: State, run_id: str = "r1") -> Lease:
    lease = state.leases.acquire(S, "me")
    state.runs.start(
        run_id, stream=S, kind="full", trigger="cli", parameters={}, dry_run=False, mapping="m", token=lease.token
    )
    return lease


def link(source_id: str, *, match: str | None = None, content: bytes = b"h") -> NewLink:
    return NewLink(S, source_id, f"c-{source_id}", content, "2024-01-01T00:00:00Z", match, "r1", 1.0)


def letter(source_id: str, version: str = "1") -> DeadLetter:
    return DeadLetter(
        f"d-{source_id}", S, source_id, version, "map", "permanent_record", "why", b"{}", True, 1, 1.0, 1.0, "r1", "m"
    )


def test_commit_writes_outcomes_and_finds_them_again(state: State) -> None:
    """Links, match owners and checkpoint of one group are there for the next."""
    lease = run(state)
    outcomes = Outcomes(
        stream=S,
        links=[link("1", match="aa"), link("2")],
        matches=[("aa", "1")],
        checkpoint=Checkpoint(stream=S, cursor="p2", mapping="m", high="v"),
    )
    state.store.commit(Commit(run_id="r1", lease=lease, step=1, counts={"read": 2, "written": 2}, outcomes=outcomes))
    look = Look(stream=S, source_ids=["1", "2", "3"], matches=["aa", "bb"], index=True)
    found = state.store.commit(Commit(run_id="r1", lease=lease, step=2, counts={"read": 2}, look=look))
    assert sorted(found.links) == ["1", "2"]
    assert found.links["1"].destination_id == "c-1"
    assert found.links["1"].hash == b"h"
    assert found.owners == {"aa": "1"}
    assert state.store.checkpoint(S).cursor == "p2"
    assert state.runs.get("r1")["read"] == 2  # type: ignore[index]
    assert state.store.owner_of(S, "c-2") == "2"


def test_commit_writes_intents_that_plan_makes_from_what_was_found(state: State) -> None:
    """Look-up and intents of a group are one transaction."""
    lease = run(state)

    def plan(found: Found) -> Sequence[IntentRow]:
        assert found.links == {}
        return [IntentRow("i1", S, "r1", "sending", b"[]", 1.0)]

    look = Look(stream=S, source_ids=["1"])
    found = state.store.commit(Commit(run_id="r1", lease=lease, step=1, counts={}, look=look, plan=plan))
    assert [intent.id for intent in found.intents] == ["i1"]
    assert [intent.id for intent in state.store.intents(S)] == ["i1"]
    done = Outcomes(stream=S, finished=["i1"], unknown=[IntentRow("i2", S, "r1", "unknown", b"[]", 2.0)])
    state.store.commit(Commit(run_id="r1", lease=lease, step=2, counts={}, outcomes=done))
    assert [(intent.id, intent.state) for intent in state.store.intents(S)] == [("i2", "unknown")]


def test_commit_of_a_holder_that_lost_its_lease_writes_nothing(state: State) -> None:
    """A zombie that wakes after another took over cannot move the checkpoint."""
    old = state.leases.acquire(S, "zombie", ttl_s=-1)
    new = run(state)
    assert new.token == old.token + 1
    outcomes = Outcomes(stream=S, links=[link("1")], checkpoint=Checkpoint(stream=S, cursor="far"))
    with pytest.raises(LeaseLost):
        state.store.commit(Commit(run_id="r1", lease=old, step=1, counts={}, outcomes=outcomes))
    assert state.store.checkpoint(S).cursor is None
    assert not state.store.has_links(S)


def test_commit_that_fails_half_way_leaves_nothing(state: State) -> None:
    """Outcome, link and checkpoint stand or fall together."""
    lease = run(state)

    def plan(found: Found) -> Sequence[IntentRow]:
        raise RuntimeError("power cut")

    outcomes = Outcomes(stream=S, links=[link("1")])
    with pytest.raises(RuntimeError):
        state.store.commit(
            Commit(
                run_id="r1",
                lease=lease,
                step=1,
                counts={},
                outcomes=outcomes,
                look=Look(stream=S, source_ids=["1"]),
                plan=plan,
            )
        )
    assert not state.store.has_links(S)


@pytest.mark.filterwarnings("ignore:transaction already deassociated")
def test_commit_whose_acknowledgement_was_lost_is_not_done_twice(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection breaks after the commit: the run's step tells that it took place."""
    lease = run(state)
    database = state.store.database
    plans = []

    def plan(found: Found) -> Sequence[IntentRow]:
        plans.append(1)
        return [IntentRow(f"i{len(plans)}", S, "r1", "sending", b"[]", 1.0)]

    from sqlalchemy.engine.base import RootTransaction

    commit = RootTransaction._do_commit
    broken = []

    def broken_once(self: RootTransaction) -> None:
        commit(self)
        if not broken and plans:
            broken.append(1)
            raise OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(RootTransaction, "_do_commit", broken_once)
    monkeypatch.setattr(database, "_pause", lambda seconds: None)
    look = Look(stream=S, source_ids=["1"])
    found = state.store.commit(Commit(run_id="r1", lease=lease, step=1, counts={}, look=look, plan=plan))
    assert broken
    assert plans == [1]
    assert [intent.id for intent in found.intents] == ["i1"] == [intent.id for intent in state.store.intents(S)]


def test_dead_letter_that_dies_again_counts_its_attempts(state: State) -> None:
    """One row a record: the first time stays, attempts grow; a discarded one opens again with a newer version."""
    lease = run(state)

    def die(step: int, version: str) -> None:
        outcomes = Outcomes(stream=S, dead=[letter("1", version)])
        state.store.commit(Commit(run_id="r1", lease=lease, step=step, counts={}, outcomes=outcomes))

    die(1, "1")
    die(2, "1")
    [row] = state.dead_letters.latest(S)
    assert (row["attempts"], row["state"]) == (2, "open")
    assert state.dead_letters.discard([row["id"]]) == 1
    die(3, "1")
    assert state.dead_letters.open_count(S) == 0
    die(4, "2")
    assert state.dead_letters.open_count(S) == 1
    outcomes = Outcomes(stream=S, cleared=["1", "9"])
    state.store.commit(Commit(run_id="r1", lease=lease, step=5, counts={}, outcomes=outcomes))
    assert state.dead_letters.open_count() == 0


def test_index_marks_a_match_value_that_two_destination_records_have(state: State) -> None:
    """An ambiguous match is known as such, whatever page it came from."""
    lease = run(state)
    state.store.put_index(lease, S, [("aa", "c1"), ("bb", "c2")], first=True)
    state.store.put_index(lease, S, [("aa", "c9"), ("bb", "c2")], first=False)
    found = state.store.look(Look(stream=S, source_ids=[], matches=["aa", "bb"], index=True))
    assert found.index["aa"].several
    assert not found.index["bb"].several


def owners(state: State, *matches: str) -> dict[str, str]:
    return dict(state.store.look(Look(stream=S, source_ids=[], matches=matches)).owners)


def test_owner_of_a_match_value_is_found_in_the_log_and_after_the_merge(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appended, merged in order, appended again: the last one who has the value is its owner."""
    monkeypatch.setattr("runtime.state.matches.MERGE_AT", 4)
    lease = run(state)
    for step in range(1, 8):
        names = [str(step * 10), str(step * 10 + 1)]
        outcomes = Outcomes(
            stream=S,
            links=[link(name, match=f"m{name}") for name in names],
            matches=[(f"m{name}", name) for name in names],
        )
        look = Look(stream=S, source_ids=[], matches=[f"m{name}" for name in names])
        found = state.store.commit(Commit(run_id="r1", lease=lease, step=step, counts={}, outcomes=outcomes, look=look))
        assert found.owners == {f"m{name}": name for name in names}
    assert len(owners(state, *(f"m{n}" for n in range(10, 80)))) == 14
    database = state.store.database
    count = database.read(lambda c: c.execute(database.tables.match_log.select()).all())
    assert len(count) == 2


@pytest.mark.postgres
def test_merge_of_the_log_keeps_what_another_process_commits_meanwhile(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two replicas run two streams on one log; what one merges is what it deletes."""
    monkeypatch.setattr("runtime.state.matches.MERGE_AT", 2)
    name = f"shop-{uuid.uuid4().hex[:8]}"
    state, other = State(postgresql_url, name=name), State(postgresql_url, name=name)
    state.prepare()
    merge = state.store.matches._merge

    class Slow:
        """The merge, with the other replica's commit right behind it."""

        def run_now(self, connection: Connection, values: tuple[()]) -> None:
            merge.run_now(connection, values)
            log = other.store.database.tables.match_log
            other.store.database.execute(log.insert().values(stream="orders", match="zz", source_id="o1"))

    monkeypatch.setattr(state.store.matches, "_merge", Slow())
    outcomes = Outcomes(
        stream=S, links=[link("1", match="aa"), link("2", match="bb")], matches=[("aa", "1"), ("aa", "1"), ("bb", "2")]
    )
    state.store.commit(Commit(run_id="r1", lease=run(state), step=1, counts={}, outcomes=outcomes))
    database = state.store.database
    left = database.read(lambda c: [tuple(row)[1:] for row in c.execute(database.tables.match_log.select())])
    assert left == [("orders", "zz", "o1")]
    assert owners(state, "aa", "bb") == {"aa": "1", "bb": "2"}
    state.close()
    other.close()


def test_owner_whose_match_value_changed_owns_it_no_more(state: State) -> None:
    """The address went from one customer to another."""
    lease = run(state)
    first = Outcomes(stream=S, links=[link("1", match="old")], matches=[("old", "1")])
    state.store.commit(Commit(run_id="r1", lease=lease, step=1, counts={}, outcomes=first))
    assert owners(state, "old") == {"old": "1"}
    second = Outcomes(stream=S, links=[link("1", match="new")], matches=[("new", "1")])
    state.store.commit(Commit(run_id="r1", lease=lease, step=2, counts={}, outcomes=second))
    assert owners(state, "old", "new") == {"new": "1"}
    third = Outcomes(stream=S, links=[link("2", match="old")], matches=[("old", "2")])
    state.store.commit(Commit(run_id="r1", lease=lease, step=3, counts={}, outcomes=third))
    assert owners(state, "old", "new") == {"old": "2", "new": "1"}


def test_owner_from_a_transaction_that_failed_is_forgotten(state: State) -> None:
    """What is held in memory never runs ahead of what is stored."""
    lease = run(state)

    def plan(found: Found) -> Sequence[IntentRow]:
        raise RuntimeError("power cut")

    outcomes = Outcomes(stream=S, links=[link("1", match="aa")], matches=[("aa", "1")])
    with pytest.raises(RuntimeError):
        state.store.commit(Commit(run_id="r1", lease=lease, step=1, counts={}, outcomes=outcomes, plan=plan))
    look = Look(stream=S, source_ids=["1"], matches=["aa"])
    assert state.store.commit(Commit(run_id="r1", lease=lease, step=1, counts={}, look=look)).owners == {}


def test_inbox_keeps_one_row_for_one_delivery(state: State) -> None:
    """A hundred copies of an event are one piece of work."""
    delivery = {"stream": S, "topic": "t", "delivery_id": "d1", "body": b"{}"}
    state.inbox.put([delivery])
    state.inbox.put([delivery, {**delivery, "delivery_id": "d2"}])
    waiting = state.inbox.waiting(S)
    assert [row["delivery_id"] for row in waiting] == ["d1", "d2"]
    state.inbox.end([waiting[0]["id"]], state="done", run_id="r1")
    assert state.inbox.counts() == {"waiting": 1, "done": 1}
    state.inbox.put([delivery])
    assert len(state.inbox.waiting(S)) == 1


def test_hot_look_ups_go_by_an_index(tmp_path: Path) -> None:
    """A look-up that reads a whole stream would make every group slower than the one before."""
    state = State(f"sqlite:///{tmp_path / 's.db'}", name="x")
    state.prepare()
    store = state.store
    wanted = {
        store._links_of: "links USING INDEX sqlite_autoindex_links_1 (stream=? AND source_id=?)",
        store.matches._owners: "matches USING PRIMARY KEY (stream=? AND match=?)",
        store._index_of: "destination_index USING INDEX sqlite_autoindex_destination_index_1 (stream=? AND match=?)",
        store._linked_to: "links USING INDEX links_by_destination (destination_id=?)",
        store._clear_dead: "dead_letters USING INDEX dead_letters_once (stream=? AND source_id=?)",
    }
    for statement, plan in wanted.items():
        values = statement.row(tuple("[]" for _ in statement.names))
        sql = f"EXPLAIN QUERY PLAN {statement.sql}"
        rows = store.database.read(
            lambda connection, sql=sql, values=values: connection.exec_driver_sql(sql, values).all()
        )
        found = " ".join(str(row[3]) for row in rows)
        assert plan in found.replace("COVERING ", "").replace("sqlite_autoindex_dead_letters_2", "dead_letters_once"), (
            found
        )
    state.close()


HELD_S = 5
"""What a process may be silent in these tests: longer than a busy machine keeps one from its work."""


@pytest.mark.postgres
def test_transaction_of_a_process_that_was_frozen_is_ended_by_the_server(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep its rows locked from whoever takes over its work; when it wakes up, its transaction runs again."""
    monkeypatch.setattr("runtime.state.connect.HELD_S", HELD_S)
    name = f"shop-{uuid.uuid4().hex[:8]}"
    frozen = State(postgresql_url, name=name)
    frozen.prepare()
    run(frozen)
    other = State(postgresql_url, name=name)
    times = 0

    def cancel_beside(connection: Connection) -> int:
        nonlocal times
        times += 1
        runs = frozen.store.database.tables.runs
        changed = connection.execute(update(runs).where(runs.c.id == "r1").values(holder="frozen")).rowcount
        if times == 1:
            assert other.runs.cancel("r1")  # waits for the row until the server has ended this transaction
        return int(changed)

    assert frozen.store.database.write(cancel_beside) == 1
    assert times == 2
    row = other.runs.get("r1")
    assert row is not None
    assert row["holder"] == "frozen"
    assert row["cancel_at"] is not None
    frozen.close()
    other.close()


@pytest.mark.postgres
def test_transaction_of_a_process_that_was_frozen_in_the_midst_of_a_pipeline_is_ended_by_who_waits(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server does not end it: it counts the silence after an answer alone."""
    monkeypatch.setattr("runtime.state.connect.HELD_S", HELD_S)
    monkeypatch.setattr("runtime.state.connect.STUCK_S", 1)
    name = f"shop-{uuid.uuid4().hex[:8]}"
    other = State(postgresql_url, name=name)
    other.prepare()
    run(other)
    with sending(postgresql_url, name) as send:
        send(f'update "{other.store.database.tables.schema}".runs set holder = $$frozen$$')
        assert other.runs.cancel("r1")
    row = other.runs.get("r1")
    assert row is not None
    assert row["holder"] != "frozen"
    other.close()


@pytest.mark.postgres
def test_transaction_of_a_process_that_goes_on_with_its_pipeline_is_left_alone(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.state.connect.HELD_S", HELD_S)
    name = f"shop-{uuid.uuid4().hex[:8]}"
    other = State(postgresql_url, name=name)
    other.prepare()
    database = other.store.database
    with sending(postgresql_url, name) as send, sending(postgresql_url, "another program") as idle:
        idle("select 1")
        send("select 1")
        time.sleep(HELD_S + 0.5)
        send("select 2")
        assert database.write(end_frozen) == 0
    other.close()


@contextmanager
def sending(url: str, name: str) -> Iterator[Callable[[str], None]]:
    """A process amid statements of one transaction that it sends one after another, before it says that these were all."""
    with psycopg.connect(url, application_name=name) as connection:
        driver = connection.pgconn
        driver.enter_pipeline_mode()

        def send(statement: str) -> None:
            driver.send_query_params(statement.encode(), None)
            driver.send_flush_request()
            result = driver.get_result()  # it has been carried out
            assert result is not None
            assert result.error_message == b""
            assert driver.get_result() is None

        send("begin")
        yield send
        driver.finish()


def test_log_that_others_have_filled_is_not_forgotten_unmerged(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two replicas fill it together past the length at which one merges: what stands in it still tells owners."""
    lease = run(state)
    pairs = [("aa", "1"), ("bb", "2")]
    first = Outcomes(stream=S, links=[link(name, match=match) for match, name in pairs], matches=pairs)
    state.store.commit(Commit(run_id="r1", lease=lease, step=1, counts={}, outcomes=first))
    monkeypatch.setattr("runtime.state.matches.MERGE_AT", 2)
    state.store.matches.forget(S)
    look = Look(stream=S, source_ids=[], matches=["aa", "bb"])
    for step in (2, 3, 4):
        found = state.store.commit(Commit(run_id="r1", lease=lease, step=step, counts={}, look=look))
        assert found.owners == {"aa": "1", "bb": "2"}
