"""Promises of the part of the state that knows what came, what is gone and what waits; on both databases."""

from __future__ import annotations

from typing import Any

from runtime.state import State
from runtime.state.lifecycle import ALIAS, UNNAMED
from runtime.state.rows import Checkpoint, Commit, Gone, Lease, NewLink, Outcomes, Waiting
from tests.runtime.state.test_store import S, run

STEP = iter(range(1, 10_000))


def put(state: State, lease: Lease, **outcomes: Any) -> None:
    work = Commit(run_id="r1", lease=lease, step=next(STEP), counts={}, outcomes=Outcomes(stream=S, **outcomes))
    state.store.commit(work)


def link(source_id: str, *, stream: str = S, at: float = 1.0, match: str | None = None) -> NewLink:
    return NewLink(stream, source_id, f"c-{source_id}", b"h", "1", match, "r1", at)


def waiting(source_id: str, parent: str, payload: bytes = b"{}", since: float = 1.0) -> Waiting:
    return Waiting(S, source_id, "parents", parent, payload, "1", since, "r1")


def test_pass_end_counts_what_did_not_come(state: State) -> None:
    """But for links that were written since it began."""
    lease = run(state)
    put(state, lease, links=[link("1"), link("2"), link("3"), link("4", at=50.0)], is_new_pass=True)
    put(state, lease, seen=["1", "9", "1"])
    end = state.store.lifecycle.pass_end(S, 10.0)
    assert (end.came, end.linked, end.missing, end.is_whole) == (2, 4, 2, True)
    missing = state.store.lifecycle.missing(S, 10.0, after="", limit=10)
    assert [each.source_id for each in missing] == ["2", "3"]
    assert [each.source_id for each in state.store.lifecycle.missing(S, 10.0, after="2", limit=10)] == ["3"]
    assert state.store.lifecycle.linked_from(S, after="1", limit=2) == ["2", "3"]


def test_record_that_nobody_can_name_spoils_the_pass(state: State) -> None:
    lease = run(state)
    put(state, lease, links=[link("1")], seen=["1", UNNAMED])
    end = state.store.lifecycle.pass_end(S, 10.0)
    assert (end.came, end.is_whole) == (1, False)


def test_new_pass_forgets_what_came_in_the_one_before(state: State) -> None:
    lease = run(state)
    put(state, lease, links=[link("1")], seen=["1"])
    put(state, lease, is_new_pass=True)
    assert state.store.lifecycle.pass_end(S, 10.0).missing == 1


def test_gone_link_owns_its_match_no_more_until_it_is_written_again(state: State) -> None:
    lease = run(state)
    put(state, lease, links=[link("1", match="aa")], matches=[("aa", "1")])
    put(state, lease, gone=[Gone(20.0, b"", "r1", 20.0, S, "1")])
    [found] = state.store.links_of(S, ["1"])
    assert (found.gone_at, found.match, found.hash, found.destination_id) == (20.0, None, b"", "c-1")
    assert state.store.lifecycle.linked(S) == 0
    assert state.store.lifecycle.parents({S: ["1"]}) == {}
    put(state, lease, links=[link("1", match="aa")])
    [found] = state.store.links_of(S, ["1"])
    assert (found.gone_at, found.match) == (None, "aa")


def test_checkpoint_keeps_when_the_pass_began_and_when_deletes_were_done(state: State) -> None:
    lease = run(state)
    put(state, lease, checkpoint=Checkpoint(stream=S, began_at=5.0, reconciled_at=7.0))
    point = state.store.checkpoint(S)
    assert (point.began_at, point.reconciled_at) == (5.0, 7.0)


def test_held_record_is_ready_when_its_parent_has_a_link(state: State) -> None:
    lease = run(state)
    put(state, lease, waiting=[waiting("1", "p1", b"old"), waiting("2", "p2", since=0.5), waiting("3", "p3")])
    put(state, lease, waiting=[waiting("1", "p1", b"new", since=9.0)])
    lifecycle = state.store.lifecycle
    assert (lifecycle.ready(S), lifecycle.waits_for("parents")) == ([], [])
    assert lifecycle.held(S) == {"parents": {"records": 3, "since": 0.5}}
    put(state, lease, links=[link("p1", stream="parents"), link("p2", stream="parents")])
    assert lifecycle.ready(S) == [("2", b"{}"), ("1", b"new")]
    assert lifecycle.waits_for("parents") == [S]
    put(state, lease, released=["1", "2", "7"])
    assert lifecycle.ready(S) == []
    assert lifecycle.held(S) == {"parents": {"records": 1, "since": 1.0}}


def test_alias_leads_to_what_the_first_was_written_to_until_that_is_gone(state: State) -> None:
    """A link of its own wins."""
    lease = run(state)
    alias = link("2", stream=S + ALIAS)._replace(destination_id="c-1")
    put(state, lease, links=[link("1")], aliases=[alias], waiting=[])
    lifecycle = state.store.lifecycle
    assert lifecycle.parents({S: ["1", "2"]}) == {(S, "1"): "c-1", (S, "2"): "c-1"}
    put(state, lease, links=[link("2")])
    assert lifecycle.parents({S: ["2"]}) == {(S, "2"): "c-2"}
    put(state, lease, gone=[Gone(20.0, b"", "r1", 20.0, S, "1"), Gone(20.0, b"", "r1", 20.0, S, "2")])
    assert lifecycle.parents({S: ["1", "2"]}) == {}


def test_rewritten_link_has_no_hash_and_keeps_the_rest(state: State) -> None:
    lease = run(state)
    put(state, lease, links=[link("1"), link("2")])
    state.store.lifecycle.rewrite(S, ["1"])
    assert [(each.hash, each.destination_id) for each in state.store.links_of(S, ["1"])] == [(b"", "c-1")]
    assert [each.hash for each in state.store.links_of(S, ["2"])] == [b"h"]
    assert state.store.lifecycle.by_destination(S, ["c-1", "c-9"]) == {"c-1": ("1", False)}


def test_forgotten_record_leaves_no_alias_of_it(state: State) -> None:
    """Neither as the one that was written for others nor as one that another was written for."""
    lease = run(state)
    links = [link("1"), link("2")]
    aliases = [
        link(name, stream=S + ALIAS)._replace(destination_id=of)
        for name, of in (("7", "c-1"), ("8", "c-2"), ("9", "c-2"))
    ]
    put(state, lease, links=links, aliases=aliases)
    assert state.forgetting.erase(S, "1", lambda delivery: False)["links"] == 2
    assert state.forgetting.erase(S, "8", lambda delivery: False)["links"] == 1
    assert [each.source_id for each in state.store.links_of(S + ALIAS, ["7", "8", "9"])] == ["9"]
