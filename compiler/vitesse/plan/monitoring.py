"""The dashboard and the alert rules of a package, as data: what Grafana and Prometheus are told about the runtime's metrics.

Names of metrics are those of the runtime's `metrics.py`; a test holds them to it. All packages show the same, told apart by the
label `integration`; only that name, the streams and the APIs come from the plan.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..api.model import Json
from .model import MonitoringPlan

_WIDTH = 24
_SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}


def plan_monitoring(distribution: str) -> MonitoringPlan:
    """Both files of a package.

    Args:
        distribution: The value of the label `integration`.
    """
    return MonitoringPlan(dashboard=_dashboard(distribution), alert_rules=_alert_rules(distribution))


# --- Grafana ----------------------------------------------------------------------------------------------------------

_ROWS: Sequence[tuple[str, Sequence[tuple[str, str, str, Sequence[tuple[str, str]]]]]] = (
    (
        "At a glance",
        (
            ("State answers", "stat", "bool", (("min(vitesse_up{$i})", "state"),)),
            ("Runs that failed last", "stat", "short", (("sum(vitesse_run_last_failed{$i})", "failed"),)),
            ("Since a run went well", "stat", "s", (("max(time() - vitesse_run_last_success_timestamp_seconds{$i})", "ago"),)),
            ("Sign-ins needed", "stat", "short", (("sum(vitesse_token_sign_in_needed{$i})", "APIs"),)),
            ("Open breakers", "stat", "short", (("count(vitesse_breaker_state{$i} == 2) or vector(0)", "APIs"),)),
            ("Waiting in queues", "stat", "short", (("sum(vitesse_queue_depth{$i})", "rows"),)),
        ),
    ),
    (
        "Records",
        (
            ("Records by fate", "timeseries", "ops", (
                ("sum by (stream, fate) (rate(vitesse_records_total{$i}[$__rate_interval]))", "{{stream}} {{fate}}"),
            )),
            ("Queues", "timeseries", "short", (
                ("sum by (queue, stream) (vitesse_queue_depth{$i})", "{{stream}} {{queue}}"),
            )),
            ("Age of the newest record", "timeseries", "s", (("vitesse_watermark_age_seconds{$i}", "{{stream}}"),)),
            ("Replies not as described", "timeseries", "short", (
                ("sum by (stream) (increase(vitesse_drift_total{$i}[$__rate_interval]))", "{{stream}}"),
            )),
        ),
    ),
    (
        "Runs",
        (
            ("Runs by outcome", "timeseries", "short", (
                ("sum by (stream, state) (increase(vitesse_runs_total{$i}[1h]))", "{{stream}} {{state}}"),
            )),
            ("How long the last run took", "timeseries", "s", (
                ("vitesse_run_duration_seconds{$i}", "{{stream}}"),
                ("vitesse_run_active{$i}", "{{stream}} is running"),
            )),
            ("Schedules that wait, leases lost", "timeseries", "short", (
                ("vitesse_schedule_paused{$i}", "{{stream}} waits for a sign-in"),
                ("increase(vitesse_lease_lost_total{$i}[1h])", "leases lost"),
            )),
            ("Ends of runs", "timeseries", "s", (
                ("time() - vitesse_run_last_end_timestamp_seconds{$i}", "{{stream}} ended"),
            )),
        ),
    ),
    (
        "APIs",
        (
            ("Requests by outcome", "timeseries", "reqps", (
                ("sum by (api, status) (rate(vitesse_requests_total{$i}[$__rate_interval]))", "{{api}} {{status}}"),
            )),
            ("Time of a request, 95 of 100", "timeseries", "s", (
                (
                    "histogram_quantile(0.95, sum by (le, api, operation)"
                    " (rate(vitesse_request_duration_seconds_bucket{$i}[$__rate_interval])))",
                    "{{api}} {{operation}}",
                ),
            )),
            ("Waiting for the pace", "timeseries", "s", (
                ("rate(vitesse_limiter_wait_seconds_total{$i}[$__rate_interval])", "{{api}} waits"),
                ("increase(vitesse_limiter_pauses_total{$i}[$__rate_interval])", "{{api}} pauses"),
                ("vitesse_requests_active{$i}", "{{api}} under way"),
            )),
            ("Retries, refusals for pace, breakers", "timeseries", "short", (
                ("increase(vitesse_retries_total{$i}[$__rate_interval])", "{{api}} retries"),
                ("increase(vitesse_throttled_total{$i}[$__rate_interval])", "{{api}} told to wait"),
                ("increase(vitesse_breaker_opened_total{$i}[$__rate_interval])", "{{api}} breaker opened"),
                ("vitesse_breaker_state{$i}", "{{api}} breaker"),
            )),
        ),
    ),
    (
        "Process and sign-ins",
        (
            ("Memory", "timeseries", "bytes", (("vitesse_memory_bytes{$i}", "{{instance}}"),)),
            ("Access tokens", "timeseries", "s", (
                ("vitesse_token_expires_timestamp_seconds{$i} - time()", "{{api}} ends in"),
            )),
            ("Refreshes", "timeseries", "short", (
                ("increase(vitesse_token_refreshes_total{$i}[1h])", "{{api}}"),
            )),
            ("Versions", "table", "short", (("vitesse_build_info{$i}", "{{version}}"),)),
        ),
    ),
)  # fmt: skip


def _dashboard(distribution: str) -> Json:
    panels: list[Json] = []
    top = number = 0
    for title, row in _ROWS:
        number += 1
        place: Json = {"h": 1, "w": _WIDTH, "x": 0, "y": top}
        panels.append({"id": number, "type": "row", "title": title, "gridPos": place, "collapsed": False, "panels": []})
        top += 1
        width, height = _WIDTH // len(row), 4 if row[0][1] == "stat" else 8
        for index, (name, kind, unit, queries) in enumerate(row):
            number += 1
            panels.append({
                "id": number,
                "type": kind,
                "title": name,
                "datasource": _SOURCE,
                "gridPos": {"h": height, "w": width, "x": index * width, "y": top},
                "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
                "targets": [
                    {
                        "refId": chr(ord("A") + position),
                        "datasource": _SOURCE,
                        "expr": _chosen(expression),
                        "legendFormat": legend,
                        "instant": kind == "table",
                    }
                    for position, (expression, legend) in enumerate(queries)
                ],
            })  # fmt: skip
        top += height
    return {
        "title": f"Sync: {distribution}",
        "uid": f"vitesse-{distribution}"[:40],
        "tags": ["vitesse"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
                {
                    "name": "integration",
                    "type": "query",
                    "label": "Integration",
                    "datasource": _SOURCE,
                    "query": "label_values(vitesse_up, integration)",
                    "refresh": 2,
                    "current": {"text": distribution, "value": distribution},
                },
            ]
        },
        "annotations": {"list": []},
        "panels": panels,
    }


def _chosen(expression: str) -> str:
    return expression.replace("$i}", 'integration=~"$integration"}')


# --- Prometheus -------------------------------------------------------------------------------------------------------

_RULES: Sequence[tuple[str, str, str, str, str, str]] = (
    (
        "SyncStateDown", "vitesse_up{$i} == 0", "2m", "critical",
        "the state does not answer", "Look at the database that DATABASE_URL names; runs and webhooks wait for it.",
    ),
    (
        "SyncAbsent", "absent(vitesse_up{$i})", "10m", "critical",
        "nobody answers for this integration", "Is the service running, and does Prometheus reach /metrics with a token of the role read?",
    ),
    (
        "SyncRunFailed", "vitesse_run_last_failed{$i} == 1", "15m", "warning",
        "the last run of {{ $labels.stream }} failed", "`history` and `status` say why.",
    ),
    (
        "SyncNoSuccess", "time() - vitesse_run_last_success_timestamp_seconds{$i} > 86400", "5m", "critical",
        "no run of {{ $labels.stream }} went well for a day", "`status` says what stands in the way.",
    ),
    (
        "SyncSignInNeeded", "vitesse_token_sign_in_needed{$i} == 1", "0m", "critical",
        "somebody has to sign in to {{ $labels.api }}", "Get a new refresh token there and give it to `token sign-in`.",
    ),
    (
        "SyncSchedulePaused", "vitesse_schedule_paused{$i} == 1", "5m", "warning",
        "the schedule of {{ $labels.stream }} waits for a sign-in", "It goes on when the credential is another one.",
    ),
    (
        "SyncBreakerOpen", "vitesse_breaker_state{$i} == 2", "5m", "warning",
        "{{ $labels.api }} fails so often that requests are held back", "Look at the vendor's status page.",
    ),
    (
        "SyncDeadLetters", 'sum by (integration, stream) (vitesse_queue_depth{$i, queue="dead_letters"}) > 100', "15m", "warning",
        "{{ $value }} records of {{ $labels.stream }} are dead letters", "`dead-letters list` says why.",
    ),
    (
        "SyncUnknownOutcomes", 'sum by (integration, stream) (vitesse_queue_depth{$i, queue="unknown"}) > 0', "2h", "warning",
        "writes of {{ $labels.stream }} have no known outcome for long", "A run finds them out; where it cannot, they are dead letters.",
    ),
    (
        "SyncDeliveriesWait", 'sum by (integration, stream) (vitesse_queue_depth{$i, queue="inbox"}) > 1000', "15m", "warning",
        "{{ $value }} webhook deliveries of {{ $labels.stream }} wait", "Are runs of the stream failing, or slower than deliveries come?",
    ),
    (
        "SyncRequestErrors",
        'sum by (integration, api) (rate(vitesse_requests_total{$i, status=~"5xx|error"}[15m]))'
        " / sum by (integration, api) (rate(vitesse_requests_total{$i}[15m])) > 0.1", "15m", "warning",
        "more than a tenth of the requests to {{ $labels.api }} fail", "Look at the vendor's status page.",
    ),
    (
        "SyncThrottled",
        "sum by (integration, api) (rate(vitesse_throttled_total{$i}[15m]))"
        " / sum by (integration, api) (rate(vitesse_requests_total{$i}[15m])) > 0.05", "30m", "warning",
        "{{ $labels.api }} says too often that it is asked too fast", "Does something else use the same credential? Declare a lower rate.",
    ),
    (
        "SyncDrift", "increase(vitesse_drift_total{$i}[6h]) > 0", "0m", "warning",
        "replies for {{ $labels.stream }} are not as described", "`status` names the fields; the description may be old.",
    ),
    (
        "SyncLeaseLost", "increase(vitesse_lease_lost_total{$i}[1h]) > 0", "0m", "warning",
        "a run was taken over by another process", "Was this one paused or starved for longer than LEASE_SECONDS?",
    ),
)  # fmt: skip
"""Name, expression, how long it must hold, severity, what is, what to do."""


def _alert_rules(distribution: str) -> Json:
    label = f'integration="{distribution}"'
    return {
        "groups": [
            {
                "name": f"vitesse-{distribution}",
                "rules": [
                    {
                        "alert": name,
                        "expr": re.sub(r"\$i(?=[},])", lambda _: label, expression),
                        "for": lasting,
                        "labels": {"severity": severity, "integration": distribution},
                        "annotations": {"summary": f"{distribution}: {summary}", "description": description},
                    }
                    for name, expression, lasting, severity, summary, description in _RULES
                ],
            }
        ]
    }
