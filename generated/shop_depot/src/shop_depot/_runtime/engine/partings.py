"""Records that one side has deleted, where streams merge: deleted on the other side too, made again, or asked about.

A deletion is a change like any other. What the other side left as it was is deleted; what it changed since both last agreed is a
conflict, and the stream's strategy says whose word counts. A deletion has no time and no fields, so `timestamp_based` waits for a
person, and rules of single fields say nothing about it.

What is to be made again is a debt of the link, as any other change that one side is still to get: the base has nothing of the
side that lost its record, and the other direction makes it anew.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ..declare import Merge, Strategy
from ..errors import IntegrationError
from ..hashing import content_hash, decode_exact, encode_json
from ..state.rows import ConflictRow, Known, Link, MergeOutcomes, NewBase, NewLink, Outcomes
from .items import Item, Past, Why
from .merge import Answer, Base, Side, View, alike
from .merge_memory import MergeMemory
from .other_side import OtherSide
from .sides import Sides

Verdict: TypeAlias = Literal["delete", "again", "hold", "leave"]
GONE_THERE = b"destination"
"""In place of the hash of a link that was given up: the destination's record was deleted first, the source's after it."""


def verdict(rule: Merge, strategy: Strategy, gone: Side, answer: Answer | None) -> tuple[Verdict, str]:
    """What becomes of a record that `gone` has deleted and the other side has changed, and what decided that."""
    if answer is not None and answer.take is not None:
        return ("delete" if answer.take == gone else "again"), "person"
    decided = rule.otherwise if strategy == "merge_fields" else strategy
    match decided:
        case "source_priority" | "destination_priority":
            return ("delete" if decided == f"{gone}_priority" else "again"), decided
        case "skip":
            return "leave", decided
        case _:
            return "hold", decided


@dataclass(frozen=True, slots=True)
class _Case:
    """One record that is there on one side only."""

    known: Known
    base: Base
    gone: Side
    view: View
    """What the side has that still has the record."""
    changed: tuple[str, ...]
    answer: Answer | None


class Partings:
    """Decides for one run; stands beside its `Merger`."""

    def __init__(
        self,
        sides: Sides,
        other: OtherSide,
        memory: MergeMemory,
        *,
        seal: Callable[[bytes], bytes],
        run_id: str,
        ids: Callable[[], str],
        now: Callable[[], float],
        workers: int,
        answers: Mapping[str, Answer],
    ) -> None:
        self._sides, self._other, self._memory = sides, other, memory
        self._is_forward = sides.direction == "forward"
        self._partner = sides.backward if self._is_forward else sides.forward
        self._rule, self._strategy, self._name = sides.rule, sides.forward.conflicts, sides.forward.name
        self._seal, self._run_id, self._ids, self._now, self._workers = seal, run_id, ids, now, workers
        self._answers = answers
        self._again: dict[int, _Case] = {}
        self._held: dict[int, _Case] = {}
        self._unlinked: dict[int, _Case] = {}

    @property
    def are_told(self) -> bool:
        """Whether the other direction deletes here what is gone over there."""
        return self._partner is not None and self._partner.deletes is not None

    def begin_group(self) -> None:
        """Another group."""
        self._again, self._held, self._unlinked = {}, {}, {}

    def stays_gone(self, link: Link) -> bool:
        """Whether a record that is read is one that was deleted here because the other side had deleted its own."""
        return (link.hash == GONE_THERE) is self._is_forward

    # --- deciding ---

    async def settle(self, items: Sequence[Item]) -> IntegrationError | None:
        """Decide about records that are gone where they came from; those that are to be deleted keep no fate.

        Returns:
            What stops the run, if anything.
        """
        self.begin_group()
        queue = deque(items)
        stop: list[IntegrationError] = []

        async def work() -> None:
            while queue and not stop:
                item = queue.popleft()
                try:
                    await self._one(item, self._memory.known.get(item.source_id))
                except IntegrationError as error:
                    stop.append(error)

        await asyncio.gather(*[work() for _ in range(min(self._workers, len(queue)))])
        return stop[0] if stop else None

    async def _one(self, item: Item, known: Known | None) -> None:
        gone: Side = "source" if self._is_forward else "destination"
        past = item.past = item.past or Past()
        past.reason = f"it is gone at the {gone}"
        if known is None or item.destination_id is None:
            return
        found = await self._other.read(item)
        if found is None:
            return  # gone on both sides
        view = self._view(found[0])
        if view is None:
            item.fate = "dead"
            item.why = Why("match", "permanent_record", "the record it is linked to cannot be mapped, so not compared")
            return
        case = self._case(known, gone, view)
        if _is_made_again(case.base, gone):
            item.fate, item.why = "skipped", Why("merge", "gone", "it is being made again from what the other side has")
        elif case.changed:
            self._judge(item, past, case)

    def is_made_again(self, item: Item) -> bool:
        """Of a record that is to be written and is gone over there: whether it is made anew. Else the item has its fate."""
        known = self._memory.known.get(item.source_id)
        if not self.are_told or known is None:
            return True
        gone: Side = "destination" if self._is_forward else "source"
        if self._is_forward:
            view = self._sides.mapped_view(item.body)
        else:
            view = self._sides.view(decode_exact(item.raw)) if item.raw else {}
        case = self._case(known, gone, view)
        if _is_made_again(case.base, gone):
            return True
        decided = verdict(self._rule, self._strategy, gone, case.answer)[0] if case.changed else "delete"
        if decided == "hold":
            self._hold(item, case)
        elif decided != "again":
            item.fate = "skipped"
            item.why = Why("merge", "gone", "it is gone over there; the other direction sees to what that means")
        return decided == "again"

    def _case(self, known: Known, gone: Side, view: View) -> _Case:
        base = self._memory.base(known)
        then, owed = (base.destination, base.to_source) if gone == "source" else (base.source, base.to_destination)
        names = [each.name for each in self._rule.fields]
        # What a source's record leaves out says nothing.
        changed = [
            name
            for name in names
            if name in owed or ((gone == "source" or name in view) and not alike(view.get(name), then.get(name)))
        ]
        answer = self._answers.get(known.source_id)
        views: dict[Side, View] = {"source": {}, "destination": {}, _other(gone): view}
        if answer is not None and not answer.is_about(views["source"], views["destination"]):
            answer = None  # it has changed since the person looked
        return _Case(known, base, gone, view, tuple(changed), answer)

    def _judge(self, item: Item, past: Past, case: _Case) -> None:
        decided, by = verdict(self._rule, self._strategy, case.gone, case.answer)
        told = f"{past.reason}, and was changed at the {_other(case.gone)}: {', '.join(case.changed)}: {by}"
        if decided == "hold":
            self._hold(item, case)
            return
        if decided == "delete":
            past.reason = told
            past.loser = encode_json({_other(case.gone): {name: case.view.get(name) for name in case.changed}})
            return
        item.fate, item.why = "skipped", Why("merge", "gone", told)
        if decided == "again":
            past.kind, past.reason = "kept", told
            (self._unlinked if self._partner is None else self._again)[id(item)] = case

    def _hold(self, item: Item, case: _Case) -> None:
        names = ", ".join(f"`{name}`" for name in case.changed)
        item.fate = "held"
        item.why = Why("merge", "conflict", f"it was deleted at the {case.gone}, and the other side changed {names}")
        self._held[id(item)] = case

    def _view(self, record: dict[str, Any]) -> View | None:
        """The record of the side that still has it, in the destination's fields."""
        if self._is_forward:
            return self._sides.view(record)
        twin = self._sides.mapped_forward(record)
        return self._sides.mapped_view(twin.body) if twin is not None else None

    # --- outcomes ---

    def finish(self, items: Sequence[Item], outcomes: Outcomes) -> None:
        """Add to a group's outcomes what was deleted, is held, or is to be made again."""
        merged = outcomes.merged = outcomes.merged or MergeOutcomes()
        name = self._name
        if outcomes.gone and not self._is_forward:
            # The link goes by the names of the other direction.
            back = {item.source_id: item.destination_id for item in items if item.fate == "deleted"}
            outcomes.gone = [
                row._replace(of=name, named=source_id, hash=GONE_THERE)
                for row in outcomes.gone
                if (source_id := back[row.named]) is not None
            ]
        for item in items:
            one = self._memory.known.get(item.source_id)
            key = id(item)
            if item.fate == "deleted" and one is not None and one.conflict is not None:
                by = self._answers[one.source_id].by if one.source_id in self._answers else "by itself"
                merged.closed.append((name, one.source_id, "deleted on both sides", by))
            elif key in self._held:
                merged.conflicts.append(self._row(item, self._held[key]))
            elif key in self._unlinked or key in self._again:
                case = self._unlinked.get(key) or self._again[key]
                if case.known.conflict is not None:
                    by = case.answer.by if case.answer is not None else "by itself"
                    merged.closed.append((name, case.known.source_id, f"kept as the {_other(case.gone)} has it", by))
                if key in self._unlinked:
                    merged.unlinked.append((name, case.known.source_id))
                else:
                    self._owe(case, outcomes)

    def _owe(self, case: _Case, outcomes: Outcomes) -> None:
        """The side that deleted its record is to get it again."""
        one, base = case.known, case.base
        names = frozenset(each.name for each in self._rule.fields if each.name in case.view)
        if case.gone == "source":
            base = Base({}, base.destination, to_source=names)
            digest, shown = one.hash, b""
        else:
            base = Base(base.source, {}, to_destination=names)
            digest, shown = b"", content_hash({})
        row = NewLink(
            self._name, one.source_id, one.destination_id, digest, one.version, one.match, self._run_id, self._now()
        )  # fmt: skip
        outcomes.kept.append(row)
        outcomes.bases.append(NewBase(base.encode(), shown, one.destination_version, row.stream, row.source_id))

    def _row(self, item: Item, case: _Case) -> ConflictRow:
        seal, known = self._seal, case.known
        forms: dict[Side, dict[str, Any]] = {
            case.gone: {"fields": {}, "gone": True},
            _other(case.gone): {"fields": case.view},
        }
        return ConflictRow(
            id=self._ids(),
            stream=self._name,
            source_id=known.source_id,
            destination_id=known.destination_id,
            base=seal(encode_json(case.base.source)),
            source=seal(encode_json(forms["source"])),
            destination=seal(encode_json(forms["destination"])),
            fields=json.dumps(list(case.changed)),
            made_at=self._now(),
            run_id=self._run_id,
            strategy=verdict(self._rule, self._strategy, case.gone, None)[1],
            source_version=known.version,
            destination_version=known.destination_version,
            link_hash=known.hash,
        )


def _other(side: Side) -> Side:
    return "destination" if side == "source" else "source"


def _is_made_again(base: Base, gone: Side) -> bool:
    """Whether it was decided before that the side gets its record again."""
    view, owed = (base.source, base.to_source) if gone == "source" else (base.destination, base.to_destination)
    return not view and bool(owed)
