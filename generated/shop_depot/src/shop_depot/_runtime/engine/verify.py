"""Both sides of a stream, compared by link and content; and what is to be done about the difference.

    missing     linked, and not at the destination any more
    different   linked and unchanged at the source, and some mapped field says something else there
    extra       at the destination, without a link
    duplicate   several records of the destination have one match value
    unsynced    at the source, without a link yet: new, held or a dead letter
    pending     changed at the source since it was written
    gone        linked, and not at the source any more

The first four are differences; the others are what the next run is for. What the destination has lies in a temporary file
meanwhile, so that memory does not grow with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..declare import Stream
from ..errors import IntegrationError, NotFound, RequestRefused
from ..exits import EXIT_DONE, EXIT_PARTIAL
from ..hashing import decode_exact
from ..http.paging import Picked
from ..json_paths import at, without
from ..state import State
from .adopt import Adopter, object_of
from .compare import differing, paths_in
from .deletes import Tombstones
from .drift import Drift
from .errors import Stopped
from .items import Item, Reader
from .merge import Base, view_of
from .pages import Prefetch, fixed_params, listed
from .parents import ParentReader
from .passes import RunRequest
from .report import RunReport
from .reverse import lease_name
from .shelf import Shelf

if TYPE_CHECKING:
    from .engine import Engine

log = logging.getLogger(__name__)

DIFFERENCES = ("missing", "different", "extra", "duplicate")
KINDS = (*DIFFERENCES, "unsynced", "pending", "gone")
SAMPLE = 100
"""Findings of each kind that are shown one by one."""
TOGETHER = 500


@dataclass(slots=True, kw_only=True)
class Verified:
    """What comparing both sides has found."""

    stream: str
    compared: int = 0
    equal: int = 0
    unreadable: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    findings: list[dict[str, Any]] = field(default_factory=list)
    """The first of each kind: identities and field names, no values."""
    not_shown: list[str] = field(default_factory=list)
    """Mapped fields that the destination shows in no record."""
    not_updated: list[str] = field(default_factory=list)
    """Mapped fields that no update takes: what the creation wrote is not compared."""
    not_known: list[str] = field(default_factory=list)
    """Kinds that could not be looked for: nothing lists the destination."""
    seconds: float = 0.0
    repairs: list[RunReport] = field(default_factory=list)
    left: Verified | None = None
    """After a repair: both sides compared again."""

    @property
    def differences(self) -> int:
        """How many records differ."""
        return sum(self.counts[kind] for kind in DIFFERENCES)

    @property
    def exit_code(self) -> int:
        """0 equal, 3 different; after a repair, what is left counts."""
        if self.left is not None:
            return self.left.exit_code
        return EXIT_PARTIAL if self.differences else EXIT_DONE

    def note(self, kind: str, **what: Any) -> None:
        """Count one finding, and keep it while there are few of its kind."""
        self.counts[kind] += 1
        if self.counts[kind] <= SAMPLE:
            self.findings.append({"kind": kind, **what})

    def to_json(self) -> dict[str, Any]:
        """As the CLI and the control API show it."""
        shown: dict[str, Any] = {
            "stream": self.stream,
            "state": "different" if self.differences else "equal",
            "compared": self.compared,
            "equal": self.equal,
            "unreadable": self.unreadable,
            **self.counts,
            "findings": self.findings,
            "not_shown": self.not_shown,
            "not_updated": self.not_updated,
            "not_known": self.not_known,
            "seconds": round(self.seconds, 3),
        }
        if self.left is not None:
            shown["repairs"] = [report.to_json() for report in self.repairs]
            shown["left"] = self.left.to_json()
        return shown

    def lines(self) -> list[str]:
        """As text for people."""
        counts = self.counts
        told = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
        head = f"{self.stream}: {self.equal} of {self.compared} linked records are equal" + (
            f"; {told}" if told else ""
        )
        lines = [f"{head} ({self.seconds:.2f} s)"]
        for found in self.findings:
            names = " ↔ ".join(str(found[name]) for name in ("source_id", "destination_id") if found.get(name))
            fields = f": {', '.join(found['fields'])}" if found.get("fields") else ""
            lines.append(f"  {found['kind']} {names}{fields}")
        if self.not_shown:
            lines.append(f"  the destination never shows {', '.join(self.not_shown)}")
        if self.not_updated:
            lines.append(f"  no update takes {', '.join(self.not_updated)}: not compared")
        if self.not_known:
            lines.append(f"  nothing lists the destination, so {' and '.join(self.not_known)} are not known")
        if self.left is not None:
            lines.append("after the repair:")
            lines += [f"  {line}" for line in self.left.lines()]
        return lines


async def verify(engine: Engine, name: str, *, repair: bool = False) -> Verified:
    """Compare both sides of a stream.

    Args:
        repair: Have what differs written again by runs of the stream.

    Raises:
        LeaseHeld: a run of the stream is under way: what it writes would look like a difference.
        LeaseLost: one began meanwhile, because this process stood still for longer than its lease lasts.
        RequestRefused: the destination shows its records in no way, or the stream goes back on another one's links.
    """
    stream = engine.stream(name)
    if stream.reverse_of is not None:
        raise RequestRefused(f"{name} works on the links of {stream.reverse_of}: verify that")
    found = await _compared(engine, stream, mend=repair)
    verified = found.verified
    if repair:
        async with found:
            await _mend(engine, stream, found)
        verified.left = (await _compared(engine, stream, mend=False)).verified
    return verified


async def _compared(engine: Engine, stream: Stream[Any, Any], *, mend: bool) -> Comparison:
    """A comparison that was carried out; what is to be mended lies on its shelf, until that is closed."""
    comparison = Comparison(stream, engine)
    try:
        async with _held(engine, stream):
            await comparison.execute()
    except BaseException:
        comparison.shelf.close()
        raise
    if not mend:
        comparison.shelf.close()
    return comparison


async def _mend(engine: Engine, stream: Stream[Any, Any], found: Comparison) -> None:
    """Write through the normal path what is missing or different, and look after what is gone."""
    lifecycle, shelf = engine.state.store.lifecycle, found.shelf
    while rows := shelf.to_mend(TOGETHER):
        ids = [source_id for source_id, _ in rows]
        await engine.state.call(lambda ids=ids: lifecycle.rewrite(stream.name, ids))  # type: ignore[misc]
        request = RunRequest(stream=stream.name, trigger="verify", records=tuple(raw for _, raw in rows))
        found.verified.repairs.append(await engine.run(request))
    if stream.deletes is not None and stream.source.get is not None:
        while gone := shelf.gone(TOGETHER):
            request = RunRequest(stream=stream.name, trigger="verify", ids=tuple(gone))
            found.verified.repairs.append(await engine.run(request))
    if (partner := found.partner) is not None:
        while lost := shelf.gone(TOGETHER, there=True):
            request = RunRequest(stream=partner.name, trigger="verify", ids=tuple(lost))
            found.verified.repairs.append(await engine.run(request))


@asynccontextmanager
async def _held(engine: Engine, stream: Stream[Any, Any]) -> AsyncIterator[None]:
    """No run of the stream goes on beside this. Raises `LeaseLost` in the end where one did."""
    leases, ttl_s = engine.state.leases, engine.around(stream).settings.options.lease_s
    lease = await engine.state.call(lambda: leases.acquire(lease_name(stream), engine.holder, ttl_s))

    async def beat() -> None:
        while True:
            await engine.clock.sleep(ttl_s / 3)
            try:
                await engine.state.call(lambda: leases.renew(lease))
            except IntegrationError as error:
                log.warning("the lease on %s was not renewed: %s", lease.name, error)

    task = asyncio.create_task(beat())
    try:
        yield
        await engine.state.call(
            lambda: leases.renew(lease)
        )  # else what a run has written meanwhile looks like a difference
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await engine.state.call(lambda: leases.release(lease))


class Comparison:
    """One comparison of all records."""

    def __init__(self, stream: Stream[Any, Any], engine: Engine) -> None:
        only_created = [".".join(map(str, path)) for path in stream.destination.only_created]
        self.verified = Verified(stream=stream.name, not_updated=only_created)
        self.shelf = Shelf()
        self._stream = stream
        self._engine = engine
        links = engine.links.get(stream.name)
        partner = links.backward if links is not None else None
        self.partner = partner if partner is not None and partner.deletes is not None else None
        """The stream that carries deletions at the destination to the source: to it, what is missing was deleted."""
        self._around = around = engine.around(stream)
        self._state: State = engine.state
        text = around.settings.text
        self._theirs = fixed_params(stream.destination.parameters, text)
        self._ours = fixed_params(stream.source.parameters, text)
        drift = Drift(stream)
        reader: Reader[Any, Any] = Reader(stream, drift)
        self._reader = reader
        self._parents = ParentReader(stream, reader, engine.state, None) if stream.lookups else None
        self._adopter = Adopter(
            stream, around.destination, self._theirs, put_index=_never, ask_index=_never, lag=around.lag
        )
        self._tombstones = Tombstones(stream.deletes) if stream.deletes is not None else None
        self._shown: set[str] = set()
        self._hidden: set[str] = set()
        self._workers = around.settings.options.max_concurrent

    async def __aenter__(self) -> Comparison:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.shelf.close()

    async def execute(self) -> None:
        """Compare."""
        began, destination = self._engine.clock.monotonic(), self._stream.destination
        if destination.list is None and destination.get is None:
            raise RequestRefused(f"{self._stream.name}: the destination neither lists records nor shows one")
        if destination.list is not None:
            await self._read_there()
        else:
            self.verified.not_known = ["extra", "duplicate"]
        await self._read_here()
        if destination.list is not None:
            await self._read_rest()
        self.verified.not_shown = sorted(self._hidden)
        self.verified.seconds = self._engine.clock.monotonic() - began

    # --- the destination ---

    async def _read_there(self) -> None:
        operation = self._stream.destination.list
        assert operation is not None
        async for page in self._around.destination.pages(operation, params=self._theirs):
            self._go_on()
            rows = []
            for raw in page.records:
                record = decode_exact(raw)
                self._shown.update(paths_in(record))
                identity = self._adopter.identity(record)
                if identity is not None:
                    rows.append((identity, self._adopter.digest(record), bytes(raw)))
            self.shelf.put(rows)
        self.shelf.is_full()

    async def _there(self, named: Sequence[str]) -> dict[str, Any]:
        """Records of the destination by identity."""
        operation = self._stream.destination.get
        if self._stream.destination.list is not None:
            return self.shelf.take(named)
        assert operation is not None
        found: dict[str, Any] = {}
        for start in range(0, len(named), self._workers):
            some = named[start : start + self._workers]
            for identity, record in zip(some, await asyncio.gather(*map(self._one, some)), strict=True):
                if record is not None:
                    self._shown.update(paths_in(record))
                    found[identity] = record
        return found

    async def _one(self, identity: str) -> dict[str, Any] | None:
        destination = self._stream.destination
        assert destination.get is not None
        params = {**self._theirs, destination.get_argument: identity}
        try:
            return object_of(await self._around.destination.request(destination.get, params=params))
        except NotFound:
            return None

    # --- the source ---

    async def _read_here(self) -> None:
        pages = Prefetch(listed(self._around.source, self._stream.source.list, self._ours, None))
        try:
            while (page := await pages.next()) is not None:
                self._go_on()
                for start in range(0, len(page.records), TOGETHER):
                    await self._group(page.records[start : start + TOGETHER])
        finally:
            await pages.close()

    async def _group(self, raws: Sequence[bytes | Picked]) -> None:
        verified = self.verified
        if self._tombstones is not None and self._tombstones.is_looking:
            raws, _ = self._tombstones.split(raws)  # gone already, or for the next run to find
        if self._parents is None:
            items, bad = self._reader.read(raws)
        else:
            items, bad, held = await self._parents.read(raws)
            for each in held:
                verified.note("unsynced", source_id=each.item.source_id)
            self.shelf.came([each.item.source_id for each in held])
        verified.unreadable += len(bad)
        self.shelf.came([*(item.source_id for item in items), *(each.source_id for each in bad if each.source_id)])
        name, store = self._stream.name, self._state.store
        found = await self._state.call(lambda: store.links_of(name, [item.source_id for item in items]))
        links = {link.source_id: link for link in found if link.gone_at is None}
        agreed: dict[str, bytes] = {}
        if self._stream.merge is not None:
            agreed = await self._state.call(lambda: store.lifecycle.bases(name, list(links)))
        there = await self._there([link.destination_id for link in links.values() if link.destination_id is not None])
        for item in items:
            link = links.get(item.source_id)
            if link is None:
                verified.note("unsynced", source_id=item.source_id)
                continue
            verified.compared += 1
            identity = link.destination_id
            if identity is None and item.match is not None:
                identity, record = self.shelf.by_match(item.match)
            else:
                record = there.get(identity or "")
            if link.hash != item.hash:
                verified.note("pending", source_id=item.source_id, destination_id=identity)
            else:
                self._compare(item, identity, record, agreed.get(item.source_id))

    def _compare(self, item: Item, identity: str | None, record: Any, base: bytes | None) -> None:
        verified = self.verified
        if record is None:
            verified.note("missing", source_id=item.source_id, destination_id=identity)
            if self.partner is not None and identity is not None:
                self.shelf.note_gone(identity, there=True)
            else:
                self.shelf.mend(item)
            return
        to = self._stream.destination
        body = at(decode_exact(item.body), to.envelope)
        for path in to.only_created:
            without(body, path)
        if base is not None and (rule := self._stream.merge) is not None:
            wanted, shown = Base.decode(base, rule.fields).destination, view_of(record, rule.fields)
            left_out = {field.name for field in rule.fields if field.path in to.only_created}
            fields = sorted(name for name in wanted.keys() - left_out if shown.get(name) != wanted[name])
        else:
            fields = list(dict.fromkeys(differing(body, record, self._shown, self._hidden)))
        if fields:
            verified.note("different", source_id=item.source_id, destination_id=identity, fields=fields)
            self.shelf.mend(item)
        else:
            verified.equal += 1

    # --- what is left ---

    async def _read_rest(self) -> None:
        """Records of the destination that no source record led to."""
        name, lifecycle = self._stream.name, self._state.store.lifecycle
        for some in self.shelf.untouched(TOGETHER):
            links = await self._state.call(lambda some=some: lifecycle.by_destination(name, some))  # type: ignore[misc]
            for identity in some:
                source_id, is_gone = links.get(identity, (None, False))
                if source_id is None:
                    self.verified.note("extra", destination_id=identity)
                elif not is_gone and not self.shelf.has_come(source_id):
                    self.verified.note("gone", source_id=source_id, destination_id=identity)
                    self.shelf.note_gone(source_id)
        for identities in self.shelf.twins():
            self.verified.note("duplicate", destination_id=", ".join(identities[:5]))

    def _go_on(self) -> None:
        if self._around.is_stopping():
            raise Stopped("the comparison was asked to stop")


async def _never(*_: Any) -> Any:
    raise AssertionError("a comparison keeps no index")
