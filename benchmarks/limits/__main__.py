"""`python -m benchmarks.limits [--replicas] [--quick]`: contacts one by one to an API that allows 40 requests a second."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time

from benchmarks.measure import Command, Measured, Sample, Unfit, in_turn
from benchmarks.peers import peers
from benchmarks.places import WORK
from benchmarks.sync.contenders import Contender, limited
from benchmarks.sync.package import generated, package_versions, python_with
from benchmarks.sync.serving import processors, serving
from benchmarks.tables import Table, installed, save, show
from benchmarks.webhooks.__main__ import postgresql

PER_S = 40
BURSTS = (10, 40)
RECORDS = 1_200
QUICK = 400
REPLICAS = 3
ONE, THREE = "one worker", "three workers"
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


def replicas(burst: int, records: int, runs: int) -> Table:
    """The package as one process and as three that share one PostgreSQL, each with a stream of its own."""
    stated = {"credo.yaml": f"per_s: {PER_S}, burst: {burst}"}
    found = [Measured(Command(name=name, argv=("shopify-credo", "worker"))) for name in (ONE, THREE)]
    for turn in range(runs):
        sys.stdout.write(f"replicas, {PER_S} requests a second, burst {burst}, turn {turn + 1} of {runs}\n")
        for workers, measured in zip((1, REPLICAS), found, strict=True):
            sample = _run_workers(workers, stated, burst, records)
            sys.stdout.write(f"  {measured.command.name}: {sample.failure or dict(sample.figures)}\n")
            measured.samples.append(sample)
    return Table(
        key=f"replicas_burst_{burst}",
        title=f"Replicas, {records:,} contacts, {PER_S} requests a second with a burst of {burst}",
        note=(
            "Workers of the extra `cluster` on one PostgreSQL, three streams that do the same; the pace is one row that all of them "
            "draw from. `passed_per_s` is over the whole span; `over_budget` is by how many requests a span of any length that the "
            "server saw was above burst + rate × time, refusals included."
        ),
        base=ONE,
        measured=found,
        figures=("share_used", "refused", "refused_share", "over_budget", "records_per_s"),
        by=lambda sample: 1 / sample.figures["share_used"],
        ratio_of="share",
    )


def _run_workers(workers: int, stated: dict[str, str], burst: int, records: int) -> Sample:
    each = records // REPLICAS
    contender = generated(stated, streams=REPLICAS)
    with (
        postgresql() as url,
        serving("--records", str(each), "--per-s", str(PER_S), "--burst", str(burst)) as server,
    ):
        env = {
            **os.environ,
            **contender.env(server.address, "single"),
            "DATABASE_URL": url,
            "RUNNER": "cluster",
            "WORKER_RUNS": str(-(-REPLICAS // workers)),
            "SYNC_INTERVAL_SECONDS": "86400",
            "LOG_LEVEL": "WARNING",
        }
        command = (python_with("cluster", "postgres"), "-m", "shopify_credo")
        log = WORK / "limits-workers.log"
        with log.open("wb") as said:
            began = time.perf_counter()
            started = []
            for number in range(workers):
                own = {**env, "WORKER_ID": f"replica-{number}"}
                started.append(subprocess.Popen([*command, "worker"], env=own, stdout=said, stderr=said))
                time.sleep(4 if number == 0 else 0)  # the first makes the tables
            # The schedule of each stream is due at once; whichever worker comes first carries it out.
            until = time.monotonic() + records / PER_S * 3 + 60
            while time.monotonic() < until and server.counts()["contacts"] < each * REPLICAS:
                time.sleep(0.25)
            failure = None
            cpu_s = peak = 0.0
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                late = threading.Timer(20, process.kill)
                late.start()
                _, _, used = os.wait4(process.pid, 0)
                late.cancel()
                process.returncode = 0
                cpu_s += used.ru_utime + used.ru_stime
                peak = max(peak, used.ru_maxrss / 1024)
        counts = server.counts()
        if failure is None and counts["contacts"] != each * REPLICAS:
            failure = f"{counts['contacts']:.0f} of {each * REPLICAS} records came in; {log.read_text()[-500:]}"
        time_s = counts["limited_for_s"] or 1.0
        return Sample(
            cpu_s=cpu_s,
            wall_s=time.perf_counter() - began,
            max_rss_mb=peak,
            figures={
                "share_used": counts["passed"] / (burst + PER_S * time_s),
                "refused": counts["refused"],
                "refused_share": counts["refused"] / max(1.0, counts["passed"] + counts["refused"]),
                "over_budget": counts["over_budget"],
                "records_per_s": counts["contacts"] / time_s,
            },
            failure=failure,
        )


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few records, one turn, nothing kept")
    parser.add_argument("--replicas", action="store_true", help="one worker and three that share one PostgreSQL")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    records, runs = (QUICK, 1) if options.quick else (RECORDS, options.runs)
    if options.replicas:
        tables = [replicas(burst, records, runs) for burst in BURSTS]
        versions = package_versions()
    else:
        tables = []
        for burst in BURSTS:
            stated = f"per_s: {PER_S}, burst: {burst}"
            tables.append(compare(burst, [*limited(), generated({"credo.yaml": stated})], records, runs))
        versions = installed(str(peers() / "python"), VERSIONS) | package_versions()
    result = save(
        "quick" if options.quick else "replicas" if options.replicas else "limits",
        tables,
        command=" ".join(["python -m benchmarks.limits", *sys.argv[1:]]),
        versions=versions,
    )
    show(result)


if __name__ == "__main__":
    main()
