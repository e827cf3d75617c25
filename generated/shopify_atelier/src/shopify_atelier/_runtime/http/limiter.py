"""How fast one API is asked, by all workers together.

A paced token bucket: never more than `burst + rate × t` requests in any span of t seconds, spread evenly once the burst is
used, with one pause for everybody when the server says 429, after which requests come one by one and not in a herd. The
server's own count is believed where the API declares headers for it. Times come from the clock that is handed in.

Two counts are kept. Who waits has its time given beforehand, so that the pace does not suffer from waking late; and what has
really started is counted as the server counts it, so that a process that stood still does not start at once all that has
become due meanwhile. The second one is the wider: it makes nobody wait who woke about in time. With a burst of one nothing
could make up for a late wake within the bound; there, two requests may come closer together than the rate says.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

from ..clock import Clock
from ..declare import RateLimit

HEADROOM = 0.985
"""Share of the declared rate that is used; the rest covers clocks that differ."""
JITTER_S = 0.025
"""So much may requests bunch up on their way; what could arrive in it is kept back from the burst."""
MAX_PAUSE_S = 86_400.0
FIRST_PAUSE_S = 1.0
"""Pause on a 429 that gives no time; doubles while they go on."""
LONGEST_BLIND_PAUSE_S = 60.0


class LongPause(Exception):
    """All must wait for longer than whoever wanted to start is ready to."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no request may start for {seconds:.0f} s")
        self.seconds = seconds


