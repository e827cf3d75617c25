"""What is decided about the items of a group → what their links remember, which conflicts are held, and what lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..hashing import content_hash, decode_exact, encode_json
from ..state.merges import LOSING
from ..state.rows import ConflictRow, Known, MergeOutcomes, NewBase, NewChange, NewLink, Outcomes
from ..state.sealing import Sealer
from .items import Item, Past
from .merge import Answer, Base, Merged, View
from .requests import Request
from .sides import Sides

_WRITTEN = frozenset({"created", "updated", "unchanged"})
OWED = b""
"""In place of a hash: one side is still to get what the other has."""


@dataclass(slots=True, eq=False)
class Decision:
    """What is known and meant about one item."""

    known: Known | None
    base: Base
    """As the link remembers it now."""
    after: Base
    """As it is to be remembered when the item is written, or needs no write."""
    record: dict[str, Any] | None = None
    """The record that is written to, as it was read."""
    etag: str | None = None
    merged: Merged | None = None
    tries: int = 0
    source_view: View | None = None
    destination_view: View | None = None
    hash: bytes = OWED
    """Backward: of the source's record, mapped forward."""
    version: str | None = None
    """Backward: of the source's record."""
    other_version: str | None = None
    """Forward: of the destination's record."""
    match: str | None = None
    answer: Answer | None = None
    """A person's, that was carried out."""
    is_told: bool = False
    """Whether what loses was written down before the write was sent."""

    def settled(self, view: View) -> View:
        """A side's view without what was left undecided: of that, the base goes on saying what both had before."""
        skipped = self.merged.skipped if self.merged is not None else ()
        return {name: value for name, value in view.items() if name not in skipped}


