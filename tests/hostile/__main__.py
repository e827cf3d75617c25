"""Try a corpus of hostile documents.

    python -m tests.hostile --corpus FILE [--only ID…] [--json FILE] [--workers N] [--peers]

Ends with 1 when a case fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from .corpus import Case, read_corpus
from .judge import Verdict, baseline_files, judge
from .table import summary, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    asked = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        work = Path(folder).resolve()
        cases = read_corpus(asked.corpus, work, frozenset(asked.only))
        verdicts = try_all(cases, work, asked.workers, show=True)
        results = {"vitesse": [asdict(verdict) for verdict in verdicts]}
        if asked.peers:
            from .peers import try_peers

            results |= try_peers(cases, work, asked.workers)
    if asked.json is not None:
        asked.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(table(verdicts))
    print(summary(verdicts))
    return 1 if any(verdict.outcome == "failed" for verdict in verdicts) else 0


def try_all(cases: Sequence[Case], work: Path, workers: int = 2, *, show: bool = False) -> list[Verdict]:
    """Judge every case, several at a time, in their order."""
    baselines = baseline_files(cases[0], work)
    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(workers) as pool:
        for verdict in pool.map(lambda case: judge(case, work, baselines), cases):
            verdicts.append(verdict)
            if show and verdict.outcome == "failed":
                print(f"{verdict.id} ({verdict.expected}):", *verdict.faults, sep="\n    ", flush=True)
            elif show and len(verdicts) % 20 == 0:
                print(f"{len(verdicts)} of {len(cases)}", file=sys.stderr, flush=True)
    return verdicts


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, help="a JSON list of cases, with its build.py beside it")
    parser.add_argument("--only", nargs="+", default=(), metavar="ID", help="these cases only")
    parser.add_argument("--json", type=Path, help="write every verdict there")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--peers", action="store_true", help="try the same documents on other generators")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
