"""How well a package is, as a list of checks and one score: database, both APIs, sign-ins, queues, runs, memory.

Nothing is asked of an API here: what is known of it is how the last requests ended and what its breaker thinks. `GET /health`
shows all of it, `doctor` what can be known without the service, alerts watch the score.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..options import Options
from ..state.depths import QUEUES
from .meter import Meter, memory_bytes, memory_limit_bytes
from .metrics import Known

if TYPE_CHECKING:
    from ..engine.opened import Opened

Status = Literal["ok", "warning", "critical"]
_WORTH: dict[Status, float] = {"ok": 1.0, "warning": 0.6, "critical": 0.0}
CRITICAL_SCORE = 60
"""The score is no better than this while anything is critical: below the gate of a package's own tests."""
_WORDS = {
    "inbox": "webhook deliveries wait",
    "dead_letters": "records are dead letters",
    "conflicts": "conflicts wait for a person",
    "waiting": "records wait for their parent",
    "unknown": "groups of requests have no known outcome",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    status: Status
    text: str
    value: float | None = None
    limit: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As `GET /health` shows it."""
        return {"check": self.name, "status": self.status, "text": self.text, "value": self.value, "limit": self.limit}


def checks_of(opened: Opened, meter: Meter | None, known: Known | None) -> list[Check]:
    """Every check, in a fixed order."""
    options = opened.settings.options
    if known is None:
        checks = [Check(name="database", status="critical", text="the state does not answer")]
    else:
        checks = [Check(name="database", status="ok", text="answers")]
    checks += _apis(opened, meter)
    if known is not None:
        checks += _sign_ins(known)
        checks += queues(opened, known)
        checks += _runs(opened, known)
    return [*checks, memory(options)]


def _apis(opened: Opened, meter: Meter | None) -> Iterator[Check]:
    for session in (opened.source, opened.destination):
        name, breaker = f"api {session.api.name}", session.breaker.status()
        reach = meter.reach.get(session.api.name) if meter is not None else None
        if breaker.state == "open":
            text = f"its breaker is open and lets the next request through in {breaker.retry_in_s:.0f} s"
            yield Check(name=name, status="critical", text=text)
        elif reach is None:
            yield Check(name=name, status="ok", text="not asked yet by this process")
        elif not reach.is_well:
            yield Check(name=name, status="warning", text=f"the last request failed: {reach.failure}")
        elif breaker.state == "half_open":
            yield Check(name=name, status="warning", text="its breaker is half open")
        else:
            yield Check(name=name, status="ok", text="answers")


def _sign_ins(known: Known) -> Iterator[Check]:
    for name, row in known.tokens.items():
        if row.needs_sign_in:
            text = f"somebody has to sign in ({row.reason}): `token sign-in {name}`"
            yield Check(name=f"sign-in {name}", status="critical", text=text)
        else:
            yield Check(name=f"sign-in {name}", status="ok", text="signed in" if row.access else "no token fetched yet")


def queues(opened: Opened, known: Known) -> Iterator[Check]:
    """What waits in the state, over all streams."""
    limit = opened.settings.options.health_max_queue
    for queue in QUEUES:
        count = sum(depth for (name, _), depth in known.depths.items() if name == queue)
        status: Status = "ok" if count < limit else "warning" if count < limit * 10 else "critical"
        yield Check(name=f"queue {queue}", status=status, text=f"{count} {_WORDS[queue]}", value=count, limit=limit)


def _runs(opened: Opened, known: Known) -> Iterator[Check]:
    now, limit = opened.engine.clock.now(), opened.settings.options.health_max_lag_s
    for stream in opened.integration.streams:
        name, run = f"runs of {stream.name}", known.runs.get(stream.name, {})
        if not run:
            yield Check(name=name, status="ok", text="never ran")
            continue
        age = now - run["well_at"] if run.get("well_at") is not None else None
        if known.paused.get(stream.name):
            yield Check(name=name, status="critical", text="its schedule waits for a sign-in", value=age, limit=limit)
        elif run.get("state") in ("failed", "crashed"):
            text = f"the last one {run['state']}: {run['failure'] or 'without a word'}"
            yield Check(name=name, status="warning", text=text, value=age, limit=limit)
        elif limit is not None and age is not None and age > limit:
            yield Check(name=name, status="warning", text=f"none went well for {age:.0f} s", value=age, limit=limit)
        else:
            yield Check(
                name=name, status="ok", text=f"the last one: {run.get('state', 'unknown')}", value=age, limit=limit
            )


def memory(options: Options) -> Check:
    """What the process holds, beside what it may."""
    used, allowed = memory_bytes(), memory_limit_bytes()
    if options.health_max_memory_mb is not None:
        allowed = options.health_max_memory_mb * 1024 * 1024
    text = f"{used >> 20} MB" + (f" of {allowed >> 20} MB" if allowed else "")
    status: Status = "ok"
    if allowed:
        status = "critical" if used > allowed else "warning" if used > 0.9 * allowed else "ok"
    return Check(name="memory", status=status, text=text, value=used, limit=allowed)


def score_of(checks: list[Check]) -> int:
    """From 0 to 100: the mean of all checks, and at most `CRITICAL_SCORE` while one is critical."""
    mean = round(100 * sum(_WORTH[check.status] for check in checks) / max(len(checks), 1))
    return min(mean, CRITICAL_SCORE) if any(check.status == "critical" for check in checks) else mean


def report(opened: Opened, meter: Meter, known: Known | None) -> dict[str, Any]:
    """The reply of `GET /health`, under the names that monitors know."""
    checks = checks_of(opened, meter, known)
    requests = sum(meter.requests.values())
    failed = sum(count for (_, _, outcome), count in meter.requests.items() if outcome in ("5xx", "error"))
    worst = "critical" if any(c.status == "critical" for c in checks) else "ok"
    if worst == "ok" and any(c.status == "warning" for c in checks):
        worst = "warning"
    return {
        "status": worst,
        "overall_score": score_of(checks),
        "success_rate": round(1 - failed / requests, 4) if requests else None,
        "response_time_p95": meter.p95_s() if requests else None,
        "critical_issues": [f"{check.name}: {check.text}" for check in checks if check.status == "critical"],
        "warnings": [f"{check.name}: {check.text}" for check in checks if check.status == "warning"],
        "checks": [check.to_json() for check in checks],
    }
