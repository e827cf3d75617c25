"""Everything that Prometheus is told, as one page of text.

Names, labels and help stand in `FAMILIES`; each value is read when it is asked for, from the counts of this process
(`meter.py`), from its breakers and limiters, and from the state, which all replicas share. Label values are names that the
package declares and words from fixed lists: no record, no address, no text of an error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..engine.versions import seconds_of
from ..errors import IntegrationError
from ..http.pauses import AuthPause
from ..state.depths import QUEUES
from ..state.tokens import TokenRow
from .meter import BUCKETS_S, FATES, Meter, fates_of, memory_bytes

if TYPE_CHECKING:
    from ..engine.opened import Opened

Labels: TypeAlias = tuple[str, ...]
Sample: TypeAlias = tuple[Labels, float]
BREAKER_STATES = ("closed", "half_open", "open")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name as it is shown, what it counts, and its labels beside `integration`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels = ()


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("vitesse_build_info", "gauge", "1; the version of the package as a label", ("version",)),
        Family("vitesse_up", "gauge", "1 when the state answers"),
        Family("vitesse_records_total", "counter", "records by what became of them, of this process", ("stream", "fate")),
        Family("vitesse_runs_total", "counter", "runs by how they ended, of this process", ("stream", "state", "failure")),
        Family("vitesse_run_active", "gauge", "1 while this process runs the stream", ("stream",)),
        Family("vitesse_run_duration_seconds", "gauge", "how long the last run took", ("stream",)),
        Family("vitesse_run_last_end_timestamp_seconds", "gauge", "when the last run ended", ("stream",)),
        Family("vitesse_run_last_success_timestamp_seconds", "gauge", "when a run last went well", ("stream",)),
        Family("vitesse_run_last_failed", "gauge", "1 when the last run failed", ("stream",)),
        Family("vitesse_watermark_age_seconds", "gauge", "how old the newest record is that was read", ("stream",)),
        Family("vitesse_schedule_paused", "gauge", "1 while a schedule waits for a sign-in", ("stream",)),
        Family("vitesse_queue_depth", "gauge", "what waits in the state", ("queue", "stream")),
        Family("vitesse_requests_total", "counter", "attempts by outcome", ("api", "operation", "status")),
        Family("vitesse_request_duration_seconds", "histogram", "how long attempts took", ("api", "operation")),
        Family("vitesse_retries_total", "counter", "attempts after the first", ("api",)),
        Family("vitesse_throttled_total", "counter", "replies that said: too fast", ("api",)),
        Family("vitesse_breaker_state", "gauge", "0 closed, 1 half open, 2 open", ("api",)),
        Family("vitesse_breaker_opened_total", "counter", "how often the circuit breaker opened", ("api",)),
        Family("vitesse_limiter_wait_seconds_total", "counter", "time that requests waited for their turn", ("api",)),
        Family("vitesse_limiter_pauses_total", "counter", "pauses for everybody", ("api",)),
        Family("vitesse_requests_active", "gauge", "requests under way", ("api",)),
        Family("vitesse_token_sign_in_needed", "gauge", "1 when somebody has to sign in", ("api",)),
        Family("vitesse_token_refreshes_total", "counter", "access tokens asked for, of this process", ("api",)),
        Family("vitesse_token_expires_timestamp_seconds", "gauge", "when the access token ends", ("api",)),
        Family("vitesse_lease_lost_total", "counter", "runs that another process took over"),
        Family("vitesse_drift_total", "counter", "replies and records not as described", ("stream",)),
        Family("vitesse_memory_bytes", "gauge", "memory that the process holds"),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What the state says, read before the page is made; None when it does not answer."""

    depths: dict[tuple[str, str], int]
    runs: dict[str, dict[str, Any]]
    watermarks: dict[str, str | None]
    tokens: dict[str, TokenRow]
    paused: dict[str, bool]


async def read_state(opened: Opened, pause: AuthPause | None) -> Known | None:
    """One visit to the state."""
    state, streams = opened.state, [stream.name for stream in opened.integration.streams]
    fetched = [name for name, auth in opened.engine.credentials if auth.is_fetched]

    def ask() -> Known:
        return Known(
            depths=state.queues.depths(),
            runs=state.queues.latest_runs(),
            watermarks={name: state.store.checkpoint(name).watermark for name in streams},
            tokens={name: state.tokens.get(name) for name in fetched},
            paused={name: pause is not None and name in pause.reasons for name in streams},
        )

    try:
        return await state.call(ask)
    except IntegrationError:
        return None


def samples_of(opened: Opened, meter: Meter, known: Known | None) -> Iterator[tuple[Family, list[Sample]]]:
    """Each family with its values; of a histogram the values of its buckets come apart."""
    found: dict[str, list[Sample]] = {}
    for name, labels, value in _values(opened, meter, known):
        found.setdefault(name, []).append((labels, value))
    for name, family in FAMILIES.items():
        if family.kind != "histogram":
            yield family, found.get(name, [])


