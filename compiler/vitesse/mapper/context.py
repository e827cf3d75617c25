"""First probabilities of all pairs → what each pair looks like among the others.

A pair is worth more when it is the best of both its fields, when the runner-up is far behind, and when other fields of the same two
objects go to each other as well.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from .fields import Side, View

CONTEXT = (
    "logit", "rank_source", "rank_destination", "over_rival", "over_other_use", "rival", "other_use", "sum_destination",
    "sum_source", "support", "support_best", "support_delta", "list_support", "sources", "destinations", "mean_best", "share_sure",
    "strong_for_destination", "strong_for_source", "siblings_destination", "siblings_source", "share", "twins", "twin_sum",
    "twin_rank", "free_other_use", "namesakes", "mass", "mass_top", "mass_rank", "apart", "before", "after", "required",
)  # fmt: skip

Hits = list[tuple[View, float]]
"""Candidates of one destination with their probability, best first."""


def parent_of(view: View) -> str:
    """The path of the object that a field stands in."""
    path = view.given.path
    cut = path.rfind(".")
    return path[:cut] if cut >= 0 else ""


def list_of(view: View) -> str:
    """The innermost list that a field stands in."""
    path = view.given.path
    cut = path.rfind("[]")
    return path[: cut + 2] if cut >= 0 else ""


def logit(p: float) -> float:
    return math.log((p + 1e-5) / (1 - p + 1e-5))


def context_features(hits: Sequence[Hits], from_side: Side, to_side: Side) -> list[list[list[float]]]:
    """For each destination, for each of its hits, the features named in CONTEXT."""
    by_source: dict[int, list[float]] = defaultdict(list)
    for row in hits:
        for view, p in row:
            by_source[view.position].append(p)
    for uses in by_source.values():
        uses.sort(reverse=True)
    total_of = {position: sum(uses) for position, uses in by_source.items()}
    strong_of = {position: sum(one > 0.3 for one in uses) for position, uses in by_source.items()}
    parents = _Support([parent_of(view) for view in from_side.views], [parent_of(view) for view in to_side.views], hits)
    lists = _Support([list_of(view) for view in from_side.views], [list_of(view) for view in to_side.views], hits)
    best = [row[0][1] if row else 0.0 for row in hits]
    mean_best = sum(best) / (len(best) or 1)
    share_sure = sum(p > 0.5 for p in best) / (len(best) or 1)
    sizes = (math.log(len(from_side.views) + 1), math.log(len(to_side.views) + 1))
    found = []
    named = Counter(view.leaf.concepts for view in to_side.views)
    uses_of: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for index, row in enumerate(hits):
        for view, p in row:
            uses_of[view.position].append((p, index))
    for some_uses in uses_of.values():
        some_uses.sort(reverse=True)
    mass = _mass([parent_of(view) for view in from_side.views], hits)
    mass_top = _mass(
        [view.given.path.split(".")[0] if "." in view.given.path else "" for view in from_side.views], hits
    )
    parents_of = [parent_of(view) for view in to_side.views]
    firm = [row[0][0].position if row and row[0][1] > 0.5 else None for row in hits]
    for index, row in enumerate(hits):
        own_name = to_side.views[index].leaf.concepts
        before = _firm_at(firm, parents_of, index, -1)
        after = _firm_at(firm, parents_of, index, 1)
        total = sum(p for _, p in row)
        strong = sum(p > 0.3 for _, p in row)
        twins: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for view, p in row:
            if p > 0.03:
                twins[view.leaf.concepts].append(p)
        support = parents.of(index)
        list_support = lists.of(index)
        top_support = max(support.values(), default=0.0)
        rows = []
        for rank, (view, p) in enumerate(row):
            rival = row[1][1] if rank == 0 and len(row) > 1 else row[0][1] if rank else 0.0
            uses = by_source[view.position]
            other_use = uses[1] if len(uses) > 1 and uses[0] == p else uses[0] if uses[0] != p else 0.0
            alike = twins.get(view.leaf.concepts, [p])
            here = support.get(parents.source[view.position], 0.0)
            rows.append(
                [
                    logit(p),
                    min(rank, 10),
                    min(sum(one > p for one in uses[:12]), 10),
                    p - rival,
                    p - other_use,
                    logit(rival),
                    logit(other_use),
                    total,
                    total_of[view.position],
                    here,
                    top_support,
                    here - top_support,
                    list_support.get(lists.source[view.position], 0.0),
                    *sizes,
                    mean_best,
                    share_sure,
                    strong,
                    strong_of[view.position],
                    parents.siblings_destination[parents.destination[index]],
                    parents.siblings_source[parents.source[view.position]],
                    p / (total + 1e-6),
                    len(alike),
                    sum(alike),
                    sum(one > p for one in alike),
                    max(
                        (
                            other
                            for other, at in uses_of[view.position][:6]
                            if at != index and to_side.views[at].leaf.concepts != own_name
                        ),
                        default=0.0,
                    ),
                    named[own_name],
                    mass[view.position],
                    mass_top[view.position],
                    mass[view.position] / (mass[row[0][0].position] + 1e-6) if rank else 1.0,
                    min(abs(view.position - before), abs(view.position - after), 12),
                    max(-6, min(6, view.position - before)),
                    max(-6, min(6, after - view.position)),
                    float(to_side.views[index].given.required),
                ]
            )
        found.append(rows)
    return found


_NOWHERE = 10**6


def _firm_at(firm: Sequence[int | None], parents: Sequence[str], index: int, step: int) -> int:
    """Where the field before or after in the same object goes, when that is all but sure."""
    at = index + step
    if 0 <= at < len(firm) and parents[at] == parents[index]:
        found = firm[at]
        return found if found is not None else _NOWHERE
    return _NOWHERE


def _mass(groups: Sequence[str], hits: Sequence[Hits]) -> list[float]:
    """For each source field, the share of all that is likely that goes to its object."""
    sums: dict[str, float] = defaultdict(float)
    for row in hits:
        for view, p in row[:2]:
            sums[groups[view.position]] += p
    total = sum(sums.values()) or 1.0
    return [sums[group] / total for group in groups]


class _Support:
    """How well the other fields of a destination's group go to each group of the source."""

    def __init__(self, source: list[str], destination: list[str], hits: Sequence[Hits]) -> None:
        self.source = source
        self.destination = destination
        self.siblings_source: dict[str, int] = defaultdict(int)
        self.siblings_destination: dict[str, int] = defaultdict(int)
        for group in source:
            self.siblings_source[group] += 1
        for group in destination:
            self.siblings_destination[group] += 1
        self._own: list[dict[str, float]] = []
        self._sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for index, row in enumerate(hits):
            own: dict[str, float] = {}
            for view, p in row:
                group = source[view.position]
                if p > own.get(group, 0.0):
                    own[group] = p
            self._own.append(own)
            sums = self._sums[destination[index]]
            for group, p in own.items():
                sums[group] += p

    def of(self, index: int) -> dict[str, float]:
        group = self.destination[index]
        others = max(1, self.siblings_destination[group] - 1)
        own = self._own[index]
        return {key: (total - own.get(key, 0.0)) / others for key, total in self._sums[group].items()}
