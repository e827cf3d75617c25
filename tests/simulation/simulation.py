"""One seed from its beginning to its end: faults, then quiet, then the audit."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from runtime.engine import RunReport, RunRequest, tally
from runtime.engine import run as run_module
from runtime.errors import IntegrationError
from runtime.inbox import InboxWorker, InboxWriter
from runtime.settings import resolve_settings
from runtime.state import LeaseHeld
from runtime.state import matches as matches_module
from tests.runtime.virtual_time import VirtualLoop
from tests.simulation.auditor import Auditor
from tests.simulation.destination import Destination, Effect
from tests.simulation.process import Process, States
from tests.simulation.shapes import POISONED, SECRETS, STREAM, integration_of
from tests.simulation.source import Page, Source, State, needs_reconciliation
from tests.simulation.world import DRAW, Crash, World, story_of

MOST_QUIET_RUNS = 24


@dataclass(slots=True)
class Result:
    """What became of one seed."""

    seed: int
    violations: list[str]
    invariants: list[str]
    runs: int
    records: int
    effects: int
    requests: int
    injected: Counter[str]
    cpu_s: float
    virtual_s: float
    trace: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return not self.violations


class Simulation:
    """One seed."""

    def __init__(self, seed: int, loop: VirtualLoop, states: States, *, draw: int) -> None:
        self.states = states
        states.begin()
        self.world = World(seed, loop, draw=draw)
        self.make_systems()
        shape = self.world.shape
        self.settings = resolve_settings(
            self.integration,
            {
                **SECRETS,
                "HOOK_SECRET": "planted-hook-secret-77aa",
                "MAX_ATTEMPTS": str(shape.attempts),
                "SYNC_MAX_CONCURRENT": str(shape.workers),
                "BATCH_SIZE": "100",
            },
        )
        self.destination_had = False
        self.state_down_until = 0.0
        self.clock_off_s = 0.0
        self.deliveries: list[tuple[float, str, bytes]] = []
        self._processes = 0
        self._runs_left = self.world.chance.choice([2, 4, 6, 8])
        """Before the faults are over."""
        self.needs_person = False
        """So many records are refused that the runs stop, as they should."""

    def make_systems(self) -> None:
        """The two systems, what is declared on top of them, and who watches."""
        self.integration = integration_of(self.world.shape)
        self.source = Source(self.world)
        self.destination = Destination(self.world)
        self.auditor = Auditor(self)
        self.destination.on_effect = self.auditor.effect

    def arrive(
        self,
        process: Process,
        side: str,
        request: httpx.Request,
        path: str,
        query: dict[str, str],
        data: bytes,
        pages: list[Page],
    ) -> Any:
        """A request reaches one of the systems: status, headers and body of what it answers."""
        if side == "source":
            return self.source.answer(process.name, path, query, pages)
        return self.destination.answer(process.name, request.method, path, query, request.headers, data)

    # --- the story ---

    async def play(self) -> None:
        """Faults, quiet, audit."""
        world = self.world
        self._begin()
        replicas = 2 if world.happens("second-replica") else 1
        length_s = world.pick(300, 4000)
        world.note("world", f"{world.shape}")
        world.note("world", f"faults: {world.faults}")
        stirring = asyncio.ensure_future(self._stir(length_s))
        tasks = [asyncio.ensure_future(self._replica(number, length_s)) for number in range(replicas)]
        await asyncio.gather(stirring, *tasks)
        if self._is_over():
            return
        await self._settle()
        if not self._is_over():
            self.auditor.check_end()

    def _begin(self) -> None:
        world = self.world
        if world.happens("clock-differs"):
            self.source.skew_s = world.chance.choice([-600.0, -30.0, 30.0, 600.0])
        for _ in range(world.chance.randint(0 if world.draw == 1 else 2, 12)):
            self.source.add()
        shape = world.shape
        if shape.match == "email" and self.source.states and not shape.unique:
            for kind, times in (("destination-had-it", 1), ("destination-had-it-twice", 2)):
                if world.happens(kind):
                    self.destination_had = True
                    for _ in range(times):
                        self.destination.had(self.source.states[min(self.source.states)].email)
        elif shape.match == "email" and self.source.states and world.happens("destination-had-it"):
            self.destination_had = True
            self.destination.had(self.source.states[min(self.source.states)].email)
        if shape.webhooks:
            self.source.changed_hook = self._changed

    def _is_over(self) -> bool:
        return bool(self.world.violations)

    async def _stir(self, length_s: float) -> None:
        world = self.world
        until = world.now + length_s
        while world.now < until and not self._is_over():
            await asyncio.sleep(world.chance.uniform(length_s / 20, length_s / 3))
            self.source.stir(world.chance.randint(0, 3))
            if world.happens("clock-jumps", 10):
                self.clock_off_s = world.chance.choice([0.0, 0.0, 86_400.0, -86_400.0, 3.0, -300.0, 90.0])
                world.note("world", f"the machine's clock is {self.clock_off_s:+.0f} s off")

    async def _replica(self, number: int, length_s: float) -> None:
        """A place where processes run one after another, as a supervisor starts them."""
        world = self.world
        until = world.now + length_s
        if number:
            await asyncio.sleep(world.pick(0.01, 100))
        while world.now < until and not self._is_over() and self._runs_left > 0:
            process = self._start(f"p{number}")
            try:
                await self._live(process, until)
            finally:
                self._end(process)
            await asyncio.sleep(world.pick(0.5, 200))

    def _start(self, place: str) -> Process:
        self._processes += 1
        return Process(self, f"{place}.{self._processes}")

    def _end(self, process: Process) -> None:
        process.dead = True
        self.states.give_back(process.state)

    async def _live(self, process: Process, until: float) -> None:
        world = self.world
        inbox = InboxWriter(process.state)
        worker = InboxWorker(process.engine, inbox)
        while world.now < until and not process.dead and not self._is_over() and self._runs_left > 0:
            self._runs_left -= 1
            if world.shape.webhooks:
                await self._guarded(process, self._receive(process, inbox))
            if world.shape.webhooks and world.chance.random() < 0.5:
                await self._guarded(process, worker.drain(STREAM))
            else:
                await self._run(process, self._draw_request())
            if process.engine._stopping:
                return
            pause_s = world.pick(1, 900)
            if world.happens("days-off", 0.3):
                pause_s = world.chance.uniform(20, 40) * 3600
            await asyncio.sleep(pause_s)
            with_pause = world.now < process.paused_until
            if with_pause:
                await asyncio.sleep(process.paused_until - world.now)

    def _draw_request(self) -> RunRequest:
        world, shape = self.world, self.world.shape
        draw = world.chance.random()
        plain = RunRequest(stream=STREAM)
        if draw < 0.8 or not self.source.states:
            return plain
        if draw < 0.85:
            return replace(plain, resync=True)
        if draw < 0.9:
            return replace(plain, limit=world.chance.randint(1, 6))
        if draw < 0.93:
            return replace(plain, dry_run=True)
        if shape.get:
            some = [str(each) for each in self.source.states if world.chance.random() < 0.4]
            return replace(plain, ids=tuple(some or ["1"]))
        return plain

    async def _run(self, process: Process, request: RunRequest, *, is_calm: bool = False) -> RunReport | None:
        reports: list[RunReport] = []
        before = len(self.destination.effects)

        async def run() -> None:
            process.pages = []
            reports.append(await process.engine.run(request))

        await self._guarded(process, run())
        for report in reports:
            world = self.world
            world.runs += 1
            world.records += report.counts.read
            mine = [effect for effect in self.destination.effects[before:] if effect.process == process.name]
            if request.dry_run and mine:
                world.violate("I6", f"a dry run wrote: {mine}")
            world.note(
                process.name, f"run ended: {report.state} {report.failure or ''} {report.counts} {report.error or ''}"
            )
            self.auditor.reported(process, request, report, mine, is_calm=is_calm)
        return reports[0] if reports else None

    async def _guarded(self, process: Process, work: Any) -> None:
        """Carry out what a process does; when the process ends, all that it had under way ends with it."""

        def poisoned() -> None:
            process.die("by a record")

        async def guarded() -> None:
            POISONED.set(poisoned)
            process.resting = False
            try:
                await work
            finally:
                process.resting = True

        task = asyncio.ensure_future(guarded())
        watch = asyncio.ensure_future(process.ended.wait())
        try:
            await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._judge(process, error)
        finally:
            watch.cancel()

    def _judge(self, process: Process, error: BaseException) -> None:
        if isinstance(error, Crash) or process.dead:
            return
        if isinstance(error, LeaseHeld):
            process.note(f"not started: {error}")
        elif isinstance(error, IntegrationError):
            process.note(f"not carried out: {type(error).__name__}: {error}")
        else:
            import traceback

            where = "".join(traceback.format_exception(error)[-3:])
            self.world.violate("I6", f"a bug came out of the engine: {type(error).__name__}: {error}\n{where}")

    # --- webhooks ---

    def _changed(self, state: State) -> None:
        """The source tells of a change, now or late, once or twice, or not at all."""
        world = self.world
        if world.happens("delivery-missed"):
            return
        import json

        body = json.dumps(self.source.json(state)).encode()
        times = 2 if world.happens("delivery-twice") else 1
        for _ in range(times):
            late = world.chance.uniform(1, 300) if world.happens("delivery-late") else 0.0
            self.deliveries.append((world.now + late, f"{state.id}.{state.rev}", body))

    async def _receive(self, process: Process, inbox: InboxWriter) -> None:
        """Deliveries that are due arrive; what is not acknowledged is delivered again."""
        world = self.world
        due = [each for each in self.deliveries if each[0] <= world.now]
        world.chance.shuffle(due)
        for delivery in due:
            _, name, body = delivery
            row = {"stream": STREAM, "topic": "changed", "delivery_id": name, "body": body}
            try:
                await inbox.put(row)
            except IntegrationError:
                continue
            if delivery in self.deliveries:  # the other replica may have taken it meanwhile
                self.deliveries.remove(delivery)
            process.note(f"delivery {name} is acknowledged")

    # --- quiet ---

    async def _settle(self) -> None:
        """No faults any more: run until nothing is left to do."""
        world = self.world
        if world.has("destination-forgets-keys") and world.draw > 1:
            self.source.stir(2)  # so that something is sent once the keys of the faults' time are old
        world.quiet = True
        self.state_down_until = 0.0
        self.destination.down_until = 0.0
        self.destination._busy.clear()
        await asyncio.sleep(60.0)  # late commits, lags
        world.note("world", "QUIET")
        process = self._start("q")
        try:
            calm = 0
            for number in range(MOST_QUIET_RUNS):
                if process.dead:
                    self._end(process)
                    process = self._start("q")
                if self._is_over():
                    return
                if world.shape.webhooks:
                    inbox = InboxWriter(process.state)
                    await self._guarded(process, self._receive(process, inbox))
                    await self._guarded(process, InboxWorker(process.engine, inbox).drain(STREAM))
                is_resumed = self.auditor.is_in_pass()
                report = await self._run(process, RunRequest(stream=STREAM), is_calm=True)
                await asyncio.sleep(70.0)
                if report is None:
                    await self._wait_for_lease(process)
                    continue
                if report.state in ("done", "partial"):
                    is_still = not report.counts.written and not report.counts.resolved and not is_resumed
                    calm = calm + 1 if is_still else 0
                    if calm >= 1 and number >= 1:
                        break
                if report.failure == "systematic" and "cannot be synced" in (report.error or ""):
                    self.needs_person = True
                    break
            else:
                world.violate("I1", f"after {MOST_QUIET_RUNS} runs without faults there is still something to do")
                return
            if needs_reconciliation(self.source, world.shape) or world.shape.webhooks:
                for _ in range(MOST_QUIET_RUNS):
                    if await self._run(process, RunRequest(stream=STREAM, resync=True), is_calm=True) is not None:
                        break
                    self._end(process)  # a record that it is not supposed to survive
                    await asyncio.sleep(70.0)
                    process = self._start("q")
        finally:
            self._end(process)

    async def _wait_for_lease(self, process: Process) -> None:
        left = self.states_lease_left(process)
        if left > 0:
            await asyncio.sleep(min(left, 3700.0))

    def states_lease_left(self, process: Process) -> float:
        rows = self.auditor._rows("SELECT expires_at FROM leases")
        return float(rows[0][0] - process.clock.now()) if rows else 0.0


def simulation_of(seed: int, draw: int) -> type[Simulation]:
    """What plays a seed."""
    from tests.simulation.pair import PairSimulation

    stories: dict[str, type[Simulation]] = {"one": Simulation, "pair": PairSimulation}
    return stories[story_of(seed)] if draw > 1 else Simulation


class Runner:
    """Plays seeds, one after another, in this process."""

    def __init__(self, folder: Path | None = None) -> None:
        shm = Path("/dev/shm")
        self.states = States(folder or ((shm if shm.is_dir() else Path("/tmp")) / "simulation"))
        self._handler = _Lines()
        logger = logging.getLogger("runtime")
        logger.addHandler(self._handler)
        logger.propagate = False
        logger.setLevel(logging.WARNING)
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def close(self) -> None:
        self.states.close()
        logger = logging.getLogger("runtime")
        logger.removeHandler(self._handler)
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
        logging.getLogger("asyncio").setLevel(logging.NOTSET)

    def play(
        self, seed: int, *, keep_trace: bool = False, draw: int = DRAW, story: type[Simulation] | None = None
    ) -> Result:
        """One seed. `draw`: see `World`. `story`: another one than the seed itself tells."""
        began = time.process_time()
        loop = VirtualLoop()
        loop.set_exception_handler(lambda *_: None)
        kept = run_module.GROUP_RECORDS, run_module.BATCHED_RECORDS, run_module.PAGES_AHEAD
        bounds = tally.DEAD_AT_LEAST, matches_module.MERGE_AT
        simulation = (story or simulation_of(seed, draw))(seed, loop, self.states, draw=draw)
        world = simulation.world
        self._handler.lines = world.log_lines
        shape = world.shape
        run_module.GROUP_RECORDS = run_module.BATCHED_RECORDS = shape.group
        run_module.PAGES_AHEAD = 2  # pages are a few records here, and a group is a few pages
        tally.DEAD_AT_LEAST = shape.dead_at_least
        matches_module.MERGE_AT = shape.merge_at
        try:
            loop.run_until_complete(simulation.play())
        except RuntimeError as error:
            world.violate("I5", f"it hangs: {error}")
        finally:
            run_module.GROUP_RECORDS, run_module.BATCHED_RECORDS, run_module.PAGES_AHEAD = kept
            tally.DEAD_AT_LEAST, matches_module.MERGE_AT = bounds
            _cancel_all(loop)
            loop.close()
            simulation.auditor.close()
        return Result(
            seed=seed,
            violations=[str(each) for each in world.violations],
            invariants=[each.invariant for each in world.violations],
            runs=world.runs,
            records=world.records,
            effects=len(simulation.destination.effects),
            requests=simulation.auditor.sends,
            injected=world.injected,
            cpu_s=time.process_time() - began,
            virtual_s=loop.now,
            trace=world.shown() if keep_trace or world.violations else [],
        )


class _Lines(logging.Handler):
    """What was logged in a seed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        try:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        except RuntimeError:
            pass


__all__ = ["Effect", "Result", "Runner", "Simulation"]
