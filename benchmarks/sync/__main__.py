"""`python -m benchmarks.sync [--quick] [--latency-ms N]`: records a client CPU second, side by side."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

from benchmarks.measure import Command, Measured, Sample, Unfit, in_turn, run_once
from benchmarks.peers import peers
from benchmarks.tables import Table, installed, save, show

from .contenders import IDIOMATIC, Contender, others
from .package import generated, package_versions
from .records import PAGE_RECORDS, expected
from .serving import Serving, processors, serving

MODES = {"single": "one request a record", "batch": "batches of 100", "read": "reading only"}
RECORDS = {"single": 10_000, "batch": 100_000, "read": 20_000}
QUICK = {"single": 4_000, "batch": 20_000, "read": 10_000}
VERSIONS = ("aiohttp", "dlt", "httpx", "msgspec", "pydantic", "requests")
_CHECKED = 1_000


def _per_record(sample: Sample) -> float:
    return 1 / sample.figures["records_per_cpu_s"]


def check_work(contenders: list[Contender]) -> None:
    """Every client writes every record once, with the same values; who does not is not measured."""
    wanted = expected(_CHECKED)
    for mode in ("single", "batch"):
        for contender in contenders:
            if mode not in contender.modes:
                continue
            with serving("--records", str(_CHECKED), "--keep") as server:
                sample = run_once(command_for(contender, mode, server, _CHECKED))
                kept = server.kept()
            if sample.failure:
                raise SystemExit(f"{contender.name}, {mode}: {sample.failure}")
            found = {contact["email"]: contact for contact in kept}
            wrong = [
                f"{found.get(email)} for {contact}"
                for email, contact in wanted.items()
                if found.get(email) != (_without_nulls(contact) if contender.drops_nulls else contact)
            ]
            if wrong or len(kept) != len(wanted):
                raise SystemExit(f"{contender.name}, {mode}: {len(kept)} written, {len(wrong)} wrong: {wrong[:1]}")


def _without_nulls(contact: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in contact.items() if value is not None}


def command_for(contender: Contender, mode: str, server: Serving, records: int) -> Command:
    """One client against one server that has so many records; it fails when not all of them came in."""
    counted: dict[str, float] = {}

    def before() -> None:
        contender.start_anew()
        counted.update(server.counts())

    def check(_: str) -> dict[str, float]:
        now = server.counts()
        if mode == "read":
            pages = now["reads"] - counted["reads"]
            if pages < records / PAGE_RECORDS or now["writes"] != counted["writes"]:
                raise Unfit(f"{pages:.0f} pages of {records} records were read")
            return {"server_cpu_s": now["server_cpu_s"] - counted["server_cpu_s"]}
        written = now["contacts"] - counted["contacts"]
        if written != records:
            raise Unfit(f"{written:.0f} of {records} records came in")
        return {"server_cpu_s": now["server_cpu_s"] - counted["server_cpu_s"]}

    return Command(
        name=contender.name,
        argv=contender.argv(server.address, mode),
        env=contender.env(server.address, mode),
        cpu=processors()[1],
        timeout_s=300,
        before=before,
        check=check,
    )


def compare(mode: str, contenders: list[Contender], records: int, runs: int, latency_ms: float) -> Table:
    """One table. What starting costs is taken from a run over one page and left out of the rate."""
    contenders = [each for each in contenders if mode in each.modes]
    sizes = {contender.name: records // (contender.fewer or {}).get(mode, 1) for contender in contenders}
    found = [Measured(command_for(each, mode, Serving("ADDRESS"), 0)) for each in contenders]
    latency = ("--latency-ms", str(latency_ms))
    for turn in range(runs):
        sys.stdout.write(f"{MODES[mode]}, turn {turn + 1} of {runs}\n")
        for contender, measured in zip(contenders, found, strict=True):
            if measured.failure:
                continue
            with serving("--records", str(PAGE_RECORDS), *latency) as server:
                [start] = in_turn([command_for(contender, mode, server, PAGE_RECORDS)], 1)
            size = sizes[contender.name]
            with serving("--records", str(size), *latency) as server:
                [whole] = in_turn([command_for(contender, mode, server, size)], 1)
            measured.samples.append(_combine(start.samples[0], whole.samples[0], size))
    slow = "" if not latency_ms else f" with {latency_ms:g} ms before each reply"
    return Table(
        key=f"{mode}_{latency_ms:g}ms",
        title=f"{MODES[mode][0].upper()}{MODES[mode][1:]}, {records:,} {'' if mode == 'read' else 'new '}customers{slow}",
        note="Records a CPU second: without what starting the process costs, which stands beside it.",
        base=IDIOMATIC,
        measured=found,
        figures=("records_per_cpu_s", "records_per_s", "start_cpu_s", "server_busy"),
        by=_per_record,
        ratio_of="records per cpu s",
    )


def _combine(start: Sample, whole: Sample, records: int) -> Sample:
    if start.failure or whole.failure:
        return replace(whole, failure=whole.failure or start.failure)
    more = records - PAGE_RECORDS
    figures = {
        "records_per_cpu_s": more / (whole.cpu_s - start.cpu_s),
        "records_per_s": more / (whole.wall_s - start.wall_s),
        "start_cpu_s": start.cpu_s,
        "server_busy": whole.figures["server_cpu_s"] / whole.wall_s,
    }
    return replace(whole, figures=figures)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sync", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few records, one turn, nothing kept")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--only", help="contenders whose name contains this")
    options = parser.parse_args()
    base, *rest = others()
    ours = (generated(), generated(is_fast=True))
    contenders = [base, *(each for each in (*ours, *rest) if not options.only or options.only in each.name)]
    check_work(contenders)
    runs = 1 if options.quick else options.runs
    sizes = QUICK if options.quick or options.latency_ms else RECORDS
    modes = [mode for mode in MODES if mode != "read" or not options.latency_ms]
    tables = [compare(mode, contenders, sizes[mode], runs, options.latency_ms) for mode in modes]
    name = "sync" if not options.latency_ms else f"sync-{options.latency_ms:g}ms"
    result = save(
        name if not options.quick and not options.only else "quick",
        tables,
        command=" ".join(["python -m benchmarks.sync", *sys.argv[1:]]),
        versions=installed(str(peers() / "python"), VERSIONS) | package_versions(),
    )
    show(result)


if __name__ == "__main__":
    main()
