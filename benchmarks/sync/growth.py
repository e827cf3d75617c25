"""`python -m benchmarks.sync.growth [--quick]`: does the generated package need more memory, or more CPU a record, for more records?"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from benchmarks.measure import Measured, in_turn
from benchmarks.tables import Table, save, show

from .__main__ import command_for
from .package import generated, package_versions
from .serving import serving

RECORDS = (10_000, 100_000, 1_000_000)
QUICK = (1_000, 10_000)


def grow(sizes: tuple[int, ...]) -> Table:
    """One row a size, each from an empty state."""
    found: list[Measured] = []
    contender = generated()
    for size in sizes:
        with serving("--records", str(size)) as server:
            command = replace(command_for(contender, "batch", server, size), name=f"{size:,} records", timeout_s=1200)
            [measured] = in_turn([command], 1)
        sample = measured.samples[0]
        first = found[0].samples[0] if found else sample
        figures = {
            "cpu_us_a_record": sample.cpu_s / size * 1e6,
            "records_per_s": size / sample.wall_s,
            "grown_mib": (sample.max_rss_mb or 0.0) - (first.max_rss_mb or 0.0),
        }
        measured.samples[0] = replace(sample, figures=figures)
        found.append(measured)
    return Table(
        key="growth",
        title="The generated package, batches of 100, from an empty state",
        note="Whole processes, their start included.",
        base=found[0].command.name,
        measured=found,
        figures=("cpu_us_a_record", "records_per_s", "grown_mib"),
        by=lambda sample: sample.figures["cpu_us_a_record"],
        ratio_of="records per cpu s",
    )


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sync.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few records, nothing kept")
    options = parser.parse_args()
    result = save(
        "quick" if options.quick else "growth",
        [grow(QUICK if options.quick else RECORDS)],
        command=" ".join(["python -m benchmarks.sync.growth", *sys.argv[1:]]),
        versions=package_versions(),
    )
    show(result)


if __name__ == "__main__":
    main()
