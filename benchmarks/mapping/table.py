"""Predictions and rankings of gold cases → the figures, with what simple matchers reach beside them.

The figures are the scorer's own (`score.py` beside the cases); calibration and the share of sure proposals are added here.
"""

from __future__ import annotations

import importlib.util
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from rapidfuzz import fuzz

from .cases import Case, normal

Predictions: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]
Ranked: TypeAlias = Mapping[str, Sequence[Sequence[Any]]]

COLUMNS = {
    "P": "P", "R": "R", "F1": "F1", "same leaf": "R_same_leaf", "other leaf": "R_other_leaf", "several": "multi_source_recall",
    "transform": "transform_acc", "hit@5": "hit5", "MRR": "mrr_dst", "MRR of sources": "mrr_src", "Recall@GT": "recall_gt",
}  # fmt: skip
"""Heading → the scorer's word."""


def load_scorer(path: Path) -> ModuleType:
    """The scorer that comes with the cases."""
    spec = importlib.util.spec_from_file_location("gold_score", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figures(
    scorer: ModuleType, cases: Sequence[Case], predictions: Predictions, ranked: Ranked
) -> dict[str, float | None]:
    """One row of the table: heading → figure; None where there is nothing to count."""
    forms = [case.form for case in cases]
    found = {**scorer.score(forms, predictions), **scorer.rank_score(forms, ranked)}
    return {heading: None if found[word] is None else round(found[word], 4) for heading, word in COLUMNS.items()}


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


def sure_figures(cases: Sequence[Case], predictions: Predictions, least: float = 0.9) -> dict[str, float]:
    """How right, and how many of all pairs, the sure ones are."""
    found = [right for confidence, right, _ in sure(cases, predictions) if confidence >= least]
    pairs = sum(sum(bool(one["source"]) for one in case.form.get("mappings", ())) for case in cases)
    return {
        "least": least,
        "precision": round(sum(found) / (len(found) or 1), 4),
        "covers": round(sum(found) / (pairs or 1), 4),
    }


def calibration(
    cases: Sequence[Case], predictions: Predictions, bins: int = 10, draws: int = 1000
) -> list[dict[str, float]]:
    """Bins of equal count: mean confidence, share that is right, and its 90 % interval when providers are drawn again."""
    rows = sorted(sure(cases, predictions))
    size = max(1, len(rows) // bins)
    chance = random.Random(7)
    found = []
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
        found.append(
            {
                "confidence": round(sum(confidence for confidence, _, _ in part) / len(part), 3),
                "right": round(sum(right for _, right, _ in part) / len(part), 3),
                "low": round(shares[int(0.05 * draws)], 3),
                "high": round(shares[int(0.95 * draws) - 1], 3),
                "proposals": len(part),
            }
        )
    return found


def groups(scorer: ModuleType, cases: Sequence[Case], predictions: Predictions, by: str) -> dict[str, dict[str, float]]:
    """The figures of each domain or origin."""
    found = {}
    for group in sorted({getattr(case, by) for case in cases}):
        some = [case.form for case in cases if getattr(case, by) == group]
        scored = scorer.score(some, predictions)
        found[group] = {
            "cases": len(some),
            "pairs": scored["gold"],
            **{heading: round(scored[COLUMNS[heading]], 3) for heading in ("P", "R", "F1", "same leaf", "other leaf")},
        }
    return found


def section(
    scorer: ModuleType,
    cases: Sequence[Case],
    rows: Mapping[str, tuple[Predictions, Ranked]],
    ours: str,
) -> dict[str, Any]:
    """Everything that is measured, as data."""
    predictions = rows[ours][0]
    return {
        "cases": len(cases),
        "pairs": sum(sum(bool(one["source"]) for one in case.form.get("mappings", ())) for case in cases),
        "ours": ours,
        "rows": {name: figures(scorer, cases, *row) for name, row in rows.items()},
        "sure": sure_figures(cases, predictions),
        "calibration": calibration(cases, predictions),
        "domain": groups(scorer, cases, predictions, "domain"),
        "origin": groups(scorer, cases, predictions, "origin"),
    }


def markdown(found: Mapping[str, Any], *, short: bool = False) -> str:
    """One section as tables; what caps everything, hit@5 of the candidates, is said first. Short: no more than the matchers."""
    best = found["rows"][found["ours"]]
    sure_ones, lines = found["sure"], []
    lines += [
        f"{found['cases']} cases, {found['pairs']} pairs. The right source is among the first five candidates of"
        f" {_share(best['hit@5'])} of the mapped fields.",
        "",
        "| matcher | " + " | ".join(COLUMNS) + " |",
        "| --- |" + " --- |" * len(COLUMNS),
    ]
    for name, row in found["rows"].items():
        lines.append(
            f"| {name} | " + " | ".join("–" if row[one] is None else f"{row[one]:.3f}" for one in COLUMNS) + " |"
        )
    if short:
        return "\n".join(lines)
    lines += [
        "",
        f"Rules with a confidence of {sure_ones['least']} or more: {_share(sure_ones['precision'])} are right, and they cover"
        f" {_share(sure_ones['covers'])} of the pairs.",
        "",
        "| confidence | right | 90 % interval | proposals |",
        "| --- | --- | --- | --- |",
    ]
    for one in found["calibration"]:
        lines.append(
            f"| {one['confidence']:.3f} | {one['right']:.3f} | {one['low']:.3f}–{one['high']:.3f} | {one['proposals']} |"
        )
    for by in ("domain", "origin"):
        lines += ["", f"| {by} | cases | pairs | P | R | F1 | same leaf | other leaf |", "| --- |" + " --- |" * 7]
        for group, row in found[by].items():
            cells = " | ".join(f"{row[one]:.3f}" for one in ("P", "R", "F1", "same leaf", "other leaf"))
            lines.append(f"| {group or '–'} | {row['cases']} | {row['pairs']} | {cells} |")
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
