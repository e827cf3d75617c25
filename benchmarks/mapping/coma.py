"""COMA on gold cases, through valentine: `python -m benchmarks.mapping.coma --cases FOLDER --out FOLDER`.

Needs the extra `mapping`. Columns are named by the whole path, without values: what the cases give of most fields. Writes
`ranked.json`, and `predictions.json` with the threshold at which COMA scores best on these very cases: the best it can look.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .cases import Case, load_cases
from .table import load_scorer


def ranked(case: Case) -> list[list[Any]]:
    """Every pair that COMA gives a likeness."""
    import pandas
    from valentine import valentine_match
    from valentine.algorithms import Coma

    sources = _named([view.given.path for view in case.source.views])
    destinations = _named([view.given.path for view in case.destination.views])
    if not sources or not destinations:
        return []
    found = valentine_match(
        [pandas.DataFrame(columns=list(sources)), pandas.DataFrame(columns=list(destinations))],
        Coma(delta=1.0, threshold=0.0),
        df_names=["source", "destination"],
    )
    return [
        [sources[pair.source_column], destinations[pair.target_column], round(float(value), 5)]
        for pair, value in found.items()
        if value > 0
    ]


def _named(paths: list[str]) -> dict[str, str]:
    """A column's name → the path it stands for."""
    found: dict[str, str] = {}
    for path in paths:
        name = path
        while name in found:
            name += " "
        found[name] = path
    return found


def predictions(ranks: dict[str, list[list[Any]]], threshold: float) -> dict[str, list[dict[str, Any]]]:
    """The likeliest source of each destination, where it is likely enough."""
    found: dict[str, list[dict[str, Any]]] = {}
    for id, rows in ranks.items():
        best: dict[str, list[Any]] = {}
        for row in rows:
            if row[2] >= threshold and (row[1] not in best or row[2] > best[row[1]][2]):
                best[row[1]] = row
        found[id] = [{"source": [row[0]], "destination": row[1], "confidence": row[2]} for row in best.values()]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--score", type=Path)
    arguments = parser.parse_args()
    cases = load_cases(arguments.cases)
    scorer = load_scorer(arguments.score or arguments.cases.parent / "score.py")
    ranks = {case.id: ranked(case) for case in cases}
    forms = [case.form for case in cases]
    tried = [(scorer.score(forms, predictions(ranks, at / 50))["F1"], at / 50) for at in range(5, 48)]
    best, threshold = max(tried)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "ranked.json").write_text(json.dumps(ranks))
    (arguments.out / "predictions.json").write_text(json.dumps(predictions(ranks, threshold)))
    print(f"COMA: F1 {best:.3f} at threshold {threshold:.2f}, {len(cases)} cases, written to {arguments.out}")


if __name__ == "__main__":
    main()
