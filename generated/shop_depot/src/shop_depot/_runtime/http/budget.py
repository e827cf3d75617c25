"""The pace of one API and credential, kept by all replicas together.

A replica draws tokens ahead of their use, as many as it is going to need in a fraction of a second, and uses each at the
moment it is given for. One that could not be used in time is lost, not kept: kept ones would add up to a burst that nobody
allowed. What may be late is kept back from the burst. After a 429 all replicas pause: the one that got it at once, the others
with their next draw.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from ..clock import Clock
from ..declare import Api, RateLimit
from ..errors import IntegrationError
from ..state import Caller
from ..state.budgets import LONGEST_AHEAD_S, Budgets, Draw, Terms
from .limiter import HEADROOM, Limiter, _number, _reset_s, started_slack_s

log = logging.getLogger(__name__)

AHEAD_S = 0.3
"""So much use is drawn at once."""
LATEST_S = 0.1
"""A token that is later than this is lost; less where the burst is small."""
PATIENCE = 3
"""So many tokens that were lost pay for one that is used late: a process that is always late gets on, slowly."""
ARRIVAL_S = 0.15
"""Replicas stall one by one, and each may have sent just before: so much may their requests bunch up on the way. What could
arrive in it is kept back from the burst; only the start of a pass is the slower for it."""
SLOWER = 0.75
"""The pace after a second refusal within `SHORT_ORDER_S`."""
SHORT_ORDER_S = 10.0
LOOKED_S = 1.0
"""How often a replica that draws nothing looks whether all must wait."""


def budget_name(api: Api, base_url: str) -> str:
    """One row for each API at one address: a package has one credential for it."""
    return f"{api.name}:{hashlib.sha256(base_url.encode()).hexdigest()[:12]}"


class SharedLimiter(Limiter):
    """A `Limiter` whose pace is the row's, not its own."""

    def __init__(
        self,
        limit: RateLimit | None,
        clock: Clock,
        *,
        name: str,
        budgets: Budgets,
        caller: Caller,
        max_concurrent: int = 16,
    ) -> None:
        super().__init__(limit, clock, max_concurrent=max_concurrent)
        self._interval = self._ceiling = self._slack = 0.0  # the parent keeps no pace of its own
        per_s = limit.per_s if limit is not None else 0.0
        burst = float(limit.burst) if limit is not None else 0.0
        self._spacing_s = 1 / per_s if per_s > 0 else 0.0
        if limit is not None and per_s > 0:
            self._slack_started = started_slack_s(limit)
        self._late_s = min(LATEST_S, burst / (4 * per_s)) if per_s > 0 else LATEST_S
        kept_back = min(max(1.0, per_s * (ARRIVAL_S + self._late_s)), burst * 0.8)
        self._terms = Terms(per_s=per_s * HEADROOM, burst=max(1.0, burst - kept_back))
        self._most = max(1, math.ceil(per_s * AHEAD_S))
        self._name = name
        self._budgets = budgets
        self._caller = caller
        self._slots: deque[float] = deque()
        """When each token that was drawn may be used, by the clock's `monotonic`."""
        self._last: Draw | None = None
        self._drawing: asyncio.Task[None] | None = None
        self._wanting = 0
        self._used = 0
        self._used_from = clock.monotonic()
        self._rate = 0.0
        self._server_left: tuple[float, float] | None = None
        self._told: set[asyncio.Task[None]] = set()
        self._looked_at = float("-inf")
        self._last_refusal = float("-inf")
        self.draws = 0
        self._unused = 0
        """Tokens that were lost since one was last used late."""
        self.lost = 0
        """Tokens that could not be used in time."""

    # --- taking ---

    def start_now(self, now: float) -> bool:
        if self._active >= self._max or self._waiters or self._wanting or now < self._paused_until:
            return False
        if self._terms.per_s:
            self._drop_late(now)
            if not self._slots or self._slots[0] > now or self._next > now:
                return False
            self._slots.popleft()
            self._count_use(now)
        elif now - self._looked_at > LOOKED_S:
            return False
        self._active += 1
        return True

    async def _pace(self, longest_pause_s: float) -> None:
        clock = self._clock
        began = now = clock.monotonic()
        while True:
            now = await self._sit_out(now, longest_pause_s)
            if not self._terms.per_s:
                if now - self._looked_at > LOOKED_S:
                    await self._look()
                    now = clock.monotonic()
                    continue
                break
            if self._unused < PATIENCE:
                self._drop_late(now)
            if not self._slots:
                self._wanting += 1
                try:
                    await self._drawn()
                finally:
                    self._wanting -= 1
                now = clock.monotonic()
                continue
            slot, generation = self._slots.popleft(), self._generation
            if slot > now:
                await clock.sleep(slot - now)
                now = clock.monotonic()
            paused = generation != self._generation or now < self._paused_until
            if not paused and (now <= slot + self._late_s or self._pays_late()):
                if self._next > now:  # it stood still, and what has become due meanwhile must not start at once
                    now = await self._let_through(generation)
                if generation == self._generation:
                    self._count_use(now)
                    break
            self._lose()
        self.waited_s += now - began

    def _pays_late(self) -> bool:
        """Whether enough was lost to pay for one that is used late."""
        if self._unused < PATIENCE:
            return False
        self._unused -= PATIENCE
        return True

    def _drop_late(self, now: float) -> None:
        while self._slots and self._slots[0] + self._late_s < now:
            self._slots.popleft()
            self._lose()

    def _lose(self) -> None:
        self.lost += 1
        self._unused += 1

    def _count_use(self, now: float) -> None:
        self._count_start(now, self._spacing_s)
        self._used += 1
        if now - self._used_from >= AHEAD_S:
            self._rate = self._used / (now - self._used_from)
            self._used, self._used_from = 0, now
        if not self._is_drawing() and len(self._slots) <= self._rate * AHEAD_S / 2 and self._rate * AHEAD_S >= 2:
            self._begin_draw()  # before the last one is used, so that nobody waits for the database

    # --- drawing ---

    async def _drawn(self) -> None:
        """Wait for a draw: the one under way, or a new one."""
        if not self._is_drawing():
            await asyncio.sleep(0)  # whoever wants one too says so first
        if not self._is_drawing():
            self._begin_draw()
        if (drawing := self._drawing) is not None:
            await asyncio.shield(drawing)

    def _is_drawing(self) -> bool:
        """Not by whether there is a task alone: one that ended is told of a turn of the loop later, and to wait for it until
        then is not to wait at all; who did so again and again would never let the loop come to that turn."""
        return self._drawing is not None and not self._drawing.done()

    def _begin_draw(self) -> None:
        self._drawing = asyncio.create_task(self._draw())
        self._drawing.add_done_callback(self._draw_ended)

    def _draw_ended(self, task: asyncio.Task[None]) -> None:
        if self._drawing is task:
            self._drawing = None
        if not task.cancelled():
            task.exception()  # whoever waits for it sees it; a draw ahead of need is made again

    async def _draw(self) -> None:
        wanted = self._wanting + math.ceil(self._rate * AHEAD_S) - len(self._slots)
        wanted = max(1, min(wanted, self._most))
        at_most = None
        if (told := self._server_left) is not None:
            left, since = told
            at_most = left + (self._clock.monotonic() - since) * self._terms.per_s
            self._server_left = None
        generation = self._generation
        draw = await self._caller.call(lambda: self._budgets.draw(self._name, self._terms, wanted, at_most=at_most))
        now = self._looked_at = self._clock.monotonic()
        self.draws += 1
        self._last = draw
        if draw.pause_s > 0:
            self._stop_until(now + draw.pause_s)
        elif generation != self._generation:
            return  # a pause began meanwhile: these came before it
        if not draw.count and draw.pause_s > 0:
            return  # whoever wanted one sits the pause out, or does not
        if not draw.count:
            await self._clock.sleep(max(0.05, draw.first_in_s - LONGEST_AHEAD_S / 2))
            return
        self._slots.extend(now + draw.due_in_s(index) for index in range(draw.count))

    async def _look(self) -> None:
        self._looked_at = self._clock.monotonic()
        pause_s = await self._caller.call(lambda: self._budgets.pause_s(self._name))
        if pause_s > 0:
            self._stop_until(self._clock.monotonic() + pause_s)

    # --- being told ---

    def throttled(self, retry_after_s: float | None = None) -> float:
        before = self._paused_until
        now = self._clock.monotonic()
        left = super().throttled(retry_after_s)
        if self._paused_until > before:
            self._slots.clear()
            again = now - self._last_refusal < SHORT_ORDER_S
            self._last_refusal = now
            self._tell(left, SLOWER if again else 1.0)
        return left

    def observe(self, headers: Mapping[str, str], now_s: float) -> None:
        limit = self._limit
        if limit is None:
            return
        if limit.used_header and (text := headers.get(limit.used_header)):
            used, slash, bucket = text.partition("/")
            if slash and (size := _number(bucket)) is not None and (taken := _number(used)) is not None:
                self._server_left = (size - taken, self._clock.monotonic())
        if limit.remaining_header and (left := _number(headers.get(limit.remaining_header))) is not None:
            if left < 1 and limit.reset_header:
                wait = min(_reset_s(headers.get(limit.reset_header), now_s) or 0.0, 3600.0)
                if wait and self._clock.monotonic() + wait > self._paused_until:
                    self._stop_until(self._clock.monotonic() + wait)
                    self._tell(wait, 1.0)
            elif limit.per_s > 0:
                self._server_left = (left, self._clock.monotonic())

    def _slow_down(self, now: float) -> None:
        return  # the row's pace is lowered for all

    def _stop_until(self, until: float) -> None:
        if until > self._paused_until:
            self._paused_until = until
            self._generation += 1
            self._slots.clear()

    def _tell(self, seconds: float, slower: float) -> None:
        """Let all replicas know, without keeping the reply waiting."""

        async def tell() -> None:
            try:
                await self._caller.call(lambda: self._budgets.pause(self._name, self._terms, seconds, slower=slower))
            except IntegrationError as error:
                log.warning("the other replicas were not told of a pause of %.1f s: %s", seconds, error)

        task = asyncio.create_task(tell())
        self._told.add(task)
        task.add_done_callback(self._told.discard)

    async def aclose(self) -> None:
        """Give back what was drawn and not used."""
        tasks = [*self._told, *([self._drawing] if self._drawing is not None else [])]
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        if (last := self._last) is not None and self._slots and not last.pause_s:
            now = self._clock.monotonic()
            left = sum(slot > now for slot in self._slots)
            self._slots.clear()
            with suppress(IntegrationError):
                await self._caller.call(lambda: self._budgets.give_back(self._name, last.at, left))
