"""Deliveries that were proved → durable rows → runs of single records.

A delivery is answered only after its row is committed; deliveries that arrive together share one commit. What is stored is
carried out by runs of the stream, under the same lease as every other run, so a webhook and a poll never write one record
side by side; the newer version wins whatever the order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from .declare import Webhook
from .deliveries import name_of, record_of
from .engine import Engine, RunReport, RunRequest
from .engine.deletes import Tombstones
from .engine.drift import Drift
from .engine.items import Reader
from .errors import IntegrationError
from .settling import Settling
from .state import LeaseHeld, State, StateUnavailable

log = logging.getLogger(__name__)

ATTEMPTS = 8
SUSPECT_AFTER = 3
"""Attempts after which deliveries are carried out one at a time."""
BUSY_RETRY_S = 1.0
FAILED_RETRY_S = 15.0
TOGETHER = 250
MOST_ASIDE = 500
"""Records of a stream that may be aside; what fails beyond them is tried in its place."""


class InboxWriter:
    """Stores deliveries: all that wait when a commit begins go with it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._waiting: list[tuple[Sequence[Mapping[str, object]], asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self.arrived = asyncio.Event()

    async def put(self, *deliveries: Mapping[str, object]) -> None:
        """Return when the deliveries of one body are durable, all of them or none.

        Raises:
            StateUnavailable: they cannot be made so.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((deliveries, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())
        await future

    async def _write(self) -> None:
        while self._waiting:
            count, rows = 0, list[Mapping[str, object]]()
            while count < len(self._waiting) and len(rows) < TOGETHER:
                rows += self._waiting[count][0]
                count += 1
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            error: BaseException | None = None
            try:
                await self._state.call(lambda rows=rows: self._state.inbox.put(rows))  # type: ignore[misc]
            except IntegrationError as failed:
                error = failed
            except Exception as failed:  # the sender must be told, whatever it was
                log.exception("deliveries could not be stored")
                error = StateUnavailable(f"deliveries could not be stored ({type(failed).__name__})")
            for _, future in batch:
                if future.done():
                    continue  # the sender has gone; it will come again, and find its delivery stored
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)
            if error is None:
                self.arrived.set()


Group: TypeAlias = "dict[str, tuple[bytes | None, tuple[Mapping[str, Any], ...]]]"
"""Identity → its newest record, None for one that is gone, and the deliveries that tell of it."""


class Aside:
    """Records of one stream whose deliveries failed alone: tried again one at a time, in turn, while all others go on."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = {}
        """Identity → its deliveries; the one that has waited longest for its turn is first."""
        self.strikes = 0
        """Groups that failed, one after another."""
        self._due = 0.0

    def ids(self) -> list[int]:
        """All deliveries that are aside."""
        return [row for rows in self.rows.values() for row in rows]

    def due(self, now: float) -> str | None:
        """The record whose turn it is, if it is time."""
        return next(iter(self.rows), None) if now >= self._due else None

    def wait_s(self, now: float) -> float:
        """Until the next turn."""
        return min(60.0, max(self._due - now, 0.05)) if self.rows else 60.0

    def failed(self, group: Group, now: float) -> None:
        """A run of these failed. One that was alone is put aside, or goes behind the others that are."""
        if len(group) > 1:
            self.strikes += 1
            return
        self.strikes = 0
        [(identity, (_, told))] = group.items()
        if len(self.rows) >= MOST_ASIDE and identity not in self.rows:
            return
        before = self.rows.pop(identity, [])
        self.rows[identity] = list(dict.fromkeys([*before, *(row["id"] for row in told)]))
        self._due = now + FAILED_RETRY_S

    def remove(self, identities: Iterable[str]) -> None:
        """These were carried out."""
        for identity in identities:
            self.rows.pop(identity, None)


class InboxWorker:
    """Carries out stored deliveries, oldest first, a group of records with one run.

    A delivery ends as `dead` for what it is: there is no record in it, it ended the process again and again, the API refuses
    its record. That an API does not answer, that the lease is held or that somebody has to sign in is not the delivery's
    fault: it waits, as long as deliveries are kept. When groups fail, records are tried one at a time, and one that fails
    alone is put aside, so that it does not hold up the others.
    """

    def __init__(self, engine: Engine, writer: InboxWriter) -> None:
        self._engine = engine
        self._state = engine.state
        self._arrived = writer.arrived
        self._readers: dict[str, Reader[Any, Any]] = {}
        self._webhooks: dict[tuple[str, str], Webhook] = {
            (webhook.stream, topic): webhook
            for webhook in engine.integration.webhooks
            for topic in (*webhook.topics, *webhook.deleted_topics)
        }
        self._aside = {webhook.stream: Aside() for webhook in engine.integration.webhooks}
        self.settling = Settling(engine, self._aside)

    async def run(self) -> None:
        """Until it is cancelled."""
        forget_at = 0.0
        kept_s = self._engine.integration.retention.deliveries_s
        due: dict[str, float] = {}
        monotonic = self._engine.clock.monotonic
        while True:
            if self._arrived.is_set():
                due.clear()
            self._arrived.clear()
            for name in self._aside:
                if monotonic() >= due.get(name, 0.0):
                    due[name] = await self._drained(name) + monotonic()
            settle_s = await self._settle()
            wait_s = min([settle_s, *(at - monotonic() for at in due.values())])
            now = self._engine.clock.now()
            if now >= forget_at:
                forget_at = now + 3600
                try:
                    await self._state.call(lambda now=now: self._state.inbox.forget_before(now - kept_s))  # type: ignore[misc]
                except IntegrationError as error:
                    log.warning("old deliveries were not forgotten: %s", error)
            wait_s = max(wait_s, 0.01)
            with suppress(TimeoutError):
                # Not `wait_for`: before Python 3.12 it forgets to be cancelled when a delivery arrives at that moment.
                async with asyncio.timeout(wait_s):
                    await self._arrived.wait()

    async def _drained(self, name: str) -> float:
        """As `drain`, whatever happens."""
        try:
            return await self.drain(name)
        except IntegrationError as error:
            log.error("deliveries of %s wait: %s", name, error)
        except Exception:  # one bug must not end all deliveries
            log.exception("deliveries of %s met a bug", name)
        return FAILED_RETRY_S

    async def _settle(self) -> float:
        """Find out what became of writes of deliveries. Returns seconds until it is worth looking again."""
        try:
            return await self.settling.turn()
        except IntegrationError as error:
            log.warning("what became of deliveries' writes is not found out yet: %s", error)
        except Exception:
            log.exception("finding out what became of deliveries' writes met a bug")
        return FAILED_RETRY_S

    async def drain(self, stream_name: str) -> float:
        """Carry out what waits for one stream. Returns seconds until it is worth looking again."""
        if self._engine.is_monitor:
            return 60.0  # deliveries stay until what they tell of may be written
        aside, now = self._aside[stream_name], self._engine.clock.monotonic
        while True:
            probed = aside.due(now())
            rows = await self._rows(stream_name, probed)
            if not rows:
                if probed is None:
                    return aside.wait_s(now())
                aside.remove([probed])
                continue
            if spent := [row["id"] for row in rows if row["attempts"] >= ATTEMPTS]:
                await self._end(spent, "dead", None, f"it was begun {ATTEMPTS} times and never ended")
                continue
            if aside.strikes >= SUSPECT_AFTER or any(row["attempts"] >= SUSPECT_AFTER for row in rows):
                rows = rows[:1]  # one of them may be what fails each time: it must not take the others with it
            group = await self._group(stream_name, rows, probed)
            if not group:
                continue
            try:
                report = await self._sync(stream_name, group)
            except LeaseHeld:
                return BUSY_RETRY_S
            except Exception:
                aside.failed(group, now())
                raise
            if report.state in ("done", "partial"):
                aside.remove(group)
                aside.strikes = 0
                continue
            if report.failure in ("stopped", "cancelled"):
                return FAILED_RETRY_S
            aside.failed(group, now())
            if probed is None:
                return FAILED_RETRY_S

    async def _rows(self, stream_name: str, probed: str | None) -> Sequence[Mapping[str, Any]]:
        inbox, aside = self._state.inbox, self._aside[stream_name]
        if probed is not None:
            return await self._state.call(lambda: inbox.waiting(stream_name, TOGETHER, only=aside.rows[probed]))
        return await self._state.call(lambda: inbox.waiting(stream_name, TOGETHER, without=aside.ids()))

    async def _group(self, stream_name: str, rows: Sequence[Mapping[str, Any]], probed: str | None) -> Group:
        """What deliveries tell of each record; the newest counts. What is told of a record that is aside joins it there."""
        stream, aside = self._engine.stream(stream_name), self._aside[stream_name]
        reader = self._readers.setdefault(stream_name, Reader(stream, Drift(stream)))
        tombstones = Tombstones(stream.deletes) if stream.deletes is not None else None
        group: Group = {}
        for row in rows:
            webhook = self._webhooks.get((stream_name, row["topic"]))
            raw = record_of(row["body"], webhook) if webhook is not None else None
            identity: str | None
            try:
                if raw is None or webhook is None:
                    raise ValueError("no record")
                is_gone = tombstones is not None and row["topic"] in webhook.deleted_topics
                if webhook.record_id is not None:
                    identity = name_of(row["body"], webhook) if stream.source.get is not None else None
                elif tombstones is not None and (is_gone or tombstones.says(raw)):
                    identity = tombstones.identity(raw)
                else:
                    identity = reader.identity_of(raw)
                if identity is None:
                    raise ValueError("no identity")
            except Exception as error:  # whatever one delivery holds, the others go on
                reason = f"there is no record in the delivery ({type(error).__name__})"
                await self._end([row["id"]], "dead", None, reason)
                continue
            if identity != probed and identity in aside.rows:
                aside.rows[identity].append(row["id"])
                continue
            before = group.pop(identity, (None, ()))[1]
            group[identity] = (None if is_gone else raw, (*before, row))
        return group

    async def _sync(self, stream_name: str, group: Group) -> RunReport:
        inbox, call = self._state.inbox, self._state.call
        rows = [row for _, told in group.values() for row in told]
        ids = [row["id"] for row in rows]
        can_read = self._engine.stream(stream_name).source.get is not None
        request = RunRequest(
            stream=stream_name,
            trigger="webhook",
            ids=tuple(group) if can_read else (),
            records=() if can_read else tuple(raw for raw, _ in group.values() if raw is not None),
            gone=() if can_read else tuple(identity for identity, (raw, _) in group.items() if raw is None),
        )
        # What is read by identity has its run count the starts that end the process; others are counted before they begin.
        counted = 0 if can_read else 1
        if counted:
            await call(lambda: inbox.tried(ids))
        try:
            report = await self._engine.run(request)
        except IntegrationError:  # it did not begin
            if counted:
                await call(lambda: inbox.tried(ids, -1))
            raise
        except Exception:
            self.settling.ended(stream_name, is_done=False)
            if not counted:
                await call(lambda: inbox.tried(ids))
            raise
        self.settling.ended(stream_name, is_done=report.state == "done")
        if report.state in ("done", "partial"):
            await self._end(ids, "done", report.run_id, None)
            return report
        is_own = report.failure == "permanent_record"
        if is_own != bool(counted):
            await call(lambda: inbox.tried(ids, 1 if is_own else -1))
        oldest = self._engine.clock.now() - self._engine.integration.retention.deliveries_s
        if spent := [
            row["id"] for row in rows if (is_own and row["attempts"] + 1 >= ATTEMPTS) or row["received_at"] < oldest
        ]:
            log.error("%d deliveries of %s are given up: %s", len(spent), stream_name, report.error)
            await self._end(spent, "dead", report.run_id, report.error)
        return report

    async def _end(self, ids: Sequence[int], state: str, run_id: str | None, error: str | None) -> None:
        await self._state.call(lambda: self._state.inbox.end(ids, state=state, run_id=run_id, error=error))
