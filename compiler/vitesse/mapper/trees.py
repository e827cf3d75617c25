"""Boosted trees: fitted numbers → a probability. Plain lists, no library; the fit is `benchmarks/mapping/fit.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

Node: TypeAlias = "tuple[int, float, Any, Any] | float"
"""(feature, threshold, where it is at most that, where it is more), or a leaf's value."""


class Trees:
    """One model: the sum of its trees, through the logistic function."""

    def __init__(self, form: Sequence[Any]) -> None:
        self._trees = [_node(tree) for tree in form]

    def __call__(self, features: Sequence[float]) -> float:
        total = 0.0
        for node in self._trees:
            while type(node) is tuple:
                node = node[2] if features[node[0]] <= node[1] else node[3]
            total += node  # type: ignore[operator]
        if total < -30:
            return 0.0
        return 1.0 / (1.0 + math.exp(-total))


def _node(form: Any) -> Node:
    """A tree as JSON has it: a number, or `[feature, threshold, left, right]`."""
    if isinstance(form, int | float):
        return float(form)
    feature, threshold, left, right = form
    return (int(feature), float(threshold), _node(left), _node(right))
