"""Boosted trees: fitted numbers → a probability. Plain lists, no library; the fit is `benchmarks/mapping/fit.py`.

No tree is walked. All leaves of a model are bits of one number, and of each feature it is known beforehand which leaves are out
of reach once it passes one, two, three… of its thresholds. What all features leave of a tree begins with the tree's leaf.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import reduce
from operator import and_, getitem
from struct import Struct
from typing import Any, TypeAlias

_BITS = 16
"""Of one tree; it has at most so many leaves."""

Node: TypeAlias = tuple[int, float, int]
"""(feature, threshold, leaves that are out of reach where the feature is more)."""


class Trees:
    """One model: the sum of its trees, through the logistic function."""

    def __init__(self, form: Sequence[Any]) -> None:
        self._leaves: list[list[float]] = [[] for _ in form]
        """Tree → the values of its leaves, from left to right."""
        nodes: list[Node] = []
        for number, (tree, leaves) in enumerate(zip(form, self._leaves, strict=True)):
            nodes += [(feature, threshold, lost << number * _BITS) for feature, threshold, lost in _nodes(tree, leaves)]
        most = max(map(len, self._leaves), default=0)
        if most > _BITS:
            raise ValueError(f"a tree has {most} leaves")
        self._all = sum(((1 << len(leaves)) - 1) << number * _BITS for number, leaves in enumerate(self._leaves))
        self._thresholds: list[list[float]] = [[] for _ in range(max((node[0] for node in nodes), default=-1) + 1)]
        """Feature → its thresholds, ascending."""
        self._left: list[list[int]] = [[self._all] for _ in self._thresholds]
        """Feature → the leaves that are left when so many of its thresholds are passed."""
        for feature, threshold, lost in sorted(nodes):
            self._thresholds[feature].append(threshold)
            self._left[feature].append(self._left[feature][-1] & ~lost)
        self._lowest = [(bits & -bits).bit_length() - 1 for bits in range(1 << most)]
        """Bits of one tree → the number of the lowest."""
        self._apart = Struct(f"<{len(form)}H")

    def __call__(self, features: Sequence[float]) -> float:
        left = reduce(and_, map(getitem, self._left, map(bisect_left, self._thresholds, features)), self._all)
        trees = self._apart.unpack(left.to_bytes(self._apart.size, "little"))
        total = 0.0
        for value in map(getitem, self._leaves, map(self._lowest.__getitem__, trees)):
            total += value
        if total < -30:
            return 0.0
        return 1.0 / (1.0 + math.exp(-total))


def _nodes(form: Any, leaves: list[float]) -> list[Node]:
    """The nodes of a tree as JSON has it: a number, or `[feature, threshold, where it is at most that, where it is more]`."""
    if isinstance(form, int | float):
        leaves.append(float(form))
        return []
    feature, threshold, at_most, more = form
    first = len(leaves)
    nodes = _nodes(at_most, leaves)
    lost = (1 << len(leaves)) - (1 << first)
    return [(int(feature), float(threshold), lost), *nodes, *_nodes(more, leaves)]
