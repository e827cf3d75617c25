"""Many seeds in pieces, each kept as it ends, so that a run that was stopped goes on: `python -m tests.simulation.many --seeds 20000`.

It goes on at the commit that it began at; at another one it begins anew. `--partly` plays, of the seeds of a range, those whose main
fault is that batches are answered in part; they are kept apart.

The page docs/simulation.md is written from what is kept (`tests.simulation.page`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.simulation.shapes import PARTLY_ANSWERED
from tests.simulation.simulation import Runner
from tests.simulation.world import DRAW, main_fault, story_of

KEPT = Path(__file__).parent / "many.json"
FIRST = Path(__file__).parent / "many_first.json"
"""The first long run: one stream alone, drawn without main faults, over two commits."""
PARTLY = Path(__file__).parent / "many_partly.json"
"""Seeds that the newest way of drawing changed."""
FAILED = Path(__file__).parent / "failed.json"
BEYOND = Path(__file__).parent / "beyond.json"
"""Seeds past those of the long runs, and which of them fail."""
PIECE = 250


def load(file: Path = KEPT) -> dict[str, Any]:
    """What is kept."""
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return found
    return nothing()


def nothing() -> dict[str, Any]:
    """Before the first seed."""
    return {"draw": DRAW, "commits": [], "first": None, "next": None, "ranges": [], "seeds": 0, "runs": 0, "records": 0,
            "requests": 0, "effects": 0, "cpu_s": 0.0, "virtual_s": 0.0, "injected": {}, "failed": []}  # fmt: skip


def load_failed() -> list[dict[str, Any]]:
    """Seeds that failed in a long run, each with the way its story was drawn (see `World`) and the commit that it failed at."""
    found: list[dict[str, Any]] = json.loads(FAILED.read_text("utf-8"))
    return found


def load_beyond() -> dict[str, Any]:
    """What was played past the long runs: ranges, and the seeds that are open with what is known of each."""
    found: dict[str, Any] = json.loads(BEYOND.read_text("utf-8"))
    return found


def is_partly_answered(seed: int) -> bool:
    """Whether the story of a seed is mostly about batches that are answered in part."""
    return story_of(seed) == "one" and main_fault(seed) in PARTLY_ANSWERED


def commit() -> str:
    """What was tried."""
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--partly", action="store_true")
    arguments = parser.parse_args()
    now = commit()
    file = PARTLY if arguments.partly else KEPT
    if (kept := load(file))["commits"] != [now] or kept["draw"] != DRAW:
        kept = nothing()  # of another engine
    first = kept["next"] or arguments.start
    kept["first"] = kept["first"] or arguments.start
    kept["commits"] = [now]
    injected = Counter(kept["injected"])
    runner = Runner()
    try:
        last = kept["first"] + arguments.seeds
        for begin in range(first, last, PIECE):
            for seed in range(begin, min(begin + PIECE, last)):
                if arguments.partly and not is_partly_answered(seed):
                    continue
                result = runner.play(seed)
                injected += result.injected
                kept["seeds"] += 1
                kept["runs"] += result.runs
                kept["records"] += result.records
                kept["requests"] += result.requests
                kept["effects"] += result.effects
                kept["cpu_s"] = round(kept["cpu_s"] + result.cpu_s, 3)
                kept["virtual_s"] = round(kept["virtual_s"] + result.virtual_s)
                if not result.is_well:
                    kept["failed"].append({"seed": seed, "what": result.violations[0].splitlines()[0][:200], "at": now})
                    print(f"seed {seed}: {result.violations[0]}", flush=True)
            kept["next"] = min(begin + PIECE, last)
            kept["ranges"] = [[kept["first"], kept["next"] - 1]]
            kept["injected"] = dict(sorted(injected.items()))
            kept["at"] = datetime.now(UTC).strftime("%Y-%m-%d")
            file.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    finally:
        runner.close()
    return 1 if kept["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
