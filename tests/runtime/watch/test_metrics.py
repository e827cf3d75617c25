"""What Prometheus is told: every declared family, numbers that are those of the runs, bounded labels."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.cluster.monitor import monitored
from runtime.engine import RunRequest
from runtime.state import LeaseHeld
from runtime.watch.meter import BUCKETS_S, Latency, memory_bytes
from runtime.watch.metrics import FAMILIES
from tests.runtime.fakes import Shopify
from tests.runtime.test_server import Served, served
from tests.waiting import PATIENCE_S, free_port, until

__all__ = ["served"]

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


async def scrape(served: Served) -> Samples:
    """Name of a sample → labels → value, as Prometheus reads the page."""
    reply = await served.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain")
    found: Samples = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            assert sample.labels.pop("integration", None) == "shopify-credo"
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name][tuple(sorted(labels.items()))]


async def run(served: Served, **request: Any) -> None:
    await served.found.engine.run(RunRequest(stream="customers", **request))


async def test_page_has_every_declared_family_and_no_other(served: Served) -> None:
    await run(served)
    text = (await served.get("/metrics")).text
    shown = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert shown == set(FAMILIES)


async def test_counts_are_those_of_the_runs_and_of_the_requests(served: Served) -> None:
    """Records by fate, runs by outcome, attempts by operation and status."""
    await run(served)
    served.shopify.put(1, first_name="Renamed")
    served.shopify.put(99, email="new@example.com")
    await run(served)
    found = await scrape(served)
    fates = {dict(labels)["fate"]: count for labels, count in found["vitesse_records_total"].items()}
    assert (fates["created"], fates["updated"]) == (21, 1)
    assert value(found, "vitesse_runs_total", stream="customers", state="done", failure="") == 2
    sent = sum(found["vitesse_requests_total"].values())
    assert sent == served.found.source.traffic.requests + served.found.destination.traffic.requests
    listed = {"api": "shopify", "operation": "GET /customers.json"}
    assert value(found, "vitesse_requests_total", **listed, status="2xx") >= 2
    timed = value(found, "vitesse_request_duration_seconds_count", **listed)
    assert timed == value(found, "vitesse_request_duration_seconds_bucket", **listed, le="+Inf")
    assert value(found, "vitesse_run_last_success_timestamp_seconds", stream="customers") > 1.6e9
    assert value(found, "vitesse_watermark_age_seconds", stream="customers") > 0
    assert 10e6 < value(found, "vitesse_memory_bytes") == pytest.approx(memory_bytes(), rel=0.3)


async def test_failures_are_counted_by_their_class(served: Served) -> None:
    """A refused credential, a broken vendor, and what the breaker makes of it."""
    served.shopify.fail.append(lambda request: httpx.Response(401, json={}))
    await run(served)
    found = await scrape(served)
    assert value(found, "vitesse_runs_total", stream="customers", state="failed", failure="auth") == 1
    assert value(found, "vitesse_run_last_failed", stream="customers") == 1
    assert value(found, "vitesse_breaker_state", api="shopify") == 0
    breaker = served.found.source.breaker
    breaker._open()
    assert value(await scrape(served), "vitesse_breaker_state", api="shopify") == 2


async def test_records_of_a_run_under_way_are_counted_once(served: Served) -> None:
    """While it runs and after it ended, no sum goes back."""
    served.shopify.customers |= Shopify(400).customers
    sums = [0.0]
    task = asyncio.create_task(run(served))
    while not task.done():
        found = await scrape(served)
        sums.append(sum(found["vitesse_records_total"].values()))
        await asyncio.sleep(0)
    sums.append(sum((await scrape(served))["vitesse_records_total"].values()))
    assert sums == sorted(sums)
    assert sums[-1] == len(served.shopify.customers)


async def test_queues_are_counted_from_the_state(served: Served) -> None:
    served.credo.refuse = lambda body: "no"
    await run(served, limit=5)
    found = await scrape(served)
    assert value(found, "vitesse_queue_depth", queue="dead_letters", stream="customers") == 5
    assert value(found, "vitesse_queue_depth", queue="inbox", stream="customers") == 0


async def test_state_that_does_not_answer_is_said_and_the_page_still_comes(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise LeaseHeld("x", "y", 1.0)

    monkeypatch.setattr(served.found.state.queues, "depths", fail)
    found = await scrape(served)
    assert value(found, "vitesse_up") == 0
    assert "vitesse_queue_depth" not in found


async def test_labels_are_declared_names_and_words_of_fixed_lists(served: Served) -> None:
    """Whatever vendors send, there are no more series than the package declares."""
    served.credo.refuse = lambda body: "planted-record-text"
    served.shopify.put(7, email="planted-person@example.com")
    await run(served)
    before = await scrape(served)
    for number in range(100, 160):
        served.shopify.put(number, email=f"p{number}@example.com")
    await run(served)
    after = await scrape(served)
    assert {name: set(each) for name, each in before.items() if name != "vitesse_runs_total"} == {
        name: set(each) for name, each in after.items() if name != "vitesse_runs_total"
    }
    assert "planted" not in (await served.get("/metrics")).text


@pytest.mark.parametrize("token", [None, "wrong"])
async def test_metrics_and_health_need_a_token(served: Served, token: str | None) -> None:
    for path in ("/metrics", "/health", "/tokens"):
        assert (await served.get(path, token)).status_code == 401


async def test_metrics_without_the_extra_say_what_is_missing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    reply = await served.get("/metrics")
    assert reply.status_code == 501
    assert "[metrics]" in reply.json()["error"]


async def test_worker_answers_monitors_on_a_port_of_its_own(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the tokens of the control API; nowhere when no port is set."""
    port = free_port()
    monkeypatch.setenv("CONTROL_TOKEN_READ", "read-planted")
    found = served.found
    monkeypatch.setattr(found.settings, "options", replace(found.settings.options, metrics_port=port))
    await run(served)
    base = f"http://127.0.0.1:{port}"
    async with monitored(found, served.service.meter), httpx.AsyncClient(base_url=base, timeout=PATIENCE_S) as client:

        async def answers() -> bool:
            with suppress(httpx.ConnectError):
                return (await client.get("/healthz")).status_code == 200
            return False

        await until(answers)
        assert (await client.get("/metrics")).status_code == 401
        reply = await client.get("/metrics", headers={"Authorization": "Bearer read-planted"})
        assert 'fate="created"' in reply.text
        assert (await client.get("/health", headers={"Authorization": "Bearer read-planted"})).json()["status"] == "ok"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{base}/healthz")


