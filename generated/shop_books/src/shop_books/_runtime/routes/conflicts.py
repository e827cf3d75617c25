"""The queue of conflicts over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actions.conflicts import conflict_of, conflicts_of, resolve
from ..actions.past import links_of
from ..hashing import decode_exact, encode_json
from .common import Control, asked_for, limit_of, problem, target

if TYPE_CHECKING:
    from ..server import Service


class ResolveRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /conflicts/{id}/resolve`."""

    take: Literal["source", "destination"] | None = None
    values: dict[str, msgspec.Raw] = {}


class ConflictRoutes:
    """Handlers about conflicts."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._engine = service.engine
        self._state = service.state

    def controls(self) -> Sequence[Control]:
        """The routes."""
        return (
            Control("GET", "/conflicts", "read", self.list),
            Control("GET", "/conflicts/{conflict_id}", "operate", self.show, is_audited=True),
            Control("POST", "/conflicts/{conflict_id}/resolve", "operate", self.resolve),
        )

    async def list(self, request: Request) -> Response:
        """Conflicts of a stream, or of all; `state=resolved` for those that are over."""
        stream, limit = request.query_params.get("stream"), limit_of(request, default=50)
        state_name = request.query_params.get("state", "open")
        if state_name not in ("open", "resolved"):
            return problem(400, "`state` is `open` or `resolved`")
        if stream is not None:
            self._engine.stream(stream)
            stream = links_of(self._service.opened.integration, stream)
        found = await self._state.call(lambda: conflicts_of(self._state, stream, state_name=state_name, limit=limit))
        return JSONResponse({"conflicts": found})

    async def show(self, request: Request) -> Response:
        """One, with what was agreed on and what each side has."""
        conflict_id: str = request.path_params["conflict_id"]
        target(request, conflict_id)
        state, redactor = self._state, self._service.opened.settings.redactor

        def read() -> dict[str, Any]:
            row = state.conflicts.get(conflict_id)
            streams = self._service.opened.integration.streams
            stream = next((each for each in streams if row and each.name == row["stream"]), None)
            return conflict_of(state, stream, redactor, conflict_id)

        return Response(encode_json(await state.call(read)), media_type="application/json")

    async def resolve(self, request: Request) -> Response:
        """Decide: 200 when both sides have it, 409 when one has changed since or could not be written."""
        conflict_id: str = request.path_params["conflict_id"]
        target(request, conflict_id)
        asked = await asked_for(request, ResolveRequest, "an answer")
        if asked.take is None and not asked.values:
            return problem(400, "say `take` (`source` or `destination`), or `values`")
        values = {name: decode_exact(bytes(value)) for name, value in asked.values.items()}
        report, is_resolved = await resolve(
            self._engine, conflict_id, take=asked.take, values=values, by=request.state.caller.name, trigger="http"
        )
        status = 200 if is_resolved else 409
        return JSONResponse(
            {"resolved": is_resolved, "run_id": report.run_id, "state": report.state}, status_code=status
        )
