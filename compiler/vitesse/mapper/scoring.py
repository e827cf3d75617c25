"""Two sides → for each destination the ways to fill it, each with a probability that it is right.

Three steps, each with weights of its own: a pair by itself, a pair among the others, a single field against a set of fields. Knows
nothing of transforms, rules or files.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, TypeAlias

from ..diagnostics import InternalError
from .advice import Advice
from .candidates import Index
from .context import CONTEXT, Hits, context_features, parent_of
from .features import FEATURES, pair_features
from .fields import Side, View
from .memory import Keys, Memory, keys_of
from .sets import SETS, Candidate, candidates_for, name_parts, recurrences, set_features
from .trees import Trees

if TYPE_CHECKING:
    from .choose import Choice
    from .lessons import Lesson

Model: TypeAlias = Callable[[Sequence[float]], float]

MEMORY = (
    "memory_share", "memory_seen", "rest_share", "rest_seen", "long_share", "long_seen", "filled_share", "filled_seen",
    "long_filled_share", "long_filled_seen",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The three models."""

    pair: Model
    context: Model
    final: Model


@lru_cache(maxsize=1)
def shipped_weights() -> Weights:
    """The weights that ship with Vitesse."""
    text = resources.files("vitesse.mapper.knowledge").joinpath("weights.json").read_text(encoding="utf-8")
    form = json.loads(text)
    if form["features"] != feature_names():
        raise InternalError("the Mapper's weights were fitted on other features")
    return Weights(pair=Trees(form["pair"]), context=Trees(form["context"]), final=Trees(form["final"]))


def feature_names() -> dict[str, list[str]]:
    """What each model is handed, in order."""
    pair = [*FEATURES, *MEMORY]
    return {"pair": pair, "context": [*pair, *CONTEXT], "final": [*SETS, "several", *pair, *CONTEXT]}


@dataclass(slots=True, kw_only=True)
class Pair:
    """A source field for a destination field, with what was computed of the two."""

    source: View
    features: list[float]
    around: list[float] = field(default_factory=list)
    """What it looks like among the others."""
    chance: float = 0.0


@dataclass(slots=True, kw_only=True)
class Way:
    """A candidate with the probability that it is right, and the features of its best member."""

    candidate: Candidate
    chance: float
    features: list[float]
    advice: Advice | None = None
    """What an adviser said of it; its chance is then moved."""
    taught: tuple[Lesson, ...] = ()
    """What reviewers said of the same pair before; its chance is moved by it."""
    choice: Choice | None = None
    """The transform they accepted."""

    @property
    def own_chance(self) -> float:
        """By names, types and structure alone."""
        return self.chance if self.advice is None else self.advice.chance


def pairs_of(from_side: Side, to_side: Side, memory: Memory) -> list[list[Pair]]:
    """For each destination its candidates with the features of the first step."""
    index = Index(from_side)
    keys = [keys_of(view) for view in from_side.views]
    remembered = _remembered(keys, memory)
    found = []
    for view in to_side.views:
        own = keys_of(view)
        also = {*remembered.get(own.leaf, ()), *remembered.get(">" + own.long, ())}
        found.append(
            [
                Pair(
                    source=source,
                    features=[
                        *pair_features(source, view, from_side, to_side),
                        *memory.features(source, view, keys[source.position], own),
                    ],
                )
                for source in index.candidates(view, also)
            ]
        )
    return found


