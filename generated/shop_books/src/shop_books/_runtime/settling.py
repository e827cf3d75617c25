"""Writes of deliveries whose outcome nobody knows → found out by a run that does nothing else, in seconds and not with the next schedule.

What is open stands in the state as intents, so a restart forgets none of it. A run that follows up is a run like any other: under
the stream's lease, by the code with which every run begins. It is soon at first and then less often, and has an end: what could
not be found out by then is left to the stream's next run, and at last to a person.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from .declare import Integration
from .engine import Engine, RunRequest
from .engine.recover import may_be_found_out
from .errors import IntegrationError
from .state import LeaseHeld

log = logging.getLogger(__name__)

FIRST_S = 2.0
LONGEST_S = 120.0
BUSY_S = 5.0
"""Another run of the stream is under way: it has begun with finding out."""
ASLEEP_S = 60.0
TRIES = 8
"""Runs that follow up on one stream, one after another, before it is left to its next run."""
ATTEMPTS_LEFT = 2
"""Attempts at an outcome that are left to other runs: after the last one a person is asked."""


@dataclass(slots=True)
class _Due:
    at: float
    tries: int = 0


class Settling:
    """Streams that may have open outcomes, and when each is looked at."""

    def __init__(self, engine: Engine, streams: Iterable[str]) -> None:
        """`streams`: those that deliveries write, all looked at once to begin with."""
        self._engine = engine
        self._also = {name: _beside(engine.integration, name) for name in streams}
        self._due: dict[str, _Due] = {}
        now = engine.clock.monotonic()
        for name, beside in self._also.items():
            self._due |= {each: _Due(now) for each in (name, *beside)}

    def ended(self, stream: str, *, is_done: bool) -> None:
        """A run for deliveries of this stream has ended: it, or a run that it caused, may have left something open."""
        at = self._engine.clock.monotonic() + FIRST_S
        for name in self._also[stream]:
            self._due.setdefault(name, _Due(at))
        if not is_done:
            self._due[stream] = _Due(at)

    async def turn(self) -> float:
        """Follow up on what is due. Returns seconds until it is worth looking again."""
        now = self._engine.clock.monotonic
        for name in [name for name, due in self._due.items() if due.at <= now()]:
            wait_s = await self._follow(name, self._due[name])
            if wait_s is None:
                del self._due[name]
            else:
                self._due[name].at = now() + wait_s
        return min((max(due.at - now(), 0.05) for due in self._due.values()), default=ASLEEP_S)

    async def _follow(self, name: str, due: _Due) -> float | None:
        """Find out what is open in a stream; None when there is nothing more to do."""
        if not await self._is_open(name):
            return None
        if self._engine.is_monitor or await self._engine.pause.holds(name):
            return ASLEEP_S
        if due.tries < TRIES:
            due.tries += 1
            wait_s = min(FIRST_S * 2.0**due.tries, LONGEST_S)
            due.at = self._engine.clock.monotonic() + wait_s  # should it meet a bug
            try:
                await self._engine.run(RunRequest(stream=name, trigger="settle", only_settle=True))
            except LeaseHeld:
                due.tries -= 1
                return BUSY_S
            except IntegrationError as error:
                log.warning("outcomes of %s are not found out yet: %s", name, error)
            if not await self._is_open(name):
                return None
            if due.tries < TRIES:
                return wait_s
        log.warning("outcomes of %s could not be found out in %d runs: its next run goes on", name, TRIES)
        return None

    async def _is_open(self, name: str) -> bool:
        state, stream = self._engine.state, self._engine.stream(name)
        rows = await state.call(partial(state.store.intents, name))
        return any(may_be_found_out(stream, row, leaving=ATTEMPTS_LEFT) for row in rows)


def _beside(integration: Integration, name: str) -> tuple[str, ...]:
    """The streams that a run of this one may run: its pair's other direction, what it refers to and what refers to it."""
    streams = {stream.name: stream for stream in integration.streams}
    found, left = {name}, [name]
    while left:
        own = streams[left.pop()]
        near = {each.name for each in streams.values() if own.name in each.lookups or each.reverse_of == own.name}
        near |= {*own.lookups, *((own.reverse_of,) if own.reverse_of is not None else ())}
        left += sorted(near - found)
        found |= near
    return tuple(each for each in streams if each in found - {name})