# --- health ---


async def test_health_is_well_and_says_what_it_looked_at(served: Served) -> None:
    await run(served)
    reply = await served.get("/health")
    found = reply.json()
    assert (reply.status_code, found["status"], found["overall_score"]) == (200, "ok", 100)
    assert found["success_rate"] == 1.0
    assert 0 < found["response_time_p95"] <= BUCKETS_S[-1]
    names = [check["check"] for check in found["checks"]]
    assert names == [
        "database", "api shopify", "api credo", "queue inbox", "queue dead_letters", "queue conflicts", "queue waiting",
        "queue unknown", "runs of customers", "memory",
    ]  # fmt: skip


async def test_vendor_that_fails_is_a_warning_and_an_open_breaker_is_critical(served: Served) -> None:
    served.shopify.fail.append(lambda request: httpx.Response(503))
    served.found.source.policy = served.found.source.policy.__class__(max_attempts=1)
    await run(served)
    found = (await served.get("/health")).json()
    assert found["status"] == "warning"
    assert "api shopify: the last request failed: status 503" in found["warnings"]
    assert "runs of customers: the last one failed: transient" in found["warnings"]
    served.found.source.breaker._open()
    reply = await served.get("/health")
    assert (reply.status_code, reply.json()["overall_score"]) == (503, 60)
    assert reply.json()["critical_issues"][0].startswith("api shopify: its breaker is open")


@pytest.mark.parametrize(
    ("counts", "p95"),
    [([0] * 13, 0.0), ([100, *[0] * 12], 0.01), ([90, 0, 0, 10, *[0] * 9], 0.1), ([*[0] * 12, 3], 60.0)],
)
def test_quantile_is_the_edge_of_its_bucket(counts: list[int], p95: float) -> None:
    assert Latency(counts=counts).quantile(0.95) == p95
