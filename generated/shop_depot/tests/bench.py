"""The engine between both mocks, on a clock that does not wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.mocks import Mock
from tests.mocks.places import NOTHING, at
from tests.mocks.server import listen
from tests.mocks.store import Collection
from tests.package import (
    INTEGRATION,
    form_of,
    is_mappable,
    mapped,
    runtime,
    sides,
    stream_named,
)

PATIENCE_S = 240.0
"""How long what must come may take on a machine that has much else to do. Nothing is slower because of it."""


class Clock:
    """The machine's clock, on which sleeping takes no time: `slept_s` remembers how long it would have been."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []
        self._ahead_s = 0.0
        self._alarms: list[tuple[float, asyncio.Event]] = []

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead_s

    def now(self) -> float:
        return time.time() + self._ahead_s

    def random(self) -> float:
        return 0.5

    async def sleep(self, seconds: float) -> None:
        """Let others go on, then be later. The heartbeat of a lease makes nothing later: it is due when others have slept so long."""
        if seconds == _HEARTBEAT_S:
            alarm = asyncio.Event()
            self._alarms.append((self._ahead_s + seconds, alarm))
            await alarm.wait()
            return
        self.slept_s.append(seconds)
        self._ahead_s += seconds
        due = [alarm for at_s, alarm in self._alarms if at_s <= self._ahead_s]
        self._alarms = [each for each in self._alarms if each[0] > self._ahead_s]
        for alarm in due:
            alarm.set()
        await asyncio.sleep(0.002 if due else 0)


class QuickClock(Clock):
    """Time that passes `speed` times as fast: for what several tasks at once wait for, such as their turn in a paced API.

    It stands still while the process does: requests that were due meanwhile would come at once, for the vendor's clock goes on.
    """

    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed
        self._looked_s = time.monotonic()

    def _tick(self) -> None:
        looked_s, self._looked_s = self._looked_s, time.monotonic()
        self._ahead_s += min(self._looked_s - looked_s, 0.002) * self._speed - (self._looked_s - looked_s)

    def monotonic(self) -> float:
        self._tick()
        return self._looked_s + self._ahead_s

    def now(self) -> float:
        self._tick()
        return super().now()

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        until_s = self.monotonic() + seconds
        await asyncio.sleep(0)
        while self.monotonic() < until_s:
            await asyncio.sleep(0.001)


_LEASE_S = 3600
"""Sleeping takes no time, so no heartbeat ever comes due: a lease has to last for all the time that a run skips."""
_HEARTBEAT_S = _LEASE_S / 3


class Died(BaseException):
    """The process is gone."""


