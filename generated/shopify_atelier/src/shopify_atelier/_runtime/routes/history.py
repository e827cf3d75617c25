"""Runs one by one, the ledger of rows, the audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actions import past
from .common import BadBody, Control, asked_for, json_reply, limit_of, target

if TYPE_CHECKING:
    from ..server import Service


class RollbackRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /runs/{id}/rollback`."""

    dry_run: bool = False


class HistoryRoutes:
    """Handlers about the past."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._state = service.state
        self._integration = service.opened.integration

    def controls(self) -> Sequence[Control]:
        """The routes."""
        return (
            Control("GET", "/runs/{run_id}/sample", "operate", self.sample, is_audited=True),
            Control("POST", "/runs/{run_id}/cancel", "operate", self.cancel),
            Control("POST", "/runs/{run_id}/resume", "operate", self.resume),
            Control("POST", "/runs/{run_id}/rollback", "operate", self.rollback),
            Control("GET", "/ledger", "read", self.ledger),
            Control("GET", "/ledger/{change}", "operate", self.change, is_audited=True),
            Control("GET", "/audit", "admin", self.audit),
        )

    async def sample(self, request: Request) -> Response:
        """What a dry run showed, record by record, or what a rollback left, and why."""
        run_id = request.path_params["run_id"]
        return json_reply({"sample": await self._state.call(lambda: past.sample_of(self._state, run_id))})

    async def cancel(self, request: Request) -> Response:
        """Ask a run to end, whichever process carries it out, or take it out of the queue; 409 when it is not under way."""
        run_id, queue = request.path_params["run_id"], self._service.runner.queue
        shown = await self._state.call(lambda: past.cancel_run(self._integration, self._state, run_id, queue))
        return JSONResponse(shown, status_code=202)

    async def resume(self, request: Request) -> Response:
        """Start a run that goes on where another stopped; 202 with its id."""
        run_id = request.path_params["run_id"]
        found = await self._state.call(lambda: past.resumed(self._integration, self._state, run_id, trigger="http"))
        return await self._service.begin(found)

    async def rollback(self, request: Request) -> Response:
        """Start a run that puts back what another wrote; 202 with its id. `{"dry_run": true}`: 200 with what it would do."""
        asked = await asked_for(request, RollbackRequest, "a request to roll back")
        run_id = request.path_params["run_id"]
        found = await self._state.call(
            lambda: past.rollback(self._state, run_id, trigger="http", dry_run=asked.dry_run)
        )
        if asked.dry_run:
            return json_reply((await self._service.engine.run(found)).to_json())
        return await self._service.begin(found)

    async def ledger(self, request: Request) -> Response:
        """What was written: `?stream=`, `?id=`, `?run=`, `?limit=`."""
        query, limit = request.query_params, limit_of(request, 50)
        stream = query.get("stream")
        if stream is not None:
            self._service.engine.stream(stream)
        entries = await self._state.call(
            lambda: past.ledger(
                self._integration,
                self._state,
                stream=stream,
                source_id=query.get("id"),
                run_id=query.get("run"),
                limit=limit,
            )
        )
        return JSONResponse({"ledger": entries})

    async def change(self, request: Request) -> Response:
        """One change with what it replaced."""
        text = request.path_params["change"]
        if not text.isascii() or not text.isdigit():
            raise BadBody("a change has a number")
        target(request, f"change {int(text[:18])}")
        return json_reply(
            await self._state.call(lambda: past.change_shown(self._integration, self._state, int(text[:18])))
        )

    async def audit(self, request: Request) -> Response:
        """Who did what, newest first: `?limit=`, `?before=` an id."""
        before = request.query_params.get("before", "")
        if before and not (before.isascii() and before.isdigit()):
            raise BadBody("`before` is the id of an entry")
        number = int(before[:18]) if before else None
        entries = await self._state.call(lambda: self._state.audit.latest(limit_of(request, 50), before=number))
        return JSONResponse({"audit": entries})
