"""`python -m benchmarks.limits [--quick]`: contacts one by one to an API that allows 40 requests a second."""

from __future__ import annotations

import argparse
import sys

from benchmarks.measure import Command, Measured, Sample, Unfit, in_turn
from benchmarks.peers import peers
from benchmarks.sync.contenders import Contender, limited
from benchmarks.sync.package import generated, package_versions
from benchmarks.sync.serving import processors, serving
from benchmarks.tables import Table, installed, save, show

PER_S = 40
BURSTS = (10, 40)
RECORDS = 1_200
QUICK = 400
VERSIONS = ("aiohttp", "dlt", "requests")


def compare(burst: int, contenders: list[Contender], records: int, runs: int) -> Table:
    """One table: the same number of records through the same bucket."""
    found = [Measured(Command(name=each.name, argv=each.argv("ADDRESS", "single"))) for each in contenders]
    for turn in range(runs):
        sys.stdout.write(f"{PER_S} requests a second, burst {burst}, turn {turn + 1} of {runs}\n")
        for contender, measured in zip(contenders, found, strict=True):
            if not measured.failure:
                measured.samples.append(_run(contender, burst, records))
    return Table(
        key=f"burst_{burst}",
        title=f"{records:,} contacts, {PER_S} requests a second with a burst of {burst}",
        note=(
            "`share_used` is what passed of what the bucket would have let pass between the first and the last request; "
            "`refused` are replies with 429."
        ),
        base=contenders[0].name,
        measured=found,
        figures=("share_used", "refused", "records_per_s"),
        by=lambda sample: 1 / sample.figures["share_used"],
        ratio_of="share",
    )


def _run(contender: Contender, burst: int, records: int) -> Sample:
    with serving("--records", str(records), "--per-s", str(PER_S), "--burst", str(burst)) as server:

        def check(_: str) -> dict[str, float]:
            counts = server.counts()
            if counts["contacts"] != records:
                raise Unfit(f"{counts['contacts']:.0f} of {records} records came in")
            passed, time_s = counts["passed"], counts["limited_for_s"]
            return {
                "share_used": passed / (burst + PER_S * time_s),
                "refused": counts["refused"],
                "records_per_s": records / time_s,
            }

        command = Command(
            name=contender.name,
            argv=contender.argv(server.address, "single"),
            env=contender.env(server.address, "single"),
            cpu=processors()[1],
            timeout_s=records / PER_S * 8 + 60,
            before=contender.start_anew,
            check=check,
        )
        return in_turn([command], 1)[0].samples[0]


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few records, one turn, nothing kept")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    records, runs = (QUICK, 1) if options.quick else (RECORDS, options.runs)
    tables = []
    for burst in BURSTS:
        stated = f"per_s: {PER_S}, burst: {burst}"
        tables.append(compare(burst, [*limited(), generated({"credo.yaml": stated})], records, runs))
    result = save(
        "quick" if options.quick else "limits",
        tables,
        command=" ".join(["python -m benchmarks.limits", *sys.argv[1:]]),
        versions=installed(str(peers() / "python"), VERSIONS) | package_versions(),
    )
    show(result)


if __name__ == "__main__":
    main()
