"""Play seeds: `python -m tests.simulation --seeds 500 --start 1`, `--seeds 1 --start 4711 --trace`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.simulation.simulation import Runner


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--keep-going", action="store_true")
    arguments = parser.parse_args()
    runner = Runner()
    injected: Counter[str] = Counter()
    runs = records = failed = 0
    began = time.process_time()
    try:
        for seed in range(arguments.start, arguments.start + arguments.seeds):
            result = runner.play(seed, keep_trace=arguments.trace)
            injected += result.injected
            runs += result.runs
            records += result.records
            if arguments.trace:
                print("\n".join(result.trace))
            if result.is_well:
                continue
            failed += 1
            print(f"seed {seed}: {result.violations[0]}", flush=True)
            if not arguments.trace:
                print(f"  replay: make simulate START={seed} SEEDS=1 TRACE=1", flush=True)
            if not arguments.keep_going:
                break
    finally:
        runner.close()
    cpu_s = time.process_time() - began
    print(
        f"{arguments.seeds} seeds from {arguments.start}: {runs} runs, {records} records, {sum(injected.values())} faults of"
        f" {len(injected)} kinds, {failed} seeds failed, {cpu_s:.1f} s CPU"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
