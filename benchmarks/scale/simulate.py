"""`python -m benchmarks.scale.simulate`: 100 replicas and 10^9 records, by computation; nothing is sent or stored.

Simulated event by event: the row of the request budget, whose draws follow one another because each locks it. Computed from
what is stated in `ASSUMED`: duration, heartbeats and leases, rows and bytes, and what retention takes away.
"""

from __future__ import annotations

import heapq
import json
import math
import random
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results" / "scale-simulated.json"
AHEAD_S, LATE_S, ARRIVAL_S, HEADROOM, LONGEST_AHEAD_S = 0.3, 0.1, 0.15, 0.985, 1.0
"""As in `runtime/http/budget.py` and `runtime/state/budgets.py`."""

ASSUMED: dict[str, float] = {
    "replicas": 100,
    "records": 1e9,
    "records_per_request": 100,
    "draw_transaction_ms": 2.0,
    "draw_round_trip_ms": 5.0,
    "lease_s": 60.0,
    "runs_at_once_per_replica": 4,
    "parts": 10_000,
    "records_per_transaction": 500,
    "bytes_per_link": 260,
    "bytes_of_links_index_per_row": 110,
    "bytes_per_match": 130,
    "changed_per_day": 0.01,
    "bytes_per_change": 400,
    "history_days": 90,
    "runs_per_day": 24 * 20,
    "bytes_per_run": 600,
    "runs_days": 90,
    "bytes_per_queue_row": 900,
    "queue_days": 7,
}


def budget(per_s: float, burst: float, replicas: int, seconds: float, seed: int = 1) -> dict[str, float]:
    """All replicas ask without rest: how much of the rate they use, how many draws that takes, how busy the row is."""
    chance = random.Random(seed)
    service, trip = ASSUMED["draw_transaction_ms"] / 1000, ASSUMED["draw_round_trip_ms"] / 1000
    late = min(LATE_S, burst / (4 * per_s))
    capacity = max(1.0, burst - min(max(1.0, per_s * (ARRIVAL_S + late)), burst * 0.8))
    rate = per_s * HEADROOM
    share = rate / replicas
    wanted = max(1, min(math.ceil(share * AHEAD_S) + 1, math.ceil(per_s * AHEAD_S)))
    tokens, at, free_at = capacity, 0.0, 0.0
    draws = empty = used = 0
    busy = waited = 0.0
    events = [(chance.random() * 0.1, number) for number in range(replicas)]
    heapq.heapify(events)
    while events:
        asked, number = heapq.heappop(events)
        if asked >= seconds:
            continue
        begin = max(asked + trip / 2, free_at)
        now = free_at = begin + service
        busy += service
        waited = max(waited, now + trip / 2 - asked)
        draws += 1
        tokens, at = min(capacity, tokens + (now - at) * rate), now
        first_in = max(0.0, (1 - tokens) / rate)
        if first_in > LONGEST_AHEAD_S:
            empty += 1
            again = now + trip / 2 + max(0.05, first_in - LONGEST_AHEAD_S / 2)
        else:
            tokens -= wanted
            used += wanted
            again = max(now + trip / 2, now + max(0.0, -tokens / rate))  # when the last of them may be used
        heapq.heappush(events, (again + chance.random() * 0.002, number))
    return {
        "per_s": per_s,
        "burst": burst,
        "share_of_rate": round(min(1.0, used / (burst + per_s * seconds)), 4),
        "draws_per_s": round(draws / seconds, 1),
        "tokens_per_draw": round(used / draws, 2),
        "draws_that_gave_nothing": round(empty / draws, 4),
        "row_is_locked": round(busy / seconds, 4),
        "longest_wait_for_the_row_ms": round(waited * 1000, 1),
    }


def computed(per_s: float) -> dict[str, Any]:
    """What follows from the assumptions for one allowed rate."""
    a = ASSUMED
    requests = a["records"] / a["records_per_request"]
    writing_s = requests / (per_s * HEADROOM)
    renewals = a["replicas"] * a["runs_at_once_per_replica"] * 3 / a["lease_s"]
    return {
        "per_s": per_s,
        "first_sync_days": round(writing_s / 86_400, 2),
        "records_per_s": round(a["records"] / writing_s),
        "transactions_per_s_of_runs": round(a["records"] / writing_s / a["records_per_transaction"], 1),
        "signs_of_life_per_s": round(a["replicas"] * 5 / a["lease_s"], 1),
        "lease_renewals_per_s": round(renewals, 1),
        "seconds_per_part": round(
            writing_s / a["parts"] * min(a["replicas"] * a["runs_at_once_per_replica"], a["parts"]), 1
        ),
        "lost_by_one_dead_replica_s": a["lease_s"] + a["lease_s"] / 5,
    }


def rows() -> dict[str, Any]:
    """What the database holds in the long run."""
    a = ASSUMED
    changes = a["records"] * a["changed_per_day"] * a["history_days"]
    runs = a["runs_per_day"] * a["runs_days"] + a["parts"]
    gib = 1024**3
    return {
        "links": {
            "rows": a["records"],
            "gib": round(a["records"] * (a["bytes_per_link"] + a["bytes_of_links_index_per_row"]) / gib),
        },
        "matches": {"rows": a["records"], "gib": round(a["records"] * a["bytes_per_match"] / gib)},
        "changes": {"rows": changes, "gib": round(changes * a["bytes_per_change"] / gib)},
        "changes_deleted_per_day": a["records"] * a["changed_per_day"],
        "runs": {"rows": runs, "gib": round(runs * a["bytes_per_run"] / gib, 3)},
        "queue": {
            "rows": a["runs_per_day"] * a["queue_days"],
            "gib": round(a["runs_per_day"] * a["queue_days"] * a["bytes_per_queue_row"] / gib, 4),
        },
        "checkpoints_at_most": a["parts"] + 1,
        "connections": a["replicas"] * (2 + 5),
    }


def main() -> None:
    """Compute, print and keep."""
    found = {
        "assumed": ASSUMED,
        "budget": [
            budget(*each, int(ASSUMED["replicas"]), 120.0)
            for each in ((2.0, 40.0), (40.0, 40.0), (400.0, 400.0), (4000.0, 4000.0))
        ],
        "computed": [computed(per_s) for per_s in (2.0, 40.0, 400.0, 4000.0)],
        "rows": rows(),
    }
    shown = json.dumps(found, indent=2)
    RESULTS.write_text(shown + "\n")
    print(shown)


if __name__ == "__main__":
    main()
