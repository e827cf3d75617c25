"""What monitors ask a worker: metrics, health and whether it lives, on `METRICS_PORT`. A worker without one listens nowhere."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from ..engine import Engine
from ..engine.opened import Opened
from ..errors import SettingsError
from ..roles import Tokens
from ..watch.meter import Meter

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """What the routes for monitors look at."""

    opened: Opened
    engine: Engine
    meter: Meter


@asynccontextmanager
async def monitored(found: Opened, meter: Meter) -> AsyncIterator[None]:
    """Answer monitors in here, with the tokens of the control API.

    Raises:
        SettingsError: a port is set and the extra `serve` is not installed.
    """
    port = found.settings.options.metrics_port
    if port is None:
        yield
        return
    try:
        import uvicorn
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import JSONResponse, Response
        from starlette.routing import Route
    except ModuleNotFoundError:
        raise SettingsError(
            (f"`METRICS_PORT` is set, and listening needs the extra: pip install '{found.integration.name}[serve]'",)
        ) from None

    from ..routes.common import Control, Handler, problem
    from ..routes.operations import OperationRoutes

    tokens, _ = Tokens.read()
    for text in tokens.texts():
        found.settings.redactor.register(text)

    def protected(control: Control) -> Handler:
        async def checked(request: Request) -> Response:
            caller = tokens.caller(request.headers.get("authorization", "")) if tokens else None
            if caller is None:
                return problem(401, "a bearer token is needed")
            if not caller.may(control.role):
                return problem(403, f"this needs a token of the role `{control.role}`")
            return await control.handler(request)

        return checked

    async def lives(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    controls = OperationRoutes(Watched(found, found.engine, meter)).controls()
    routes = [Route(each.path, protected(each), methods=[each.method]) for each in controls]
    application = Starlette(routes=[*routes, Route("/healthz", lives, methods=["GET"])])
    config = uvicorn.Config(
        application, host=os.environ.get("CONTROL_HOST", "127.0.0.1"), port=port, log_config=None, access_log=False,
        server_header=False, proxy_headers=False, limit_concurrency=50,
    )  # fmt: skip

    class Beside(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # the worker takes them

    server = Beside(config)
    task = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.should_exit = True
        done, _ = await asyncio.wait((task,), timeout=5)
        if not done:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
