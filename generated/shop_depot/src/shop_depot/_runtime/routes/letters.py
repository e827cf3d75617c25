"""Dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actions import past
from ..actions.runs import letter_of, letters_of
from .common import BadBody, Control, asked_for, json_reply, limit_of, target

if TYPE_CHECKING:
    from ..server import Service


class RetryRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /dead-letters/retry`."""

    ids: list[str] = []
    all: str | None = None
    """A stream: all of its open letters."""


class DiscardRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /dead-letters/discard`."""

    ids: list[str]


class LetterRoutes:
    """Handlers about records that could not be synced."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._engine = service.engine
        self._state = service.state

    def controls(self) -> Sequence[Control]:
        """The routes."""
        return (
            Control("GET", "/dead-letters", "operate", self.letters),
            Control("GET", "/dead-letters/{letter_id}", "operate", self.letter, is_audited=True),
            Control("POST", "/dead-letters/retry", "operate", self.retry),
            Control("POST", "/dead-letters/discard", "operate", self.discard),
        )

    async def letters(self, request: Request) -> Response:
        """Dead letters without their records: `?stream=`, `?state=open|discarded`, `?limit=`."""
        query, limit = request.query_params, limit_of(request, 50)
        stream, wanted = query.get("stream"), query.get("state", "open")
        if stream is not None:
            self._engine.stream(stream)
        if wanted not in ("open", "discarded"):
            raise BadBody("`state` is `open` or `discarded`")
        found = await self._state.call(lambda: letters_of(self._state, stream, state_name=wanted, limit=limit))
        return JSONResponse({"dead_letters": found})

    async def letter(self, request: Request) -> Response:
        """One dead letter with its record as it was read, secrets and masked fields hidden."""
        letter_id = request.path_params["letter_id"]
        integration = self._service.opened.integration
        return json_reply(await self._state.call(lambda: letter_of(integration, self._state, letter_id)))

    async def retry(self, request: Request) -> Response:
        """Sync the records of dead letters again; 202 with the ids of the runs."""
        asked = await asked_for(request, RetryRequest, "a request to retry")
        if bool(asked.ids) == (asked.all is not None) or len(asked.ids) > 10_000:
            raise BadBody("name dead letters in `ids`, at most 10,000, or a stream in `all`")
        if asked.all is not None:
            self._engine.stream(asked.all)
        target(request, asked.all or ", ".join(asked.ids))
        letters = await self._state.call(lambda: past.letters_wanted(self._state, asked.ids, asked.all))
        requests = [
            replace(each, run_id=self._engine.new_run_id()) for each in past.retry_requests(self._engine, letters)
        ]
        for each in requests:
            await self._service.check(each)
        await self._service.carry_out(requests)
        return JSONResponse({"runs": [each.run_id for each in requests]}, status_code=202)

    async def discard(self, request: Request) -> Response:
        """Let dead letters be; how many."""
        asked = await asked_for(request, DiscardRequest, "a request to discard")
        if not asked.ids or len(asked.ids) > 10_000:
            raise BadBody("name dead letters in `ids`, at most 10,000")
        target(request, ", ".join(asked.ids))
        return JSONResponse({"discarded": await past.discard_letters(self._engine, asked.ids)})
