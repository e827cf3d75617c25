"""What a model's word is worth beside the matcher's: `python -m benchmarks.mapping.trust --cases FOLDER [--write]`.

No model is asked. Models are simulated that pick the right source with a given chance, and otherwise mostly what also looks right, on
proposals that the matcher made for providers it was not fitted on. That says how good a model has to be to be of use with the shares of
`trust.toml`, and how far other shares are from them; it says nothing of any real model.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitesse.mapper.llm.rank import Trust, lifted, lowered, shipped_trust

from .cases import Case, load_cases, normal

RESULTS = Path(__file__).resolve().parents[1] / "results" / "mapping-trust.json"
THRESHOLD = 0.4
ACCURACIES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SHARES = ((0.3, 0.7), (0.4, 0.7), (0.5, 0.5), (0.5, 0.7), (0.5, 0.85), (0.6, 0.7), (0.7, 0.7))
SEEDS = (1, 2, 3)
_LIKELY = 0.5
"""Of a simulated model's mistakes, those that are the matcher's own likeliest wrong source."""

Found = Mapping[tuple[int, str], Sequence[tuple[float, Sequence[str]]]]
"""(case, destination) → ways, best first: chance and sources."""


@dataclass(slots=True)
class Tally:
    """Counts of proposals."""

    right: int = 0
    wrong: int = 0
    wanted: int = 0
    error: float = 0.0
    """Squared, of the confidences."""

    def form(self) -> dict[str, float]:
        made = self.right + self.wrong
        precision, recall = self.right / made, self.right / self.wanted
        figures = {
            "P": precision,
            "R": recall,
            "F1": 2 * precision * recall / (precision + recall),
            "Brier": self.error / made,
        }
        return {name: round(value, 6) for name, value in figures.items()}


def simulated(cases: Sequence[Case], found: Found, accuracy: float | None, trust: Trust, seed: int) -> Tally:
    """Score the proposals after a model of this accuracy spoke; None: without one."""
    chance = random.Random(seed)
    tally = Tally()
    for index, case in enumerate(cases):
        sources = [view.given.path for view in case.source.views]
        for view in case.destination.views:
            path = view.given.path
            if path not in case.scored:
                continue
            tally.wanted += path in case.right
            ways = list(found.get((index, path), ()))
            if accuracy is not None:
                ways = spoken(ways, _pick(case, path, ways, sources, accuracy, chance), trust)
            if ways and ways[0][0] >= THRESHOLD:
                right = _is_right(case, path, ways[0][1])
                tally.right += right
                tally.wrong += not right
                tally.error += (ways[0][0] - right) ** 2
    return tally


def spoken(
    ways: Iterable[tuple[float, Sequence[str]]], pick: Sequence[str] | None, trust: Trust
) -> list[tuple[float, Sequence[str]]]:
    """The ways after a model picked one, as `vitesse.mapper.llm.rank` moves them."""
    ways = list(ways)
    after = []
    picked = frozenset(pick or ())
    for value, sources in ways:
        own = picked == frozenset(sources)
        after.append((lifted(value, trust.picked) if own else lowered(value, trust.passed_over), sources))
    if pick is not None and picked not in {frozenset(sources) for _, sources in ways}:
        after.append((trust.picked, pick))
    return sorted(after, key=lambda way: -way[0])


def _pick(
    case: Case,
    path: str,
    ways: Sequence[tuple[float, Sequence[str]]],
    sources: Sequence[str],
    accuracy: float,
    chance: random.Random,
) -> Sequence[str] | None:
    known = {normal(source): source for source in sources}
    right = next((some for some in case.right.get(path, ()) if some <= set(known)), None)
    if chance.random() < accuracy:
        return [known[one] for one in sorted(right)] if right is not None else None
    wrong = [some for _, some in ways if not _is_right(case, path, some)]
    if wrong and chance.random() < _LIKELY:
        return wrong[0]
    if path in case.right and chance.random() < 0.5:
        return None
    return chance.choice(wrong) if wrong and chance.random() < 0.5 else [chance.choice(sources)]


def _is_right(case: Case, path: str, sources: Sequence[str]) -> bool:
    return frozenset(map(normal, sources)) in case.right.get(path, ())


def measured(cases: Sequence[Case], found: Found) -> dict[str, Any]:
    """All rows: without a model, with the shipped shares, and F1 with others."""
    shipped = shipped_trust()
    return {
        "cases": len(cases),
        "without": simulated(cases, found, None, shipped, 0).form(),
        "shares": {"picked": shipped.picked, "passed_over": shipped.passed_over},
        "shipped": {str(accuracy): _mean(cases, found, accuracy, shipped) for accuracy in ACCURACIES},
        "others": {
            f"{picked}/{passed}": {
                str(accuracy): _mean(
                    cases, found, accuracy, Trust(picked=picked, passed_over=passed, nearest=shipped.nearest)
                )["F1"]
                for accuracy in ACCURACIES
            }
            for picked, passed in SHARES
        },
    }


def _mean(cases: Sequence[Case], found: Found, accuracy: float, trust: Trust) -> dict[str, float]:
    runs = [simulated(cases, found, accuracy, trust, seed).form() for seed in SEEDS]
    return {name: round(sum(one[name] for one in runs) / len(runs), 4) for name in runs[0]}


def lines(result: Mapping[str, Any]) -> Iterable[str]:
    """The result as tables."""
    yield "| a model that is right | P | R | F1 | Brier |"
    yield "| --- | --- | --- | --- | --- |"
    for name, row in (("(no model)", result["without"]), *result["shipped"].items()):
        yield f"| {name} | " + " | ".join(f"{row[key]:.3f}" for key in ("P", "R", "F1", "Brier")) + " |"
    yield ""
    yield "| F1 with shares | " + " | ".join(result["shipped"]) + " |"
    yield "| --- |" + " --- |" * len(result["shipped"])
    for name, row in result["others"].items():
        yield f"| {name} | " + " | ".join(f"{value:.3f}" for value in row.values()) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results/")
    arguments = parser.parse_args()
    from .fit import Stack

    cases = load_cases(arguments.cases)
    stack = Stack(cases, [case.provider for case in cases])
    stack.run()
    result = measured(cases, stack.final)
    for line in lines(result):
        print(line)
    if arguments.write:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
