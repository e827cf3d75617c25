"""Proposals → how much work a stream's mapping is, from 1 to 10, with what makes it so."""

from __future__ import annotations

from collections.abc import Sequence

from ..api.paths import EACH
from ..rules.model import Rule
from .model import Complexity, Proposal, Unfilled


def complexity_of(
    rules: Sequence[Rule], proposals: Sequence[Proposal], unfilled: Sequence[Unfilled], fields: int
) -> Complexity:
    """From 1 (copy and go) to 10 (a project).

    Args:
        rules: All of the stream, those proposed now among them.
    """
    points = 1.0
    because: list[str] = []

    def add(weight: float, reason: str) -> None:
        nonlocal points
        if weight > 0:
            points += weight
            because.append(reason)

    required = [one for one in unfilled if one.is_required]
    unsure = [one for one in proposals if one.confidence < 0.8]
    holes = [one for one in proposals if one.holes]
    converting = [rule for rule in rules if rule.transform not in ("direct", "mapping")]
    losing = [one for one in proposals if one.losses]
    lists = {rule.destination[: rule.destination.index(EACH)] for rule in rules if EACH in rule.destination}
    add(min(3.0, 1.0 * len(required)), _told(len(required), "required field without a source"))
    add(min(2.0, 0.25 * len(unsure)), _told(len(unsure), "proposal to look at twice"))
    add(min(2.0, 0.5 * len(holes)), _told(len(holes), "decision that only a person can make"))
    add(min(1.0, 0.1 * len(converting)), _told(len(converting), "conversion"))
    add(min(1.0, 0.25 * len(losing)), _told(len(losing), "rule with a loss"))
    add(min(1.0, 0.5 * len(lists)), _told(len(lists), "list of objects"))
    add(min(1.0, fields / 200), _told(fields, "destination field"))
    return Complexity(score=max(1, min(10, round(points))), because=tuple(because))


def _told(count: int, what: str) -> str:
    """`3 lists of objects`: the first noun of `what` in its number."""
    if count == 1:
        return f"1 {what}"
    words = what.split(" ")
    at = next((index for index, word in enumerate(words) if word in _NOUNS), 0)
    return " ".join([str(count), *words[:at], words[at] + "s", *words[at + 1 :]])


_NOUNS = frozenset({"field", "proposal", "decision", "conversion", "rule", "list"})
