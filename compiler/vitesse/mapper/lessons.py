"""Mappings that a person reviewed before → what they say of the ways to fill a field now.

A rule that was accepted raises the same pair of names wherever it is met again, with the same transform; one that was rejected
lowers it, and a field that was waived is filled less readily. Counted, not fitted: after one acceptance half of what was left to be
sure of is gone, after one rejection half of the chance is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..api.model import Json
from .choose import Choice
from .fields import Side, View
from .memory import long_key
from .scoring import Pair, Way
from .sets import Candidate, Pattern

Said = Literal["accepted", "rejected", "waived"]
_FREE = frozenset({"direct", "mapping", "constant", "lookup"})
"""Transforms that follow from the two fields, or mean something in their own integration only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One decision of a reviewer."""

    said: Said
    sources: tuple[str, ...]
    """Names of the source fields, as `long_key` reads them; none for a waiver."""
    destination: str
    where: str
    """The integration and stream it was made in, `shopify-credo, customers`."""
    transform: str = "mapping"
    options: Mapping[str, Json] | None = None
    turned: bool = False
    """Whether the rule goes the other way round there, and this is its inverse."""
    lost: str = ""
    """The transform of a turned rule that has no inverse."""


@dataclass(slots=True, kw_only=True)
class Lessons:
    """All of them, by the destination's name."""

    by_destination: dict[str, list[Lesson]]

    @classmethod
    def of(cls, lessons: Iterable[Lesson]) -> Lessons:
        found: dict[str, list[Lesson]] = defaultdict(list)
        for lesson in lessons:
            found[lesson.destination].append(lesson)
        return cls(by_destination=dict(found))

    def and_also(self, lessons: Iterable[Lesson]) -> Lessons:
        """These and more."""
        return Lessons.of([*(lesson for said in self.by_destination.values() for lesson in said), *lessons])

    def __bool__(self) -> bool:
        return bool(self.by_destination)


def lesson_key(view: View) -> str:
    """What a field is remembered by: its name with the object around it, without what names the record."""
    return long_key(view)


def taught(
    ways: Sequence[list[Way]], pairs: Sequence[Sequence[Pair]], from_side: Side, to_side: Side, lessons: Lessons
) -> list[list[Way]]:
    """The ways with what reviewers said of them before, in their new order."""
    by_key: dict[str, list[View]] = defaultdict(list)
    for view in from_side.views:
        by_key[lesson_key(view)].append(view)
    found = []
    for view, row, candidates in zip(to_side.views, ways, pairs, strict=True):
        said = lessons.by_destination.get(lesson_key(view), ())
        if not said:
            found.append(row)
            continue
        chances = {pair.source.position: pair.chance for pair in candidates}
        found.append(_moved(row, said, by_key, chances))
    return found


def _moved(
    row: Sequence[Way], said: Sequence[Lesson], by_key: Mapping[str, Sequence[View]], chances: Mapping[int, float]
) -> list[Way]:
    ways = {tuple(view.position for view in way.candidate.sources): way for way in row}
    told: dict[tuple[int, ...], list[Lesson]] = defaultdict(list)
    for lesson in said:
        views = _views(lesson.sources, by_key, chances)
        if views is not None:
            told[tuple(view.position for view in views)].append(lesson)
            ways.setdefault(
                tuple(view.position for view in views),
                Way(
                    candidate=_candidate(views, chances),
                    chance=min(chances.get(v.position, 0.0) for v in views),
                    features=[],
                ),
            )
    waived = sum(lesson.said == "waived" for lesson in said)
    moved = []
    for key, way in ways.items():
        own = told.get(key, [])
        accepted = [lesson for lesson in own if lesson.said == "accepted"]
        rejected = sum(lesson.said == "rejected" for lesson in own)
        chance = (way.chance + len(accepted)) / (1 + len(accepted) + rejected)
        if not accepted:
            chance /= 1 + waived
        moved.append(replace(way, chance=chance, taught=tuple(own), choice=_choice(accepted)))
    return sorted(moved, key=lambda way: (-way.chance, len(way.candidate.sources)))


def _views(
    keys: Sequence[str], by_key: Mapping[str, Sequence[View]], chances: Mapping[int, float]
) -> tuple[View, ...] | None:
    """The source fields of these names: of several with one name the likeliest."""
    if not keys or any(key not in by_key for key in keys):
        return None
    return tuple(max(by_key[key], key=lambda view: (chances.get(view.position, 0.0), -view.position)) for key in keys)


def _candidate(views: tuple[View, ...], chances: Mapping[int, float]) -> Candidate:
    concepts = {concept for view in views for concept in view.leaf.concepts}
    pattern: Pattern = "one" if len(views) == 1 else "names" if {"first_name", "last_name"} <= concepts else "series"
    return Candidate(sources=views, chances=tuple(chances.get(view.position, 0.0) for view in views), pattern=pattern)


def _choice(accepted: Sequence[Lesson]) -> Choice | None:
    """The transform that was accepted last, where it says more than the two fields do."""
    for lesson in reversed(accepted):
        if lesson.transform not in _FREE and not lesson.lost:
            return Choice(
                transform=lesson.transform,
                options=dict(lesson.options or {}),
                why=f"as it was accepted in {lesson.where}",
            )
    return None


def lessons_said(taught: Sequence[Lesson]) -> tuple[str, ...]:
    """Evidence in words, one sentence for each kind of decision."""
    found = []
    for said in ("accepted", "rejected"):
        own = [lesson for lesson in taught if lesson.said == said]
        if own:
            places = ", ".join(dict.fromkeys(lesson.where for lesson in own))
            way = " the other way round" if all(lesson.turned for lesson in own) else ""
            found.append(f"{said} before{way} in {places}")
    lost = next((lesson for lesson in taught if lesson.lost), None)
    if lost is not None:
        found.append(f"`{lost.lost}` there has no inverse: this is no way back to the same value")
    return tuple(found)
