"""Fit the Mapper's weights on a folder of gold cases: `python -m benchmarks.mapping.fit --cases FOLDER [--by provider|origin]`.

Cross-validates by provider (or origin) and prints what the held-out cases score; `--write` then fits on all of them and replaces
the weights and the memory under `compiler/vitesse/mapper/knowledge/`. Needs lightgbm and numpy. The numbers ship; the cases do not.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from vitesse.mapper.memory import Memory, Observed, memory_form, observe
from vitesse.mapper.scoring import (
    LEAST,
    THRESHOLD,
    Pair,
    Way,
    agreeing,
    candidate_rows,
    context_rows,
    feature_names,
    finished,
    first_hits,
    pairs_of,
    ranked_pairs,
)

from .cases import Case, folds_of, load_cases, normal, turned

KNOWLEDGE = Path(__file__).resolve().parents[2] / "compiler" / "vitesse" / "mapper" / "knowledge"
FOLDS = 8
AGREEING = 2
PAIR = {"n_estimators": 220, "num_leaves": 10, "learning_rate": 0.05, "min_child_samples": 20, "colsample_bytree": 0.35}
CONTEXT = {
    "n_estimators": 220,
    "num_leaves": 9,
    "learning_rate": 0.045,
    "min_child_samples": 20,
    "colsample_bytree": 0.35,
}
FINAL = {"n_estimators": 200, "num_leaves": 7, "learning_rate": 0.04, "min_child_samples": 20, "colsample_bytree": 0.35}
COMMON = {
    "subsample": 0.8,
    "subsample_freq": 1,
    "reg_lambda": 3.0,
    "n_jobs": 1,
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
    "random_state": 7,
}


RISING = frozenset(
    "leaf_equal path_equal word_leaf word_path concept_leaf concept_path leaf_covered source_covered near enum told long_equal"
    " long_alike bare_alike bare_equal memory_share long_share rest_share filled_share long_filled_share logit over_rival"
    " over_other_use near_share prefer_s".split()
)
FALLING = frozenset(
    "leaf_left source_left home_left_s role_clash type_clash rank_source rank_destination digits_clash".split()
)


def monotone(step: str) -> dict[str, Any]:
    """More of what two fields share never lowers the chance, more of what they do not share never raises it."""
    if step == "final":
        return {}
    signs = [int(name in RISING) - int(name in FALLING) for name in feature_names()[step]]
    return {"monotone_constraints": signs, "monotone_constraints_method": "intermediate"}


def chances(model: Any, rows: Sequence[Sequence[float]]) -> list[float]:
    if not rows:
        return []
    return [float(p) for p in model.predict_proba(np.asarray(rows, dtype=np.float32))[:, 1]]


def is_paired(case: Case, destination: str, source: str) -> bool:
    return any(normal(source) in some for some in case.right.get(destination, ()))


def is_right(case: Case, destination: str, sources: Sequence[str]) -> bool:
    return frozenset(map(normal, sources)) in case.right.get(destination, ())


def memories(cases: Sequence[Case], groups: Sequence[str]) -> tuple[Memory, dict[str, Memory]]:
    """The memory of all cases, and for each group the memory of all others."""
    by_group: dict[str, list[Observed]] = defaultdict(list)
    for case, group in zip(cases, groups, strict=True):
        pairs = []
        for row, view in zip(pairs_of(case.source, case.destination, Memory()), case.destination.views, strict=True):
            path = view.given.path
            if path in case.scored and path in case.right:
                pairs += [(pair.source, view, is_paired(case, path, pair.source.given.path)) for pair in row]
        decided = [
            (view, min(map(len, case.right[path])) if (path := view.given.path) in case.right else 0)
            for view in case.destination.views
            if view.given.path in case.scored
        ]
        by_group[group].append(observe(pairs, decided))
    return memory_of(by_group, None), {group: memory_of(by_group, group) for group in by_group}


def memory_of(by_group: Mapping[str, Sequence[Observed]], without: str | None) -> Memory:
    """Count all groups but one. Kept is what two groups at least agree on: one vendor's habits are no knowledge."""
    memory = Memory()
    agreeing: Counter[tuple[str, str]] = Counter()
    resting: Counter[str] = Counter()
    joined: Counter[tuple[str, str]] = Counter()
    filled: Counter[str] = Counter()
    several: Counter[str] = Counter()
    for group, some in by_group.items():
        if group == without:
            continue
        for one in some:
            memory.add(one)
        agreeing.update({pair for one in some for pair, paired in one.leaves.items() if paired})
        resting.update({rest for one in some for rest, paired in one.rests.items() if paired})
        joined.update({pair for one in some for pair, paired in one.longs.items() if paired})
        filled.update({name for one in some for name in one.filled})
        several.update({name for one in some for name in one.several})
    return Memory(
        leaves={pair: count for pair, count in memory.leaves.items() if agreeing[pair] >= AGREEING},
        rests={rest: count for rest, count in memory.rests.items() if resting[rest] >= AGREEING and count[1] >= 3},
        longs={pair: count for pair, count in memory.longs.items() if joined[pair] >= AGREEING},
        filled={name: count for name, count in memory.filled.items() if filled[name] >= AGREEING},
        several={name: count for name, count in memory.several.items() if several[name] >= AGREEING},
    )


