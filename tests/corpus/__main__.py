"""Compile every operation of a folder of descriptions, and say what does not compile.

python -m tests.corpus FOLDER [--sample N --seed K] [--page FILE] [--work FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.corpus.folder import specs_in
from tests.corpus.page import kept, page, printed, written
from tests.corpus.run import run_corpus, sample
from tests.shared import REPOSITORY


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.corpus")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--sample", type=int, metavar="N", help="take N operations, a dozen of each of some descriptions"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="K")
    parser.add_argument("--page", type=Path, help="write the table there as Markdown, what it shows as JSON beside it")
    parser.add_argument("--work", type=Path, default=REPOSITORY / ".work" / "corpus", help="where results are kept")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    specs = specs_in(given.folder.resolve())
    if not specs:
        print(f"{given.folder} holds no description", file=sys.stderr)
        return 2
    only = sample(specs, given.sample, given.seed) if given.sample is not None else None
    taken = [spec for spec in specs if only is None or spec.name in only]
    results = run_corpus(taken, given.work.resolve(), only=only, workers=given.workers)
    results_kept = [kept(result) for result in results]
    print(printed(results_kept))
    unnamed = [f"{result.spec.name}: {id}: {said[0]}" for result in results for id, said in result.broken.items()] + [
        f"{result.spec.name}: {id}: reads otherwise when it is read alone" for result in results for id in _odd(result)
    ]
    for line in unnamed:
        print(f"broken: {line}", file=sys.stderr)
    if given.page is not None:
        given.page.write_text(page(results_kept), encoding="utf-8")
        given.page.with_suffix(".json").write_text(written(results_kept), encoding="utf-8")
    return 1 if unnamed else 0


def _odd(result: object) -> list[str]:
    found = getattr(result, "found", {})
    return list(found.get("differs_when_pruned", ()))


if __name__ == "__main__":
    sys.exit(main())
