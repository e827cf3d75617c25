"""Two sides → for each destination the ways to fill it, each with a probability that it is right.

Three steps, each with weights of its own: a pair by itself, a pair among the others, a single field against a set of fields. Knows
nothing of transforms, rules or files.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TypeAlias

from ..diagnostics import InternalError
from .advice import Advice
from .candidates import Index
from .context import CONTEXT, Hits, context_features, parent_of
from .features import FEATURES, pair_features
from .fields import Side, View
from .memory import Memory, leaf_key
from .sets import SETS, Candidate, candidates_for, name_parts, recurrences, set_features
from .trees import Trees

Model: TypeAlias = Callable[[Sequence[float]], float]

MEMORY = ("memory_share", "memory_seen", "rest_share", "rest_seen")
PICKED = (
    "concept_path", "concept_leaf", "leaf_left", "source_left", "source_covered", "leaf_covered", "type_clash", "parent",
    "role_clash", "entity_left", "word_leaf", "edit", "path_equal", "leaf_equal", "near", "role_id",
)  # fmt: skip
"""Features of the first step that the third looks at again."""
_PICKED = tuple(FEATURES.index(name) for name in PICKED)


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
    return {"pair": pair, "context": [*pair, *CONTEXT], "final": [*SETS, *PICKED]}


@dataclass(slots=True, kw_only=True)
class Pair:
    """A source field for a destination field, with what was computed of the two."""

    source: View
    features: list[float]
    chance: float = 0.0


@dataclass(slots=True, kw_only=True)
class Way:
    """A candidate with the probability that it is right, and the features of its best member."""

    candidate: Candidate
    chance: float
    features: list[float]
    advice: Advice | None = None
    """What an adviser said of it; its chance is then moved."""

    @property
    def own_chance(self) -> float:
        """By names, types and structure alone."""
        return self.chance if self.advice is None else self.advice.chance


def pairs_of(from_side: Side, to_side: Side, memory: Memory) -> list[list[Pair]]:
    """For each destination its candidates with the features of the first step."""
    index = Index(from_side)
    keys = [leaf_key(view) for view in from_side.views]
    by_key: dict[str, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        by_key[key].append(position)
    remembered: dict[str, list[str]] = defaultdict(list)
    for (source_key, destination_key), count in memory.leaves.items():
        if count[0] > 0 and source_key in by_key:
            remembered[destination_key].append(source_key)
    found = []
    for view in to_side.views:
        destination_key = leaf_key(view)
        also = [position for key in remembered.get(destination_key, ()) for position in by_key[key]]
        found.append(
            [
                Pair(
                    source=source,
                    features=[
                        *pair_features(source, view, from_side, to_side),
                        *memory.features(source, view, keys[source.position], destination_key),
                    ],
                )
                for source in index.candidates(view, also)
            ]
        )
    return found


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
    return [
        [
            (pair.source, pair.chance + 0.05 * sum(weight * pair.features[index] for index, weight in _LIKE))
            for pair in row
        ]
        for row in pairs
    ]


def as_hits(rows: Sequence[Sequence[Pair]]) -> list[Hits]:
    return [[(pair.source, pair.chance) for pair in row] for row in rows]


def context_rows(rows: Sequence[Sequence[Pair]], from_side: Side, to_side: Side) -> list[list[list[float]]]:
    """The second step's features: those of the first, and the pair's place among the others."""
    around = context_features(as_hits(rows), from_side, to_side)
    return [
        [[*pair.features, *more] for pair, more in zip(row, some, strict=True)]
        for row, some in zip(rows, around, strict=True)
    ]


def candidate_rows(
    rows: Sequence[Sequence[Pair]], from_side: Side, to_side: Side
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
        base_of = {pair.source.position: pair.features for pair in row}
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
            picked = [base[index] for index in _PICKED] if base is not None else [0.0] * len(_PICKED)
            described.append(
                (
                    candidate,
                    [*set_features(view, candidate, row_hits, recurring, other, len(to_side.views)), *picked],
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
    for view, row, candidates in zip(to_side.views, rows, candidate_rows(rows, from_side, to_side), strict=True):
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
    return ways, pairs


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
    if candidate.pattern != "names" or len(candidate.sources) != 2 or single > 0.5:
        return False
    if destination.leaf.concepts == ("full_name",):
        return True
    if destination.leaf.concepts != ("name",):
        return False
    roles = {role for view in side.views if parent_of(view) == parent_of(destination) for role in view.roles}
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


def best_by_destination(ways: Sequence[Sequence[Way]], threshold: float) -> Mapping[int, Way]:
    """The best way for each destination whose chance is high enough."""
    return {index: row[0] for index, row in enumerate(ways) if row and row[0].chance >= threshold}
