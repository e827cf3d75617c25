"""What keeps a process that slept past its lease from sending: its own clock.

The state refuses what such a process writes, by the token. A destination knows no token; so before each write is sent, the
process looks whether the lease it holds can still be its own. It was held at the moment before its last renewal began, and
for as long as it lasts from there; a machine's monotonic clock goes on while a process is stopped.
"""

from __future__ import annotations

from contextvars import ContextVar

from .clock import Clock
from .state.errors import LeaseLost


class Fence:
    """The lease of one run, by this machine's clock."""

    __slots__ = ("_clock", "_name", "_ttl_s", "_until")

    def __init__(self, name: str, ttl_s: float, clock: Clock, *, since: float) -> None:
        self._name = name
        self._ttl_s = ttl_s
        self._clock = clock
        self._until = since + ttl_s

    def renewed(self, since: float) -> None:
        """The lease was renewed by a call that began then, by `monotonic`."""
        self._until = since + self._ttl_s

    def check(self) -> None:
        """Raise `LeaseLost` when somebody else may hold the lease by now."""
        if self._clock.monotonic() >= self._until:
            raise LeaseLost(self._name)


FENCE: ContextVar[Fence | None] = ContextVar("fence", default=None)
"""Of the run whose task this is; tasks that it starts have it too."""
