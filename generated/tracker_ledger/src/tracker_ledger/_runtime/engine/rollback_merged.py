"""Putting back what a run of a stream that merges wrote, on the side that it wrote to.

Three states of each field decide: what was there before the run, what the run left, and what is there now. A field that somebody has
changed since is told and left alone. In the direction back a record is put back whole or not at all: its fields have no inverse of
their own.

What is put back is settled: the link remembers both sides as they are then, so that nothing goes to and fro. The other side's version
comes again when that changes, or when the mapping does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..hashing import content_hash, decode_exact, encode_json
from ..json_paths import at, overlaid, projected, wrapped
from ..state.rows import NewBase, NewLink, Outcomes
from ..state.undoing import Undo
from .conflicts import Merger
from .merge import Base, View, alike
from .sides import Sides
from .undoing import Step, Undoing, past_of


class MergedUndoing(Undoing):
    """As `Undoing`, for streams that merge."""

    def __init__(self, sides: Sides, *args: Any) -> None:
        super().__init__(*args)
        self._sides = sides
        self._is_forward = sides.direction == "forward"
        self._names = [each.name for each in sides.rule.fields]

    def _written_to(self, undo: Undo) -> str | None:
        return undo.destination_id if self._is_forward else undo.source_id

    def _view(self, record: dict[str, Any]) -> View | None:
        """The record of the written side in the destination's fields; None when it cannot be mapped."""
        if self._is_forward:
            return self._sides.view(record)
        twin = self._sides.mapped_forward(record)
        return self._sides.mapped_view(twin.body) if twin is not None else None

    def _is_as_left(self, undo: Undo, record: dict[str, Any]) -> tuple[bool, Any]:
        if undo.base is None or (now := self._view(record)) is None:
            return False, None
        left = self._left(undo)
        return all(alike(now.get(name), left.get(name)) for name in self._names if name in left), now

    def _left(self, undo: Undo) -> View:
        base = Base.decode(undo.base, self._sides.rule.fields)
        return base.destination if self._is_forward else base.source

    def _put_back(self, undo: Undo, record: dict[str, Any] | None) -> Step:
        if undo.is_soft_deletion:
            step = super()._put_back(undo, record)
            if step.item is not None and record is not None:
                view = self._view(overlaid(record, decode_exact(undo.before or b"{}"))) or {}
                step.base = Base({}, view) if self._is_forward else Base(view, {})
            return step
        then = decode_exact(undo.before) if undo.before is not None else None
        if then is None or then.get("merges") == 1 or undo.base is None:
            return Step(undo, "leave", "nothing was kept of what it replaced")
        if record is None:
            return Step(undo, "leave", "it is gone since")
        now, was = self._view(record), self._view(overlaid(record, then))
        if now is None or was is None:
            return Step(undo, "leave", "it cannot be mapped, so not compared")
        left = self._left(undo)
        mine = [name for name in self._names if not alike(was.get(name), left.get(name))]
        if self._is_forward:
            written = self._sides.view(then)
            mine = [name for name in mine if name in written]
        changed = [name for name in self._names if not alike(now.get(name), left.get(name))]
        in_the_way = [name for name in mine if name in changed] if self._is_forward else changed
        back = [name for name in mine if name not in in_the_way]
        told = f"changed since, and left: {', '.join(in_the_way)}" if in_the_way else ""
        if not mine:
            return Step(undo, "nothing", "it changed nothing there")
        if not back or (in_the_way and not self._is_forward):
            return Step(undo, "leave", told)
        if self._is_forward:
            fields = [each for each in self._sides.rule.fields if each.name in back]
            then = _laid([(each.path, at(then, each.path)) for each in fields])
        item = self._item(undo, encode_json(wrapped(self._stream.destination.envelope, then)))
        current = projected(record, then)
        item.past = past_of("restored", encode_json(current))
        base = Base.decode(undo.base, self._sides.rule.fields)
        settled = {**left, **{name: was.get(name) for name in back}}
        sides = (base.source, settled) if self._is_forward else (settled, base.destination)
        return Step(
            undo, "put back", told, item=item, current=current, then=then, base=Base(*sides), put=frozenset(back)
        )

    def _item(self, undo: Undo, body: bytes) -> Any:
        item = super()._item(undo, body)
        if not self._is_forward:
            item.source_id, item.destination_id = undo.destination_id or "", undo.source_id
        return item


def settle(steps: Sequence[Step], merger: Merger, sides: Sides, outcomes: Outcomes, *, run_id: str, now: float) -> None:
    """What links remember when records were put back: both sides as they are, under the links' own names."""
    name, is_forward = sides.forward.name, sides.direction == "forward"
    outcomes.stream, outcomes.links, outcomes.gone, outcomes.cleared = name, [], [], []
    for step in steps:
        item, undo = step.item, step.undo
        if item is None:
            continue
        if step.action == "delete":
            if item.fate == "deleted":
                outcomes.unlinked.append(undo.source_id)
            continue
        if item.fate != "restored":
            continue
        source_id, destination_id = undo.source_id, undo.destination_id
        if step.action == "make again":
            if item.destination_id is None:
                continue  # its reply did not say what it is called: it is found by its match value
            if is_forward:
                destination_id = item.destination_id
            else:
                outcomes.unlinked.append(source_id)
                source_id = item.destination_id
        known = undo.link
        was = known.hash if known is not None and known.gone_at is None else b""
        digest = was or undo.before_hash or content_hash({})
        version, match = (known.version, known.match) if known is not None else (undo.before_version, None)
        outcomes.links.append(NewLink(name, source_id, destination_id, digest, version, match, run_id, now))
        base = step.base
        if step.action == "make again":
            seen = merger.seen(item)
            base = Base({}, seen) if is_forward else Base(seen, {})
        elif base is not None:
            shown = {each: value for each, value in merger.seen(item).items() if not is_forward or each in step.put}
            base = (
                Base(base.source, {**base.destination, **shown})
                if is_forward
                else Base({**base.source, **shown}, base.destination)
            )
        stored, digest_there = (base.encode(), content_hash(base.destination)) if base is not None else (None, None)
        outcomes.bases.append(NewBase(stored, digest_there, None, name, source_id))


def _laid(values: Sequence[tuple[tuple[str | int, ...], Any]]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for path, value in values:
        laid = wrapped(path, value)
        assert isinstance(laid, dict)
        body = overlaid(body, laid)
    return body
