"""What monitors read: metrics for Prometheus, health with its checks, how sign-ins stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actions.tokens import tokens_of
from ..watch.health import report
from ..watch.metrics import Known, read_state, render
from .common import Control, problem

if TYPE_CHECKING:
    from ..cluster.monitor import Watched
    from ..server import Service


class OperationRoutes:
    """Handlers for monitors."""

    def __init__(self, service: Service | Watched) -> None:
        self._service = service

    def controls(self) -> Sequence[Control]:
        """The routes."""
        return (
            Control("GET", "/metrics", "read", self.metrics),
            Control("GET", "/health", "read", self.health),
            Control("GET", "/tokens", "read", self.tokens),
        )

    async def _known(self) -> Known | None:
        service = self._service
        return await read_state(service.opened, service.engine.pause)

    async def metrics(self, request: Request) -> Response:
        """Everything for Prometheus."""
        try:
            page, media_type = render(self._service.opened, self._service.meter, await self._known())
        except ModuleNotFoundError:
            name = self._service.opened.integration.name
            return problem(501, f"metrics need the extra: pip install '{name}[metrics]'")
        return Response(page, media_type=media_type)

    async def health(self, request: Request) -> Response:
        """Every check; 503 while one of them is critical."""
        found = report(self._service.opened, self._service.meter, await self._known())
        return JSONResponse(found, status_code=503 if found["status"] == "critical" else 200)

    async def tokens(self, request: Request) -> Response:
        """How fetched tokens stand; never a token."""
        opened = self._service.opened
        found = await opened.state.call(lambda: tokens_of(opened.integration, opened.state))
        return JSONResponse({"tokens": found})