class Stack:
    """The three steps over all cases, each fitted on the folds that a case is not in."""

    def __init__(self, cases: Sequence[Case], groups: Sequence[str], folds: int = FOLDS) -> None:
        self.count = len(cases)
        """Only these are predicted; turned ones behind them are lessons."""
        self.folds = folds_of(groups, folds)
        self.memory, others = memories(cases, groups)
        cases, groups = [*cases, *map(turned, cases)], [*groups, *groups]
        self.cases = cases
        self.fold = [self.folds[group] for group in groups]
        self.memories = [others[group] for group in groups]
        self.pairs = [
            pairs_of(case.source, case.destination, others[group]) for case, group in zip(cases, groups, strict=True)
        ]
        self.models: dict[str, Any] = {}

    def run(self) -> None:
        self._pair_step()
        self.rows: list[list[list[Pair]]] = [first_hits(pairs) for pairs in self.pairs]
        self._context_step()
        self._final_step()

    def _pair_step(self) -> None:
        data = []
        for case, pairs in zip(self.cases, self.pairs, strict=True):
            for view, row in zip(case.destination.views, pairs, strict=True):
                path = view.given.path
                for pair in row:
                    data.append((pair, path in case.scored, is_paired(case, path, pair.source.given.path)))
        owners = [index for index, pairs in enumerate(self.pairs) for row in pairs for _ in row]
        self._step(
            "pair",
            owners,
            [pair.features for pair, _, _ in data],
            [label for _, _, label in data],
            [use for _, use, _ in data],
            PAIR,
        )
        for (pair, _, _), chance in zip(data, self.out, strict=True):
            pair.chance = chance

    def _context_step(self) -> None:
        data = []
        owners = []
        for index, (case, rows) in enumerate(zip(self.cases, self.rows, strict=True)):
            features = context_rows(rows, case.source, case.destination)
            for view, row, some in zip(case.destination.views, rows, features, strict=True):
                path = view.given.path
                for pair, own in zip(row, some, strict=True):
                    data.append((pair, own, path in case.scored, is_paired(case, path, pair.source.given.path)))
                    owners.append(index)
        self._step(
            "context",
            owners,
            [own for _, own, _, _ in data],
            [label for *_, label in data],
            [use for _, _, use, _ in data],
            CONTEXT,
        )
        for (pair, *_), chance in zip(data, self.out, strict=True):
            pair.chance = chance
        self.rows = [
            [sorted(row, key=lambda pair: (-pair.chance, pair.source.position)) for row in rows] for rows in self.rows
        ]

    def _final_step(self) -> None:
        data = []
        owners = []
        for index, (case, rows) in enumerate(zip(self.cases[: self.count], self.rows, strict=False)):
            for view, described in zip(
                case.destination.views,
                candidate_rows(rows, case.source, case.destination, self.memories[index]),
                strict=True,
            ):
                path = view.given.path
                for candidate, own in described:
                    sources = [one.given.path for one in candidate.sources]
                    data.append((index, view, candidate, own, path in case.scored, is_right(case, path, sources)))
                    owners.append(index)
        self._step(
            "final",
            owners,
            [own for *_, own, _, _ in data],
            [label for *_, label in data],
            [use for *_, use, _ in data],
            FINAL,
        )
        ways: dict[tuple[int, int], list[Way]] = defaultdict(list)
        for (index, view, candidate, *_), chance in zip(data, self.out, strict=True):
            ways[index, view.position].append(Way(candidate=candidate, chance=chance, features=[]))
        self.final: dict[tuple[int, str], list[tuple[float, list[str]]]] = {}
        for index, case in enumerate(self.cases[: self.count]):
            side = case.destination
            rows = [finished(ways.get((index, view.position), []), view, side) for view in side.views]
            for view, row in zip(side.views, agreeing(rows, side), strict=True):
                self.final[index, view.given.path] = [
                    (way.chance, [one.given.path for one in way.candidate.sources]) for way in row
                ]

    def _step(
        self,
        name: str,
        owners: Sequence[int],
        rows: list[list[float]],
        labels: list[bool],
        use: list[bool],
        settings: dict[str, Any],
    ) -> None:
        matrix = np.asarray(rows, dtype=np.float32)
        marks = np.asarray(labels)
        used = np.asarray(use)
        fold = np.asarray([self.fold[owner] for owner in owners])
        out = np.zeros(len(marks))
        for one in sorted(set(self.fold)):
            train = (fold != one) & used
            model = lightgbm.LGBMClassifier(**settings, **COMMON, **monotone(name))
            model.fit(matrix[train], marks[train])
            out[fold == one] = model.predict_proba(matrix[fold == one])[:, 1]
        self.out = [float(p) for p in out]
        model = lightgbm.LGBMClassifier(**settings, **COMMON, **monotone(name))
        model.fit(matrix[used], marks[used])
        self.models[name] = model

    def predictions(self, threshold: float) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for (index, path), ways in self.final.items():
            if ways and ways[0][0] >= threshold:
                found[self.cases[index].id].append(
                    {"source": ways[0][1], "destination": path, "confidence": ways[0][0]}
                )
        return found

    def ranked(self) -> dict[str, list[list[Any]]]:
        found = {}
        for case, pairs, rows in zip(self.cases[: self.count], self.pairs, self.rows, strict=False):
            hits = {id(pair) for row in rows for pair in row}
            for row in pairs:
                for pair in row:
                    if id(pair) not in hits:
                        pair.chance = min(pair.chance, LEAST) * 0.1
            found[case.id] = [
                [source.given.path, view.given.path, value]
                for view, row in zip(case.destination.views, ranked_pairs(pairs), strict=True)
                for source, value in row
            ]
        return found


