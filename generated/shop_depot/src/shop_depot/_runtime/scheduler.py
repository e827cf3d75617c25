"""Runs streams when they are due: never two runs of one stream at once, and one run for all the moments that were missed."""

from __future__ import annotations

import asyncio
import logging

from .declare import Integration
from .engine import Engine, MappingChanged, RunRequest
from .errors import IntegrationError
from .schedule import Interval, Schedule, parse_schedule
from .state import LeaseHeld

log = logging.getLogger(__name__)

LONGEST_SLEEP_S = 30.0
"""The wall clock is looked at so often, so that a clock that is set is noticed."""


def schedules_of(integration: Integration, interval_s: float | None) -> list[tuple[str, Schedule]]:
    """Stream and schedule of all that have one; `interval_s` stands for every one of them."""
    found: list[tuple[str, Schedule]] = []
    for stream in integration.streams:
        if interval_s is not None:
            found.append((stream.name, Interval(seconds=interval_s)))
        elif stream.schedule is not None:
            found.append((stream.name, parse_schedule(stream.schedule)))
    return found


class Scheduler:
    """One task for each stream that has a schedule."""

    def __init__(self, engine: Engine, *, interval_s: float | None = None) -> None:
        self._engine = engine
        self._schedules = schedules_of(engine.integration, interval_s)
        self.next_at: dict[str, float] = {}
        """Stream → when it is due next, in seconds since 1970."""

    async def run(self) -> None:
        """Until it is cancelled."""
        await asyncio.gather(*(self._keep(name, schedule) for name, schedule in self._schedules))

    async def _keep(self, name: str, schedule: Schedule) -> None:
        clock = self._engine.clock
        due = await self._first(name, schedule)
        while True:
            self.next_at[name] = due
            while (left := due - clock.now()) > 0:
                await clock.sleep(min(left, LONGEST_SLEEP_S))
            await self._once(name)
            due = schedule.next_after(clock.now())  # what was missed meanwhile is not made up for twice

    async def _first(self, name: str, schedule: Schedule) -> float:
        state, now = self._engine.state, self._engine.clock.now()
        runs = await state.call(lambda: state.runs.latest(name, limit=1))
        if not runs:
            return now
        return min(max(schedule.next_after(float(runs[0]["started_at"])), now), schedule.next_after(now))

    async def _once(self, name: str) -> None:
        try:
            if await self._engine.pause.holds(name):
                return
            await self._engine.run(RunRequest(stream=name, trigger="schedule"))
        except LeaseHeld as held:
            log.info("%s is not started: %s", name, held)
        except MappingChanged as error:
            log.error("%s", error)
        except IntegrationError as error:
            log.error("the scheduled run of %s did not start: %s", name, error)
        except Exception:  # one bug must not end all schedules
            log.exception("the scheduled run of %s ended with a bug", name)
