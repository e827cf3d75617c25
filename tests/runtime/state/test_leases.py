"""Promises of leases: one holder at a time, and a token that only grows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from runtime.state import LeaseHeld, LeaseLost, State


def test_acquire_while_another_holds_it_is_refused(state: State) -> None:
    """Two runs of one stream never overlap."""
    lease = state.leases.acquire("s", "a")
    with pytest.raises(LeaseHeld, match="being run by a"):
        state.leases.acquire("s", "b")
    state.leases.renew(lease)
    assert state.leases.is_held("s")


def test_acquire_after_release_has_a_higher_token(state: State) -> None:
    """A lease that was given back is free at once; the old token is worth nothing."""
    first = state.leases.acquire("s", "a")
    state.leases.release(first)
    assert not state.leases.is_held("s")
    second = state.leases.acquire("s", "b")
    assert second.token > first.token
    with pytest.raises(LeaseLost):
        state.leases.renew(first)
    state.leases.release(first)
    assert state.leases.is_held("s")


def lose_the_next_answer(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next commit takes place, and then the connection is gone."""
    plain = state._database._transaction
    left = [1]

    @contextmanager
    def lossy(reading: bool) -> Iterator[Any]:
        with plain(reading) as connection:
            yield connection
        if not reading and left:
            left.pop()
            raise OperationalError("", {}, Exception("the connection was lost"), connection_invalidated=True)

    monkeypatch.setattr(state._database, "_transaction", lossy)
    monkeypatch.setattr(state._database, "_pause", lambda seconds: None)


def test_lease_whose_commit_was_not_answered_is_ours(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking again must not find ourselves in the way (seed 133 of the simulator)."""
    lose_the_next_answer(state, monkeypatch)
    assert state.leases.acquire("stream:a", "me", 60).token == 1
    with pytest.raises(LeaseHeld):
        state.leases.acquire("stream:a", "you", 60)


def test_run_whose_begin_was_not_answered_is_begun_once(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row is there: writing it again would be a bug of ours (seed 133 of the simulator)."""
    lose_the_next_answer(state, monkeypatch)
    state.runs.start("r1", stream="a", kind="full", trigger="cli", parameters={}, dry_run=False, mapping="", token=1)
    assert [row["id"] for row in state.runs.latest("a")] == ["r1"]


def test_lease_from_before_the_clock_was_set_back_is_free(tmp_path: Path) -> None:
    """A clock that was a day ahead for a moment must not stop a stream for a day (seed 36 of the simulator)."""
    now = [1_700_086_400.0]
    state = State(f"sqlite:///{tmp_path / 'state.db'}", name="x", now=lambda: now[0])
    state.prepare()
    state.leases.acquire("stream:a", "me", 60)
    now[0] -= 86_400
    assert state.leases.acquire("stream:a", "you", 60).token == 2
    state.close()