class Bench:
    """Both mocks and what the package needs to run one stream against them."""

    def __init__(
        self,
        stream: str,
        source: Mock,
        destination: Mock,
        environ: dict[str, str],
        clock: Clock,
    ) -> None:
        self.stream = stream_named(stream)
        self.source, self.destination, self.environ = source, destination, environ
        self.mocks = dict(zip(sides(self.stream), (source, destination), strict=True))
        """By side of the integration; `source` and `destination` are those of the stream."""
        self.clock = clock
        self.links: dict[tuple[str, str], str] | None = None
        """Of the streams that this one refers to, once they were run; None when it refers to none."""

    @property
    def source_records(self) -> Collection:
        """The source collection of the stream."""
        return self.source.store.collections[self.source.form.stream(self.stream.name).collection]

    @property
    def destination_records(self) -> Collection:
        """The destination collection of the stream."""
        return self.destination.store.collections[self.destination.form.stream(self.stream.name).collection]

    @property
    def effects(self) -> int:
        """How many effects the destination has seen."""
        return len(self.destination.store.log)

    def writes(self) -> int:
        """How many requests that are no reads the destination was sent."""
        return sum(not name.startswith(("GET ", "HEAD ")) for name, _ in self.destination.requests)

    def mappable(self) -> list[Any]:
        """The source records that the mapping takes."""
        return [stored.record for stored in self.source_records if is_mappable(self.stream, stored.record, self.links)]

    def body(self, record: Any) -> Any:
        """What is written for a source record, below its envelope."""
        whole = mapped(self.stream, record, self.links)
        inner = at(whole, self.stream.destination.envelope)
        return whole if inner is NOTHING else inner

    def change(self, count: int) -> int:
        """Change `count` source records that can be mapped; how many of them look different at the destination now."""
        changed = 0
        for record in self.mappable():
            if changed == count:
                break
            id = str(at(record, self.source_records.form.identity))
            after = self.source_records.change(id, {})
            changed += is_mappable(self.stream, after, self.links) and self.body(after) != self.body(record)
        return changed

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        """The package opened against the mocks, as its command opens it."""
        async with runtime("engine.opened").opened(INTEGRATION, self.environ, clock=self.clock) as ready:
            yield ready

    async def run(self, **request: Any) -> Any:
        """One run of the stream in a process of its own, as far as the state can tell; its report."""
        async with self.opened() as ready:
            report = await ready.engine.run(runtime("engine").RunRequest(stream=self.stream.name, **request))
        counts = report.counts
        fates = counts.written + counts.unchanged + counts.skipped + counts.dead + counts.unknown + counts.held
        assert counts.read == fates, f"the run equation does not hold: {counts}"
        return report

    async def die(self, commit: int, side: str) -> bool:
        """One run whose process ends before or after its commit of that number; False when the run ended earlier.

        From then on nothing is written or given back. Its lease runs out, and a while passes.
        """
        leases: list[Any] = []
        try:
            async with self.opened() as ready:
                store, call, acquire, count = ready.state.store, ready.state.call, ready.state.leases.acquire, 0
                carry_out = store.commit

                def dying(work: Any) -> Any:
                    nonlocal count
                    count += 1
                    if count >= commit and side == "before":
                        raise Died
                    found = carry_out(work)
                    if count >= commit:
                        raise Died
                    return found

                async def gone(work: Any) -> Any:
                    if count >= commit:
                        raise Died
                    return await call(work)

                def noted(*arguments: Any) -> Any:
                    leases.append(acquire(*arguments))
                    return leases[-1]

                store.commit, ready.state.call, ready.state.leases.acquire = dying, gone, noted
                await ready.engine.run(runtime("engine").RunRequest(stream=self.stream.name))
        except Died:
            await self.clock.sleep(600)
            async with self.opened() as ready:
                for lease in leases:
                    ready.state.leases.release(lease)
            return True
        return False

    async def run_parents(self) -> None:
        """Run the streams that this one refers to, and those that they refer to, as far as they were not; learn their links."""
        names: list[str] = []

        def place(stream: Any) -> None:
            for name in stream.lookups:
                if name not in names and name != self.stream.name:
                    place(stream_named(name))
                    names.append(name)

        place(self.stream)
        if not self.stream.lookups:
            return
        async with self.opened() as ready:
            for name in names:
                await ready.engine.run(runtime("engine").RunRequest(stream=name))
            wanted = {
                name: self.source.store.collections[self.source.form.stream(name).collection].ids()
                for name in self.stream.lookups
            }
            lifecycle = ready.state.store.lifecycle
            self.links = await ready.state.call(lambda: lifecycle.parents(wanted))

    def forget_requests(self) -> None:
        """Count requests and effects from here on, as if nobody had asked for anything yet."""
        for mock in (self.source, self.destination):
            mock.requests.clear()
            mock.store.log.clear()
            mock.bucket.fill()

    async def retry(self) -> list[Any]:
        """Retry all dead letters of the stream; the reports of the runs that it took."""
        async with self.opened() as ready:
            letters = [ready.state.dead_letters.get(letter["id"]) for letter in self.dead_letters()]
            requests = runtime("actions.runs").retry_requests(ready.engine, letters)
            return [await ready.engine.run(request) for request in requests]

    def dead_letters(self) -> list[dict[str, Any]]:
        """The dead letters of the stream."""
        settings = runtime("settings").resolve_settings(INTEGRATION, self.environ)
        state = runtime("engine.opened").open_state(INTEGRATION, settings)
        try:
            found: list[dict[str, Any]] = state.dead_letters.latest(self.stream.name)
            return found
        finally:
            state.close()


@asynccontextmanager
async def serving(
    stream: str,
    folder: Path,
    *,
    count: int = 30,
    limited: bool = False,
    clock: Clock | None = None,
    parents: bool = True,
) -> AsyncIterator[Bench]:
    """Both mocks on the loopback interface, with `count` source records and nothing at the destination.

    Args:
        limited: The mocks keep their declared rate limits, by the clock of the bench.
        parents: The streams that this one refers to have been run.
    """
    clock = clock or Clock()
    reads, writes = sides(stream_named(stream))
    source = Mock(form_of(reads), count=count, limited=limited, now=clock.monotonic)
    destination = Mock(form_of(writes), count=0, limited=limited, now=clock.monotonic)
    source_runner, source_url = await listen(source)
    destination_runner, destination_url = await listen(destination)
    environ = {
        **source.form.environ(source_url),
        **destination.form.environ(destination_url),
        "DATABASE_URL": f"sqlite:///{folder / 'state.db'}",
        "LEASE_SECONDS": str(_LEASE_S),
    }
    try:
        bench = Bench(stream, source, destination, environ, clock)
        if parents:
            await bench.run_parents()
            bench.forget_requests()
        yield bench
    finally:
        await source_runner.cleanup()
        await destination_runner.cleanup()
