"""Boosted trees: fitted numbers → a probability. Plain lists, no library; the fit is `benchmarks/mapping/fit.py`.

No tree is walked. All leaves of a model are bits of one number, and for each feature it is known beforehand which leaves are out of
reach once the feature passes one, two, three… of its thresholds; what all features leave of each tree begins with its leaf.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import reduce
from operator import and_, getitem
from typing import Any

_BITS = 16
"""Of one tree; it has at most so many leaves."""


class Trees:
    """One model: the sum of its trees, through the logistic function."""

    def __init__(self, form: Sequence[Any]) -> None:
        self._leaves: list[list[float]] = []
        """Tree → values of its leaves, from left to right."""
        nodes: list[tuple[int, float, int]] = []
        for number, tree in enumerate(form):
            leaves: list[float] = []
            for feature, threshold, first, last in _nodes(tree, leaves):
                nodes.append((feature, threshold, ((1 << last) - (1 << first)) << (number * _BITS)))
            if len(leaves) > _BITS:
                raise ValueError(f"a tree has {len(leaves)} leaves")
            self._leaves.append(leaves)
        everything = (1 << (len(form) * _BITS)) - 1
        self._thresholds: list[list[float]] = [[] for _ in range(max((node[0] for node in nodes), default=-1) + 1)]
        """Feature → its thresholds, ascending."""
        self._left: list[list[int]] = [[everything] for _ in self._thresholds]
        """Feature → the leaves that are left when so many of its thresholds are passed."""
        for feature, threshold, lost in sorted(nodes):
            self._thresholds[feature].append(threshold)
            self._left[feature].append(self._left[feature][-1] & ~lost)
        self._everything = everything
        self._bytes = len(form) * _BITS // 8

    def __call__(self, features: Sequence[float]) -> float:
        left = reduce(and_, map(getitem, self._left, map(bisect_left, self._thresholds, features)), self._everything)
        reached = memoryview(left.to_bytes(self._bytes, _ORDER)).cast("H")
        total = 0.0
        for value in map(getitem, self._leaves, map(_LOWEST.__getitem__, reached)):
            total += value
        if total < -30:
            return 0.0
        return 1.0 / (1.0 + math.exp(-total))
