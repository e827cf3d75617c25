"""Comparing both sides over HTTP: begun by one request, asked about by another."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actions.verify import own_links
from ..engine.reverse import lease_name
from ..engine.verify import verify
from ..errors import IntegrationError
from ..state import LeaseHeld
from .common import Control, asked_for, problem, target

if TYPE_CHECKING:
    from ..server import Service

log = logging.getLogger(__name__)

KEPT = 20
"""Comparisons that can be asked about."""


class VerifyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /verify`."""

    stream: str | None = None
    repair: bool = False


class VerifyRoutes:
    """Handlers about comparisons. What they found is kept by this process, for a while."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._engine = service.engine
        self._found: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def controls(self) -> Sequence[Control]:
        """The routes."""
        return (
            Control("POST", "/verify", "operate", self.begin),
            Control("GET", "/verify/{verify_id}", "read", self.found),
        )

    async def begin(self, request: Request) -> Response:
        """Start comparing; 202 with a place to ask, 409 when a stream is being run."""
        asked = await asked_for(request, VerifyRequest, "a request to verify")
        names = [asked.stream] if asked.stream is not None else own_links(self._engine.integration)
        target(request, ", ".join(names))
        state = self._service.state
        for name in names:
            lease = lease_name(self._engine.stream(name))
            if await state.call(lambda lease=lease: state.leases.is_held(lease)):  # type: ignore[misc]
                raise LeaseHeld(name, "another run", self._service.opened.settings.options.lease_s)
        verify_id = self._engine.new_run_id()
        self._found[verify_id] = {"verify_id": verify_id, "state": "running", "streams": []}
        while len(self._found) > KEPT:
            self._found.popitem(last=False)
        self._service.start(self._carry_out(verify_id, names, asked.repair))
        place = f"/verify/{verify_id}"
        return JSONResponse(
            {"verify_id": verify_id, "status": place}, status_code=202, headers={"Location": place}
        )  # fmt: skip

    async def found(self, request: Request) -> Response:
        """What a comparison has found so far."""
        found = self._found.get(request.path_params["verify_id"])
        return problem(404, "there is no such comparison") if found is None else JSONResponse(found)

    async def _carry_out(self, verify_id: str, names: Sequence[str], repair: bool) -> None:
        found = self._found[verify_id]
        try:
            for name in names:
                found["streams"].append((await verify(self._engine, name, repair=repair)).to_json())
            is_equal = all((each.get("left") or each)["state"] == "equal" for each in found["streams"])
            found["state"] = "equal" if is_equal else "different"
        except IntegrationError as error:
            log.warning("comparing %s ended early: %s", ", ".join(names), error)
            found["state"], found["error"] = "failed", self._service.opened.settings.redactor.text(str(error))[:2000]
        except Exception:  # a task nobody awaits must say what happened
            log.exception("comparing %s met a bug", ", ".join(names))
            found["state"] = "failed"
