"""`python -m benchmarks.many.busiest FOLDER OUT JOBS`: build as `vitesse build --jobs` does; print the CPU of the busiest process."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from vitesse.cli.build import requests_for
from vitesse.workflow.folders import find_integrations
from vitesse.workflow.pool import Ended, ask_all


def main() -> None:
    """Print `busiest_cpu_s`, of one worker with what this process took beside it, and how many workers there were."""
    folder, out, jobs = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    workers: dict[int, float] = {}
    for reply in ask_all(requests_for(find_integrations([folder]), out), worker="vitesse.cli.worker", jobs=jobs):
        if isinstance(reply, Ended) or reply["result"] is None:
            raise SystemExit(f"a build failed: {reply}")
        workers[reply["worker"]] = max(reply["cpu_s"], workers.get(reply["worker"], 0.0))
    busiest = max(workers.values()) + time.process_time()
    sys.stdout.write(json.dumps({"busiest_cpu_s": busiest, "workers": len(workers)}) + "\n")


if __name__ == "__main__":
    main()
