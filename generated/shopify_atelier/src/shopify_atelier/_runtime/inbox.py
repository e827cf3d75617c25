"""Deliveries that were proved → durable rows → runs of single records.

A delivery is answered only after its row is committed; deliveries that arrive together share one commit. What is stored is
carried out by runs of the stream, under the same lease as every other run, so a webhook and a poll never write one record
side by side; the newer version wins whatever the order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from .declare import Webhook
from .engine import Engine, RunReport, RunRequest
from .engine.deletes import Tombstones
from .engine.drift import Drift
from .engine.items import Reader
from .errors import IntegrationError
from .http.paging import walk
from .state import LeaseHeld, State, StateUnavailable

log = logging.getLogger(__name__)

ATTEMPTS = 8
SUSPECT_AFTER = 3
"""Attempts after which deliveries are carried out one at a time."""
BUSY_RETRY_S = 1.0
FAILED_RETRY_S = 15.0
TOGETHER = 250


class InboxWriter:
    """Stores deliveries: all that wait when a commit begins go with it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._waiting: list[tuple[Mapping[str, object], asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self.arrived = asyncio.Event()

    async def put(self, delivery: Mapping[str, object]) -> None:
        """Return when the delivery is durable. Raises `StateUnavailable` when it cannot be made so."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())
        await future

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
            rows = [delivery for delivery, _ in batch]
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


class InboxWorker:
    """Carries out stored deliveries, oldest first, a group of records with one run."""

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

    async def run(self) -> None:
        """Until it is cancelled."""
        forget_at = 0.0
        kept_s = self._engine.integration.retention.deliveries_s
        while True:
            self._arrived.clear()
            wait_s = 60.0
            for name in dict.fromkeys(webhook.stream for webhook in self._engine.integration.webhooks):
                try:
                    wait_s = min(wait_s, await self.drain(name))
                except IntegrationError as error:
                    log.error("deliveries of %s wait: %s", name, error)
                    wait_s = min(wait_s, FAILED_RETRY_S)
                except Exception:  # one bug must not end all deliveries
                    log.exception("deliveries of %s met a bug", name)
                    wait_s = min(wait_s, FAILED_RETRY_S)
            now = self._engine.clock.now()
            if now >= forget_at:
                forget_at = now + 3600
                try:
                    await self._state.call(lambda now=now: self._state.inbox.forget_before(now - kept_s))  # type: ignore[misc]
                except IntegrationError as error:
                    log.warning("old deliveries were not forgotten: %s", error)
            with suppress(TimeoutError):
                # Not `wait_for`: before Python 3.12 it forgets to be cancelled when a delivery arrives at that moment.
                async with asyncio.timeout(wait_s):
                    await self._arrived.wait()

    async def drain(self, stream_name: str) -> float:
        """Carry out what waits for one stream. Returns seconds until it is worth looking again."""
        if self._engine.is_monitor:
            return 60.0  # deliveries stay until what they tell of may be written
        while True:
            rows = await self._state.call(lambda: self._state.inbox.waiting(stream_name, TOGETHER))
            if not rows:
                return 60.0
            if spent := [row["id"] for row in rows if row["attempts"] >= ATTEMPTS]:
                await self._end(spent, "dead", None, f"it was begun {ATTEMPTS} times and never ended")
                continue
            if any(row["attempts"] >= SUSPECT_AFTER for row in rows):
                rows = rows[
                    :1
                ]  # one of them may be what ends the process each time: it must not take the others with it
            try:
                report = await self._sync(stream_name, rows)
            except LeaseHeld:
                return BUSY_RETRY_S
            if report is not None and report.state in ("failed", "stopped"):
                return FAILED_RETRY_S

    async def _sync(self, stream_name: str, rows: Sequence[Mapping[str, Any]]) -> RunReport | None:
        stream = self._engine.stream(stream_name)
        reader = self._readers.setdefault(stream_name, Reader(stream, Drift(stream)))
        tombstones = Tombstones(stream.deletes) if stream.deletes is not None else None
        records: dict[str, bytes | None] = {}
        good: list[int] = []
        for row in rows:
            webhook = self._webhooks.get((stream_name, row["topic"]))
            raw = self._record(row["body"], webhook) if webhook is not None else None
            try:
                if raw is None or webhook is None:
                    raise ValueError("no record")
                is_gone = tombstones is not None and row["topic"] in webhook.deleted_topics
                if tombstones is not None and (is_gone or tombstones.says(raw)):
                    identity = tombstones.identity(raw)
                    if identity is None:
                        raise ValueError("no identity")
                else:
                    identity = reader.identity_of(raw)
            except Exception as error:  # whatever one delivery holds, the others go on
                reason = f"there is no record in the delivery ({type(error).__name__})"
                await self._end([row["id"]], "dead", None, reason)
                continue
            records.pop(identity, None)
            records[identity] = None if is_gone else raw
            good.append(row["id"])
        if not good:
            return None
        can_read = stream.source.get is not None
        request = RunRequest(
            stream=stream_name,
            trigger="webhook",
            ids=tuple(records) if can_read else (),
            records=() if can_read else tuple(raw for raw in records.values() if raw is not None),
            gone=() if can_read else tuple(identity for identity, raw in records.items() if raw is None),
        )
        if not can_read:
            # What is read by identity has its run count it; this has to be counted here, before it is begun.
            await self._state.call(lambda: self._state.inbox.tried(good))
        report = await self._engine.run(request)
        if report.state in ("done", "partial"):
            await self._end(good, "done", report.run_id, None)
            return report
        if can_read:
            await self._state.call(lambda: self._state.inbox.tried(good))
        spent = [row["id"] for row in rows if row["id"] in good and row["attempts"] + 1 >= ATTEMPTS]
        if spent and report.failure != "stopped":
            await self._end(spent, "dead", report.run_id, report.error)
        return report

    async def _end(self, ids: Sequence[int], state: str, run_id: str | None, error: str | None) -> None:
        await self._state.call(lambda: self._state.inbox.end(ids, state=state, run_id=run_id, error=error))

    @staticmethod
    def _record(body: bytes, webhook: Webhook) -> bytes | None:
        try:
            found = walk(bytes(body), webhook.record)
        except msgspec.MsgspecError:
            return None
        return None if found is None else bytes(found)
