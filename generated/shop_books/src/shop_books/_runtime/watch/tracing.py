"""Traces for OpenTelemetry: a run, its pages, its groups of records, each attempt of each request.

On when `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector and the extra `otel` is installed; else nothing of this is imported.
Attributes are names that the package declares, counts, statuses and kinds of errors: no address, no body, no identity of a
record, no text of an error. The trace goes along to the vendors (W3C `traceparent`) only when `OTEL_PROPAGATORS` says
`tracecontext`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from ..declare import Env, Integration, Operation
from ..errors import SettingsError
from ..redact import Redactor
from ..settings import resolve
from .watching import Exchange, Group, Watcher

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from ..engine.pages import Page
    from ..engine.report import RunReport

ENDPOINT = Env("OTEL_EXPORTER_OTLP_ENDPOINT")
HEADERS = Env("OTEL_EXPORTER_OTLP_HEADERS", secret=True)
PROPAGATORS = Env("OTEL_PROPAGATORS")


class Tracer(Watcher):
    """Makes spans of what it sees."""

    def __init__(self, provider: TracerProvider, *, propagates: bool = False) -> None:
        from opentelemetry.trace import SpanKind, StatusCode

        self._provider = provider
        self._tracer = provider.get_tracer("vitesse")
        self._client, self._error = SpanKind.CLIENT, StatusCode.ERROR
        self._propagates = propagates
        self._runs: dict[str, Span] = {}

    def close(self) -> None:
        """Send what is left, within a few seconds."""
        self._provider.force_flush(5000)
        self._provider.shutdown()

    @contextmanager
    def _span(self, name: str, attributes: Mapping[str, Any], **options: Any) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False, **options
        ) as span:
            try:
                yield span
            except BaseException as error:
                # The kind of an error, never its text: that may quote a vendor's reply.
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(self._error)
                raise

    async def exchange(self, send: Exchange, request: httpx.Request, operation: Operation, api: str) -> httpx.Response:
        attributes = {
            "http.request.method": operation.method, "url.template": operation.path, "vitesse.api": api,
            "vitesse.operation": operation.id,
        }  # fmt: skip
        with self._span(operation.id, attributes, kind=self._client) as span:
            if self._propagates:
                request = _with_header(request, "traceparent", _traceparent(span))
            response = await send(request, operation)
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 400:
                span.set_attribute("error.type", str(response.status_code))
                span.set_status(self._error)
            return response

    @contextmanager
    def run(self, stream: str, run_id: str, trigger: str) -> Iterator[None]:
        attributes = {"vitesse.stream": stream, "vitesse.run_id": run_id, "vitesse.trigger": trigger}
        with self._span(f"run {stream}", attributes) as span:
            self._runs[run_id] = span
            try:
                yield
            finally:
                self._runs.pop(run_id, None)

    def ended(self, report: RunReport) -> None:
        if (span := self._runs.get(report.run_id)) is None:
            return
        span.set_attribute("vitesse.state", report.state)
        for name, count in report.counts.as_columns().items():
            span.set_attribute(f"vitesse.records.{name}", count)
        if report.failure is not None:
            span.set_attribute("error.type", report.failure)
            span.set_status(self._error)

    async def pages(self, stream: str, pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
        number = 0
        while True:
            number += 1
            with self._span("page", {"vitesse.stream": stream, "vitesse.page": number}) as span:
                page = await anext(pages, None)
                span.set_attribute("vitesse.records.read", 0 if page is None else len(page.records))
            if page is None:
                return
            yield page

    def group(self, work: Group) -> Group:
        async def traced(records: Sequence[Any], page: Page | None) -> None:
            with self._span("group", {"vitesse.records.read": len(records)}):
                await work(records, page)

        return traced


def _traceparent(span: Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def _with_header(request: httpx.Request, name: str, value: str) -> httpx.Request:
    extensions = dict(request.extensions)
    if (spelled := extensions.get("spelled")) is not None:  # our own wire sends what is spelled for it
        extensions["spelled"] = spelled.vary(None, [(name, value)])
    headers = request.headers.copy()
    headers[name] = value
    return httpx.Request(request.method, request.url, headers=headers, stream=request.stream, extensions=extensions)


def tracer_of(integration: Integration, redactor: Redactor, environ: Mapping[str, str] | None = None) -> Tracer | None:
    """The tracer that the environment asks for; None when it names no collector.

    Raises:
        SettingsError: it does, and the extra is not installed.
    """
    environ = os.environ if environ is None else environ
    if not (environ.get(ENDPOINT.name) or environ.get(f"{ENDPOINT.name}_FILE")):
        return None
    given = resolve((), environ, wanted=(ENDPOINT, HEADERS, PROPAGATORS))
    endpoint, headers, propagators = (given.found(env) for env in (ENDPOINT, HEADERS, PROPAGATORS))
    assert endpoint is not None
    if not endpoint.text.startswith(("https://", "http://")):
        raise SettingsError((f"`{ENDPOINT.name}` is no address of a collector: `https://…`",))
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        raise SettingsError(
            (f"`{ENDPOINT.name}` is set, and traces need the extra: pip install '{integration.name}[otel]'",)
        ) from None
    sent: dict[str, str] = {}
    for pair in headers.text.split(",") if headers is not None else ():
        name, _, value = pair.partition("=")
        redactor.register(value)
        sent[name.strip()] = value.strip()
    if headers is not None:
        redactor.register(headers.text)
    provider = TracerProvider(
        resource=Resource.create({"service.name": integration.name, "service.version": integration.version}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.text.rstrip('/')}/v1/traces", headers=sent or None, timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    names = {name.strip() for name in propagators.text.split(",")} if propagators is not None else set()
    return Tracer(provider, propagates="tracecontext" in names)
