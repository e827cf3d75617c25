"""Which source fields are worth a look for each destination field: an index instead of every pair.

For two sides of a thousand fields there are a million pairs; words, concepts and pieces of names leave some two dozen for each
destination. What is not among them cannot be proposed, so recall here caps everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from heapq import nlargest

from .fields import Side, View

MOST = 24
"""Candidates for one destination."""
_SMALL = 40
"""A side of up to so many fields is looked at whole."""


class Index:
    """The source side, by everything a name can be found by."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for view in side.views:
            for key, weight in _keys(view):
                self._postings[key].append((view.position, weight))

    def candidates(self, destination: View, also: Iterable[int] = ()) -> list[View]:
        """The sources that share most with a destination, best first.

        Args:
            also: Positions to look at whatever they share, such as what was accepted before.
        """
        views = self._side.views
        scores: dict[int, float] = defaultdict(float)
        for key, weight in _keys(destination):
            postings = self._postings.get(key)
            if postings is None or len(postings) > 400:
                continue
            rarity = 1.0 / (1.0 + len(postings) / 25.0)
            for position, other in postings:
                scores[position] += weight * other * (0.3 + rarity)
        for position in also:
            scores[position] += 10.0
        found = [position for position, _ in nlargest(MOST, scores.items(), key=lambda hit: (hit[1], -hit[0]))]
        if len(views) <= _SMALL:
            chosen = set(found)
            found += [view.position for view in views if view.position not in chosen]
        return [views[position] for position in found]


def _keys(view: View) -> list[tuple[str, float]]:
    keys = [(f"c:{concept}", weight) for concept, weight in view.concepts.items()]
    keys += [(f"lc:{concept}", 1.5 * weight) for concept, weight in view.leaf_concepts.items()]
    keys += [(f"w:{word}", 0.7 * weight) for word, weight in view.words.items()]
    keys += [(f"n:{group}", 0.45) for group in view.near]
    keys += [(f"g:{gram}", 0.2) for gram in view.grams]
    keys += [(f"r:{role}", 0.35) for role in view.roles if role != "none"]
    keys += [(f"f:{view.leaf.flat}", 3.0), (f"p:{view.flat}", 3.0)]
    keys += [(f"t:{word}", 0.15) for word in view.told]
    return keys
