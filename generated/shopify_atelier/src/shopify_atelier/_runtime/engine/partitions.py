"""A run in parts, which several replicas may share.

The parts of a pass are rows beside the stream's checkpoint, each with its own cursor and its own lease, held under the
stream's. Whoever carries out the run works on one part after another; other replicas may take parts too. The stream's
watermark moves when all are done: to the highest version that any has seen, never past the moment when the first began.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias, get_args

from ..declare import Stream
from ..errors import FailureClass, IntegrationError
from ..state import LeaseHeld, State
from ..state.rows import Checkpoint, Lease, Outcomes
from .errors import Cancelled, Stopped
from .pages import fixed_params
from .parts import Part, bounds, keys_of, part_of
from .passes import Pass
from .report import RunReport
from .run import Run

LOOKED_S = 1.0
"""How often it is looked whether parts that others work on are done."""

Unit: TypeAlias = "Callable[[str, Lease], Awaitable[RunReport | None]]"
"""Carries out one part under the stream's lease; None when somebody else has it."""
Spread: TypeAlias = "Callable[[str, str, int, int], Awaitable[None]]"
"""Asks other replicas to take parts: stream, run, token of the stream's lease, parts."""


class PartFailed(IntegrationError):
    """A part could not be done."""

    def __init__(self, key: str, report: RunReport) -> None:
        super().__init__(f"part {key}: {report.error or report.state}")
        self._of = report.failure

    def plain_failure(self) -> FailureClass:
        return next((each for each in get_args(FailureClass) if each == self._of), "systematic")


def is_in_parts(stream: Stream[Any, Any], progress: Pass) -> bool:
    """Whether a run reads everything, and so is carried out in parts."""
    return stream.source.partition is not None and progress.kind == "full" and progress.is_kept


class PartitionedRun(Run):
    """A run whose parts are carried out by this replica and by others."""

    unit: Unit
    spread: Spread | None = None

    async def _execute(self) -> None:
        name, mapping = self._stream.name, self._stream.mapping_digest
        call, partitions = self._state.call, self._state.partitions
        self._state.store.matches.forget(name)
        await self._tools.fates.look_back()
        await self._earlier.settle()
        await self._read_matches()
        await self._release()
        left = await call(lambda: partitions.left(name))
        if self._request.resync or not left or not await call(lambda: partitions.keys(name, mapping)):
            keys = await self._keys()
            await call(lambda: partitions.plan(self._lease, name, mapping, keys))
            left = keys
        if self.spread is not None and len(left) > 1:
            await self.spread(name, self._run_id, self._lease.token, len(left))
        await self._work()
        seen = await call(lambda: partitions.seen(name))
        for version in seen.high:
            self.progress.see(version)
        if seen.ceiling is not None:
            self.progress.began_at(seen.ceiling)
        await self._journal.write(Outcomes(stream=name, checkpoint=self.progress.after(None, is_last=True)))
        await call(lambda: partitions.forget(name))
        await self._release()

    async def _work(self) -> None:
        name, call = self._stream.name, self._state.call
        while left := await call(lambda: self._state.partitions.left(name)):
            did = False
            for key in left:
                if self._tools.is_cancelled:
                    raise Cancelled
                if self._around.is_stopping():
                    raise Stopped("the run was asked to stop; the next one goes on with the parts that are left")
                report = await self.unit(key, self._lease)
                await self._add_up()
                if report is None:
                    continue
                did = True
                if report.state == "stopped":
                    raise Stopped("the run was asked to stop; the next one goes on with the parts that are left")
                if report.state not in ("done", "partial"):
                    raise PartFailed(key, report)
            if not did:
                await self._around.clock.sleep(LOOKED_S)
                await self._add_up()

    async def _add_up(self) -> None:
        """The run's counts are those of its parts."""
        names = [name for name in self.counts.as_columns() if name != "written"]
        found = await self._state.call(lambda: self._state.partitions.counts(self._run_id, names))
        for name, count in found.items():
            setattr(self.counts, name, count)

    async def _keys(self) -> list[str]:
        around, partition = self._around, self._stream.source.partition
        assert partition is not None
        fixed = fixed_params(self._stream.source.parameters, around.settings.text)

        async def parents() -> list[str]:
            return await self._state.call(lambda: self._state.partitions.parents(str(partition.stream)))

        return await keys_of(self._stream, around.source, fixed, around.clock.now(), parents)


async def run_part(
    key: str,
    over: Lease,
    *,
    stream: Stream[Any, Any],
    take: Callable[[str], Awaitable[Lease]],
    carry_out: Callable[[Part, Checkpoint, Lease], Awaitable[RunReport]],
    give_back: Callable[[Lease], Awaitable[None]],
    state: State,
) -> RunReport | None:
    """Take a part's lease and carry it out; None when it is another replica's, or done."""
    try:
        lease = await take(f"{over.name}/{key}")
    except LeaseHeld:
        return None
    try:
        point = await state.call(lambda: state.store.checkpoint(stream.name, key))
        keys = await state.call(lambda: state.partitions.keys(stream.name, stream.mapping_digest))
        if point.done_at is not None or key not in keys:
            return None
        index = keys.index(key)
        parents = None
        partition = stream.source.partition
        if partition is not None and partition.by == "parent":
            low, high = bounds(keys, key)
            of = str(partition.stream)
            parents = await state.call(lambda: state.partitions.parents(of, low, high))
        part = part_of(stream, key, keys[index + 1] if index + 1 < len(keys) else None, parents)
        return await carry_out(part, point, replace(lease, over=over))
    finally:
        await give_back(lease)
