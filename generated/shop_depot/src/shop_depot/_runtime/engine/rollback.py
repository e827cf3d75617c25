"""Putting back what a run wrote: updates as they were, creations away, deletions made anew.

A record is put back only while it is as the run left it: its link names the run, and the destination's mapped fields, read
now, are what was written. Anything else is a conflict, told and left alone. What is sent goes the way of every write: intents
first, then requests, then outcomes under the lease; so a rollback that is ended by a crash is gone on with by the next run,
and can itself be put back.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..declare import Stream
from ..errors import NotFound, RequestRefused
from ..hashing import content_hash, decode_exact, encode_json
from ..http.session import Session
from ..mask import Mask
from ..state import State
from ..state.undoing import Undo
from .adopt import object_of
from .errors import Cancelled, Stopped
from .items import Item, Past
from .json_paths import projected, without, wrapped
from .merge import alike
from .pages import Params, fixed_params
from .passes import Pass, RunRequest
from .report import Counts
from .requests import Request, open_requests
from .run import Run
from .surroundings import Surroundings

TOGETHER = 100
"""Records that are looked at, and put back, with one transaction."""
SHOWN = 100
"""Records that a report names one by one."""


@dataclass(slots=True)
class Step:
    """What is to be done about one record; without an item nothing is, for `reason`."""

    undo: Undo
    action: str
    """put back, delete, make again, leave, nothing."""
    reason: str = ""
    item: Item | None = None
    current: Any = None
    """The mapped fields as the destination has them now."""

    def shown(self, mask: Mask) -> dict[str, Any]:
        """As a report names it."""
        told: dict[str, Any] = {
            "source_id": self.undo.source_id,
            "destination_id": self.undo.destination_id,
            "action": self.action,
        }
        if self.action == "make again" and self.item is not None and self.item.destination_id is not None:
            told |= {"destination_id": self.item.destination_id, "was": self.undo.destination_id}
        if self.reason:
            told["reason"] = self.reason
        if self.action == "put back" and self.item is not None and self.undo.before is not None:
            now, then = mask.value(self.current), mask.value(decode_exact(self.undo.before))
            changes: dict[str, Any] = {}
            for name in sorted({*now, *then} if isinstance(now, dict) and isinstance(then, dict) else ()):
                if now.get(name) != then.get(name):
                    changes[name] = {"from": now.get(name), "to": then.get(name)}
            told["fields"] = changes
        return told


class Undoing:
    """Finds out, record by record, what is to be done. Sends nothing that writes."""

    def __init__(self, stream: Stream[Any, Any], of: str, session: Session, fixed: Params, state: State) -> None:
        """Raises `RequestRefused` for a stream that keeps no before-images."""
        if not stream.rollback:
            raise RequestRefused(
                f"{stream.name} keeps no before-images: set `rollback: true` and build the package again"
            )
        if stream.merge is not None:
            raise RequestRefused(
                f"{stream.name} merges both sides: what a run wrote cannot be put back on one of them alone"
            )
        self._stream = stream
        self._of = of
        self._session = session
        self._fixed = dict(fixed)
        self._state = state
        self._own: dict[str, bool] = {}

    async def groups(self) -> AsyncIterator[list[Step]]:
        """What the run wrote, in groups, with what is to be done about it."""
        undoing, name, call = self._state.undoing, self._stream.name, self._state.call
        last_change = 0
        while changes := await call(partial(undoing.changes, name, self._of, after=last_change, limit=TOGETHER)):
            last_change = changes[-1].change
            yield [await self._step(undo) for undo in changes]
        last_link = ""
        while created := await call(partial(undoing.creations, name, self._of, after=last_link, limit=TOGETHER)):
            last_link = created[-1].source_id
            yield [await self._step(undo) for undo in created]
        for start in range(0, len(rows := await call(partial(undoing.overwritten, name, self._of))), TOGETHER):
            yield [await self._step(undo) for undo in rows[start : start + TOGETHER]]

    async def _step(self, undo: Undo) -> Step:
        if undo.kind == "linked":
            return Step(undo, "nothing", "nothing was written: it was there already")
        if undo.link is None and undo.is_deletion:
            return self._made_again(undo)
        if undo.link_run is None:
            return Step(undo, "nothing", "it is linked to nothing any more")
        if undo.link_run != self._of or (undo.at is not None and undo.link_at != undo.at):
            if await self._is_own(undo.link_run):
                return Step(undo, "nothing", "it was put back before")
            return Step(undo, "leave", f"run {undo.link_run} wrote it since")
        if undo.is_deletion:
            return self._made_again(undo)
        if undo.destination_id is None:
            return Step(undo, "leave", "nobody knows what it is called in the destination")
        record = await self._record(undo.destination_id)
        if undo.is_creation:
            return self._taken_away(undo, record)
        return self._put_back(undo, record)

    async def _is_own(self, run_id: str) -> bool:
        """Whether a run is an earlier rollback of the same one."""
        if run_id not in self._own:
            row = await self._state.call(lambda: self._state.runs.get(run_id))
            self._own[run_id] = row is not None and row["rollback_of"] == self._of
        return self._own[run_id]

    async def _record(self, destination_id: str) -> dict[str, Any] | None:
        destination = self._stream.destination
        assert destination.get is not None, "a stream that can be rolled back has one"
        params = {**self._fixed, destination.get_argument: destination_id}
        try:
            return object_of(await self._session.request(destination.get, params=params))
        except NotFound:
            return None

    def _is_as_left(self, undo: Undo, record: dict[str, Any]) -> tuple[bool, Any]:
        """Whether the destination has what the run wrote, however it spells it; and what it has there."""
        if undo.base is None:
            return False, None
        base = decode_exact(undo.base)
        now = projected(record, base)
        if undo.destination_hash is not None and content_hash(now) == undo.destination_hash:
            return True, now
        return alike(self._settable(now), self._settable(base)), now

    def _settable(self, record: Any) -> Any:
        """Without what no update takes: it cannot have been set, and cannot be put back."""
        if not isinstance(record, dict) or not self._stream.destination.never_sent:
            return record
        record = copy.deepcopy(record)
        for path in self._stream.destination.never_sent:
            without(record, path)
        return record

    def _taken_away(self, undo: Undo, record: dict[str, Any] | None) -> Step:
        if record is None:
            return Step(undo, "nothing", "it is gone from the destination")
        if self._stream.destination.delete is None:
            return Step(undo, "leave", "it was created, and no operation deletes it")
        is_same, now = self._is_as_left(undo, record)
        if not is_same:
            return Step(undo, "leave", _changed(undo))
        item = self._item(undo, b"{}")
        item.past = _past(None, encode_json(now))
        return Step(undo, "delete", item=item, current=now)

    def _put_back(self, undo: Undo, record: dict[str, Any] | None) -> Step:
        if undo.before is None:
            return Step(undo, "leave", "nothing was kept of what it replaced")
        if record is None:
            return Step(undo, "leave", "it is gone from the destination")
        then = decode_exact(undo.before)
        if undo.is_soft_deletion:
            is_same, now = True, projected(record, then)
        else:
            is_same, now = self._is_as_left(undo, record)
        if not is_same:
            return Step(undo, "leave", _changed(undo))
        item = self._item(undo, encode_json(wrapped(self._stream.destination.envelope, _with_nulls(then, now))))
        item.past = _past("restored", encode_json(now))
        item.past.agreed = undo.base if undo.is_soft_deletion else undo.before
        return Step(undo, "put back", item=item, current=now)

    def _made_again(self, undo: Undo) -> Step:
        if undo.before is None:
            return Step(undo, "leave", "it was deleted, and nothing was kept of it")
        body = wrapped(self._stream.destination.envelope, decode_exact(undo.before))
        item = self._item(undo, encode_json(body))
        item.is_create = True
        item.destination_id = None
        item.past = _past("restored", None)
        item.past.agreed = undo.before
        return Step(undo, "make again", item=item)

    @staticmethod
    def _item(undo: Undo, body: bytes) -> Item:
        item = Item(undo.source_id, undo.before_version, body, undo.before_hash or b"", undo.match, ())
        item.destination_id = undo.destination_id
        item.is_create = False
        item.link = undo.link
        return item


class Rollback(Run):
    """One execution that puts back what another wrote."""

    def __init__(self, stream: Stream[Any, Any], request: RunRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(stream, request, *args, **kwargs)
        assert request.rollback is not None
        around: Surroundings = kwargs["around"]
        fixed = fixed_params(stream.destination.parameters, around.settings.text)
        self._undoing = Undoing(stream, request.rollback, around.destination, fixed, around.state)
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
            elif step.action == "make again" and step.item.fate == "restored" and len(self.sample) < SHOWN:
                self.sample.append(step.shown(self._mask))  # it has another name now, which others may ask for
        outcomes = tools.fates.outcomes(items, unknown=open_requests(sent, ("unknown",)))
        outcomes.gone = [row for row in outcomes.gone if row.named not in unlinked]
        outcomes.unlinked = unlinked
        tools.tally.end_group()
        await journal.write(outcomes)
        if stop is not None:
            raise stop

    def _tell(self, step: Step) -> None:
        self.counts.read += 1
        self.counts.skipped += 1
        if step.action == "leave":
            self.left += 1
            if len(self.sample) < SHOWN:
                self.sample.append(step.shown(self._mask))


class RollbackPreview:
    """What a rollback would do; nothing is sent that writes, and nothing written here."""

    def __init__(self, stream: Stream[Any, Any], request: RunRequest, progress: Pass, *, around: Surroundings) -> None:
        assert request.rollback is not None
        self.counts = Counts()
        self.progress = progress
        self.sample: list[dict[str, Any]] = []
        self.left = 0
        fixed = fixed_params(stream.destination.parameters, around.settings.text)
        self._undoing = Undoing(stream, request.rollback, around.destination, fixed, around.state)
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
                self.left += step.action == "leave"
                if step.action != "nothing" and len(self.sample) < SHOWN:
                    self.sample.append(step.shown(self._mask))


_KINDS: Mapping[str, Any] = {"put back": "update", "delete": "delete", "make again": "create"}
_FATES = {
    "put back": "restored",
    "make again": "restored",
    "delete": "deleted",
    "leave": "skipped",
    "nothing": "skipped",
}


def _past(kind: str | None, before: bytes | None) -> Past:
    past = Past()
    past.kind, past.before, past.reason = kind, before, "rollback"
    return past


def _changed(undo: Undo) -> str:
    if undo.base is None:
        return "nothing was kept to see whether it has changed since"
    return "it was changed in the destination since"


def _with_nulls(then: Any, now: Any) -> Any:
    """What was, with null for what was not there and is now."""
    if not isinstance(then, dict) or not isinstance(now, dict):
        return then
    return {key: _with_nulls(then[key], value) if key in then else None for key, value in now.items()} | {
        key: value for key, value in then.items() if key not in now
    }