def _values(opened: Opened, meter: Meter, known: Known | None) -> Iterator[tuple[str, Labels, float]]:
    yield "vitesse_build_info", (opened.integration.version,), 1
    yield "vitesse_up", (), known is not None
    yield "vitesse_memory_bytes", (), memory_bytes()
    yield "vitesse_lease_lost_total", (), opened.engine.leases_lost
    yield from _of_streams(opened, meter)
    yield from _of_apis(opened, meter)
    if known is not None:
        yield from _of_state(opened, known)


def _of_streams(opened: Opened, meter: Meter) -> Iterator[tuple[str, Labels, float]]:
    engine = opened.engine
    for stream in opened.integration.streams:
        name = stream.name
        counts = engine.under_way.get(name)
        live = fates_of(counts) if counts is not None else {}
        for fate in FATES:
            yield "vitesse_records_total", (name, fate), meter.fates[name, fate] + live.get(fate, 0)
        yield "vitesse_run_active", (name,), counts is not None
        yield "vitesse_drift_total", (name,), meter.drift[name] + (counts.drift if counts is not None else 0)
    for labels, count in sorted(meter.runs.items()):
        yield "vitesse_runs_total", labels, count


def _of_apis(opened: Opened, meter: Meter) -> Iterator[tuple[str, Labels, float]]:
    for key, count in sorted(meter.requests.items()):
        yield "vitesse_requests_total", key, count
    for session in (opened.source, opened.destination):
        api, limiter = (session.api.name,), session.limiter
        yield "vitesse_retries_total", api, session.traffic.retries
        yield "vitesse_throttled_total", api, session.traffic.throttled
        yield "vitesse_breaker_state", api, BREAKER_STATES.index(session.breaker.state)
        yield "vitesse_breaker_opened_total", api, session.breaker.opened
        yield "vitesse_limiter_wait_seconds_total", api, limiter.waited_s
        yield "vitesse_limiter_pauses_total", api, limiter.pauses
        yield "vitesse_requests_active", api, limiter.active
        if session.auth.is_fetched:
            yield "vitesse_token_refreshes_total", api, getattr(session.auth, "refreshes", 0)


def _of_state(opened: Opened, known: Known) -> Iterator[tuple[str, Labels, float]]:
    now = opened.engine.clock.now()
    for stream in opened.integration.streams:
        name = stream.name
        for queue in QUEUES:
            yield "vitesse_queue_depth", (queue, name), known.depths.get((queue, name), 0)
        yield "vitesse_schedule_paused", (name,), known.paused.get(name, False)
        run = known.runs.get(name, {})
        if run.get("ended_at") is not None:
            yield "vitesse_run_duration_seconds", (name,), run["seconds"]
            yield "vitesse_run_last_end_timestamp_seconds", (name,), run["ended_at"]
            yield "vitesse_run_last_failed", (name,), run["state"] in ("failed", "crashed")
        if run.get("well_at") is not None:
            yield "vitesse_run_last_success_timestamp_seconds", (name,), run["well_at"]
        moment = seconds_of(known.watermarks.get(name))
        if moment is not None:
            yield "vitesse_watermark_age_seconds", (name,), max(0.0, now - moment)
    for name, row in known.tokens.items():
        yield "vitesse_token_sign_in_needed", (name,), row.needs_sign_in
        if row.expires_at is not None:
            yield "vitesse_token_expires_timestamp_seconds", (name,), row.expires_at


def render(opened: Opened, meter: Meter, known: Known | None) -> tuple[bytes, str]:
    """The page and its media type. Needs the extra `metrics`; raises `ModuleNotFoundError` without it."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

    integration = opened.integration.name

    class Everything:
        def collect(self) -> Iterable[Metric]:
            for family, samples in samples_of(opened, meter, known):
                labels = ("integration", *family.labels)
                shown: Any
                if family.kind == "counter":
                    shown = CounterMetricFamily(family.name.removesuffix("_total"), family.help, labels=labels)
                else:
                    shown = GaugeMetricFamily(family.name, family.help, labels=labels)
                for values, number in samples:
                    shown.add_metric((integration, *values), number)
                yield shown
            family = FAMILIES["vitesse_request_duration_seconds"]
            histogram = HistogramMetricFamily(family.name, family.help, labels=("integration", *family.labels))
            for key, latency in sorted(meter.latency.items()):
                seen, buckets = 0, []
                for count, edge in zip(latency.counts, (*BUCKETS_S, math.inf), strict=True):
                    seen += count
                    buckets.append(("+Inf" if edge == math.inf else str(edge), seen))
                histogram.add_metric((integration, *key), buckets, latency.total_s)
            yield histogram

    registry = CollectorRegistry()
    registry.register(Everything())
    return generate_latest(registry), CONTENT_TYPE_LATEST
