"""What monitors read: metrics that are those of a run, health, and a dashboard and rules that ask for metrics that exist."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.bench import Bench
from tests.package import COMMAND, ROOT, runtime

TOKEN = "a-token-of-the-tests"


@asynccontextmanager
async def service(bench: Bench) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    """The opened package and a client of its control API."""
    async with bench.opened() as ready:
        made = runtime("server").Service(ready, token=TOKEN, public_url=None, with_schedule=False)
        transport = httpx.ASGITransport(app=made.application())
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
            yield ready, client


async def test_metrics_are_the_numbers_of_the_run(bench: Bench) -> None:
    async with service(bench) as (ready, client):
        report = await ready.engine.run(runtime("engine").RunRequest(stream=bench.stream.name))
        page = await client.get("/metrics")
        health = (await client.get("/health")).json()

    found = {
        (sample.name, *(sample.labels.get(name, "") for name in ("stream", "fate", "api"))): sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
    }
    name = bench.stream.name
    assert found["vitesse_records_total", name, "created", ""] == report.counts.created
    assert found["vitesse_records_total", name, "dead", ""] == report.counts.dead
    sent = sum(
        sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
        if sample.name == "vitesse_requests_total"
    )
    assert sent == len(bench.source.requests) + len(bench.destination.requests)
    assert health["status"] in ("ok", "warning")
    assert health["overall_score"] >= 70


async def test_metrics_hold_no_secret_and_no_record(bench: Bench) -> None:
    async with service(bench) as (ready, client):
        await ready.engine.run(runtime("engine").RunRequest(stream=bench.stream.name))
        pages = [(await client.get(path)).text for path in ("/metrics", "/health")]

    secrets = {**bench.source.form.environment, **bench.destination.form.environment}
    for page in pages:
        assert not [name for name, value in secrets.items() if value.startswith("mock-") and value in page]
        assert TOKEN not in page


@pytest.mark.parametrize("path", ["/metrics", "/health"])
async def test_monitors_need_a_token(bench: Bench, path: str) -> None:
    async with service(bench) as (_, client):
        assert (await client.get(path, headers={"Authorization": "Bearer wrong"})).status_code == 401


def test_dashboard_and_alert_rules_ask_for_metrics_that_the_package_has() -> None:
    families = set(runtime("watch.metrics").FAMILIES)
    dashboard = (ROOT / "deploy" / "grafana" / "dashboard.json").read_text(encoding="utf-8")
    rules = (ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text(encoding="utf-8")

    assert json.loads(dashboard)["panels"]
    for text in (dashboard, rules):
        asked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bvitesse_[a-z0-9_]+", text)}
        assert asked
        assert asked <= families
    assert f'integration="{COMMAND}"' in rules