def _remembered(keys: Sequence[Keys], memory: Memory) -> Mapping[str, list[int]]:
    """Destination's name → the sources whose names were paired with it before."""
    by_key: dict[str, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        by_key[key.leaf].append(position)
        by_key[">" + key.long].append(position)
    found: dict[str, list[int]] = defaultdict(list)
    for (source, destination), count in memory.leaves.items():
        if count[0] > 0 and source in by_key:
            found[destination] += by_key[source]
    for (source, destination), count in memory.longs.items():
        if count[0] > 0 and ">" + source in by_key:
            found[">" + destination] += by_key[">" + source]
    return found


THRESHOLD = 0.22
"""Below this chance a field is left open rather than filled with a guess."""
LEAST = 0.002
"""A pair with less chance than this is not looked at again."""


def first_hits(pairs: Sequence[Sequence[Pair]]) -> list[list[Pair]]:
    """The pairs of each destination by their chance, best first; those without any left out."""
    return [
        sorted((pair for pair in row if pair.chance > LEAST), key=lambda pair: (-pair.chance, pair.source.position))
        for row in pairs
    ]


_LIKE = tuple(
    (FEATURES.index(name), weight)
    for name, weight in (
        ("concept_path", 0.3),
        ("concept_leaf", 0.15),
        ("word_leaf", 0.15),
        ("edit", 0.1),
        ("grams", 0.1),
        ("enum", 0.3),
        ("near", 0.03),
        ("told", 0.3),
        ("type_clash", -0.1),
    )
)


def ranked_pairs(pairs: Sequence[Sequence[Pair]]) -> list[list[tuple[View, float]]]:
    """Every pair that was looked at, for each destination, with what it is ranked by: its chance, then plain likeness.

    The weights say little where all chances are small; there names and values decide.
    """
    found = []
    for row in pairs:
        share = 0.05 + 0.6 * (1.0 - max((pair.chance for pair in row), default=0.0))
        found.append([(pair.source, pair.chance + share * _likeness(pair.features)) for pair in row])
    return found


def _likeness(features: Sequence[float]) -> float:
    return sum(weight * features[index] for index, weight in _LIKE)


def as_hits(rows: Sequence[Sequence[Pair]]) -> list[Hits]:
    return [[(pair.source, pair.chance) for pair in row] for row in rows]


def context_rows(rows: Sequence[Sequence[Pair]], from_side: Side, to_side: Side) -> list[list[list[float]]]:
    """The second step's features: those of the first, and the pair's place among the others."""
    around = context_features(as_hits(rows), from_side, to_side)
    for row, some in zip(rows, around, strict=True):
        for pair, more in zip(row, some, strict=True):
            pair.around = more
    return [[[*pair.features, *pair.around] for pair in row] for row in rows]


_WIDTH = len(FEATURES) + len(MEMORY) + len(CONTEXT)


def candidate_rows(
    rows: Sequence[Sequence[Pair]], from_side: Side, to_side: Side, memory: Memory
) -> list[list[tuple[Candidate, list[float]]]]:
    """For each destination its candidates with the features of the third step."""
    hits = as_hits(rows)
    recurring = recurrences(hits)
    uses: dict[int, list[float]] = defaultdict(list)
    for some_hits in hits:
        for hit, p in some_hits:
            uses[hit.position].append(p)
    for some in uses.values():
        some.sort(reverse=True)
    found = []
    for view, row, row_hits in zip(to_side.views, rows, hits, strict=True):
        chances = {hit.position: p for hit, p in row_hits}
        base_of = {pair.source.position: [*pair.features, *pair.around] for pair in row}
        several = memory.share_several(keys_of(view))
        candidates = candidates_for(view, row_hits)
        for parts in name_parts(view, from_side.views):
            candidates.append(
                Candidate(
                    sources=tuple(parts),
                    chances=tuple(chances.get(part.position, 0.0) for part in parts),
                    pattern="names",
                )
            )
        other: dict[int, float] = {}
        for position, chance in chances.items():
            some = uses[position]
            other[position] = (some[1] if len(some) > 1 else 0.0) if some[0] == chance else some[0]
        described = []
        for candidate in candidates:
            best = max(candidate.sources, key=lambda one: chances.get(one.position, 0.0))
            base = base_of.get(best.position)
            picked = base if base is not None else [0.0] * _WIDTH
            described.append(
                (
                    candidate,
                    [*set_features(view, candidate, row_hits, recurring, other, len(to_side.views)), several, *picked],
                )
            )
        found.append(described)
    return found


def score(from_side: Side, to_side: Side, weights: Weights, memory: Memory) -> tuple[list[list[Way]], list[list[Pair]]]:
    """Rank the ways to fill each destination.

    Returns:
        For each destination its ways, best first; and all its pairs, with the chance of the second step where they have one.
    """
    pairs = pairs_of(from_side, to_side, memory)
    for row in pairs:
        for pair in row:
            pair.chance = weights.pair(pair.features)
    rows = first_hits(pairs)
    for row in pairs:
        for pair in row:
            if pair.chance <= LEAST:
                pair.chance *= 0.1
    for row, described in zip(rows, context_rows(rows, from_side, to_side), strict=True):
        for pair, own in zip(row, described, strict=True):
            pair.chance = weights.context(own)
    rows = [sorted(row, key=lambda pair: (-pair.chance, pair.source.position)) for row in rows]
    ways = []
    for view, row, candidates in zip(
        to_side.views, rows, candidate_rows(rows, from_side, to_side, memory), strict=True
    ):
        features = {pair.source.position: pair.features for pair in row}
        found = [
            Way(
                candidate=candidate,
                chance=weights.final(own),
                features=features.get(candidate.sources[0].position, []),
            )
            for candidate, own in candidates
        ]
        ways.append(finished(found, view, to_side))
    return agreeing(ways, to_side), pairs


def finished(ways: list[Way], destination: View, side: Side) -> list[Way]:
    """The fitted ways, mended and in order."""
    singles = [way for way in ways if len(way.candidate.sources) == 1]
    for way in ways:
        way.chance = final_chance(destination, way.candidate, way.chance, side, singles)
    return in_order(ways, destination)


_PERSON = frozenset(
    {"contact", "customer", "worker", "user", "lead", "candidate", "participant", "owner", "manager", "assignee"}
)


def whole_name(destination: View, candidate: Candidate, side: Side, single: float) -> bool:
    """Whether first and last name make what the destination wants: a person's whole name that no single field gives.

    Too few of the fitted cases have it for the weights to be sure.
    """
    if candidate.pattern != "names" or len(candidate.sources) != 2 or single > 0.3:
        return False
    if destination.home - side.entity or len(candidate.sources[0].segments) > 2:
        return False
    if destination.leaf.concepts == ("full_name",):
        return True
    if destination.leaf.concepts != ("name",):
        return False
    beside = [view for view in side.views if parent_of(view) == parent_of(destination)]
    roles = {role for view in beside for role in view.roles}
    return bool(side.entity & _PERSON) or {"email", "phone"} <= roles or ("email" in roles and len(side.views) < 12)


def final_chance(destination: View, candidate: Candidate, chance: float, side: Side, singles: Sequence[Way]) -> float:
    """The fitted chance, mended where knowledge is surer than the fit."""
    whole = max(
        (
            way.chance
            for way in singles
            if way.candidate.sources[0].leaf.concepts[-1:] in (("full_name",), ("name",))
            and not {"first_name", "last_name"} & set(way.candidate.sources[0].leaf.concepts)
        ),
        default=0.0,
    )
    return max(chance, 0.75) if whole_name(destination, candidate, side, whole) else chance


def in_order(ways: Sequence[Way], destination: View) -> list[Way]:
    """Best first; of two fields with one name, one that is not in a list before one of a list's first item."""
    ranked = sorted(ways, key=lambda way: (-way.chance, len(way.candidate.sources)))
    if not ranked or len(ranked[0].candidate.sources) > 1:
        return ranked
    best = ranked[0].candidate.sources[0]
    if best.lists <= destination.lists:
        return ranked
    for index, way in enumerate(ranked[1:4], start=1):
        other = way.candidate.sources[0]
        if (
            len(way.candidate.sources) == 1
            and other.lists <= destination.lists
            and other.leaf.concepts == best.leaf.concepts
            and way.chance > 0.3 * ranked[0].chance
        ):
            raised = Way(candidate=way.candidate, chance=ranked[0].chance, features=way.features)
            lowered = Way(candidate=ranked[0].candidate, chance=way.chance, features=ranked[0].features)
            return [raised, lowered, *ranked[1:index], *ranked[index + 1 :]]
    return ranked


def agreeing(ways: list[list[Way]], to_side: Side) -> list[list[Way]]:
    """Of two fields with one name, the one in the object that most fields of the destination's object come from.

    An address is taken from one address: not its city from here and its country from there.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, view in enumerate(to_side.views):
        if ways[index] and len(ways[index][0].candidate.sources) == 1:
            groups[parent_of(view)].append(index)
    for members in groups.values():
        votes: dict[str, float] = defaultdict(float)
        for index in members:
            votes[parent_of(ways[index][0].candidate.sources[0])] += ways[index][0].chance
        branch = max(votes, key=lambda one: (votes[one], one), default="")
        if len(members) < 3 or votes[branch] * 2 < sum(votes.values()):
            continue
        for index in members:
            ways[index] = _from_branch(ways[index], branch)
    return ways


def _from_branch(row: list[Way], branch: str) -> list[Way]:
    best = row[0]
    source = best.candidate.sources[0]
    if parent_of(source) == branch:
        return row
    for at, way in enumerate(row[1:], start=1):
        other = way.candidate.sources[0]
        if (
            len(way.candidate.sources) == 1
            and parent_of(other) == branch
            and other.leaf.concepts == source.leaf.concepts
            and way.chance > 0.1 * best.chance
        ):
            raised, lowered = replace(way, chance=best.chance), replace(best, chance=way.chance)
            return [raised, *row[1:at], lowered, *row[at + 1 :]]
    return row
