"""Streams of one integration, carried out one run at a time each: lease, report and what ends a run."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ..clock import Clock, SystemClock
from ..declare import CONTRACT, Integration, Stream
from ..errors import IntegrationError, RequestRefused
from ..fence import FENCE, Fence
from ..hashing import encode_json
from ..http.pauses import AuthPause
from ..http.session import Session
from ..settings import Settings
from ..state import LeaseHeld, LeaseLost, State
from ..state.rows import Checkpoint, Lease
from ..watch.watching import Watcher
from .errors import Cancelled, ContractMismatch, MappingChanged, Stopped
from .partitions import PartitionedRun, Spread, is_in_parts, run_part
from .parts import Part
from .passes import Pass, RunRequest
from .preview import Preview
from .report import Counts, RunReport
from .reverse import Links, Turns, lease_name, merging
from .rollback import Rollback, RollbackPreview
from .run import Run
from .surroundings import Surroundings

log = logging.getLogger(__name__)

TIDY_EVERY_S = 3600.0
TIDY_ROWS = 2000
"""Rows of each table that are cleaned up after one scheduled run; `cleanup` goes on until nothing is left."""


class Engine:
    """Carries out the streams of an integration."""

    def __init__(
        self,
        integration: Integration,
        *,
        source: Session,
        destination: Session,
        state: State,
        settings: Settings,
        clock: Clock | None = None,
        ids: Callable[[], str] | None = None,
        holder: str | None = None,
    ) -> None:
        if integration.contract != CONTRACT:
            raise ContractMismatch(integration.contract, CONTRACT)
        for stream in integration.streams:
            if stream.conflicts != "source_priority" and stream.merge is None:
                raise RequestRefused(f"{stream.name}: `conflicts: {stream.conflicts}` needs the fields that are merged")
        self.integration = integration
        self.state = state
        self.clock = clock or SystemClock()
        self.holder = holder or f"{socket.gethostname()}:{os.getpid()}"
        self.under_way: dict[str, Counts] = {}
        """Stream → the counts so far of the run that writes."""
        self.credentials = tuple((session.api.name, session.auth) for session in (source, destination))
        """How each API is signed in to."""
        self.pause = AuthPause(state, self.clock, self.credentials)
        self.watchers: list[Watcher] = []
        self.leases_lost = 0
        self._ids = ids or _new_id
        self._stopping = False
        self.spread: Spread | None = None
        """Asks other replicas to take parts of a run; None where there are none."""
        self._tidied_at = 0.0
        self._fences: dict[str, Fence] = {}
        self.links = merging(integration)
        """Stream → the streams that work on its links, where it merges."""
        self._turns = Turns(list(self.links.values()))
        self._has_children = frozenset(name for stream in integration.streams for name in stream.lookups)
        self._around = Surroundings(
            source=source,
            destination=destination,
            state=state,
            settings=settings,
            clock=self.clock,
            ids=self._ids,
            is_stopping=lambda: self._stopping,
            fetch=self._fetch,
            referred=self._has_children,
            watchers=self.watchers,
        )
        for stream in integration.streams:
            by = stream.deletes.found_by if stream.deletes is not None else None
            if stream.source.partition is not None and (stream.name in self.links or by == "reconciliation"):
                raise RequestRefused(
                    f"{stream.name}: it merges, or finds deletes by a whole pass, so it is read in one piece"
                )

    def stream(self, name: str) -> Stream[Any, Any]:
        """A stream by its name."""
        for stream in self.integration.streams:
            if stream.name == name:
                return stream
        known = ", ".join(f"`{stream.name}`" for stream in self.integration.streams)
        raise RequestRefused(f"there is no stream `{name}`; there is {known}")

    def around(self, stream: Stream[Any, Any]) -> Surroundings:
        """What runs of a stream work with: one that goes back reads from the integration's destination."""
        if stream.reverse_of is None:
            return self._around
        return replace(self._around, source=self._around.destination, destination=self._around.source)

    @property
    def is_monitor(self) -> bool:
        """Whether nothing is written anywhere: every run is a dry run."""
        return self._around.settings.options.monitor

    def stop(self) -> None:
        """Ask all runs to end at the next safe place."""
        self._stopping = True

    def new_run_id(self) -> str:
        """A name for a run that sorts by its start."""
        return f"{datetime.fromtimestamp(self.clock.now(), UTC):%Y%m%dT%H%M%S}-{self._ids()[:8]}"

    async def check(self, request: RunRequest) -> None:
        """Raise what `run` would raise at once."""
        stream = self.stream(request.stream)
        point = await self.state.call(lambda: self.state.store.checkpoint(stream.name))
        await self._check_mapping(stream, point, request)
        Pass(stream, point, request, now=self.clock.now())

    async def run(self, request: RunRequest, *, started: asyncio.Event | None = None) -> RunReport:
        """Carry out one run of one stream and say what it did.

        Args:
            started: Set as soon as the run is on record.

        Raises:
            LeaseHeld: another run of the stream is under way.
            MappingChanged: the state was written under another mapping and the request does not say what to do.
            RequestRefused: the request asks for what the stream does not have.
        """
        if self.is_monitor:
            request = replace(request, dry_run=True)
        await self.check(request)
        report = await self._in_turn(request, started)
        if not request.dry_run:
            await self._wake(self.stream(request.stream))
        if request.trigger == "schedule":
            await self._tidy()
        return report

    async def _tidy(self) -> None:
        """After scheduled runs, once an hour: delete some of what is over and old."""
        now = self.clock.now()
        if now - self._tidied_at < TIDY_EVERY_S:
            return
        self._tidied_at = now
        try:
            await self.state.call(lambda: self.state.cleanup.clean(self.integration.retention, most=TIDY_ROWS))
        except IntegrationError as error:
            log.warning("what is over was not cleaned up: %s", error)

    async def _in_turn(self, request: RunRequest, started: asyncio.Event | None) -> RunReport:
        links = self.links.get(request.stream)
        if links is None or request.dry_run:
            return await self._run(request, started)
        async with self._turns.turn(links, request.stream):
            await self._settle_partner(links, request)
            report = await self._run(request, started)
            if report.state in ("done", "partial") and (not request.only_settle or request.trigger == "settle"):
                await self._catch_up(links, request)
            return report

    async def _settle_partner(self, links: Links, request: RunRequest) -> None:
        """Find out the outcomes of the other direction's writes: what it made would look new here."""
        partner = links.partner(self.stream(request.stream))
        if partner is None or not await self.state.call(lambda: self.state.store.intents(partner.name)):
            return
        await self._run(RunRequest(stream=partner.name, trigger=request.trigger, only_settle=True, keep=True))

    async def _catch_up(self, links: Links, request: RunRequest) -> None:
        """Carry over what a merge left for the other direction, or what could not be merged before."""
        name = links.forward.name
        streams = [links.partner(self.stream(request.stream)), self.stream(request.stream)]
        if request.only_settle:
            streams.reverse()  # what was settled is merged anew, and that may leave something for the other direction
        for stream in streams:
            if stream is None or stream.source.get is None or self._stopping:
                continue
            is_back = stream.reverse_of is not None
            ids = await self.state.call(partial(self.state.store.merges.owed, name, back=is_back))
            if not ids:
                continue
            try:
                await self._run(RunRequest(stream=stream.name, trigger=request.trigger, ids=tuple(ids)))
            except IntegrationError as error:
                log.warning("%s is still to get %d records: %s", stream.name, len(ids), error)

    async def _run(self, request: RunRequest, started: asyncio.Event | None = None) -> RunReport:
        stream, state = self.stream(request.stream), self.state
        links, around = self.links.get(stream.name), self.around(stream)
        forward, backward = (links.forward, links.backward) if links is not None else (None, None)
        run_id = request.run_id or self.new_run_id()
        if request.dry_run and request.rollback is not None:
            progress = Pass(stream, Checkpoint(stream=stream.name), request)
            shown = RollbackPreview(stream, request, progress, around=around, forward=forward, backward=backward)
            return await self._carry_out(shown, stream, request, run_id, started)
        if request.dry_run:
            point = await state.call(lambda: state.store.checkpoint(stream.name))
            preview = Preview(stream, request, point, around=around, forward=forward, backward=backward)
            return await self._watched(preview, stream, request, run_id, started)
        ttl_s = around.settings.options.lease_s
        since = self.clock.monotonic()
        lease = await state.call(lambda: state.leases.acquire(lease_name(stream), self.holder, ttl_s))
        self._fences[run_id] = Fence(lease.name, ttl_s, self.clock, since=since)
        try:
            point = await state.call(lambda: state.store.checkpoint(stream.name))
            if links is not None and stream.source.get is None and point.cursor is None:
                owed = partial(state.store.merges.owed, links.forward.name, back=stream.reverse_of is not None, limit=1)
                request = replace(request, everything=bool(await state.call(owed)))
            made = Rollback if request.rollback is not None else Run
            if made is Run and is_in_parts(stream, Pass(stream, point, request)):
                made = PartitionedRun
            run = made(
                stream, request, point, run_id=run_id, lease=lease, around=around, forward=forward, backward=backward
            )
            if isinstance(run, PartitionedRun):
                run.unit = partial(self._part, stream, request, run_id)
                run.spread = self.spread
            self.under_way[stream.name] = run.counts
            return await self._watched(run, stream, request, run_id, started, lease)
        finally:
            self.under_way.pop(stream.name, None)
            del self._fences[run_id]
            await self._release(lease, for_all=stream.source.partition is not None)

    async def _part(
        self, stream: Stream[Any, Any], request: RunRequest, run_id: str, key: str, over: Lease
    ) -> RunReport | None:
        """Carry out one part of a run; None when another replica does, or did."""
        around, call, leases = self.around(stream), self.state.call, self.state.leases
        ttl_s, since = around.settings.options.lease_s, self.clock.monotonic()

        async def take(name: str) -> Lease:
            return await call(lambda: leases.acquire(name, self.holder, ttl_s))

        async def carry_out(part: Part, point: Checkpoint, lease: Lease) -> RunReport:
            own = f"{run_id}-p{self._ids()[:8]}"
            self._fences[own] = Fence(lease.name, ttl_s, self.clock, since=since)
            try:
                run = Run(stream, request, point, run_id=own, lease=lease, around=around, part=part)
                return await self._carry_out(run, stream, request, own, None, lease)
            finally:
                del self._fences[own]

        return await run_part(
            key, over, stream=stream, take=take, carry_out=carry_out, give_back=self._release, state=self.state
        )

    async def help(self, name: str, run_id: str, token: int) -> int:
        """Carry out parts of a run that another replica began, as long as there are some; returns how many."""
        stream, count = self.stream(name), 0
        ttl_s = self.around(stream).settings.options.lease_s
        over = Lease(name=lease_name(stream), holder=self.holder, token=token, ttl_s=ttl_s)
        request = RunRequest(stream=name, trigger="schedule")
        did = True
        while did and not self._stopping:
            did = False
            for key in await self.state.call(lambda: self.state.partitions.left(name)):
                report = await self._part(stream, request, run_id, key, over)
                if report is not None and report.state not in ("done", "partial"):
                    return count  # whoever began the run sees to it
                did = did or report is not None
                count += report is not None
        return count

    async def _fetch(self, name: str, ids: Sequence[str]) -> None:
        """Sync records that one of another stream refers to. What cannot be done now is waited for."""
        try:
            await self.run(RunRequest(stream=name, trigger="child", ids=tuple(ids)))
        except LeaseLost:
            raise
        except IntegrationError as error:
            log.warning("records of %s that others need were not fetched: %s", name, error)

    async def _wake(self, stream: Stream[Any, Any]) -> None:
        """Sync the records of other streams that waited for what a run of this one has written."""
        name = stream.reverse_of or stream.name
        if name not in self._has_children or self._stopping:
            return
        lifecycle = self.state.store.lifecycle
        for child in await self.state.call(lambda: lifecycle.waits_for(name)):
            try:
                await self.run(RunRequest(stream=child, trigger="parent", only_held=True))
            except IntegrationError as error:  # a run of it that is under way takes them along
                log.info("records of %s wait on: %s", child, error)

    async def _watched(
        self, run: Run | Preview, stream: Stream[Any, Any], request: RunRequest, run_id: str, *more: Any
    ) -> RunReport:
        """Carry it out in front of the watchers."""
        with ExitStack() as around:
            for watcher in self.watchers:
                around.enter_context(watcher.run(stream.name, run_id, request.trigger))
            report = await self._carry_out(run, stream, request, run_id, *more)
            for watcher in self.watchers:
                watcher.ended(report)
            return report

    async def _carry_out(
        self,
        run: Run | Preview | RollbackPreview,
        stream: Stream[Any, Any],
        request: RunRequest,
        run_id: str,
        started: asyncio.Event | None,
        lease: Lease | None = None,
    ) -> RunReport:
        began = self.clock.monotonic()
        kind, state = run.progress.kind, self.state
        await state.call(
            lambda: state.runs.start(
                run_id,
                stream=stream.name,
                kind=kind,
                trigger=request.trigger,
                parameters=request.parameters(),
                dry_run=request.dry_run,
                mapping=stream.mapping_digest,
                token=lease.token if lease is not None else 0,
                holder=self.holder,
                rollback_of=request.rollback,
                partition=run.part.key if isinstance(run, Run) and run.part is not None else "",
            )
        )
        if started is not None:
            started.set()
        failure: str | None = None
        error: str | None = None
        outcome = "failed"
        try:
            try:
                await self._with_heartbeat(run, run_id, lease)
            except IntegrationError:
                await _end(run)
                raise
            await _end(run)
            run.counts.check()
            is_clean = _is_clean(run.counts) and not run.left and not (isinstance(run, Run) and run.in_doubt)
            outcome = "done" if is_clean else "partial"
        except Cancelled as cancelled:
            outcome, failure, error = "cancelled", "cancelled", str(cancelled)
        except Stopped as stopped:
            outcome, failure, error = "stopped", "stopped", str(stopped)
        except IntegrationError as failed:
            self.leases_lost += isinstance(failed, LeaseLost)
            failure, error = failed.failure, self._around.settings.redactor.text(str(failed))[:2000]
        except asyncio.CancelledError:
            outcome, failure, error = "stopped", "stopped", "the run was cancelled"
            raise
        except BaseException as bug:
            failure, error = "bug", f"{type(bug).__name__}: a bug of ours, or of the machine"
            raise
        finally:
            seconds = self.clock.monotonic() - began
            report = RunReport(
                run_id=run_id,
                stream=stream.name,
                kind=run.progress.kind,
                state=outcome,
                dry_run=request.dry_run,
                counts=run.counts,
                seconds=seconds,
                failure=failure,
                error=error,
                sample=run.sample,
            )
            await self._close(report)
        level = logging.INFO if outcome == "done" else logging.WARNING
        told = {name: value for name, value in report.to_json().items() if name != "sample"}  # logs hold no records
        log.log(level, "run %s of %s ended: %s", run_id, stream.name, outcome, extra={"run": told})
        return report

    async def _close(self, report: RunReport) -> None:
        try:
            await self.state.call(
                lambda: self.state.runs.end(
                    report.run_id,
                    state=report.state,
                    counts=report.counts.as_columns(),
                    seconds=report.seconds,
                    failure=report.failure,
                    error=report.error,
                    sample=self.state.sealer.seal(encode_json(report.sample)) if report.sample else None,
                )
            )
        except IntegrationError as error:
            log.error("the end of run %s could not be recorded: %s", report.run_id, error)

    async def _with_heartbeat(self, run: Run | Preview | RollbackPreview, run_id: str, lease: Lease | None) -> None:
        if lease is None:
            await run.execute()
            return
        mine = FENCE.set(self._fences[run_id])
        work = asyncio.ensure_future(run.execute())
        FENCE.reset(mine)
        beat = asyncio.ensure_future(self._beat(lease, run, run_id))
        try:
            await asyncio.wait((work, beat), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()  # the lease is lost: every further request would be another holder's business
                await asyncio.gather(work, return_exceptions=True)
                beat.result()
            work.result()
        finally:
            beat.cancel()
            work.cancel()
            await asyncio.gather(beat, work, return_exceptions=True)

    async def _beat(self, lease: Lease, run: Run | Preview | RollbackPreview, run_id: str) -> None:
        """Hold the lease, and notice a cancellation also while the vendor keeps the run waiting; each commit looks too."""
        runs, leases = self.state.runs, self.state.leases
        while True:
            await self.clock.sleep(lease.ttl_s / 3)
            since = self.clock.monotonic()
            try:
                await self.state.call(lambda: leases.renew(lease))
                self._fences[run_id].renewed(since)
                if isinstance(run, Run) and await self.state.call(lambda: runs.is_cancelled(run_id)):
                    run.cancel()
            except LeaseLost:
                raise
            except IntegrationError as error:
                log.warning("the lease on %s was not renewed: %s", lease.name, error)

    async def _release(self, lease: Lease, *, for_all: bool = False) -> None:
        leases = self.state.leases
        try:
            await self.state.call(lambda: leases.end(lease) if for_all else leases.release(lease))
        except IntegrationError as error:
            log.warning("the lease on %s was not given back: %s", lease.name, error)

    async def _check_mapping(self, stream: Stream[Any, Any], point: Checkpoint, request: RunRequest) -> None:
        wanted = stream.mapping_digest
        if not point.mapping or not wanted or point.mapping == wanted or request.resync or request.keep:
            return
        if await self.state.call(lambda: self.state.store.has_links(stream.reverse_of or stream.name)):
            raise MappingChanged(stream.name)


async def _end(run: Run | Preview | RollbackPreview) -> None:
    if isinstance(run, Run):
        try:
            await run.end()
        except IntegrationError as error:
            log.warning("that the run ended could not be recorded: %s", error)


def _is_clean(counts: Counts) -> bool:
    return counts.dead == counts.unknown == counts.held == 0


_fresh: list[str] = []


def _new_id() -> str:
    """A random UUID. Random bytes are asked for many at once: one is needed for each request that writes."""
    if not _fresh:
        digits = os.urandom(16 * 256).hex()
        for at in range(0, len(digits), 32):
            variant = "89ab"[int(digits[at + 16], 16) & 3]
            _fresh.append(
                f"{digits[at : at + 8]}-{digits[at + 8 : at + 12]}-4{digits[at + 13 : at + 16]}-"
                f"{variant}{digits[at + 17 : at + 20]}-{digits[at + 20 : at + 32]}"
            )
    return _fresh.pop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fresh.clear)


__all__ = ["Engine", "LeaseHeld", "RunRequest"]
