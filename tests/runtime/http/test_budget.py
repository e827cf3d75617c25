"""The shared budget in virtual time: three replicas over one row, and a server that counts."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from runtime.declare import RateLimit
from runtime.http.budget import SharedLimiter
from runtime.http.limiter import LongPause
from runtime.state import State
from runtime.state.budgets import Terms
from tests.runtime.http.test_limiter import Bucket, Freezing, most_above_bound, room_for_late_wakes
from tests.runtime.virtual_time import VirtualClock, run_virtual
from tests.waiting import PATIENCE_S

PER_S = 40.0


class SlowDatabase:
    """The work is done at once; its answer takes a while to come."""

    def __init__(self, clock: VirtualClock, chance: random.Random) -> None:
        self._clock = clock
        self._chance = chance

    async def call(self, work):  # type: ignore[no-untyped-def]
        await self._clock.sleep(self._chance.uniform(0.0005, 0.004))
        found = work()
        await self._clock.sleep(self._chance.uniform(0.0005, 0.004))
        return found

    def close(self) -> None:
        return


class Replicas:
    """Replicas that ask one API without rest, or with some."""

    def __init__(self, clock: VirtualClock, folder: Path, *, burst: int, replicas: int, seed: int = 0) -> None:
        self.clock = clock
        self.chance = random.Random(seed)
        self.vendor = Bucket(clock, PER_S, burst)
        self.starts: list[float] = []
        self.limiters = []
        self.states = []
        for _ in range(replicas):
            state = State(f"sqlite:///{folder / 'state.db'}", name="sample", now=clock.now)
            state.prepare()
            self.states.append(state)
            self.limiters.append(
                SharedLimiter(
                    RateLimit(per_s=PER_S, burst=burst),
                    clock,
                    name="crm",
                    budgets=state.budgets,
                    caller=SlowDatabase(clock, self.chance),
                )
            )

    async def ask(self, limiter: SharedLimiter, latency_s: float) -> None:
        if not limiter.start_now(self.clock.monotonic()):
            await limiter.start()
        self.starts.append(self.clock.monotonic())
        try:
            await self.clock.sleep(self.chance.uniform(0.001, 0.01))
            retry_after = self.vendor.ask()
            await self.clock.sleep(latency_s)
            if retry_after is not None:
                limiter.throttled(retry_after)
            else:
                limiter.succeeded()
        finally:
            limiter.finish()

    async def work(self, seconds: float, *, workers: int = 16, latency_s: float = 0.05, rest_s: float = 0.0) -> None:
        async def worker(limiter: SharedLimiter) -> None:
            while self.clock.monotonic() < seconds:
                await self.ask(limiter, latency_s)
                if rest_s:
                    await self.clock.sleep(self.chance.uniform(0, 2 * rest_s))

        await asyncio.gather(*(worker(limiter) for limiter in self.limiters for _ in range(workers)))

    def close(self) -> None:
        for state in self.states:
            state.close()


@pytest.mark.parametrize("burst", [10, 40])
@pytest.mark.parametrize("replicas", [1, 3, 8])
def test_replicas_without_rest_use_the_allowed_rate_and_are_never_refused(
    tmp_path: Path, burst: int, replicas: int
) -> None:
    async def main(clock: VirtualClock) -> Replicas:
        found = Replicas(clock, tmp_path, burst=burst, replicas=replicas)
        await found.work(30.0)  # as long as 1,200 requests take
        return found

    found = run_virtual(main)
    assert found.vendor.refused == 0
    share = found.vendor.accepted / (burst + PER_S * found.clock.monotonic())
    assert share >= 0.95, share
    # One draw brings several tokens.
    assert sum(limiter.draws for limiter in found.limiters) < found.vendor.accepted / 2 or replicas == 8
    found.close()


@pytest.mark.parametrize("seed", range(6))
def test_replicas_that_come_and_go_stay_below_what_the_server_allows(tmp_path: Path, seed: int) -> None:
    async def main(clock: VirtualClock) -> Replicas:
        found = Replicas(clock, tmp_path, burst=10, replicas=3, seed=seed)
        await found.work(15.0, workers=6, rest_s=[0.0, 0.05, 0.2, 0.5, 1.0, 2.0][seed])
        return found

    found = run_virtual(main, seed)
    assert found.vendor.refused == 0
    assert found.vendor.accepted > 50
    found.close()


@pytest.mark.parametrize("freeze_s", [0.3, 1.0, 4.0])
@pytest.mark.parametrize(("per_s", "burst"), [(5.0, 1), (40.0, 1), (40.0, 4), (100.0, 10)])
def test_replica_that_stood_still_starts_no_more_than_the_server_allows(
    tmp_path: Path, per_s: float, burst: int, freeze_s: float
) -> None:
    """What was drawn for the time in which the process stood still does not start at once when it goes on."""
    seconds = 20.0

    async def main(virtual: VirtualClock) -> list[float]:
        clock = Freezing(virtual._loop)
        state = State(f"sqlite:///{tmp_path / 'state.db'}", name="sample", now=clock.now)
        state.prepare()
        limiter = SharedLimiter(
            RateLimit(per_s=per_s, burst=burst),
            clock,
            name="crm",
            budgets=state.budgets,
            caller=SlowDatabase(clock, random.Random(1)),
            max_concurrent=16,
        )
        starts: list[float] = []

        async def worker() -> None:
            while clock.monotonic() < seconds:
                if not limiter.start_now(clock.monotonic()):
                    await limiter.start()
                starts.append(clock.monotonic())
                await clock.sleep(0.03)
                limiter.finish()

        tasks = [asyncio.create_task(worker()) for _ in range(16)]
        for _ in range(3):
            await clock.sleep(4.013)
            clock.freeze(freeze_s)
        await asyncio.gather(*tasks)
        state.close()
        return starts

    starts = run_virtual(main)
    assert most_above_bound(starts, per_s, burst) <= room_for_late_wakes(per_s, burst) + 1e-6
    assert len(starts) >= 0.9 * per_s * (seconds - 3 * freeze_s)


def test_pause_that_is_too_long_ends_the_waiting_on_all_replicas(tmp_path: Path) -> None:
    """Also of those that wait for a draw, or hold a token that is not due yet."""

    async def main(clock: VirtualClock) -> list[object]:
        found = Replicas(clock, tmp_path, burst=10, replicas=2)
        first, second = found.limiters

        async def request(limiter: SharedLimiter) -> None:
            await limiter.start(longest_pause_s=120)
            limiter.finish()

        tasks = [asyncio.create_task(request(first)) for _ in range(14)]
        await clock.sleep(0.1)
        first.throttled(1e9)
        await clock.sleep(1.0)
        tasks += [asyncio.create_task(request(second)) for _ in range(14)]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert first.active == second.active == 0
        assert clock.monotonic() < 10
        found.close()
        return ended

    ended = run_virtual(main)
    assert {type(each) for each in ended[:14]} == {type(None), LongPause}
    assert {type(each) for each in ended[14:]} == {LongPause}


def test_one_slow_replica_leaves_the_rate_to_the_others(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Replicas:
        found = Replicas(clock, tmp_path, burst=10, replicas=3)
        idle = found.limiters.pop()

        async def seldom() -> None:
            while clock.monotonic() < 20.0:
                await found.ask(idle, 0.05)
                await clock.sleep(1.0)

        await asyncio.gather(found.work(20.0), seldom())
        return found

    found = run_virtual(main)
    assert found.vendor.refused == 0
    assert found.vendor.accepted >= 0.95 * (10 + PER_S * found.clock.monotonic())
    found.close()


def test_a_refusal_of_one_replica_makes_all_wait(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> Replicas:
        found = Replicas(clock, tmp_path, burst=10, replicas=3)

        async def refuse() -> None:
            await clock.sleep(5.0)
            found.limiters[0].throttled(7.0)

        await asyncio.gather(found.work(20.0), refuse())
        return found

    found = run_virtual(main)
    # What was drawn before is used within its time; after that nobody asks until the pause is over.
    assert not [at for at in found.starts if 6.3 < at < 12.0]
    assert [at for at in found.starts if 12.0 <= at < 12.6]
    found.close()


def test_a_pause_of_an_api_without_a_declared_rate_reaches_the_others(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> float:
        states = [State(f"sqlite:///{tmp_path / 'state.db'}", name="sample", now=clock.now) for _ in range(2)]
        states[0].prepare()
        first, second = (
            SharedLimiter(None, clock, name="crm", budgets=state.budgets, caller=state.caller) for state in states
        )
        await first.start()
        first.throttled(9.0)
        first.finish()
        await clock.sleep(1.5)
        await second.start()
        second.finish()
        for state in states:
            state.close()
        return clock.monotonic()

    assert 9.0 <= run_virtual(main) < 10.0


def test_what_was_drawn_and_not_used_is_given_back_at_the_end(tmp_path: Path) -> None:
    state = State(f"sqlite:///{tmp_path / 'state.db'}", name="sample", now=lambda: 1000.0)
    state.prepare()
    terms = Terms(per_s=10.0, burst=5.0)
    draw = state.budgets.draw("crm", terms, 8)
    assert [round(draw.due_in_s(index), 3) for index in range(8)] == [0, 0, 0, 0, 0, 0.1, 0.2, 0.3]
    state.budgets.give_back("crm", draw.at, 3)
    again = state.budgets.draw("crm", terms, 1)
    assert again.due_in_s(0) == pytest.approx(0.1)
    state.close()


def test_a_token_that_comes_too_late_is_lost_not_kept(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> SharedLimiter:
        found = Replicas(clock, tmp_path, burst=10, replicas=1)
        await found.work(2.0)
        before = len(found.starts)
        await clock.sleep(30.0)
        limiter = found.limiters[0]
        assert not limiter.start_now(clock.monotonic())
        assert len(found.starts) == before
        found.close()
        return limiter

    assert run_virtual(main).lost > 0


def test_process_that_always_wakes_late_gets_on(tmp_path: Path) -> None:
    """On an overloaded machine every token comes too late to be used; some of what was lost pays for late ones."""

    class Late(VirtualClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds + 0.15 + 0.15 * self.random())

    async def main(clock: VirtualClock) -> Replicas:
        found = Replicas(Late(clock._loop), tmp_path, burst=10, replicas=1)
        await found.work(30.0)
        return found

    found = run_virtual(main)
    assert found.vendor.refused == 0
    assert len(found.starts) > 200
    found.close()


def test_one_that_starts_as_a_draw_ends_lets_the_loop_go_on(tmp_path: Path) -> None:
    """Whoever finds no token while the end of the draw is not yet told draws anew; it does not ask the ended one for ever."""

    class Counted(VirtualClock):
        looks = 0

        def monotonic(self) -> float:
            self.looks += 1
            if self.looks > 5_000:
                pytest.fail("somebody asks the time again and again and lets nobody else work")
            return super().monotonic()

    class Gate:
        """Answers when it is opened."""

        def __init__(self) -> None:
            self.opened = asyncio.get_running_loop().create_future()

        async def call(self, work):  # type: ignore[no-untyped-def]
            await self.opened
            return work()

        def close(self) -> None:
            return

    async def main(clock: VirtualClock) -> SharedLimiter:
        counted, gate = Counted(clock._loop), Gate()
        state = State(f"sqlite:///{tmp_path / 'state.db'}", name="sample", now=clock.now)
        state.prepare()
        limit = RateLimit(per_s=PER_S, burst=10)
        limiter = SharedLimiter(limit, counted, name="crm", budgets=state.budgets, caller=gate)
        first = asyncio.create_task(limiter.start())
        while limiter._drawing is None:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        gate.opened.set_result(None)  # it brings one token
        later = [asyncio.create_task(limiter.start()) for _ in range(2)]  # in the same turn of the loop, after the draw
        await asyncio.gather(first, *later)
        await limiter.aclose()
        state.close()
        return limiter

    limiter = run_virtual(main)
    assert limiter.draws > 1
    assert limiter.active == 3


@pytest.mark.parametrize("seed", range(5))
def test_limiter_whose_work_is_cancelled_at_any_moment_comes_to_its_end(tmp_path: Path, seed: int) -> None:
    """Three streams' requests are cancelled in the middle, as when a worker leaves; nobody waits for ever, no place is lost."""

    async def main(clock: VirtualClock) -> SharedLimiter:
        found = Replicas(clock, tmp_path, burst=10, replicas=2, seed=seed)
        limiter = found.limiters[0]
        tasks = [asyncio.create_task(found.ask(limiter, 0.02)) for _ in range(60)]
        for task in found.chance.sample(tasks, 40):
            await clock.sleep(found.chance.uniform(0, 0.05))
            task.cancel()
            if limiter._drawing is not None and found.chance.random() < 0.3:
                limiter._drawing.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait_for(limiter.aclose(), PATIENCE_S)
        found.close()
        return limiter

    limiter = run_virtual(main, seed)
    assert limiter.active == 0
    assert not limiter._waiters
