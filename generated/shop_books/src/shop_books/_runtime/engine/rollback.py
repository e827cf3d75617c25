"""Putting back what a run wrote: updates as they were, creations away, deletions made anew.

A record is put back only while it is as the run left it: its link names the run, and the destination's mapped fields, read
now, are what was written. Anything else is a conflict, told and left alone. What is sent goes the way of every write: intents
first, then requests, then outcomes under the lease; so a rollback that is ended by a crash is gone on with by the next run,
and can itself be put back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..declare import Stream
from ..mask import Mask
from ..state.rows import Outcomes
from .errors import Cancelled, Stopped
from .pages import fixed_params
from .passes import Pass, RunRequest
from .report import Counts
from .requests import Request, open_requests
from .rollback_merged import MergedUndoing, settle
from .run import Run
from .sides import Sides
from .surroundings import Surroundings
from .undoing import Step, Undoing

SHOWN = 100
"""Records that a report names one by one."""


class Rollback(Run):
    """One execution that puts back what another wrote."""

    def __init__(self, stream: Stream[Any, Any], request: RunRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(stream, request, *args, **kwargs)
        assert request.rollback is not None
        around: Surroundings = kwargs["around"]
        fixed = fixed_params(stream.destination.parameters, around.settings.text)
        self._sides = sides_of(stream, kwargs.get("forward"), kwargs.get("backward"))
        self._undoing = undoing_of(self._sides, stream, request.rollback, around.destination, fixed, around.state)
        self._mask = Mask(stream.mask_destination)

    async def _execute(self) -> None:
        name = self._stream.name
        self._state.store.matches.forget(name)
        await self._earlier.settle()
        async for steps in self._undoing.groups():
            if self._tools.is_cancelled:
                raise Cancelled
            if self._around.is_stopping():
                raise Stopped("the rollback was asked to stop; `runs resume` goes on")
            await self._undo(steps)
        await self._journal.flush()

    async def _undo(self, steps: Sequence[Step]) -> None:
        """One group: intents, requests, outcomes."""
        tools, journal = self._tools, self._journal
        journal.begin_group()
        if tools.merger is not None:
            tools.merger.begin_undoing()
        items = [step.item for step in steps if step.item is not None]
        self.counts.fetched += len(steps)
        tools.tally.begin_group(len(steps))
        requests = [
            Request(self._around.ids(), _KINDS[step.action], [step.item]) for step in steps if step.item is not None
        ]
        await journal.flush()
        await journal.note(requests)
        sent, stop = await tools.writer.send_all(requests) if requests else ([], None)
        taken = {id(step.item): step for step in steps if step.action == "delete"}
        unlinked: list[str] = []
        for item in items:
            if item.fate == "deleted" and id(item) in taken:
                unlinked.append(item.source_id)
            elif item.fate in ("created", "updated") or (item.fate == "unchanged" and id(item) not in taken):
                item.fate = "restored"
                if not item.hash and item.link is not None:
                    unlinked.append(item.source_id)  # it was adopted by that run: there was no link before
        tools.tally.count(items)
        for step in steps:
            if step.item is None:
                self._tell(step)
            elif step.reason and step.item.fate == "restored":
                self.left += 1  # in part: what somebody has changed since is left
                if len(self.sample) < SHOWN:
                    self.sample.append(step.shown(self._mask))
            elif step.action == "make again" and step.item.fate == "restored" and len(self.sample) < SHOWN:
                self.sample.append(step.shown(self._mask))  # it has another name now, which others may ask for
        outcomes = tools.fates.outcomes(items, unknown=open_requests(sent, ("unknown",)))
        if tools.merger is None:
            outcomes.gone = [row for row in outcomes.gone if row.named not in unlinked]
            outcomes.unlinked = unlinked
        else:
            self._settle(steps, outcomes)
        tools.tally.end_group()
        await journal.write(outcomes)
        if stop is not None:
            raise stop

    def _settle(self, steps: Sequence[Step], outcomes: Outcomes) -> None:
        assert self._tools.merger is not None
        assert self._sides is not None
        now = self._around.clock.now()
        settle(steps, self._tools.merger, self._sides, outcomes, run_id=self._run_id, now=now)

    def _tell(self, step: Step) -> None:
        self.counts.read += 1
        self.counts.skipped += 1
        if step.action == "leave":
            self.left += 1
            if len(self.sample) < SHOWN:
                self.sample.append(step.shown(self._mask))


class RollbackPreview:
    """What a rollback would do; nothing is sent that writes, and nothing written here."""

    def __init__(
        self,
        stream: Stream[Any, Any],
        request: RunRequest,
        progress: Pass,
        *,
        around: Surroundings,
        forward: Stream[Any, Any] | None = None,
        backward: Stream[Any, Any] | None = None,
    ) -> None:
        assert request.rollback is not None
        self.counts = Counts()
        self.progress = progress
        self.sample: list[dict[str, Any]] = []
        self.left = 0
        fixed = fixed_params(stream.destination.parameters, around.settings.text)
        sides = sides_of(stream, forward, backward)
        self._undoing = undoing_of(sides, stream, request.rollback, around.destination, fixed, around.state)
        self._mask = Mask(stream.mask_destination)
        self._around = around

    async def execute(self) -> None:
        """Look at everything that the run wrote."""
        async for steps in self._undoing.groups():
            if self._around.is_stopping():
                raise Stopped("the dry run was asked to stop")
            for step in steps:
                self.counts.fetched += 1
                self.counts.read += 1
                fate = _FATES[step.action]
                setattr(self.counts, fate, getattr(self.counts, fate) + 1)
                self.left += step.action == "leave" or (step.action == "put back" and bool(step.reason))
                if step.action != "nothing" and len(self.sample) < SHOWN:
                    self.sample.append(step.shown(self._mask))


def sides_of(
    stream: Stream[Any, Any], forward: Stream[Any, Any] | None, backward: Stream[Any, Any] | None
) -> Sides | None:
    """Both sides of a stream that merges; None of another one."""
    return Sides(stream, forward, backward) if forward is not None else None


def undoing_of(sides: Sides | None, *args: Any) -> Undoing:
    """What finds out what is to be done."""
    return Undoing(*args) if sides is None else MergedUndoing(sides, *args)


_KINDS: Mapping[str, Any] = {"put back": "update", "delete": "delete", "make again": "create"}
_FATES = {
    "put back": "restored",
    "make again": "restored",
    "delete": "deleted",
    "leave": "skipped",
    "nothing": "skipped",
}
