"""`worker`: carries out runs of the queue, takes the moments of the schedules, and sees to the work of workers that died.

A worker has an identity of its own and shows every few seconds that it lives. One that stays silent for `LEASE_SECONDS` is
taken for dead: another one puts its runs back into the queue, where they go on from their checkpoints. Should it wake up
again, its tokens are old, so it can write nothing more of them; it notices and ends.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import random
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from ..actions.runs import configure_logging, settle_memory
from ..declare import Integration
from ..engine import RunReport
from ..engine.opened import Opened, opened
from ..errors import IntegrationError
from ..exits import EXIT_TAKEN_FOR_DEAD
from ..http.loops import run
from ..schedule import latest_due
from ..scheduler import schedules_of
from ..settings import resolve_settings
from ..signs import alive_file
from ..state import LeaseHeld, LeaseLost, State, StateError
from ..state.replicas import Sign, WorkerTaken
from ..watch.meter import Meter
from ..watch.overseeing import overseen
from ..watch.watching import watch
from .monitor import monitored
from .queue import Order, Queue, RunQueued, queue_of
from .withdrawing import following

log = logging.getLogger(__name__)

DRAIN_S = 25
"""For runs to come to a safe place; less than the grace period of Kubernetes."""
CUT_OFF_S = 2.0
"""For the ends of runs that did not come to a safe place in that time."""
ENDED_S = DRAIN_S + 3.0
"""So long after it was told to leave the process ends, whatever still waits; it says where, and its runs go on elsewhere."""
SIGNS = 5
"""Signs of life while `LEASE_SECONDS` pass; as often a worker looks for others that show none."""
LAUNCH_S = 6.0
"""One that began to make the queue's tables and says nothing for so long is taken for dead; another one goes on."""
KEPT_S = 7 * 86_400.0
"""Runs that ended stay in the queue's tables so long; our own rows of them stay as `retention` says."""
WAITED_S = 600.0
"""A run that goes on for another one waits so long at most for the stream."""
CLEANED_S = 3600.0
MOST_HELPERS = 32
"""Workers that share the parts of one run, at most."""


