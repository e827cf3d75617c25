"""Health checks. They are open: they say nothing but whether."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..state import StateError

if TYPE_CHECKING:
    from ..server import Service


class HealthRoutes:
    """Handlers for probes."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def healthz(self, request: Request) -> Response:
        """The process answers; nothing else is asked, so that a vendor's outage restarts nobody."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Whether deliveries can be stored now."""
        if self._service.is_leaving:
            return JSONResponse({"status": "leaving"}, status_code=503)
        state = self._service.state
        try:
            await state.call(state.inbox.counts)
        except StateError:
            return JSONResponse({"status": "unavailable", "database": "does not answer"}, status_code=503)
        return JSONResponse({"status": "ok", "database": "ok"})