class MergeMemory:
    """Keeps the decisions about a group until its outcomes are written."""

    def __init__(
        self,
        sides: Sides,
        *,
        sealer: Sealer,
        run_id: str,
        ids: Callable[[], str],
        now: Callable[[], float],
    ) -> None:
        self._sides = sides
        self._sealer = sealer
        self._run_id = run_id
        self._ids = ids
        self._now = now
        self._decisions: dict[int, Decision] = {}
        self.known: Mapping[str, Known] = {}
        """What the state knows of the group's links, by the identity that items have."""

    def begin_group(self, known: Mapping[str, Known]) -> None:
        """Another group: nothing is decided yet."""
        self._decisions, self.known = {}, known

    def of(self, item: Item) -> Decision | None:
        """What was decided about an item."""
        return self._decisions.get(id(item))

    def keep(self, item: Item, decision: Decision) -> None:
        """Remember what is decided about an item."""
        self._decisions[id(item)] = decision

    def drop(self, item: Item) -> None:
        """What was decided about an item does not hold any more."""
        self._decisions.pop(id(item), None)

    def base(self, known: Known | None) -> Base:
        """What both sides agreed on last."""
        if known is None or not known.base:
            return Base()
        return Base.decode(self._sealer.open(bytes(known.base)), self._sides.rule.fields)

    def about(self, item: Item, record: dict[str, Any], etag: str | None) -> Decision:
        """What is to be decided about an item, given the record that it would be written over."""
        known = self.known.get(item.source_id)
        base = self.base(known)
        return Decision(known=known, base=base, after=base, record=record, etag=etag)

    def about_new(self, item: Item) -> Decision:
        """The same, of a record that is new over there."""
        sides = self._sides
        if sides.direction == "forward":
            view = sides.mapped_view(item.body)
        else:
            view = sides.view(decode_exact(item.raw)) if item.raw else {}
        return Decision(known=self.known.get(item.source_id), base=Base(), after=Base(view, view))

    def losing(self, requests: Sequence[Request]) -> list[NewChange]:
        """What requests are about to take away. It is on record before they are sent: should nobody learn how they end, or should
        the process end with them, the values are not lost."""
        rows = []
        sides, now = self._sides, self._now()
        for item in (item for request in requests for item in request.items):
            decision = self.of(item)
            if decision is None or decision.merged is None or not decision.merged.lost or decision.is_told:
                continue
            decision.is_told = True
            source_id, destination_id = item.source_id, item.destination_id
            if sides.direction == "backward":
                source_id, destination_id = destination_id or "", source_id
            reason = f"{_decided(decision.merged)}; whether it was written is not on record"
            rows.append(
                NewChange(
                    stream=sides.forward.name,
                    source_id=source_id,
                    destination_id=destination_id,
                    run_id=self._run_id,
                    kind=LOSING,
                    at=now,
                    mapping=sides.stream.mapping_digest,
                    reason=reason,
                    loser=encode_json(dict(decision.merged.lost)),
                    with_base=int(sides.stream.rollback),
                )
            )
        return rows

    def finish(self, items: Sequence[Item], outcomes: Outcomes) -> None:
        """Add to a group's outcomes what links remember, what is held and what was decided."""
        merged = outcomes.merged = MergeOutcomes()
        written = {link.source_id: link for link in outcomes.links}
        links = {**written, **{link.source_id: link for link in outcomes.kept}}
        is_backward = self._sides.direction == "backward"
        if is_backward:
            outcomes.links, outcomes.kept = [], []
        for item in items:
            decision = self.of(item)
            if decision is not None and decision.is_told and item.fate != "unknown":
                is_back = is_backward and item.destination_id is not None
                source_id = str(item.destination_id) if is_back else item.source_id
                merged.told.append((self._sides.forward.name, source_id, self._run_id))
            if item.fate == "held" and decision is not None and decision.merged is not None:
                merged.conflicts.append(self._conflict(item, decision, decision.merged))
            elif item.fate in _WRITTEN and (link := links.get(item.source_id)) is not None:
                if decision is None and item.fate == "created" and item.hash != OWED:
                    decision = self.about_new(item)
                if is_backward:
                    link = self._turned(item, decision, link, merged)
                    if link is None:
                        continue  # made, and not found again: the next run looks for it by its match value
                    (outcomes.links if item.source_id in written else outcomes.kept).append(link)
                self._remember(item, decision, link, outcomes, merged)

    def _turned(self, item: Item, decision: Decision | None, link: NewLink, merged: MergeOutcomes) -> NewLink | None:
        """The link of a record that went back, as it stands in the table: by the source's identity."""
        source_id, known, name = link.destination_id, self.known.get(item.source_id), self._sides.forward.name
        if source_id is None:
            return None
        if known is not None and known.source_id != source_id:
            merged.unlinked.append((name, known.source_id))
            known = None
        digest, version, match = (
            (None, None, None) if decision is None else (decision.hash, decision.version, decision.match)
        )
        if known is not None:
            digest = known.hash if digest is None else digest
            version, match = version or known.version, match or known.match
        return link._replace(
            stream=name,
            source_id=source_id,
            destination_id=item.source_id,
            hash=digest or OWED,
            version=version,
            match=match or item.match,
        )

    def _remember(
        self, item: Item, decision: Decision | None, link: NewLink, outcomes: Outcomes, merged: MergeOutcomes
    ) -> None:
        is_backward = self._sides.direction == "backward"
        known = self.known.get(item.source_id)
        version = item.version if is_backward else None
        if decision is None:
            # Nothing was compared: an echo that is only newer, or an outcome of an earlier run.
            is_recovered = item.hash == OWED
            if is_recovered or is_backward:
                base = self.base(known)
                if item.past is not None and item.past.agreed is not None:
                    base = Base.decode(item.past.agreed, self._sides.rule.fields)
                shown = OWED if is_backward and is_recovered else content_hash(base.destination)
                stored = base.encode() if base.source else None
                outcomes.bases.append(NewBase(stored, shown, version, link.stream, link.source_id))
            return
        shown = OWED if decision.after.to_source else content_hash(decision.after.destination)
        outcomes.bases.append(
            NewBase(decision.after.encode(), shown, version or decision.other_version, link.stream, link.source_id)
        )
        self._tell(item, decision, link.source_id, merged)

    def _tell(self, item: Item, decision: Decision, source_id: str, merged: MergeOutcomes) -> None:
        """What was decided: the conflict is closed, what lost is kept."""
        known, decided = decision.known, decision.merged
        if known.conflict is not None if known is not None else decided is not None:  # it may be held without a link
            answer = decision.answer
            resolution = "the sides agree again" if answer is None else _words(answer)
            by = answer.by if answer is not None else "by itself"
            merged.closed.append((self._sides.forward.name, source_id, resolution, by))
        if decided is None or not decided.lost:
            return
        past = item.past = item.past or Past()
        past.kind = "kept" if item.fate == "unchanged" else "merged"
        past.reason = _decided(decided)
        past.loser = encode_json(dict(decided.lost))

    def _conflict(self, item: Item, decision: Decision, decided: Merged) -> ConflictRow:
        seal, forward = self._sealer.seal, self._sides.forward
        is_forward = self._sides.direction == "forward"
        raw = b""
        if forward.source.get is None:  # who answers needs the record, and nobody can be asked for it
            raw = item.raw if is_forward else encode_json(decision.record)
        source: dict[str, Any] = {"fields": decision.source_view}
        if raw:
            source["record"] = raw.decode()
        return ConflictRow(
            id=self._ids(),
            stream=forward.name,
            source_id=item.source_id if is_forward else item.destination_id or "",
            destination_id=item.destination_id if is_forward else item.source_id,
            base=seal(encode_json(decision.base.source)),
            source=seal(encode_json(source)),
            destination=seal(encode_json({"fields": decision.destination_view})),
            fields=json.dumps(list(decided.conflicts)),
            made_at=self._now(),
            run_id=self._run_id,
            strategy=", ".join(decided.strategies),
            source_version=item.version if is_forward else decision.version,
            destination_version=decision.other_version if is_forward else item.version,
            link_hash=decision.known.hash if decision.known is not None else None,
        )


def _decided(merged: Merged) -> str:
    names = sorted({name for values in merged.lost.values() for name in values})
    return f"both sides changed {', '.join(names)}: {', '.join(merged.strategies)}"


def _words(answer: Answer) -> str:
    values = f"values for {', '.join(sorted(answer.values))}" if answer.values else ""
    return " and ".join(part for part in (f"take {answer.take}" if answer.take else "", values) if part)
