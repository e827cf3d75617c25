"""Traces: a run, its pages, groups and requests as one tree, without anything that a record or a vendor said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from runtime.engine import RunRequest
from runtime.engine.opened import Opened, opened
from runtime.errors import SettingsError
from runtime.redact import Redactor
from runtime.watch.overseeing import overseen
from runtime.watch.tracing import Tracer, tracer_of
from runtime.watch.watching import watch
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.fakes import Credo, Shopify
from tests.runtime.sample.app import INTEGRATION

ROOT = Path(__file__).resolve().parents[3]


class Traced:
    """The sample with a tracer whose spans are kept."""

    def __init__(self, folder: Path, *, propagates: bool = False) -> None:
        self.shopify, self.credo = Shopify(20), Credo()
        self.sent: list[httpx.Request] = []
        self.kept = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.kept))
        self.tracer = Tracer(provider, propagates=propagates)
        self.environ = {**ENVIRON, "DATABASE_URL": f"sqlite:///{folder / 's.db'}"}

    def _seen(self, fake: Any) -> Any:
        def answer(request: httpx.Request) -> httpx.Response:
            self.sent.append(request)
            reply: httpx.Response = fake(request)
            return reply

        return answer

    def opened(self) -> Any:
        transports = (httpx.MockTransport(self._seen(self.shopify)), httpx.MockTransport(self._seen(self.credo)))
        return opened(INTEGRATION, self.environ, transports=transports)

    async def run(self) -> list[ReadableSpan]:
        async with self.opened() as found:
            watch(found.engine, (found.source, found.destination), self.tracer)
            await found.engine.run(RunRequest(stream="customers"))
        return list(self.kept.get_finished_spans())


def parent(span: ReadableSpan, spans: list[ReadableSpan]) -> str | None:
    above = span.parent
    return None if above is None else next(each.name for each in spans if each.context.span_id == above.span_id)


async def test_run_is_a_tree_of_pages_groups_and_requests(tmp_path: Path) -> None:
    traced = Traced(tmp_path)
    spans = await traced.run()
    names = {(span.name, parent(span, spans)) for span in spans}
    assert ("run customers", None) in names
    assert ("page", "run customers") in names
    assert ("group", "run customers") in names
    assert ("GET /customers.json", "page") in names
    assert ("POST /contacts/batch", "group") in names
    assert len({span.context.trace_id for span in spans}) == 1
    run = next(span for span in spans if span.name == "run customers")
    assert run.attributes is not None
    assert run.attributes["vitesse.records.created"] == 20
    assert run.attributes["vitesse.state"] == "done"
    requests = [span for span in spans if span.name.startswith(("GET ", "POST "))]
    assert len(requests) == len(traced.sent)
    assert not any("traceparent" in request.headers for request in traced.sent)


async def test_failure_is_named_by_its_kind_and_quotes_nothing(tmp_path: Path) -> None:
    traced = Traced(tmp_path)
    traced.shopify.fail.append(lambda request: httpx.Response(403, json={"errors": "planted by the vendor"}))
    spans = await traced.run()
    run = next(span for span in spans if span.name == "run customers")
    assert run.attributes is not None
    assert run.attributes["error.type"] == "auth"
    request = next(span for span in spans if span.name.startswith("GET "))
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 403
    assert not any(span.events for span in spans)


async def test_spans_hold_no_record_no_address_and_no_secret(tmp_path: Path) -> None:
    traced = Traced(tmp_path)
    traced.shopify.put(7, email="planted-person@example.com", first_name="Planted")
    traced.credo.refuse = lambda body: "planted refusal"
    spans = await traced.run()
    text = " ".join(span.to_json() for span in spans)
    assert "lanted" not in text.replace("shpat_planted", "lanted")
    assert "example" not in text


async def test_trace_goes_along_only_when_it_is_asked_for(tmp_path: Path) -> None:
    traced = Traced(tmp_path, propagates=True)
    spans = await traced.run()
    ids = {f"{span.context.span_id:016x}" for span in spans if span.name.startswith(("GET ", "POST "))}
    sent = {request.headers["traceparent"].split("-")[2] for request in traced.sent}
    assert sent == ids


async def test_collector_gets_the_spans_over_http(tmp_path: Path) -> None:
    """The real exporter, and a collector that reads what it sends; the trace on our own wire too."""
    got: list[ExportTraceServiceRequest] = []
    seen: list[Any] = []

    async def collect(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.get("x-key")))
        got.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response()

    shopify, headers = Shopify(3), []

    async def vendor(request: web.Request) -> web.Response:
        headers.append(request.headers.get("traceparent"))
        reply = shopify(httpx.Request(request.method, str(request.url), headers=list(request.headers.items())))
        return web.Response(status=reply.status_code, body=reply.content, content_type="application/json")

    urls = []
    runners = []
    for handler in (collect, vendor):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        runners.append(runner)
    environ = {
        **ENVIRON,
        "DATABASE_URL": f"sqlite:///{tmp_path / 's.db'}",
        "SHOPIFY_BASE_URL": urls[1] + "/admin",
        "OTEL_EXPORTER_OTLP_ENDPOINT": urls[0],
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=collector-planted",
        "OTEL_PROPAGATORS": "tracecontext",
    }
    found: Opened
    async with opened(INTEGRATION, environ) as found, overseen(found, goes_on=True, environ=environ):
        await found.engine.run(RunRequest(stream="customers", dry_run=True))
        assert "collector-planted" not in found.settings.redactor.text("collector-planted")
    for runner in runners:
        await runner.cleanup()
    assert seen[0] == ("/v1/traces", "collector-planted")
    spans = [span for part in got for each in part.resource_spans for scope in each.scope_spans for span in scope.spans]
    assert {"run customers", "GET /customers.json"} <= {span.name for span in spans}
    assert all(headers)


def test_endpoint_without_the_extra_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match=r"\[otel\]"):
        tracer_of(INTEGRATION, Redactor(), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})


def test_nothing_of_it_is_imported_when_it_is_off() -> None:
    """Neither traces nor alerts nor metrics cost a command that does not ask for them their import."""
    code = (
        "import sys, runtime.actions.runs, runtime.watch.overseeing; "
        "print([name for name in sys.modules if name.split('.')[0] in ('opentelemetry', 'prometheus_client')"
        " or name in ('runtime.watch.alerts', 'runtime.watch.tracing', 'runtime.watch.metrics')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "runtime_template")}
    )
    assert done.stdout.strip() == "[]", done.stderr
