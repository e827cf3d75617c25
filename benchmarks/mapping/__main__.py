"""The Mapper on gold cases: `python -m benchmarks.mapping --cases FOLDER --out FOLDER [--cross provider|origin]`.

Writes `predictions.json` (one best mapping a destination) and `ranked.json` (every pair that was looked at, with its score) for the
cases of any folder. By default with the weights that ship; with `--cross` each case is predicted by weights that were fitted without
its provider (or origin), which is what counts on the cases the weights were fitted on.

With `--llm --model NAME` any server that speaks the OpenAI protocol ranks the candidates of each case; its answers are kept in
`<out>/answers/` and used again. That costs what asking about every field of every case costs: `--estimate` says it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from vitesse.mapper.choose import choose
from vitesse.mapper.memory import shipped_memory
from vitesse.mapper.scoring import THRESHOLD, ranked_pairs, score, shipped_weights
from vitesse.rules.transforms import TRANSFORMS

from .cases import Case, load_cases, normal
from .model import Panel, add_options, known, panel_from


def transform(case: Case, destination: str, sources: list[str]) -> str:
    """The transform for a predicted pair, by the word that the cases use."""
    views = {normal(view.given.path): view for view in case.source.views}
    target = next(view for view in case.destination.views if view.given.path == destination)
    chosen = [views[normal(path)] for path in sources]
    concepts = {concept for view in chosen for concept in view.leaf.concepts}
    several = "names" if {"first_name", "last_name"} <= concepts else "series"
    given = [known(view, target.lists) for view in chosen]
    return choose(chosen, target, given, known(target, target.lists), "one" if len(chosen) == 1 else several).gold  # type: ignore[arg-type]


def predict(case: Case, panel: Panel | None = None) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """What the shipped Mapper says of one case; with a panel, what it says after a model was asked."""
    ways, pairs = score(case.source, case.destination, shipped_weights(), shipped_memory())
    if panel is not None:
        ways = panel.advised(case, ways, pairs)
    predictions = []
    for view, row in zip(case.destination.views, ways, strict=True):
        if row and row[0].chance >= THRESHOLD:
            sources = [one.given.path for one in row[0].candidate.sources]
            predictions.append(
                {"source": sources, "destination": view.given.path, "confidence": round(row[0].chance, 4)}
            )
            said = row[0].advice.choice if row[0].advice is not None else None
            if said is not None:
                predictions[-1]["transform"] = TRANSFORMS[said.transform].gold
    ranked = [
        [source.given.path, view.given.path, round(value, 6)]
        for view, row in zip(case.destination.views, ranked_pairs(pairs), strict=True)
        for source, value in row
    ]
    return predictions, ranked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--score", type=Path, help="the scorer; `score.py` beside the cases' folder when it is there")
    parser.add_argument("--cross", choices=("provider", "origin"))
    add_options(parser)
    arguments = parser.parse_args()
    panel = panel_from(parser, arguments)
    cases = load_cases(arguments.cases)
    predictions: dict[str, list[dict[str, Any]]] = {}
    ranked: dict[str, list[list[Any]]] = {}
    if arguments.cross:
        from .fit import Stack

        stack = Stack(cases, [getattr(case, arguments.cross) for case in cases])
        stack.run()
        predictions = stack.predictions(THRESHOLD)
        ranked = stack.ranked()
    else:
        for case in cases:
            predictions[case.id], ranked[case.id] = predict(case, panel)
    if panel is not None:
        panel.close()
    for case in cases:
        for one in predictions.get(case.id, ()):
            one.setdefault("transform", transform(case, one["destination"], one["source"]))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "predictions.json").write_text(json.dumps(predictions, indent=1))
    (arguments.out / "ranked.json").write_text(json.dumps(ranked))
    scorer = arguments.score or arguments.cases.parent / "score.py"
    if scorer.is_file():
        _print_table(
            scorer,
            cases,
            predictions,
            ranked,
            f"Vitesse, without the {arguments.cross}"
            if arguments.cross
            else "Vitesse, as shipped" + (f", with {panel.name}" if panel is not None else ""),
        )
    print(f"{len(cases)} cases, {sum(map(len, predictions.values()))} predictions written to {arguments.out}")


def _print_table(scorer: Path, cases: list[Case], predictions: Any, ranked: Any, name: str) -> None:
    from .table import calibration, load_scorer, same_leaf, simple, sure_line, table, token_set

    rows = {
        "equal leaf names": simple(cases, same_leaf, 0.5),
        "rapidfuzz token_set": simple(cases, token_set, 0.8),
        name: (predictions, ranked),
    }
    module = load_scorer(scorer)
    print(table(module, cases, rows))
    print()
    print(sure_line(cases, predictions))
    print()
    print("| confidence | right | 90 % interval | proposals |\n| --- | --- | --- | --- |")
    for line in calibration(cases, predictions):
        print(line)
    for what in ("domain", "origin"):
        print(f"\n| {what} | F1 | pairs |\n| --- | --- | --- |")
        for group in sorted({getattr(case, what) for case in cases}):
            some = [case for case in cases if getattr(case, what) == group]
            found = module.score([case.form for case in some], predictions)
            print(f"| {group} | {found['F1']:.3f} | {found['gold']} |")
    print()


if __name__ == "__main__":
    main()
