"""When an API fails too often, stop asking for a while, then ask carefully.

    closed ──failure share over a window too high──▶ open ──time passed──▶ half-open ──probes go well──▶ closed
                                                       ▲                       │
                                                       └──── a probe fails ────┘  (and stays open twice as long)

Failures are what says that the API is unwell: no reply, 5xx. Refusals (4xx) and 429 are answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..clock import Clock
from ..errors import BreakerOpen

State = Literal["closed", "open", "half_open"]
_SLICES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When the breaker opens and how it closes."""

    window_s: float = 30.0
    least_calls: int = 20
    """Fewer calls in the window prove nothing."""
    failure_share: float = 0.5
    open_s: float = 5.0
    longest_open_s: float = 120.0
    probes: int = 1
    """Requests at once while half-open."""
    closes_after: int = 2
    """Probes in a row that must go well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """What there is to show."""

    api: str
    state: State
    calls: int
    failures: int
    retry_in_s: float
    opened: int
    """How often it opened since the start."""


class Breaker:
    """The breaker of one API."""

    __slots__ = (
        "_api",
        "_calls",
        "_clock",
        "_failures",
        "_good",
        "_open_s",
        "_opens_at",
        "_policy",
        "_probing",
        "_slice",
        "_slice_s",
        "_state",
        "epoch",
        "opened",
    )

    def __init__(self, api: str, clock: Clock, policy: BreakerPolicy | None = None) -> None:
        self._api = api
        self._clock = clock
        self._policy = policy or BreakerPolicy()
        self._slice_s = self._policy.window_s / _SLICES
        self._state: State = "closed"
        self._calls = [0] * _SLICES
        self._failures = [0] * _SLICES
        self._slice = 0
        self._opens_at = 0.0
        self._open_s = self._policy.open_s
        self._probing = 0
        self._good = 0
        self.epoch = 0
        """Grows with each change of state; what was sent in an earlier one proves nothing any more."""
        self.opened = 0

    @property
    def is_closed(self) -> bool:
        """Whether `enter` would let everything through; then it need not be called."""
        return self._state == "closed"

    @property
    def state(self) -> State:
        """`half_open` also counts when the time of an open breaker has passed and nobody has asked since."""
        if self._state == "open" and self._clock.monotonic() >= self._opens_at:
            return "half_open"
        return self._state

    def enter(self) -> int:
        """Ask leave to send. Returns the epoch, for the one `leave` that it needs. Raises `BreakerOpen`."""
        if self._state == "closed":
            return self.epoch
        now = self._clock.monotonic()
        if self._state == "open":
            if now < self._opens_at:
                raise BreakerOpen(self._api, self._opens_at - now)
            self._become("half_open")
            self._probing = self._good = 0
        if self._probing >= self._policy.probes:
            raise BreakerOpen(self._api, max(0.1, self._policy.open_s / 5))
        self._probing += 1
        return self.epoch

    def leave(self, ok: bool | None, epoch: int) -> None:
        """Tell how it went; None when nobody knows (cancelled, never sent for a reason of ours)."""
        if epoch != self.epoch:
            return
        if self._state == "closed":
            if ok is not None:
                self._count(ok)
            return
        self._probing -= 1
        if ok is None:
            return
        if not ok:
            self._open_s = min(self._open_s * 2, self._policy.longest_open_s)
            self._open()
            return
        self._good += 1
        if self._good >= self._policy.closes_after:
            self._become("closed")
            self._open_s = self._policy.open_s
            self._calls = [0] * _SLICES
            self._failures = [0] * _SLICES

    def _become(self, state: State) -> None:
        self._state = state
        self.epoch += 1

    def _count(self, ok: bool) -> None:
        index = self._turn()
        self._calls[index] += 1
        if ok:
            return
        self._failures[index] += 1
        calls = sum(self._calls)
        if calls >= self._policy.least_calls and sum(self._failures) >= self._policy.failure_share * calls:
            self._open()

    def _turn(self) -> int:
        """The slice of now, with those that are over emptied."""
        now = int(self._clock.monotonic() / self._slice_s)
        if now == self._slice:
            return now % _SLICES
        for stale in range(max(self._slice + 1, now - _SLICES + 1), now + 1):
            self._calls[stale % _SLICES] = self._failures[stale % _SLICES] = 0
        self._slice = now
        return now % _SLICES

    def _open(self) -> None:
        self._become("open")
        self._opens_at = self._clock.monotonic() + self._open_s
        self.opened += 1

    def status(self) -> BreakerStatus:
        """For `/circuit-breaker/status`."""
        self._turn()
        return BreakerStatus(
            api=self._api,
            state=self.state,
            calls=sum(self._calls),
            failures=sum(self._failures),
            retry_in_s=max(0.0, self._opens_at - self._clock.monotonic()) if self._state == "open" else 0.0,
            opened=self.opened,
        )
