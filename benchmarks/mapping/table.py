"""Predictions and rankings of gold cases → the figures, with what simple matchers reach beside them.

The figures are the scorer's own (`score.py` beside the cases); calibration and the share of sure proposals are added here.
"""

from __future__ import annotations

import importlib.util
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from rapidfuzz import fuzz

from .cases import Case, normal

Predictions: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]
Ranked: TypeAlias = Mapping[str, Sequence[Sequence[Any]]]

COLUMNS = ("P", "R", "F1", "R same leaf", "R other leaf", "transform", "Recall@GT", "MRR dst", "hit@5")


def load_scorer(path: Path) -> ModuleType:
    """The scorer that comes with the cases."""
    spec = importlib.util.spec_from_file_location("gold_score", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figures(scorer: ModuleType, cases: Sequence[Case], predictions: Predictions, ranked: Ranked) -> list[str]:
    """One row of the table."""
    forms = [case.form for case in cases]
    scored = scorer.score(forms, predictions)
    ranks = scorer.rank_score(forms, ranked)
    values = [
        scored["P"], scored["R"], scored["F1"], scored["R_same_leaf"], scored["R_other_leaf"], scored["transform_acc"],
        ranks["recall_gt"], ranks["mrr_dst"], ranks["hit5"],
    ]  # fmt: skip
    return ["–" if value is None else f"{value:.3f}" for value in values]


def simple(
    cases: Sequence[Case], likeness: Callable[[str, str], float], threshold: float
) -> tuple[Predictions, Ranked]:
    """A matcher that looks at two paths and takes the most alike."""
    predictions: dict[str, list[dict[str, Any]]] = {}
    ranked: dict[str, list[list[Any]]] = {}
    for case in cases:
        found = [
            [source.given.path, view.given.path, likeness(source.given.path, view.given.path)]
            for view in case.destination.views
            for source in case.source.views
        ]
        best: dict[str, list[Any]] = {}
        for row in found:
            if row[2] >= threshold and row[2] > best.get(row[1], [0, 0, 0.0])[2]:
                best[row[1]] = row
        predictions[case.id] = [{"source": [row[0]], "destination": row[1]} for row in best.values()]
        ranked[case.id] = [row for row in found if row[2] > 0]
    return predictions, ranked


def same_leaf(one: str, other: str) -> float:
    return float(normal(one.split(".")[-1]) == normal(other.split(".")[-1]))


def token_set(one: str, other: str) -> float:
    return fuzz.token_set_ratio(_words(one), _words(other)) / 100


def _words(path: str) -> str:
    spaced = "".join(f" {char}" if char.isupper() else char for char in path)
    return " ".join("".join(char if char.isalnum() else " " for char in spaced).lower().split())


def sure(cases: Sequence[Case], predictions: Predictions) -> list[tuple[float, bool, str]]:
    """Each scored prediction's confidence, whether it is right, and its provider."""
    by_id = {case.id: case for case in cases}
    return [
        (
            one["confidence"],
            frozenset(map(normal, one["source"])) in case.right.get(one["destination"], ()),
            case.provider,
        )
        for id, some in predictions.items()
        for case in [by_id[id]]
        for one in some
        if one["destination"] in case.scored
    ]


def sure_line(cases: Sequence[Case], predictions: Predictions, least: float = 0.9) -> str:
    """How right, and how many of all pairs, the sure ones are."""
    found = [right for confidence, right, _ in sure(cases, predictions) if confidence >= least]
    pairs = sum(
        len(case.form.get("mappings", ())) - sum(not one["source"] for one in case.form["mappings"]) for case in cases
    )
    precision = sum(found) / (len(found) or 1)
    return f"confidence ≥ {least}: precision {precision:.3f}, covers {sum(found) / (pairs or 1):.3f} of the pairs"


def calibration(cases: Sequence[Case], predictions: Predictions, bins: int = 10, draws: int = 200) -> Iterable[str]:
    """Bins of equal count: mean confidence, share that is right, and its 90 % interval over providers."""
    rows = sorted(sure(cases, predictions))
    size = max(1, len(rows) // bins)
    chance = random.Random(7)
    for index in range(bins):
        part = rows[index * size : (index + 1) * size if index < bins - 1 else len(rows)]
        if not part:
            continue
        groups: dict[str, list[bool]] = defaultdict(list)
        for _, right, provider in part:
            groups[provider].append(right)
        names = sorted(groups)
        shares = []
        for _ in range(draws):
            drawn = [right for name in chance.choices(names, k=len(names)) for right in groups[name]]
            shares.append(sum(drawn) / len(drawn))
        shares.sort()
        mean = sum(confidence for confidence, _, _ in part) / len(part)
        right = sum(right for _, right, _ in part) / len(part)
        low, high = shares[int(0.05 * draws)], shares[int(0.95 * draws) - 1]
        yield f"| {mean:.3f} | {right:.3f} | {low:.3f}–{high:.3f} | {len(part)} |"


def table(scorer: ModuleType, cases: Sequence[Case], rows: Mapping[str, tuple[Predictions, Ranked]]) -> str:
    """The Markdown table."""
    lines = ["| matcher | " + " | ".join(COLUMNS) + " |", "| --- |" + " --- |" * len(COLUMNS)]
    for name, (predictions, ranked) in rows.items():
        lines.append(f"| {name} | " + " | ".join(figures(scorer, cases, predictions, ranked)) + " |")
    return "\n".join(lines)
