"""`python -m benchmarks.many [--quick]`: the same integrations built by one worker process, by two and by four."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from benchmarks.measure import Command, Unfit, in_turn
from benchmarks.places import REPOSITORY, WORK
from benchmarks.tables import Table, installed, save, show
from benchmarks.vitesse import ENV, vitesse

COPIES = 8
"""Of each example."""
EXAMPLES = ("shopify_credo", "tracker_ledger")
VERSIONS = ("black", "datamodel-code-generator", "pydantic", "ryaml")
WAYS = {"one process": 1, "two processes": 2, "four processes": 4}


def prepared(copies: int) -> Path:
    """A folder of integrations: the examples, several times over."""
    home = WORK / "many" / "integrations"
    shutil.rmtree(home, ignore_errors=True)
    for name in EXAMPLES:
        for number in range(copies):
            shutil.copytree(REPOSITORY / "examples" / name, home / f"{name}_{number}")
    return home


def building(name: str, home: Path, out: Path, *, jobs: int, anew: bool) -> Command:
    """Build all that is in a folder."""
    count = len(list(home.iterdir()))

    def check(said: str) -> dict[str, float]:
        locks = len(list(out.glob("*/vitesse.lock")))
        if locks != count:
            raise Unfit(f"{locks} of {count} packages are there")
        told: dict[str, float] = json.loads(said)
        if told["workers"] != min(jobs, count):
            raise Unfit(f"{told['workers']} workers")
        return told

    return Command(
        name=name,
        argv=(sys.executable, "-m", "benchmarks.many.busiest", str(home), str(out), str(jobs)),
        cwd=REPOSITORY,
        env=ENV,
        before=(lambda: shutil.rmtree(out, ignore_errors=True)) if anew else None,
        check=check,
    )


def compare(home: Path, runs: int, *, anew: bool) -> Table:
    """One table: all ways over one folder."""
    count = len(list(home.iterdir()))
    out = WORK / "many" / ("new" if anew else "kept")
    if not anew:
        shutil.rmtree(out, ignore_errors=True)
        vitesse("build", str(home), "--out", str(out))
    return Table(
        key="new" if anew else "unchanged",
        title=f"{count} integrations, {'written anew' if anew else 'nothing changed'}",
        note=(
            "`busiest_cpu_s` is the CPU of the busiest worker and of the command itself: what one waits for where each has a core to "
            "itself, and what the ratio is of. Peak memory is that of the largest process."
        ),
        base="one process",
        measured=in_turn([building(name, home, out, jobs=jobs, anew=anew) for name, jobs in WAYS.items()], runs),
        figures=("busiest_cpu_s",),
        by=lambda sample: sample.figures["busiest_cpu_s"],
    )


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a quarter of the integrations, one turn, nothing kept")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    home = prepared(COPIES // 4 if options.quick else COPIES)
    runs = 1 if options.quick else options.runs
    tables = [compare(home, runs, anew=anew) for anew in (True, False)]
    result = save(
        "quick" if options.quick else "many",
        tables,
        command=" ".join(["python -m benchmarks.many", *sys.argv[1:]]),
        versions=installed(sys.executable, VERSIONS),
    )
    show(result)


if __name__ == "__main__":
    main()
