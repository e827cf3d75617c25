"""The limiter in virtual time: the bound it never breaks, the rate it reaches, the herd it prevents."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from runtime.declare import RateLimit
from runtime.http.limiter import Limiter, LongPause
from tests.runtime.virtual_time import START_S, VirtualClock, run_virtual


class Bucket:
    """A vendor: a bucket of `burst` that fills with `per_s`. Says no when it is empty, with the seconds to wait."""

    def __init__(self, clock: VirtualClock, per_s: float, burst: int) -> None:
        self.clock, self.per_s, self.burst = clock, per_s, burst
        self.tokens, self.at = float(burst), clock.monotonic()
        self.accepted = self.refused = 0

    def ask(self) -> float | None:
        now = self.clock.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_s)
        self.at = now
        if self.tokens >= 1 - 1e-9:
            self.tokens -= 1
            self.accepted += 1
            return None
        self.refused += 1
        return (1 - self.tokens) / self.per_s


def simulate(
    limit: RateLimit | None,
    *,
    per_s: float,
    burst: int,
    seconds: float,
    workers: int = 20,
    latency: Callable[[VirtualClock], float] = lambda clock: 0.02,
    whole_seconds: bool = False,
    seed: int = 0,
) -> tuple[list[float], Bucket]:
    """Workers that ask without rest for so long; returns when each request left, and the vendor."""

    async def main(clock: VirtualClock) -> tuple[list[float], Bucket]:
        limiter = Limiter(limit, clock, max_concurrent=workers)
        vendor = Bucket(clock, per_s, burst)
        starts: list[float] = []

        async def worker() -> None:
            while clock.monotonic() < seconds:
                await limiter.start()
                starts.append(clock.monotonic())
                try:
                    await clock.sleep(latency(clock))
                    wait = vendor.ask()
                    if wait is None:
                        limiter.succeeded()
                    else:
                        limiter.throttled(math.ceil(wait) if whole_seconds else wait)
                finally:
                    limiter.finish()

        await asyncio.gather(*(worker() for _ in range(workers)))
        return starts, vendor

    return run_virtual(main, seed)


@pytest.mark.parametrize(("per_s", "burst"), [(2, 40), (40, 10), (10, 1), (100, 100), (0.5, 2), (500, 5)])
def test_starts_never_exceed_burst_plus_rate_in_any_span(per_s: float, burst: int) -> None:
    """For every pair of starts: their number is at most burst + rate × time between them."""
    starts, _ = simulate(RateLimit(per_s=per_s, burst=burst), per_s=per_s, burst=burst, seconds=20)
    for first in range(0, len(starts), 7):
        for last in range(first, len(starts), 5):
            assert last - first + 1 <= burst + per_s * (starts[last] - starts[first]) + 1e-6


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("per_s", "burst"), [(40, 10), (2, 40), (10, 5), (200, 50)])
def test_declared_rate_is_used_to_97_percent_with_almost_no_refusal(per_s: float, burst: int, seed: int) -> None:
    """Against a vendor that counts exactly, over a network whose latency varies by 20 ms."""
    _, vendor = simulate(
        RateLimit(per_s=per_s, burst=burst),
        per_s=per_s,
        burst=burst,
        seconds=60,
        latency=lambda clock: 0.03 + 0.02 * clock.random(),
        seed=seed,
    )
    assert vendor.refused <= 5
    assert vendor.accepted >= 0.97 * per_s * 60


def test_undeclared_rate_is_found_with_few_refusals() -> None:
    """Told nothing but 429 and whole seconds, it asks at most a little too fast from then on."""
    _, vendor = simulate(None, per_s=40, burst=10, seconds=120, whole_seconds=True)
    assert vendor.refused <= 0.05 * vendor.accepted
    assert vendor.accepted >= 0.6 * 40 * 120


def test_declared_rate_that_is_too_high_is_lowered() -> None:
    """A documented 100/s that is really 20/s costs some refusals, not half of the requests."""
    _, vendor = simulate(RateLimit(per_s=100, burst=20), per_s=20, burst=20, seconds=120, whole_seconds=True)
    assert vendor.refused <= 0.1 * vendor.accepted
    assert vendor.accepted >= 0.5 * 20 * 120


def paused(main: Callable[[VirtualClock], Coroutine[Any, Any, None]]) -> None:
    run_virtual(main)


def test_one_429_stops_every_worker_and_nobody_wakes_as_a_herd() -> None:
    """After the pause requests leave one by one at the declared pace."""

    async def main(clock: VirtualClock) -> None:
        limiter = Limiter(RateLimit(per_s=10, burst=50), clock, max_concurrent=50)
        starts: list[float] = []

        async def worker() -> None:
            await limiter.start()
            starts.append(clock.monotonic())
            await clock.sleep(0.01)
            limiter.finish()

        await limiter.start()
        assert limiter.throttled(7.0) == pytest.approx(7.0)
        limiter.finish()
        await asyncio.gather(*(worker() for _ in range(30)))
        assert starts[0] >= 7.0
        gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
        assert min(gaps) >= 0.1

    paused(main)


def test_waiting_workers_queue_up_again_behind_a_pause() -> None:
    """Those who had a time already do not use it when a 429 comes meanwhile."""

    async def main(clock: VirtualClock) -> None:
        limiter = Limiter(RateLimit(per_s=1, burst=1), clock, max_concurrent=50)
        starts: list[float] = []

        async def worker() -> None:
            await limiter.start()
            starts.append(clock.monotonic())

        tasks = [asyncio.create_task(worker()) for _ in range(5)]
        await clock.sleep(0.5)
        limiter.throttled(30.0)
        await asyncio.gather(*tasks)
        assert starts[0] == 0.0
        assert starts[1] >= 30.5
        assert starts[2] - starts[1] >= 1.0

    paused(main)


def test_pause_without_a_time_doubles_and_is_forgotten_after_a_success() -> None:
    """Blind pauses grow while 429 goes on, up to a bound."""

    async def main(clock: VirtualClock) -> None:
        limiter = Limiter(None, clock)
        waits = []
        for _ in range(10):
            waits.append(limiter.throttled(None))
            await clock.sleep(waits[-1])
        assert waits[:4] == pytest.approx([1, 2, 4, 8])
        assert max(waits) == 60
        limiter.succeeded()
        assert limiter.throttled(None) == pytest.approx(1)

    paused(main)


def test_second_429_of_the_same_herd_does_not_lengthen_a_blind_pause() -> None:
    """Twenty requests under way that are all refused are one event."""

    async def main(clock: VirtualClock) -> None:
        limiter = Limiter(None, clock)
        for _ in range(20):
            limiter.throttled(None)
        assert limiter.paused_s() == pytest.approx(1)
        assert limiter.pauses == 1

    paused(main)


@pytest.mark.parametrize("wait", [-5.0, 0.0, 1e99])
def test_senseless_pause_is_bounded(wait: float) -> None:
    """Neither no pause at all nor an endless one."""

    async def main(clock: VirtualClock) -> None:
        limiter = Limiter(None, clock)
        assert 0 < limiter.throttled(wait) <= 86_400

    paused(main)


def test_concurrency_is_capped_first_come_first_served() -> None:
    """At most so many are under way, and those who wait keep their order."""

    async def main(clock: VirtualClock) -> None:
        limiter = Limiter(None, clock, max_concurrent=3)
        order: list[int] = []
        most = 0

        async def worker(number: int) -> None:
            nonlocal most
            await limiter.start()
            order.append(number)
            most = max(most, limiter.active)
            await clock.sleep(1)
            limiter.finish()

        await asyncio.gather(*(worker(number) for number in range(10)))
        assert order == list(range(10))
        assert most == 3
        assert limiter.active == 0
        assert clock.monotonic() == pytest.approx(4)

    paused(main)


def test_cancelled_waiter_gives_its_place_on() -> None:
    """Cancelling in the queue, in the pace and right after being called loses no place."""

    async def main(clock: VirtualClock) -> None:
        limiter = Limiter(RateLimit(per_s=1, burst=1), clock, max_concurrent=1)
        await limiter.start()
        queued = [asyncio.create_task(limiter.start()) for _ in range(3)]
        await clock.sleep(0.01)
        queued[0].cancel()
        limiter.finish()  # the place goes to the second, who is now in the pace
        queued[1].cancel()  # cancelled with the place in hand
        await clock.sleep(0.01)
        await queued[2]
        assert limiter.active == 1
        limiter.finish()
        assert limiter.active == 0

    paused(main)


def test_own_count_of_the_server_lowers_the_pace() -> None:
    """`39/40` used by somebody else leaves one request, then the declared pace."""

    async def main(clock: VirtualClock) -> None:
        limiter = Limiter(RateLimit(per_s=2, burst=40, used_header="X-Limit"), clock)
        await limiter.start()
        limiter.observe({"X-Limit": "39/40"}, clock.now())
        await limiter.start()
        await limiter.start()
        await limiter.start()
        assert clock.monotonic() >= 0.99
        for text in ("", "garbage", "1/", "/40", "-3/40", "nan/nan"):
            limiter.observe({"X-Limit": text}, clock.now())

    paused(main)


@pytest.mark.parametrize(
    ("reset", "seconds"), [("7", 7), (f"{START_S + 7:.0f}", 7), (f"{(START_S + 7) * 1000:.0f}", 7), ("soon", 0)]
)
def test_nothing_remaining_pauses_until_the_reset(reset: str, seconds: float) -> None:
    """A delta, epoch seconds and epoch milliseconds are told apart; garbage does nothing."""

    async def main(clock: VirtualClock) -> None:
        limiter = Limiter(RateLimit(per_s=100, burst=100, remaining_header="r", reset_header="t"), clock)
        limiter.observe({"r": "0", "t": reset}, clock.now())
        assert limiter.paused_s() == pytest.approx(seconds)

    paused(main)


def most_above_bound(starts: list[float], per_s: float, burst: int) -> float:
    """By how many starts the fullest span exceeds burst + rate × its length; not above 0 when the bound holds."""
    most, emptiest = float("-inf"), float("inf")
    for number, at in enumerate(starts):
        emptiest = min(emptiest, number - per_s * at)
        most = max(most, number + 1 - per_s * at - emptiest - burst)
    return most


def room_for_late_wakes(per_s: float, burst: int) -> float:
    """How many starts more than the bound a burst of one gets."""
    return min(1.0, 0.025 * per_s) if burst == 1 else 0.0


class Freezing(VirtualClock):
    """A clock of a process that can stand still: its timers come late, all at once."""

    def freeze(self, seconds: float) -> None:
        self._loop.now += seconds


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("per_s", "burst"), [(5.0, 1), (5.0, 10), (40.0, 1), (40.0, 10), (40.0, 40), (0.5, 2)])
def test_process_that_stood_still_starts_no_more_than_the_server_allows(per_s: float, burst: int, fast: bool) -> None:
    """What became due meanwhile is not started at once; all that waited start, those who came first before the others."""
    waiting = 16

    async def main(virtual: VirtualClock) -> list[tuple[float, int]]:
        clock = Freezing(virtual._loop)
        limiter = Limiter(RateLimit(per_s=per_s, burst=burst), clock, max_concurrent=1000)
        starts: list[tuple[float, int]] = []

        async def request(number: int) -> None:
            if not (fast and limiter.start_now(clock.monotonic())):
                await limiter.start()
            starts.append((clock.monotonic(), number))
            limiter.finish()

        tasks = [asyncio.create_task(request(number)) for number in range(burst + waiting)]
        await clock.sleep(0.5 / per_s)
        clock.freeze((burst + 20) / per_s)
        if fast:
            await clock.sleep(0.001 / per_s)  # those that are overdue wake before others come
        for number in range(burst + waiting, 2 * (burst + waiting)):
            if number >= 2 * burst + waiting:  # as many as the burst at once, the others one by one
                await clock.sleep(0.4 / per_s)
            tasks.append(asyncio.create_task(request(number)))
            if number == 2 * burst + waiting + 8:
                await clock.sleep(0.0)
                clock.freeze(3 / per_s)  # again, while those of the first time wait
        await asyncio.gather(*tasks)
        assert limiter.active == 0
        return starts

    starts = run_virtual(main)
    assert most_above_bound([at for at, _ in starts], per_s, burst) <= room_for_late_wakes(per_s, burst) + 1e-6
    assert sorted(number for _, number in starts) == list(range(2 * (burst + waiting)))
    first = [number for _, number in starts if number < burst + waiting]
    assert first == sorted(first)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("burst", [1, 2, 10, 40])
def test_clock_that_wakes_late_costs_no_throughput(burst: int, seed: int) -> None:
    """Each sleep lasts up to 20 ms too long: the declared rate is used, and in no span more."""
    per_s, seconds = 40.0, 60.0

    async def main(virtual: VirtualClock) -> list[float]:
        class Late(VirtualClock):
            async def sleep(self, seconds: float) -> None:
                await super().sleep(seconds + 0.02 * self.random())

        clock = Late(virtual._loop, seed)
        limiter = Limiter(RateLimit(per_s=per_s, burst=burst), clock, max_concurrent=16)
        starts: list[float] = []

        async def worker() -> None:
            while clock.monotonic() < seconds:
                if not limiter.start_now(clock.monotonic()):
                    await limiter.start()
                starts.append(clock.monotonic())
                await clock.sleep(0.03)
                limiter.succeeded()
                limiter.finish()

        await asyncio.gather(*(worker() for _ in range(16)))
        return starts

    starts = run_virtual(main)
    assert most_above_bound(starts, per_s, burst) <= room_for_late_wakes(per_s, burst) + 1e-6
    assert sum(at < seconds for at in starts) >= 0.97 * per_s * seconds


def test_pause_while_those_that_woke_too_late_wait_sends_them_behind_it() -> None:
    """A 429 after the process stood still: nobody starts before its end, then one by one; cancelled ones take no turn."""

    async def main(virtual: VirtualClock) -> None:
        clock = Freezing(virtual._loop)
        limiter = Limiter(RateLimit(per_s=5, burst=1), clock, max_concurrent=16)
        starts: list[float] = []

        async def request() -> None:
            await limiter.start()
            starts.append(clock.monotonic())

        tasks = [asyncio.create_task(request()) for _ in range(10)]
        await clock.sleep(0.01)
        clock.freeze(4.0)
        await clock.sleep(0.1)
        assert len(starts) == 2  # the one at the beginning, one after standing still; the others are due but wait
        tasks[2].cancel()
        tasks[3].cancel()
        limiter.throttled(30.0)
        until = clock.monotonic() + 30.0
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(starts) == 8
        assert limiter.active == 8
        assert starts[2] == pytest.approx(until)
        assert all(0.2 <= later - earlier < 0.21 for earlier, later in itertools.pairwise(starts[2:]))

    paused(main)


def test_pause_that_is_too_long_for_those_that_wait_ends_their_waiting() -> None:
    """Also of those that waited for their turn, or for a place, before it began: a vendor that wants a day gets no held run."""

    async def main(virtual: VirtualClock) -> None:
        limiter = Limiter(RateLimit(per_s=5, burst=1), virtual, max_concurrent=4)

        async def request() -> float:
            await limiter.start(longest_pause_s=120)
            limiter.finish()
            return virtual.monotonic()

        await limiter.start(longest_pause_s=120)
        tasks = [asyncio.create_task(request()) for _ in range(8)]
        await virtual.sleep(0.1)
        limiter.throttled(100.0)
        limiter.finish()
        await virtual.sleep(50.0)
        assert not any(task.done() for task in tasks)  # so long they are ready to wait
        limiter.throttled(1e9)
        began = virtual.monotonic()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, LongPause) and each.seconds > 86_000 for each in ended)
        assert virtual.monotonic() - began < 61.0  # when the first pause would have been over
        assert limiter.active == 0

    paused(main)


def test_cancelled_while_waiting_after_standing_still_leaves_the_turn_to_the_next() -> None:
    """Whoever is cancelled takes no token and wakes the next one."""

    async def main(virtual: VirtualClock) -> None:
        clock = Freezing(virtual._loop)
        limiter = Limiter(RateLimit(per_s=5, burst=1), clock, max_concurrent=16)
        starts: list[float] = []

        async def request() -> None:
            await limiter.start()
            starts.append(clock.monotonic())

        tasks = [asyncio.create_task(request()) for _ in range(6)]
        await clock.sleep(0.01)
        clock.freeze(4.0)
        await clock.sleep(0.1)
        for task in tasks[2:5]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(starts) == limiter.active == 3
        assert 0.17 <= starts[2] - starts[1] < 0.21  # one that was late before the next is given 25 ms

    paused(main)


def test_learnt_pace_starts_no_herd_after_standing_still() -> None:
    """Without a declared rate nothing is known of a burst: what is overdue starts one by one."""

    async def main(virtual: VirtualClock) -> None:
        clock = Freezing(virtual._loop)
        limiter = Limiter(None, clock, max_concurrent=16)
        starts: list[float] = []

        async def request() -> None:
            await limiter.start()
            starts.append(clock.monotonic())
            limiter.finish()

        for _ in range(10):
            await request()
            await clock.sleep(0.1)
        limiter.throttled(1.0)
        del starts[:]
        tasks = [asyncio.create_task(request()) for _ in range(12)]
        await clock.sleep(1.01)
        clock.freeze(3.0)
        await asyncio.gather(*tasks)
        assert len(starts) == 12
        assert min(later - earlier for earlier, later in itertools.pairwise(starts)) >= 0.08

    paused(main)