class Worker:
    """One process that carries out runs."""

    def __init__(self, found: Opened, queue: Queue, *, identity: str | None = None) -> None:
        assert found.shared is not None, "a worker needs RUNNER=cluster"
        options = found.settings.options
        self._opened = found
        self._engine = found.engine
        self._shared: State = found.shared
        self._queue = queue
        self._dead_after_s = options.lease_s
        self._sign_s = options.lease_s / SIGNS
        self._at_once = options.worker_runs
        self._schedules = schedules_of(found.integration, options.sync_interval_s)
        self.identity = identity or options.worker_id or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._engine.holder = self.identity
        self._engine.spread = self._spread
        self._proof = 0.0
        self._leaving = asyncio.Event()
        self._over = asyncio.Event()
        """It was taken for dead."""
        self._runs: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.get_running_loop()
        self._alive_file = alive_file(found.integration.name)

    async def run(self) -> int:
        """Until it is asked to leave, or was taken for dead; returns the exit code."""
        await self._join()
        await self._launch()
        log.info("worker %s takes runs", self.identity, extra={"at_once": self._at_once, "flow": self._queue.flow})
        tasks = [asyncio.create_task(each) for each in (self._beat(), self._reap(), self._tick(), self._clean())]
        told = [asyncio.create_task(each.wait()) for each in (self._leaving, self._over)]
        try:
            ended, _ = await asyncio.wait((*tasks, *told), return_when=asyncio.FIRST_COMPLETED)
            if self._over.is_set():
                self._engine.stop()
                await self._cut_off()
                return EXIT_TAKEN_FOR_DEAD
            for task in ended.difference(told):
                task.result()  # they end with a bug only
            await self._drain()
            return 0
        finally:
            for task in (*tasks, *told):
                task.cancel()
            await asyncio.gather(*tasks, *told, return_exceptions=True)
            with suppress(OSError):
                self._alive_file.unlink()

    def leave(self) -> None:
        """Take nothing more, let runs come to a safe place and hand them over."""
        self._leaving.set()

    # --- coming and going ---

    async def _join(self) -> None:
        workers, call = self._shared.workers, self._shared.call
        seen = await call(lambda: workers.seen_at(self.identity))
        version = self._queue.flow
        while True:
            proof = await call(lambda: workers.join(self.identity, version, self._dead_after_s))
            if proof is not None:
                self._proof = proof
                return
            await asyncio.sleep(self._sign_s / 2)
            again = await call(lambda: workers.seen_at(self.identity))
            if seen and again > seen:
                raise WorkerTaken(self.identity)
            seen = again

    async def _launch(self) -> None:
        """One replica at a time: the queue's tables may have to be made, with indexes that wait for open transactions."""
        leases, call = self._shared.leases, self._shared.call
        while True:
            try:
                lease = await call(lambda: leases.acquire("queue", self.identity, LAUNCH_S))
                break
            except LeaseHeld:
                await asyncio.sleep(0.2)
        launched = asyncio.create_task(
            asyncio.to_thread(self._queue.launch, self.identity, self._called, at_once=self._at_once)
        )
        while not (await asyncio.wait((launched,), timeout=min(LAUNCH_S / 3, self._sign_s)))[0]:
            # It stood still for longer, and another one makes them too: the database sees to that.
            with suppress(LeaseLost):
                await call(lambda: leases.renew(lease))
            await call(lambda: self._shared.workers.beat(self.identity, self._proof))
        await call(lambda: leases.release(lease))
        launched.result()

    async def _drain(self) -> None:
        log.info("worker %s leaves: runs stop at the next safe place", self.identity)
        beat = asyncio.create_task(self._beat())
        stopped = asyncio.create_task(asyncio.to_thread(self._queue.stop, DRAIN_S))
        await asyncio.sleep(0.05)  # it takes nothing more from here on
        self._engine.stop()
        await stopped
        await self._cut_off()
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)
        await asyncio.to_thread(self._hand_over_all)
        await self._shared.call(lambda: self._shared.workers.leave(self.identity, self._proof))

    async def _cut_off(self) -> None:
        """End runs that did not come to a safe place in time, while there is a state to write their end to."""
        for task in self._runs:
            task.cancel()
        if self._runs:
            await asyncio.wait(self._runs, timeout=CUT_OFF_S)

    def _hand_over_all(self) -> None:
        mine = [each.id for each in self._queue.open() if each.state == "PENDING" and each.worker == self.identity]
        self._queue.put_back(mine)

    # --- runs ---

    def _called(self, run_id: str, order: Order) -> dict[str, Any]:
        """In a thread of the queue."""
        try:
            return asyncio.run_coroutine_threadsafe(self._counted(run_id, order), self._loop).result()
        finally:
            if self._over.is_set():
                # The run goes on elsewhere. What the queue heard of it from here would end it there, and this process ends soon.
                threading.Event().wait()

    async def _counted(self, run_id: str, order: Order) -> dict[str, Any]:
        task = asyncio.current_task()
        assert task is not None
        self._runs.add(task)
        try:
            # One that stood still may be taken for dead without knowing it, and may be given its own run again.
            if not await self._show_life():
                return {}
            result = await self._carry_out(run_id, order)
            await self._show_life()
            return result
        finally:
            self._runs.discard(task)

    async def _carry_out(self, run_id: str, order: Order) -> dict[str, Any]:
        if self._leaving.is_set():
            await asyncio.to_thread(self._queue.put_back, [run_id])
            return {"state": "handed over"}
        if order.partition:
            return await self._help(order)
        state = self._opened.state
        attempts = await state.call(lambda: state.runs.attempts(run_id))
        own = following(run_id, attempts)
        if attempts:
            is_cancelled = await state.call(lambda: state.runs.stays_cancelled(attempts[-1]))
            if is_cancelled:
                return {"run_id": attempts[-1], "stream": order.stream, "state": "cancelled"}
            log.warning("run %s goes on as %s", attempts[-1], own)
            await state.call(lambda: state.runs.taken_over(attempts[-1], own))
        try:
            report = await self._run(order, own, patient=bool(attempts))
        except IntegrationError as error:
            text = self._opened.settings.redactor.text(str(error))[:2000]
            log.warning("run %s of %s did not start: %s", own, order.stream, text)
            return {"run_id": own, "stream": order.stream, "state": "not started", "error": text}
        if report.state == "stopped" and self._leaving.is_set():
            await asyncio.to_thread(self._queue.put_back, [run_id])
        # No more: what a vendor said, or a sample, may quote records, and the queue's tables hold none.
        return {"run_id": own, "stream": order.stream, "state": report.state}

    async def _help(self, order: Order) -> dict[str, Any]:
        """Take parts of a run that another worker began, under its lease."""
        try:
            count = await self._engine.help(order.stream, str(order.resumed), order.token)
        except IntegrationError as error:
            return {"stream": order.stream, "state": "not started", "error": str(error)[:2000]}
        return {"stream": order.stream, "state": "done", "parts": count}

    async def _spread(self, stream: str, run_id: str, token: int, parts: int) -> None:
        """Ask the other workers to take parts of a run that this one carries out."""
        workers = await self._shared.call(lambda: self._shared.workers.live(self._dead_after_s))
        for number in range(1, min(parts, len(workers), MOST_HELPERS)):
            order = Order(
                run_id=f"{run_id}-h{number}", stream=stream, trigger="schedule", partition=f"help{number}",
                resumed=run_id, token=token,
            )  # fmt: skip
            with suppress(RunQueued):
                await asyncio.to_thread(self._queue.put, order)

    async def _run(self, order: Order, own: str, *, patient: bool) -> RunReport:
        until = self._loop.time() + (WAITED_S if patient else 0.0)
        while True:
            try:
                return await self._engine.run(order.request(own))
            except LeaseHeld:
                if self._loop.time() >= until or self._leaving.is_set():
                    raise
                await asyncio.sleep(min(1.0, self._dead_after_s / 4))

    # --- what goes on beside ---

    async def _beat(self) -> None:
        """Show a sign of life every so often; ends when this worker was taken for dead."""
        while await self._show_life():
            await asyncio.sleep(self._sign_s)

    async def _show_life(self) -> bool:
        """Show a sign of life, where the state takes it. False when this worker was taken for dead."""
        workers = self._shared.workers
        sign: Sign = "leaving" if self._leaving.is_set() else "working"
        try:
            is_alive = await self._shared.call(lambda: workers.beat(self.identity, self._proof, sign))
        except StateError as error:
            log.warning("no sign of life could be written: %s", error)
            return True
        if is_alive:
            self._alive_file.touch()
        elif not self._over.is_set():
            log.error("worker %s was taken for dead; its runs go on elsewhere: it ends", self.identity)
            self._over.set()
        return is_alive

    async def _reap(self) -> None:
        """See to what dead workers left, one replica at a time."""
        while True:
            await asyncio.sleep(self._sign_s * (0.75 + random.random() / 2))  # noqa: S311  spreads replicas
            try:
                await self._shared.call(lambda: self._shared.workers.alone(self._see_to_the_dead))
            except StateError as error:
                log.warning("whether workers died could not be seen: %s", error)

    def _see_to_the_dead(self, connection: Connection) -> None:
        dead, live = self._shared.workers.bury(connection, self._dead_after_s, KEPT_S)
        for worker in dead:
            log.warning("worker %s shows no sign of life: its runs go on elsewhere", worker)
        back: list[str] = []
        versions = set(live.values())
        for placed in self._queue.open():
            if placed.flow == self._queue.flow:
                if placed.state == "PENDING" and placed.worker not in live:
                    back.append(placed.id)
            elif placed.flow not in versions and placed.worker not in live:
                self._move(placed.id, placed.order, placed.flow)
        if back:
            log.warning("runs go back into the queue: %s", ", ".join(back))
            self._queue.put_back(back)

    def _move(self, run_id: str, order: Order | None, flow: str | None) -> None:
        """A run that only workers of another version would take, and none of them lives."""
        if order is None:
            log.error("run %s of version %s cannot be read by this one: it is taken out", run_id, flow)
        else:
            moved = msgspec.structs.replace(order, run_id=f"{run_id}-v{self._queue.flow}")
            self._queue.put(moved, beside=True)  # first, so that it is not lost should this worker die here
            log.warning("run %s of version %s is taken over as %s", run_id, flow, moved.run_id)
        self._queue.cancel([run_id])

    async def _tick(self) -> None:
        """Put runs that are due into the queue, once for all replicas."""
        while True:
            wait_s = 30.0
            for stream, schedule in self._schedules:
                try:
                    wait_s = min(wait_s, await self._tick_of(stream, schedule))
                except StateError as error:
                    log.warning("the schedule of %s could not be looked at: %s", stream, error)
                    wait_s = min(wait_s, 5.0)
            await asyncio.sleep(max(0.05, wait_s) + random.random() * 0.2)  # noqa: S311  most find it taken already

    async def _tick_of(self, stream: str, schedule: Any) -> float:
        shared, call = self._shared, self._shared.call
        now = await call(shared.ticks.now)
        taken = await call(lambda: shared.ticks.taken(stream))
        if taken is None:
            runs = await call(lambda: shared.runs.latest(stream, limit=1))
            taken = float(runs[0]["started_at"]) if runs else None
        due = 0.0 if taken is None else latest_due(schedule, taken, now)
        if due is not None:
            order = Order(run_id=tick_id(stream, due), stream=stream, trigger="schedule")
            try:
                if not await self._engine.pause.holds(stream):
                    await asyncio.to_thread(self._queue.put, order)
            except RunQueued:
                log.info("%s is not started: its last run is waiting or under way", stream)
            await call(lambda: shared.ticks.take(stream, due or now, self.identity))
        return float(schedule.next_after(now)) - now

    async def _clean(self) -> None:
        """Delete what ended long ago from the queue's tables."""
        while True:
            await asyncio.sleep(CLEANED_S * random.random())  # noqa: S311  replicas share it
            now = await self._shared.call(self._shared.ticks.now)
            before = datetime.fromtimestamp(now - KEPT_S, UTC).isoformat()
            with suppress(StateError):
                count = await asyncio.to_thread(self._queue.forget_before, before)
                log.info("%d ended runs were taken out of the queue's tables", count)
            await asyncio.sleep(CLEANED_S)


