"""What stands beside the work of a process when the environment asks for it: traces and alerts. Nothing when it does not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from ..engine.opened import Opened
from .meter import Meter
from .watching import watch

_ASKING = ("ALERT_WEBHOOK_URL", "OTEL_EXPORTER_OTLP_ENDPOINT")


@asynccontextmanager
async def overseen(
    opened: Opened, *, meter: Meter | None = None, goes_on: bool, environ: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    """Trace and alert in here.

    Args:
        meter: Of a service; without one, alerts know of runs and sign-ins only.
        goes_on: Whether the process goes on until it is told to end; a command looks once, at its end.

    Raises:
        SettingsError: what the environment asks for cannot be.
    """
    environ = os.environ if environ is None else environ
    if not any(environ.get(name) or environ.get(f"{name}_FILE") for name in _ASKING):
        yield
        return
    from .alerts import alerts_of
    from .tracing import tracer_of

    sessions = (opened.source, opened.destination)
    async with AsyncExitStack() as stack:
        tracer = tracer_of(opened.integration, opened.settings.redactor, environ)
        if tracer is not None:
            watch(opened.engine, sessions, tracer)
            stack.push_async_callback(asyncio.to_thread, tracer.close)
        made = alerts_of(opened, environ, meter=meter)
        if made is None:
            yield
            return
        alerts, hook = made
        stack.push_async_callback(hook.aclose)
        if not goes_on:
            yield
            await alerts.once()
            return
        opened.engine.watchers.append(alerts)
        task = asyncio.create_task(alerts.keep())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
