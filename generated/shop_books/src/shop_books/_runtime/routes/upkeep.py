"""What is kept: forget a person, clean up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..forgetting import MOST, forget
from .common import BadBody, Control, asked_for, target

if TYPE_CHECKING:
    from ..server import Service

ROWS = 5000
"""Of each table, that one request cleans up."""


class ForgetRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /forget`."""

    stream: str
    ids: list[str]


class UpkeepRoutes:
    """Handlers about what is kept."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def controls(self) -> Sequence[Control]:
        """The routes."""
        return (
            Control("POST", "/forget", "admin", self.forget),
            Control("POST", "/cleanup", "admin", self.cleanup),
        )

    async def forget(self, request: Request) -> Response:
        """Erase records from everything that is kept; 409 while their stream is being run."""
        asked = await asked_for(request, ForgetRequest, "a request to forget")
        if not asked.ids or len(asked.ids) > MOST:
            raise BadBody(f"name records in `ids`, at most {MOST}")
        self._service.engine.stream(asked.stream)
        target(request, f"{asked.stream}, {len(set(asked.ids))} records")  # not which
        return JSONResponse(await forget(self._service.engine, asked.stream, asked.ids))

    async def cleanup(self, request: Request) -> Response:
        """Delete some of what is over and old; `is_done` when nothing is left."""
        state, retention = self._service.state, self._service.opened.integration.retention
        deleted, is_done = await state.call(lambda: state.cleanup.clean(retention, most=ROWS))
        return JSONResponse({"deleted": dict(deleted), "is_done": is_done})