def tree_form(node: dict[str, Any]) -> Any:
    """One of lightgbm's trees as `[feature, threshold, left, right]` and numbers."""
    if "leaf_value" in node:
        return round(node["leaf_value"], 5)
    assert node["decision_type"] == "<="
    return [
        node["split_feature"],
        round(node["threshold"], 6),
        tree_form(node["left_child"]),
        tree_form(node["right_child"]),
    ]


def trees_form(model: Any) -> list[Any]:
    return [tree_form(tree["tree_structure"]) for tree in model.booster_.dump_model()["tree_info"]]


def write(stack: Stack) -> None:
    """Replace the shipped weights and memory."""
    weights = {"features": feature_names()} | {name: trees_form(model) for name, model in stack.models.items()}
    (KNOWLEDGE / "weights.json").write_text(json.dumps(weights, separators=(",", ":")) + "\n")
    form = memory_form(stack.memory)
    lines = ",\n".join(
        f'"{name}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]" for name, rows in form.items()
    )  # type: ignore[attr-defined]
    (KNOWLEDGE / "learned.json").write_text("{\n" + lines + "\n}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--by", choices=("provider", "origin"), default="provider")
    parser.add_argument("--out", type=Path, help="write predictions and rankings of the held-out cases here")
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    cases = load_cases(arguments.cases)
    stack = Stack(cases, [getattr(case, arguments.by) for case in cases])
    stack.run()
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "predictions.json").write_text(json.dumps(stack.predictions(arguments.threshold)))
        (arguments.out / "ranked.json").write_text(json.dumps(stack.ranked()))
    if arguments.write:
        write(stack)


if __name__ == "__main__":
    main()
