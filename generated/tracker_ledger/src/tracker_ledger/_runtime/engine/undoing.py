"""What a run wrote → what is to be done to put it back, record by record. Sends nothing that writes."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..declare import Stream
from ..errors import NotFound, RequestRefused
from ..hashing import content_hash, decode_exact, encode_json
from ..http.session import Session
from ..json_paths import projected, without, wrapped
from ..mask import Mask
from ..state import State
from ..state.undoing import Undo
from .adopt import object_of
from .items import Item, Past
from .merge import Base, alike
from .pages import Params

TOGETHER = 100
"""Records that are looked at, and put back, with one transaction."""


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
    then: Any = None
    """What is put back, where that is not all that was there before."""
    base: Base | None = None
    """Of a stream that merges: what both sides have afterwards."""
    put: frozenset[str] = frozenset()
    """Of a stream that merges: the fields that are put back."""

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
            was = self.then if self.then is not None else decode_exact(self.undo.before)
            now = self.current
            told["fields"] = {
                name: {"from": mask.at((name,), now.get(name)), "to": mask.at((name,), was.get(name))}
                for name in sorted({*now, *was} if isinstance(now, dict) and isinstance(was, dict) else ())
                if now.get(name) != was.get(name)
            }
        return told


class Undoing:
    """Finds out, record by record, what is to be done. Sends nothing that writes."""

    def __init__(self, stream: Stream[Any, Any], of: str, session: Session, fixed: Params, state: State) -> None:
        """Raises `RequestRefused` for a stream that keeps no before-images."""
        if not stream.rollback:
            raise RequestRefused(
                f"{stream.name} keeps no before-images: set `rollback: true` and build the package again"
            )
        self._stream = stream
        self._links_by = stream.reverse_of or stream.name
        self._of = of
        self._session = session
        self._fixed = dict(fixed)
        self._state = state
        self._own: dict[str, bool] = {}

    async def groups(self) -> AsyncIterator[list[Step]]:
        """What the run wrote, in groups, with what is to be done about it."""
        undoing, name, call = self._state.undoing, self._links_by, self._state.call
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
        if undo.kind == "kept":
            return Step(undo, "nothing", "nothing was written: it was left as it was")
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
        if (written_to := self._written_to(undo)) is None:
            return Step(undo, "leave", "nobody knows what it is called in the destination")
        record = await self._record(written_to)
        if undo.is_creation:
            return self._taken_away(undo, record)
        return self._put_back(undo, record)

    def _written_to(self, undo: Undo) -> str | None:
        """What the record that the run wrote is called."""
        return undo.destination_id

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
        to = self._stream.destination
        paths = (*to.never_sent, *to.only_created)
        if not isinstance(record, dict) or not paths:
            return record
        record = copy.deepcopy(record)
        for path in paths:
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
        item.past = past_of(None, encode_json(now))
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
        item.past = past_of("restored", encode_json(now))
        item.past.agreed = undo.base if undo.is_soft_deletion else undo.before
        return Step(undo, "put back", item=item, current=now)

    def _made_again(self, undo: Undo) -> Step:
        if undo.before is None:
            return Step(undo, "leave", "it was deleted, and nothing was kept of it")
        body = wrapped(self._stream.destination.envelope, decode_exact(undo.before))
        item = self._item(undo, encode_json(body))
        item.is_create = True
        item.destination_id = None
        item.past = past_of("restored", None)
        item.past.agreed = undo.before
        return Step(undo, "make again", item=item)

    def _item(self, undo: Undo, body: bytes) -> Item:
        item = Item(undo.source_id, undo.before_version, body, undo.before_hash or b"", undo.match, ())
        item.destination_id = undo.destination_id
        item.is_create = False
        item.link = undo.link
        return item


def past_of(kind: str | None, before: bytes | None) -> Past:
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