class Limiter:
    """Pace, pauses and a cap on requests under way for one API and credential."""

    __slots__ = (
        "_active",
        "_blind",
        "_ceiling",
        "_clock",
        "_generation",
        "_interval",
        "_late",
        "_limit",
        "_max",
        "_next",
        "_paused_until",
        "_recovering",
        "_slack",
        "_slack_started",
        "_span_from",
        "_span_starts",
        "_tat",
        "_waiters",
        "pauses",
        "waited_s",
    )

    def __init__(self, limit: RateLimit | None, clock: Clock, *, max_concurrent: int = 16) -> None:
        self._clock = clock
        self._limit = limit
        self._max = max_concurrent
        self._active = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._paused_until = float("-inf")
        self._generation = 0
        self._blind = 0
        self._recovering = False
        self._span_from = clock.monotonic()
        self._span_starts = 0
        self._tat = float("-inf")
        """When the bucket is full again (theoretical arrival time of GCRA)."""
        self._ceiling = 0.0
        self._interval = 0.0
        self._slack = 0.0
        self._next = float("-inf")
        """Nothing may start before: the count of what has started, with the server's whole burst."""
        self._slack_started = JITTER_S
        """The burst of that count, in seconds: of a pace that was learnt none is known, and it gives way to late wakes alone."""
        self._late = asyncio.Lock()
        """Whose time came but who may not start yet, first come first served."""
        self.pauses = 0
        self.waited_s = 0.0
        if limit is not None and limit.per_s > 0:
            kept_back = min(max(1.0, limit.per_s * JITTER_S), limit.burst / 2)
            self._ceiling = limit.per_s * HEADROOM
            self._interval = 1.0 / self._ceiling
            self._slack = max(0.0, (limit.burst - 1 - kept_back) * self._interval)
            self._slack_started = started_slack_s(limit)

    @property
    def active(self) -> int:
        """Requests under way."""
        return self._active

    def paused_s(self) -> float:
        """How long the pause for everybody still lasts."""
        return max(0.0, self._paused_until - self._clock.monotonic())

    def start_now(self, now: float) -> bool:
        """As `start`, when nothing has to be waited for; else False, and nothing was started. `now` is the clock's."""
        if self._active >= self._max or self._waiters or now < self._paused_until:
            return False
        if self._interval:
            tat = self._tat if self._tat > now else now
            if tat - self._slack > now or self._next > now:
                return False
            self._tat = tat + self._interval
            self._count_start(now, self._interval * HEADROOM)
        self._active += 1
        self._span_starts += 1
        return True

    async def start(self, *, longest_pause_s: float = float("inf")) -> None:
        """Wait for a place and for its time. Each `start` that returns needs one `finish`.

        Raises:
            LongPause: a pause for everybody lasts longer than `longest_pause_s`, also one that began while this one waited.
        """
        if self._active < self._max and not self._waiters:
            self._active += 1
        else:
            await self._place()
        try:
            await self._pace(longest_pause_s)
        except BaseException:
            self.finish()
            raise
        self._span_starts += 1

    def finish(self) -> None:
        """The request that was started is over."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)  # the place goes over as it is
                return
        self._active -= 1

    async def _place(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.finish()
            raise

    async def _pace(self, longest_pause_s: float) -> None:
        """Wait for the time of one that has its place."""
        clock = self._clock
        began = now = clock.monotonic()
        while True:
            now = await self._sit_out(now, longest_pause_s)
            if not self._interval:
                break
            generation = self._generation
            tat = self._tat if self._tat > now else now
            due = tat - self._slack
            self._tat = tat + self._interval
            while now < due and generation == self._generation:
                await clock.sleep(due - now)
                now = clock.monotonic()
            if self._next > now and generation == self._generation:
                now = await self._let_through(generation)
            # A pause that came meanwhile emptied the bucket: queue up again behind it.
            if generation == self._generation:
                # At the declared rate, not the share of it that is used: what woke a little late is made up for.
                self._count_start(now, self._interval * HEADROOM)
                break
        self.waited_s += now - began

    async def _sit_out(self, now: float, longest_pause_s: float) -> float:
        """Wait for the end of a pause, when there is one. Returns the time."""
        while now < self._paused_until:
            left_s = self.paused_s()
            if left_s > longest_pause_s:
                raise LongPause(left_s)
            await self._clock.sleep(left_s)
            now = self._clock.monotonic()
        return now

    async def _let_through(self, generation: int) -> float:
        """Wait until one more may start, behind those that wait for it already, or until a pause. Returns the time."""
        clock = self._clock
        async with self._late:
            now = clock.monotonic()
            while now < self._next and generation == self._generation:
                await clock.sleep(self._next - now)
                now = clock.monotonic()
        return now

    def _count_start(self, now: float, spacing_s: float) -> None:
        full = now - self._slack_started
        self._next = (self._next if self._next > full else full) + spacing_s

    def throttled(self, retry_after_s: float | None = None) -> float:
        """A 429 came: everybody pauses. Returns the seconds from now until the pause ends."""
        now = self._clock.monotonic()
        if retry_after_s is None and now < self._paused_until:
            return self._paused_until - now  # one of the herd that was under way already
        fresh = now >= self._paused_until
        if retry_after_s is None:
            pause = min(FIRST_PAUSE_S * 2**self._blind, LONGEST_BLIND_PAUSE_S)
            self._blind = min(self._blind + 1, 10)
        else:
            pause = min(max(retry_after_s, 0.0), MAX_PAUSE_S)
        if fresh:
            self.pauses += 1
            self._slow_down(now)
        until = now + max(pause, self._interval, 0.05)
        if until > self._paused_until:
            self._pause(until)
        return self._paused_until - now

    def succeeded(self) -> None:
        """A reply that was not a 429 came."""
        self._blind = 0
        if self._recovering and self._span_starts * self._interval >= 1.0:
            self._speed_up()

    def _pause(self, until: float) -> None:
        self._paused_until = until
        self._generation += 1
        self._tat = until + self._slack  # one request at `until`, the next ones paced
        self._next = until
        self._span_from, self._span_starts = until, 0

    def _slow_down(self, now: float) -> None:
        """Twice throttled in short order, or throttled without a declared rate: ask more slowly than went well."""
        span = now - self._span_from
        if self._interval:
            if self._recovering or (self.pauses > 1 and span < 10.0):
                self._interval = min(self._interval / 0.75, 60.0)
                self._recovering = True
        elif self._span_starts >= 2 and span > 0:
            self._interval = span / self._span_starts / 0.9
            self._recovering = True

    def _speed_up(self) -> None:
        """One more span of a second went well."""
        self._span_starts = 0
        rate = 1.0 / self._interval * 1.05
        if self._ceiling and rate >= self._ceiling:
            rate, self._recovering = self._ceiling, False
        self._interval = 1.0 / rate

    def observe(self, headers: Mapping[str, str], now_s: float) -> None:
        """Believe the server's own count, where the API declares headers for it. `now_s` is the time of day."""
        limit = self._limit
        if limit is None:
            return
        if limit.used_header and (text := headers.get(limit.used_header)):
            used, slash, bucket = text.partition("/")
            if slash and (left := _number(bucket)) is not None and (taken := _number(used)) is not None:
                self._at_most(left - taken)
        if limit.remaining_header and (left := _number(headers.get(limit.remaining_header))) is not None:
            if left < 1 and limit.reset_header:
                wait = _reset_s(headers.get(limit.reset_header), now_s)
                until = self._clock.monotonic() + min(wait or 0.0, 3600.0)
                if wait and until > self._paused_until:
                    self._pause(until)
            elif limit.per_s > 0:
                self._at_most(left)

    def _at_most(self, tokens: float) -> None:
        """Lower the bucket to `tokens`; what the server counts higher than we do is not given back."""
        if self._interval:
            next_at = self._clock.monotonic() - (max(tokens, 0.0) - 1.0) * self._interval
            self._tat = max(self._tat, next_at + self._slack)
            self._next = max(self._next, next_at)


def started_slack_s(limit: RateLimit) -> float:
    """The burst of what has really started, in seconds: the declared one. One that leaves no room for late wakes gets room
    for them, of one request at most."""
    return max((limit.burst - 1) / limit.per_s, min(JITTER_S, 1 / limit.per_s))


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text.strip())
    except ValueError:
        return None
    return value if 0 <= value < 1e15 else None


def _reset_s(text: str | None, now_s: float) -> float | None:
    """Seconds until a reset that is given as a delta, as epoch seconds or as epoch milliseconds."""
    if (value := _number(text)) is None:
        return None
    if value > 1e11:
        value /= 1000
    return max(0.0, value - now_s) if value > 1e8 else value
