"""`python -m benchmarks.sync.stages [--quick]`: what of the generated package's CPU a record goes where."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from statistics import median

from benchmarks.measure import run_once
from benchmarks.places import REPOSITORY, WORK
from benchmarks.tables import save_plain

from .__main__ import MODES, RECORDS, command_for
from .package import generated, package_versions
from .records import PAGE_RECORDS
from .serving import serving
from .stage_clock import STAGES

REST = "the rest: other threads' waiting, the clocks themselves"
_OUTPUT = WORK / "sync" / "stages.json"


def spent(mode: str, records: int) -> dict[str, float]:
    """Seconds of CPU by stage of one process that syncs so many records; the rest is what no clock saw."""
    contender = generated()
    with serving("--records", str(records)) as server:
        command = command_for(contender, mode, server, records)
        python, _, package, *arguments = command.argv
        argv = (python, "-m", "benchmarks.sync.stage_clock", package, str(_OUTPUT), *arguments)
        path = f"{command.env['PYTHONPATH']}:{REPOSITORY}"
        sample = run_once(replace(command, argv=argv, env={**command.env, "PYTHONPATH": path}))
    if sample.failure:
        raise SystemExit(sample.failure)
    found: dict[str, float] = json.loads(_OUTPUT.read_text("utf-8"))
    found[REST] = sample.cpu_s - sum(found.values())
    return found


def per_record(mode: str, records: int, runs: int) -> dict[str, float]:
    """The median of some runs, each less what a run over one page takes."""
    spent(mode, PAGE_RECORDS)  # the package's bytecode is written by whoever runs it first
    samples: dict[str, list[float]] = {stage: [] for stage in (*STAGES, REST)}
    for turn in range(runs):
        sys.stdout.write(f"{MODES[mode]}, turn {turn + 1} of {runs}\n")
        start, whole = spent(mode, PAGE_RECORDS), spent(mode, records)
        for stage, values in samples.items():
            values.append((whole.get(stage, 0.0) - start.get(stage, 0.0)) / (records - PAGE_RECORDS))
    return {stage: median(values) for stage, values in samples.items()}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sync.stages", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few records, one turn, nothing kept")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    found = {}
    for mode in ("batch", "single"):
        records = RECORDS[mode] // (5 if options.quick else 1)
        found[MODES[mode]] = per_record(mode, records, 1 if options.quick else options.runs)
    save_plain(
        "quick" if options.quick else "sync-stages",
        {"unit": "µs of CPU a record", "units_a_second": 1_000_000, "stages": found},
        command=" ".join(["python -m benchmarks.sync.stages", *sys.argv[1:]]),
        versions=package_versions(),
    )
    for name, times in found.items():
        sys.stdout.write(f"\n{name}\n")
        for stage, seconds in times.items():
            sys.stdout.write(f"  {seconds * 1e6:7.2f} µs  {stage}\n")


if __name__ == "__main__":
    main()