def tick_id(stream: str, due: float) -> str:
    """The name of the run for one moment of a schedule: the same on all replicas, and sorted by its start."""
    return f"{datetime.fromtimestamp(due, UTC):%Y%m%dT%H%M%S}-{stream}" if due else f"first-{stream}"


def work(integration: Integration) -> int:
    """Work until SIGTERM or SIGINT; returns the exit code."""
    code = run(_work(integration))
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of the queue may still wait for a database that is gone


def leave_when_told(leave: Callable[[], None], *, ended_s: float = ENDED_S) -> None:
    """On SIGTERM and SIGINT have the running loop call `leave`; a second one ends the process at once, and so does time.

    Not by a handler of the loop: one that is stuck would never come to it.
    """
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def told(number: int, _: object) -> None:
        if asked:
            os._exit(128 + number)
        asked.append(number)
        faulthandler.dump_traceback_later(ended_s, exit=True)  # a thread that needs nobody's leave; lines, no values
        loop.call_soon_threadsafe(leave)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)


async def _work(integration: Integration) -> int:
    settings = resolve_settings(integration)
    if settings.options.runner != "cluster":
        raise IntegrationError("a worker needs RUNNER=cluster, for every process that shares its state")
    queue = queue_of(integration, settings)
    try:
        async with opened(integration) as found:
            configure_logging(found.settings)
            settle_memory()
            worker = Worker(found, queue)
            leave_when_told(worker.leave)
            meter = Meter(found.engine.clock)
            watch(found.engine, (found.source, found.destination), meter)
            async with overseen(found, meter=meter, goes_on=True), monitored(found, meter):
                return await worker.run()
    finally:
        queue.close()
