"""Promises of leases: one holder at a time, and a token that only grows."""

from __future__ import annotations

import pytest

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
