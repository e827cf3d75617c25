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
import re
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
    parser.add_argument(
        "--beside",
        metavar="NAME=FOLDER",
        type=_named_folder,
        action="append",
        default=[],
        help="another matcher's two files",
    )
    parser.add_argument(
        "--keep", metavar="SECTION", help="write the figures into the committed results and docs/mapping.md"
    )
    parser.add_argument("--only", metavar="PATTERN", default="", help="cases whose id matches")
    add_options(parser)
    arguments = parser.parse_args()
    panel = panel_from(parser, arguments)
    cases = [case for case in load_cases(arguments.cases) if re.search(arguments.only, case.id)]
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
        ours = f"Vitesse, without the {arguments.cross}" if arguments.cross else "Vitesse, as shipped"
        ours += f", with {panel.name}" if panel is not None else ""
        _report(scorer, cases, {ours: (predictions, ranked)}, arguments)
    print(f"{len(cases)} cases, {sum(map(len, predictions.values()))} predictions written to {arguments.out}")


def _report(scorer: Path, cases: list[Case], ours: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Print the figures beside those of simple matchers; keep them when that is asked for."""
    from .page import keep
    from .table import load_scorer, markdown, same_leaf, section, simple, token_set

    rows: dict[str, Any] = {
        "equal leaf names": simple(cases, same_leaf, 0.5),
        "rapidfuzz token_set": simple(cases, token_set, 0.8),
    }
    for name, folder in arguments.beside:
        rows[name] = tuple(json.loads((folder / f"{what}.json").read_text()) for what in ("predictions", "ranked"))
    found = section(load_scorer(scorer), cases, {**rows, **ours}, next(iter(ours)))
    print(markdown(found), end="\n\n")
    if arguments.keep:
        keep(arguments.keep, found)


def _named_folder(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("write NAME=FOLDER")
    return name, Path(folder)


if __name__ == "__main__":
    main()
