"""`python -m benchmarks.compile.stages [--quick]`: where a build's CPU time goes, by import and by stage."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.places import WORK
from benchmarks.tables import installed, save_plain
from benchmarks.vitesse import ENV

from . import ours
from .documents import Document, example, stripe
from .others import clear

VERSIONS = ("black", "cookiecutter", "datamodel-code-generator", "Jinja2", "pydantic", "ryaml")


def of(document: Document, runs: int) -> dict[str, float]:
    """Stage → median seconds of CPU, in the order they ran."""
    folder, out = ours.prepared(document), WORK / "compile" / "staged"
    script = Path(__file__).with_name("stage_times.py")
    found: dict[str, list[float]] = {}
    for _ in range(runs):
        clear(out)
        done = subprocess.run(
            [sys.executable, str(script), str(folder), str(out)], env=ENV, capture_output=True, text=True, check=True
        )
        for stage, seconds in json.loads(done.stdout).items():
            found.setdefault(stage, []).append(seconds)
    return {stage: round(statistics.median(values), 4) for stage, values in found.items()}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile.stages", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one turn, nothing kept")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    stages = {each.name: of(each, 1 if options.quick else options.runs) for each in (example(), *stripe())}
    result: dict[str, Any] = {"stages": stages}
    save_plain(
        "quick" if options.quick else "compile-stages",
        result,
        command=" ".join(["python -m benchmarks.compile.stages", *sys.argv[1:]]),
        versions=installed(sys.executable, VERSIONS),
    )
    for name, times in stages.items():
        sys.stdout.write(f"{name}: {sum(times.values()):.3f} s\n")
        sys.stdout.writelines(f"  {seconds * 1000:7.1f} ms  {stage}\n" for stage, seconds in times.items())


if __name__ == "__main__":
    main()
