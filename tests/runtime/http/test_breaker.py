"""The breaker's three states, in virtual time."""

from __future__ import annotations

import pytest

from runtime.errors import BreakerOpen
from runtime.http.breaker import Breaker, BreakerPolicy

POLICY = BreakerPolicy(
    window_s=10, least_calls=4, failure_share=0.5, open_s=5, longest_open_s=15, probes=1, closes_after=2
)


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds

    def random(self) -> float:
        return 0.5


def call(breaker: Breaker, ok: bool | None) -> None:
    breaker.leave(ok, breaker.enter())


def opened(clock: Clock) -> Breaker:
    breaker = Breaker("crm", clock, POLICY)
    for _ in range(4):
        call(breaker, False)
    assert breaker.state == "open"
    return breaker


def test_breaker_stays_closed_below_the_share_and_below_the_least_calls() -> None:
    """Three failures prove nothing; a third of many is bearable."""
    breaker = Breaker("crm", Clock(), POLICY)
    for ok in (False, False, False):
        call(breaker, ok)
    assert breaker.state == "closed"
    breaker = Breaker("crm", Clock(), POLICY)
    for number in range(30):
        call(breaker, number % 3 != 2)
    assert breaker.state == "closed"


def test_open_breaker_refuses_until_its_time_has_passed() -> None:
    """Nothing is sent meanwhile, and the error says how long."""
    clock = Clock()
    breaker = opened(clock)
    with pytest.raises(BreakerOpen) as caught:
        breaker.enter()
    assert caught.value.retry_in_s == pytest.approx(5)
    assert caught.value.failure == "transient"
    clock.at += 5
    assert breaker.state == "half_open"


def test_half_open_breaker_lets_one_probe_through_at_a_time_and_closes_after_two() -> None:
    """A recovering API is not met by everybody at once."""
    clock = Clock()
    breaker = opened(clock)
    clock.at += 5
    probe = breaker.enter()
    with pytest.raises(BreakerOpen):
        breaker.enter()
    breaker.leave(True, probe)
    assert breaker.status().state == "half_open"
    call(breaker, True)
    assert breaker.status().state == "closed"
    call(breaker, False)
    assert breaker.state == "closed"


def test_failed_probe_opens_for_twice_as_long_up_to_a_bound() -> None:
    """5, 10, 15, 15 seconds."""
    clock = Clock()
    breaker = opened(clock)
    for expected in (10, 15, 15):
        clock.at += breaker.status().retry_in_s
        call(breaker, False)
        assert breaker.status().retry_in_s == pytest.approx(expected)
    assert breaker.opened == 4


def test_probe_without_an_outcome_frees_its_place() -> None:
    """A cancelled probe proves nothing and blocks nobody."""
    clock = Clock()
    breaker = opened(clock)
    clock.at += 5
    call(breaker, None)
    breaker.leave(True, breaker.enter())


def test_old_failures_leave_the_window() -> None:
    """What is longer ago than the window does not count, also after a long silence."""
    clock = Clock()
    breaker = Breaker("crm", clock, POLICY)
    for _ in range(3):
        call(breaker, False)
    for silence in (11.0, 10_000.0):
        clock.at += silence
        call(breaker, False)
        assert breaker.state == "closed"
        assert breaker.status().calls == 1


def test_reply_that_comes_after_the_breaker_opened_changes_nothing() -> None:
    """Requests that were under way are neither probes nor failures."""
    clock = Clock()
    breaker = Breaker("crm", clock, POLICY)
    early = [breaker.enter() for _ in range(3)]
    for _ in range(4):
        call(breaker, False)
    breaker.leave(True, early[0])
    assert breaker.state == "open"
    clock.at += 5
    probe = breaker.enter()
    breaker.leave(True, early[1])
    breaker.leave(False, early[2])
    assert breaker.status().state == "half_open"
    with pytest.raises(BreakerOpen):
        breaker.enter()
    breaker.leave(True, probe)
