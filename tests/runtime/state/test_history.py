"""Promises of the ledger: every write has its time, its run and its rules; what was not written leaves no trace."""

from __future__ import annotations

from typing import Any

from runtime.state import State
from runtime.state.rows import Commit, Lease, NewBase, NewChange, NewLink, Outcomes

S = "customers"


class Ledger:
    """A state that some runs have written to."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.steps = 0

    def run(self, run_id: str, outcomes: Outcomes, *, mapping: str = "m") -> None:
        lease = self.state.leases.acquire(S, "me")
        self.state.runs.start(
            run_id, stream=S, kind="full", trigger="cli", parameters={}, dry_run=False, mapping=mapping, token=lease.token
        )  # fmt: skip
        self.commit(run_id, lease, outcomes)
        self.state.leases.release(lease)

    def commit(self, run_id: str, lease: Lease, outcomes: Outcomes) -> None:
        self.steps += 1
        self.state.store.commit(Commit(run_id=run_id, lease=lease, step=self.steps, counts={}, outcomes=outcomes))

    def link(self, source_id: str, run_id: str, at: float, content: bytes = b"h") -> NewLink:
        return NewLink(S, source_id, f"c-{source_id}", content, str(at), None, run_id, at)

    def change(self, source_id: str, run_id: str, at: float, kind: str = "updated", **more: Any) -> NewChange:
        return NewChange(S, source_id, f"c-{source_id}", run_id, kind, at, f"m-{run_id}", **more)


def kinds(entries: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(entry["source_id"], entry["kind"], entry["run_id"]) for entry in entries]


def test_ledger_tells_every_write_of_a_record_newest_first(state: State) -> None:
    """The creation through the link, the later ones through their changes."""
    ledger = Ledger(state)
    ledger.run("r1", Outcomes(stream=S, links=[ledger.link("1", "r1", 10.0), ledger.link("2", "r1", 10.0)]))
    change = ledger.change("1", "r2", 20.0, before=b'{"a":1}', reason="because")
    ledger.run("r2", Outcomes(stream=S, links=[ledger.link("1", "r2", 20.0, b"i")], changes=[change]))
    change = ledger.change("1", "r3", 30.0)
    ledger.run("r3", Outcomes(stream=S, links=[ledger.link("1", "r3", 30.0, b"j")], changes=[change]))
    history = state.history
    found = history.of_record(S, "1")
    assert kinds(found) == [("1", "updated", "r3"), ("1", "updated", "r2"), ("1", "created", "r1")]
    assert [entry["mapping"] for entry in found] == ["m-r3", "m-r2", "m"]
    assert [entry["keeps_before"] for entry in found] == [False, True, False]
    assert {entry["trigger"] for entry in found} == {"cli"}
    assert kinds(history.of_record(S, "2")) == [("2", "created", "r1")]
    assert history.of_record(S, "9") == []
    assert kinds(history.of_run("r1")) == [("1", "created", "r1"), ("2", "created", "r1")]
    assert kinds(history.of_run("r2")) == [("1", "updated", "r2")]
    assert kinds(history.latest(S, limit=3)) == [
        ("1", "updated", "r3"), ("1", "updated", "r2"), ("1", "created", "r1"),
    ]  # fmt: skip
    assert kinds(history.latest("others")) == []
    one = history.change(found[1]["change"])
    assert one is not None
    assert (one["before"], one["reason"]) == (b'{"a":1}', "because")


def test_first_write_before_the_ledger_was_cleaned_up_is_not_called_a_creation(state: State) -> None:
    """Changes that are gone may have been updates."""
    ledger = Ledger(state)
    ledger.run("r1", Outcomes(stream=S, links=[ledger.link("1", "r1", 10.0)]))
    assert kinds(state.history.of_record(S, "1", certain_s=50.0)) == [("1", "written", "r1")]
    assert kinds(state.history.latest(S, certain_s=50.0)) == [("1", "written", "r1")]


def test_change_remembers_the_link_as_it_was(state: State) -> None:
    """Filled in by the database, in the transaction that replaces it; an adopted record had none."""
    ledger = Ledger(state)
    ledger.run("r1", Outcomes(stream=S, links=[ledger.link("1", "r1", 10.0, b"h1")]))
    changes = [ledger.change("1", "r2", 20.0), ledger.change("7", "r2", 20.0)]
    links = [ledger.link("1", "r2", 20.0, b"h2"), ledger.link("7", "r2", 20.0)]
    ledger.run("r2", Outcomes(stream=S, links=links, changes=changes))
    rows = {row["source_id"]: row for row in state.history.of_run("r2")}
    table = state.store.database.tables.changes
    stored = state.store.database.read(lambda c: c.execute(table.select().order_by(table.c.id)).mappings().all())
    assert [(row["before_run"], row["before_at"]) for row in stored] == [("r1", 10.0), (None, None)]
    assert bytes(stored[0]["before_hash"]) == b"h1"
    assert set(rows) == {"1", "7"}
    assert kinds(state.history.of_record(S, "7")) == [("7", "updated", "r2")]


def test_kept_link_takes_the_version_and_keeps_who_wrote_it(state: State) -> None:
    """Nothing was written, so neither run nor time change."""
    ledger = Ledger(state)
    ledger.run("r1", Outcomes(stream=S, links=[ledger.link("1", "r1", 10.0)]))
    ledger.run("r2", Outcomes(stream=S, kept=[ledger.link("1", "r2", 99.0, b"new")]))
    assert kinds(state.history.of_record(S, "1")) == [("1", "created", "r1")]
    [link] = state.store.links_of(S, ["1"])
    assert (link.version, link.hash) == ("99.0", b"new")


def test_base_is_laid_beside_the_link(state: State) -> None:
    """In the same transaction as the link."""
    ledger = Ledger(state)
    base = NewBase(b'{"a":1}', b"d", "v", S, "1")
    ledger.run("r1", Outcomes(stream=S, links=[ledger.link("1", "r1", 10.0)], bases=[base]))
    links = state.store.database.tables.links
    row = state.store.database.read(lambda c: c.execute(links.select()).mappings().one())
    assert (bytes(row["base"]), bytes(row["destination_hash"]), row["destination_version"]) == (b'{"a":1}', b"d", "v")


def test_run_that_is_cancelled_learns_it_with_its_next_commit(state: State) -> None:
    """Whichever process asked."""
    ledger = Ledger(state)
    lease = state.leases.acquire(S, "me")
    state.runs.start("r1", stream=S, kind="full", trigger="cli", parameters={}, dry_run=False, mapping="", token=1)
    first = state.store.commit(Commit(run_id="r1", lease=lease, step=1, counts={}))
    assert (first.is_cancelled, state.runs.is_cancelled("r1")) == (False, False)
    assert state.runs.cancel("r1")
    second = state.store.commit(Commit(run_id="r1", lease=lease, step=2, counts={}))
    assert (second.is_cancelled, state.runs.is_cancelled("r1")) == (True, True)
    ledger.state.runs.end("r1", state="cancelled", counts={}, seconds=0, failure=None, error=None)
    assert not state.runs.cancel("r1")
    assert not state.runs.cancel("nobody")
