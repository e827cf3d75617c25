"""Three states of a record → one: what both sides last agreed on, and what each of them has now.

Pure. A *view* holds the mapped fields of a record by their names; a field that is not in it is missing. What one side alone
changed is taken from that side; what both changed to the same is no conflict; only what both changed to different values
is decided by a strategy, or by a person.

A strategy decides about a *unit*: a field that has a rule of its own, every field of `merge_fields`, or else all other fields
together, so that a record is not mixed where nobody asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias

from ..declare import Merge, MergeField, Path, Strategy
from ..hashing import decode_exact, encode_json
from .versions import order_of

Side: TypeAlias = Literal["source", "destination"]
View: TypeAlias = "dict[str, Any]"
"""Field name → value, as plain JSON values that lose nothing."""

_NOTHING = object()
_TIME = 0


@dataclass(frozen=True, slots=True)
class Base:
    """What a link remembers: each side as it was when it was last looked at and found, or made, to agree.

    Both are kept because a vendor may spell a value its own way: written `19.9`, it shows `19.90`.
    """

    source: View = field(default_factory=dict)
    destination: View = field(default_factory=dict)
    to_source: frozenset[str] = frozenset()
    """Fields that the destination has and the source is still to get."""
    to_destination: frozenset[str] = frozenset()

    def encode(self) -> bytes:
        """As it is stored."""
        form: dict[str, Any] = {"merges": 1, "source": self.source}
        if self.destination != self.source:
            form["destination"] = self.destination
        for name, names in (("to_source", self.to_source), ("to_destination", self.to_destination)):
            if names:
                form[name] = sorted(names)
        return encode_json(form)

    @classmethod
    def decode(cls, stored: bytes | None, fields: Sequence[MergeField] = ()) -> Base:
        """As it was stored; an empty one when nothing was: then what a side has counts as changed by it.

        A record as it stands is what both sides had, from before the stream merged.
        """
        if not stored:
            return cls()
        form = decode_exact(stored)
        if form.get("merges") != 1:
            view = view_of(form, fields)
            return cls(view, view)
        return cls(
            form["source"],
            form.get("destination", form["source"]),
            frozenset(form.get("to_source", ())),
            frozenset(form.get("to_destination", ())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person decided about a conflict."""

    take: Side | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""
    fields: tuple[str, ...] = ()
    source: View = field(default_factory=dict)
    destination: View = field(default_factory=dict)
    """Both versions as the person saw them; `fields` are those that they differ in."""

    def is_about(self, source: View, destination: View) -> bool:
        """Whether both versions are still as the person saw them: also in fields that the sides agreed on then, for who takes a side
        takes all of it. What only one of the two readings shows (a list may say less than a record) tells nothing."""
        return all(
            alike(now.get(name), seen.get(name))
            for now, seen in ((source, self.source), (destination, self.destination))
            for name in {*self.fields, *(now.keys() & seen.keys())}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What becomes of a record."""

    view: View
    """What both sides are to have."""
    conflicts: tuple[str, ...] = ()
    """Fields that wait for a person; then nothing is written."""
    skipped: tuple[str, ...] = ()
    """Fields that both sides keep as they have them; the base keeps them too."""
    lost: Mapping[Side, View] = field(default_factory=dict)
    """What each side loses by a decision."""
    strategies: tuple[str, ...] = ()
    """What decided, or did not: strategies, or `person`."""
    to_source: frozenset[str] = frozenset()
    """Fields in which the source is to change."""
    to_destination: frozenset[str] = frozenset()
    """Fields in which the destination is to change."""


def view_of(record: Any, fields: Iterable[MergeField]) -> View:
    """The mapped fields of a record."""
    found: View = {}
    for each in fields:
        value = _at(record, each.path)
        if value is not _NOTHING:
            found[each.name] = _parts(value, each.inside) if each.inside else value
    return found


def laid_in(record: Any, view: View, fields: Iterable[MergeField], names: Iterable[str]) -> Any:
    """`record` with the fields `names` as in `view`; what is missing there is taken out."""
    wanted = set(names)
    for each in fields:
        if each.name in wanted:
            value = view.get(each.name, _NOTHING)
            if value is not _NOTHING and each.inside:
                value = _overlaid(_at(record, each.path), value)
            record = _put(record, each.path, value)
    return record


def alike(a: Any, b: Any) -> bool:
    """Whether two values say the same. Numbers and moments count, not their spelling; null is as good as nothing.

    A number and a text that spells it are alike too: vendors take the one and show the other.
    """
    if a is None or b is None:
        return a is b
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return all(alike(a.get(key), b.get(key)) for key in a.keys() | b.keys())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(alike(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, str) and isinstance(b, str):
        return a == b or _same_moment(a, b)
    x, y = _number(a), _number(b)
    return x is not None and y is not None and x == y


def newer_side(source: str | None, destination: str | None, *, skew_s: float) -> Side | None:
    """Which of two moments is the later; None when they are too close to tell, or no moments."""
    if source is None or destination is None:
        return None
    a, b = order_of(source), order_of(destination)
    if a[0] != _TIME or b[0] != _TIME:
        return None
    apart_s = float(a[1]) - float(b[1])
    if abs(apart_s) <= skew_s:
        return None
    return "source" if apart_s > 0 else "destination"


def merge(
    rule: Merge,
    strategy: Strategy,
    base: Base,
    source: View,
    destination: View,
    *,
    newer: Side | None = None,
    answer: Answer | None = None,
) -> Merged:
    """Decide.

    Args:
        rule: The stream's fields and what goes with its strategy.
        strategy: Of fields that have none of their own.
        base: What both agreed on.
        source: The source's record as the mapping sees it. A missing field says nothing.
        destination: The destination's record.
        newer: The side that changed later, as far as one can tell.
        answer: A person's word, which wins over strategies.
    """
    states = {each.name: _state(each.name, base, source, destination) for each in rule.fields}
    found = _Decision(source, destination, states, answer)
    for names, own in _units(rule, strategy):
        found.decide(names, own, rule, newer)
    found.answer()
    strategies = tuple(dict.fromkeys(found.strategies))
    if found.conflicts:
        return Merged(view={}, conflicts=tuple(found.conflicts), strategies=strategies)
    view, left = found.view, frozenset(found.skipped)
    given = answer.values if answer is not None else {}
    return Merged(
        view=view,
        skipped=tuple(found.skipped),
        lost={side: values for side, values in found.lost.items() if values},
        strategies=strategies,
        to_source=frozenset(
            name
            for name, state in states.items()
            if not alike(view.get(name), source.get(name)) and (not state.is_settled or name in given)
        )
        - left,
        to_destination=frozenset(name for name in states if not alike(view.get(name), destination.get(name))) - left,
    )


class _Decision:
    """The units of one record, decided one after the other."""

    def __init__(self, source: View, destination: View, states: Mapping[str, _State], answer: Answer | None) -> None:
        self._sides: dict[Side, View] = {"source": source, "destination": destination}
        self._states = states
        self._answer = answer
        self.view: View = {}
        self.conflicts: list[str] = []
        self.skipped: list[str] = []
        self.lost: dict[Side, View] = {"source": {}, "destination": {}}
        self.strategies: list[str] = []

    def decide(self, names: Sequence[str], strategy: Strategy, rule: Merge, newer: Side | None) -> None:
        """One unit."""
        states = self._states
        apart = [name for name in names if not states[name].is_same]
        by_both = any(states[name].by_source for name in apart) and any(states[name].by_destination for name in apart)
        if not by_both:
            for name in names:
                self._take(name, "source" if states[name].only_by_source else "destination")
            return
        answer = self._answer
        winner: Side | None
        if answer is not None and (answer.take is not None or answer.values.keys() >= set(apart)):
            winner, decided_by = answer.take or "destination", "person"
        else:
            decided_by = rule.otherwise if strategy == "merge_fields" else strategy
            winner = _winner(decided_by, newer)
        self.strategies.append(decided_by)
        if winner is None and strategy == "skip":
            self.skipped += [name for name in apart if not states[name].is_settled]
            for name in names:
                self._take(name, "destination")
        elif winner is None:
            self.conflicts += [name for name in apart if not states[name].is_settled]
        else:
            loser: Side = "destination" if winner == "source" else "source"
            for name in names:
                self._take(name, winner)
                if name in apart and (name in self._sides[winner] or winner == "destination"):
                    self._lose(loser, name)

    def answer(self) -> None:
        """Lay in the values that a person gave."""
        for name, value in self._answer.values.items() if self._answer is not None else ():
            self.view[name] = value
            for side, has in self._sides.items():
                self.lost[side].pop(name, None)
                if not alike(has.get(name), value):
                    self._lose(side, name)

    def _lose(self, side: Side, name: str) -> None:
        state = self._states[name]
        has_changed = state.by_source if side == "source" else state.by_destination
        # What an earlier decision left to a side is nowhere else either.
        if has_changed or (state.is_settled and not state.is_same):
            self.lost[side][name] = self._sides[side].get(name)

    def _take(self, name: str, side: Side) -> None:
        has = self._sides[side]
        if name not in has and side == "source":
            has = self._sides["destination"]  # a missing source field says nothing
        if name in has:
            self.view[name] = has[name]


@dataclass(frozen=True, slots=True)
class _State:
    by_source: bool
    by_destination: bool
    is_same: bool

    @property
    def is_settled(self) -> bool:
        """Both sides are as they were. Where they differ, that was decided, or one of them cannot take the value."""
        return not (self.by_source or self.by_destination)

    @property
    def only_by_source(self) -> bool:
        return self.by_source and not self.by_destination and not self.is_same


def _state(name: str, base: Base, source: View, destination: View) -> _State:
    a, b = source.get(name), destination.get(name)
    return _State(
        by_source=name in base.to_destination or (name in source and not alike(a, base.source.get(name))),
        by_destination=name in base.to_source or not alike(b, base.destination.get(name)),
        is_same=alike(a, b),
    )


def changed_by_destination(rule: Merge, base: Base, destination: View) -> bool:
    """Whether the destination has changed, or is still owed to the source."""
    return bool(base.to_source) or any(
        not alike(destination.get(each.name), base.destination.get(each.name)) for each in rule.fields
    )


def _units(rule: Merge, strategy: Strategy) -> Iterator[tuple[Sequence[str], Strategy]]:
    rest = [each.name for each in rule.fields if each.strategy is None]
    for each in rule.fields:
        if each.strategy is not None:
            yield (each.name,), each.strategy
        elif strategy == "merge_fields":
            yield (each.name,), strategy
    if strategy != "merge_fields" and rest:
        yield rest, strategy


def _winner(strategy: str, newer: Side | None) -> Side | None:
    match strategy:
        case "source_priority":
            return "source"
        case "destination_priority":
            return "destination"
        case "timestamp_based":
            return newer
        case _:
            return None


# --- values ---


def _number(value: Any) -> Decimal | None:
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            return None
        return number if number.is_finite() else None
    return None


def _same_moment(a: str, b: str) -> bool:
    if not (a[4:5] == b[4:5] == "-" and a[10:11] in "Tt " and b[10:11] in "Tt " and len(a) > 10 and len(b) > 10):
        return False
    try:
        x, y = (datetime.fromisoformat(each) for each in (a, b))
    except ValueError:
        return False
    return x.tzinfo is not None and y.tzinfo is not None and x == y


def _at(value: Any, path: Path) -> Any:
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return _NOTHING
        value = value[step]
    return value


def _put(record: Any, path: Path, value: Any) -> Any:
    if not path:
        return {} if value is _NOTHING else value
    below = dict(record) if isinstance(record, dict) else {}
    key, rest = path[0], path[1:]
    if not rest and value is _NOTHING:
        below.pop(key, None)
    elif value is not _NOTHING or key in below:
        below[key] = _put(below.get(key, {}), rest, value)
    return below


def _parts(value: Any, inside: Sequence[Path]) -> Any:
    """The mapped parts of each entry of a list."""
    if not isinstance(value, list):
        return value
    return [_entry(each, inside) for each in value]


def _entry(value: Any, inside: Sequence[Path]) -> Any:
    if not isinstance(value, dict) or () in inside:
        return value
    kept: dict[str, Any] = {}
    for key in dict.fromkeys(path[0] for path in inside):
        if key in value:
            below = [path[1:] for path in inside if path[0] == key]
            kept[str(key)] = _below(value[key], below)
    return kept


def _below(value: Any, inside: Sequence[Path]) -> Any:
    if () in inside:
        return value
    if isinstance(value, list):
        return _parts(value, [path[1:] for path in inside if path[0] == 0])
    return _entry(value, inside)


def _overlaid(record: Any, value: Any) -> Any:
    """Entries of a list that stand where others stood keep what is not mapped."""
    if not isinstance(record, list) or not isinstance(value, list) or len(record) != len(value):
        return value
    return [
        {**under, **over} if isinstance(under, dict) and isinstance(over, dict) else over
        for under, over in zip(record, value, strict=True)
    ]
