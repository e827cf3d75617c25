"""Status, runs and their starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actions.past import run_shown
from ..actions.runs import history_of, status_of
from ..engine import RunRequest
from ..errors import RequestRefused
from .common import Control, asked_for, limit_of, problem, target

if TYPE_CHECKING:
    from ..server import Service


class SyncRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /sync`."""

    stream: str
    since: str | None = None
    ids: list[str] = []
    dry_run: bool = False
    allow_deletes: bool = False


class RunRoutes:
    """Handlers about runs."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._engine = service.engine
        self._state = service.state

    def controls(self) -> Sequence[Control]:
        """The routes."""
        return (
            Control("GET", "/status", "read", self.status),
            Control("GET", "/sync/status", "read", self.sync_status),
            Control("GET", "/sync/history", "read", self.sync_history),
            Control("GET", "/circuit-breaker/status", "read", self.breaker_status),
            Control("GET", "/runs", "read", self.sync_history),
            Control("GET", "/runs/{run_id}", "read", self.run_of),
            Control("POST", "/sync", "operate", self.start_sync),
        )

    async def status(self, request: Request) -> Response:
        """Everything at a glance."""
        service = self._service
        found = await self._state.call(lambda: status_of(service.opened.integration, self._state))
        return JSONResponse({
            **found,
            "next_runs": service.runner.next_at if service.with_schedule else {},
            "waiting_for_sign_in": self._engine.pause.reasons,
            "circuit_breakers": self._breakers(),
        })  # fmt: skip

    async def sync_status(self, request: Request) -> Response:
        """Where each stream stands; runs under way with their counts so far."""
        found = await self._state.call(lambda: status_of(self._service.opened.integration, self._state))
        under_way = {name: counts.as_columns() for name, counts in self._engine.under_way.items()}
        return JSONResponse({"streams": found["streams"], "under_way": under_way})

    async def sync_history(self, request: Request) -> Response:
        """The last runs of a stream, or of all."""
        stream, limit = request.query_params.get("stream"), limit_of(request)
        if stream is not None:
            self._engine.stream(stream)
        return JSONResponse({"runs": await self._state.call(lambda: history_of(self._state, stream, limit))})

    async def breaker_status(self, request: Request) -> Response:
        """Both breakers."""
        return JSONResponse(self._breakers())

    async def run_of(self, request: Request) -> Response:
        """One run."""
        run_id = request.path_params["run_id"]
        try:
            shown = await self._state.call(lambda: run_shown(self._service.opened.integration, self._state, run_id))
        except RequestRefused:
            waiting = await self._service.runner.waiting(run_id)
            if waiting is None:
                raise
            shown = waiting
        return JSONResponse(shown)

    async def start_sync(self, request: Request) -> Response:
        """Start a run; 202 with its id, 409 when the stream is being run."""
        asked = await asked_for(request, SyncRequest, "a sync request")
        if len(asked.ids) > 10_000:
            return problem(400, "at most 10,000 `ids`")
        stream = self._engine.stream(asked.stream)
        target(request, stream.name)
        run_request = RunRequest(
            stream=stream.name,
            trigger="http",
            since=asked.since,
            ids=tuple(asked.ids),
            dry_run=asked.dry_run,
            allow_deletes=asked.allow_deletes,
        )
        return await self._service.begin(run_request)

    def _breakers(self) -> dict[str, Any]:
        return {
            session.api.name: dataclasses.asdict(session.breaker.status())
            for session in (self._service.opened.source, self._service.opened.destination)
        }
