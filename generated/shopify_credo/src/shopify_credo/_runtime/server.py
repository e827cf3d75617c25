"""The control API and the webhooks of a package, as one Starlette application.

Everything but health checks and webhooks needs a token whose role allows it (`roles.py`); webhooks are proved by their
signatures. Bodies are bounded while they are read. What the routes do stands in `routes/`, a file for each subject.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .actions.past import NotNow, NotThere
from .engine import MappingChanged, RunRequest
from .engine.opened import Opened
from .engine.reverse import lease_name
from .errors import IntegrationError, RequestRefused
from .inbox import InboxWorker, InboxWriter
from .roles import Caller, Tokens
from .routes.common import BadBody, Control, Handler, TooLarge, WrongMedia, problem
from .routes.conflicts import ConflictRoutes
from .routes.health import HealthRoutes
from .routes.history import HistoryRoutes
from .routes.letters import LetterRoutes
from .routes.operations import OperationRoutes
from .routes.runs import RunRoutes
from .routes.upkeep import UpkeepRoutes
from .routes.verify import VerifyRoutes
from .routes.webhooks import WebhookRoutes
from .runner import runner_of
from .state import LeaseHeld, StateError
from .watch.meter import Meter
from .watch.watching import watch

log = logging.getLogger(__name__)


class Service:
    """What the routes work with, and the tasks that go on beside them.

    Args:
        token: Of the role `admin`, or all tokens; None closes the control API.
    """

    def __init__(
        self, opened: Opened, *, token: str | Tokens | None, public_url: str | None, with_schedule: bool
    ) -> None:
        self.opened = opened
        self.engine = opened.engine
        self.state = opened.state
        self.runner = runner_of(opened, self.carry_out)
        self.with_schedule = with_schedule
        self.meter = Meter(opened.engine.clock)
        watch(opened.engine, (opened.source, opened.destination), self.meter)
        self.is_leaving = False
        self._tokens = token if isinstance(token, Tokens) else Tokens({"admin": token} if token else {})
        inbox = InboxWriter(opened.state)
        self._worker = InboxWorker(opened.engine, inbox)
        self._webhooks = WebhookRoutes(self, inbox, public_url=public_url)
        self._started: set[asyncio.Task[None]] = set()

    # --- life ---

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliveries and schedules are worked on in here; leaving stops runs at a safe place and waits for them."""
        tasks = [asyncio.create_task(self._worker.run())] if self._webhooks else []
        if self.with_schedule:
            tasks.append(asyncio.create_task(self.runner.keep_schedules()))
        try:
            yield
        finally:
            self.is_leaving = True
            self.engine.stop()
            if self.engine.under_way:
                await asyncio.wait([asyncio.create_task(self._until_idle())], timeout=25)
            for task in (*tasks, *self._started):
                task.cancel()
            await asyncio.gather(*tasks, *self._started, return_exceptions=True)
            self.runner.close()

    async def _until_idle(self) -> None:
        while self.engine.under_way:
            await asyncio.sleep(0.05)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on after its request was answered. It must say itself what went wrong."""
        task = asyncio.create_task(work)
        self._started.add(task)
        task.add_done_callback(self._started.discard)

    # --- runs ---

    async def check(self, request: RunRequest) -> None:
        """Raise what a run would raise at once; `LeaseHeld` when the stream is being run."""
        await self.engine.check(request)
        lease = lease_name(self.engine.stream(request.stream))
        if not request.dry_run and await self.state.call(lambda: self.state.leases.is_held(lease)):
            raise LeaseHeld(request.stream, "another run", self.opened.settings.options.lease_s)

    async def begin(self, request: RunRequest) -> Response:
        """Start a run that can begin; 202 with its id once it is on record."""
        request = replace(request, run_id=self.engine.new_run_id())
        await self.check(request)
        run_id = await self.runner.submit(request)
        return JSONResponse(
            {"run_id": run_id, "stream": request.stream, "status": f"/runs/{run_id}"},
            status_code=202,
            headers={"Location": f"/runs/{run_id}"},
        )

    async def carry_out(self, requests: Sequence[RunRequest]) -> None:
        """Let some runs follow one another; returns when the first is on record."""
        if requests:
            started = asyncio.Event()
            self.start(self._carried_out(requests, started))
            await started.wait()

    async def _carried_out(self, requests: Sequence[RunRequest], started: asyncio.Event) -> None:
        for request in requests:
            try:
                await self.engine.run(request, started=started)
            except IntegrationError as error:
                log.warning("the run of %s did not start: %s", request.stream, error)
            except Exception:  # a task nobody awaits must say what happened
                log.exception("the run of %s met a bug", request.stream)
            finally:
                started.set()

    # --- the application ---

    def controls(self) -> Sequence[Control]:
        """The routes of the control API."""
        subjects = (RunRoutes, HistoryRoutes, LetterRoutes, ConflictRoutes, VerifyRoutes, OperationRoutes, UpkeepRoutes)
        return tuple(control for subject in subjects for control in subject(self).controls())

    def protected(self, control: Control) -> Handler:
        """Only with a token whose role allows it."""

        async def checked(request: Request) -> Response:
            if not self._tokens:
                return problem(401, "the control API is closed: set CONTROL_TOKEN")
            caller = self._tokens.caller(request.headers.get("authorization", ""))
            if caller is None:
                reply = problem(401, "a bearer token is needed")
                reply.headers["WWW-Authenticate"] = "Bearer"
                return reply
            if not caller.may(control.role):
                await self._note(request, caller, "refused")
                return problem(403, f"this needs a token of the role `{control.role}`; yours has `{caller.role}`")
            if control.method == "GET" and not control.is_audited:
                return await control.handler(request)
            request.state.caller = caller
            row = await self._note(request, caller, None)
            outcome = "failed"
            try:
                answer = await control.handler(request)
                outcome = str(answer.status_code)
                return answer
            except Exception as error:
                outcome = type(error).__name__
                raise
            finally:
                about = getattr(request.state, "target", None)
                await self.state.call(lambda: self.state.audit.end(row, outcome, target=about))

        return checked

    async def _note(self, request: Request, caller: Caller, outcome: str | None) -> int:
        """Put an action on record, before it is carried out."""
        audit = self.state.audit
        about = ", ".join(str(value) for value in request.path_params.values())
        remote = request.client.host if request.client is not None else ""
        action = f"{request.method} {request.url.path}"
        row = await self.state.call(
            lambda: audit.begin(actor=caller.name, role=caller.role, action=action, target=about, remote=remote)
        )
        if outcome is not None:
            await self.state.call(lambda: audit.end(row, outcome))
        return row

    def application(self) -> Starlette:
        """The routes."""
        health = HealthRoutes(self)
        routes = [Route(control.path, self.protected(control), methods=[control.method]) for control in self.controls()]
        routes += [
            Route("/healthz", health.healthz, methods=["GET"]),
            Route("/readyz", health.readyz, methods=["GET"]),
            Route("/webhooks/{topic:path}", self._webhooks.webhook, methods=self._webhooks.methods),
        ]

        def lifespan(app: Starlette) -> AbstractAsyncContextManager[None]:
            return self.running()

        return Starlette(
            routes=routes,
            lifespan=lifespan,
            exception_handlers={
                TooLarge: _too_large,
                WrongMedia: _wrong_media,
                TimeoutError: _too_slow,
                ClientDisconnect: _too_slow,
                StateError: _unavailable,
                LeaseHeld: _conflict,
                MappingChanged: _conflict,
                BadBody: _bad,
                NotThere: _not_there,
                NotNow: _conflict,
                RequestRefused: _refused,
                404: _not_found,
                405: _not_allowed,
            },
        )


def make_application(
    opened: Opened, *, token: str | Tokens | None, public_url: str | None = None, with_schedule: bool = True
) -> Starlette:
    """The application of an opened integration. Raises `SettingsError` when a webhook has no secret."""
    return Service(opened, token=token, public_url=public_url, with_schedule=with_schedule).application()


def _hung_up(reply: Response) -> Response:
    """A reply behind which the connection ends: what is left of the body is not waited for."""
    reply.headers["Connection"] = "close"
    return reply


async def _too_large(request: Request, error: Exception) -> Response:
    return _hung_up(problem(413, "the body is too large"))


async def _wrong_media(request: Request, error: Exception) -> Response:
    return problem(415, "the body is JSON and says so: `Content-Type: application/json`")


async def _too_slow(request: Request, error: Exception) -> Response:
    return _hung_up(problem(408, "the body came too slowly"))


async def _unavailable(request: Request, error: Exception) -> Response:
    reply = problem(503, "the state does not answer")
    reply.headers["Retry-After"] = "5"
    return reply


async def _conflict(request: Request, error: Exception) -> Response:
    return problem(409, str(error))


async def _bad(request: Request, error: Exception) -> Response:
    return problem(400, str(error))


async def _refused(request: Request, error: Exception) -> Response:
    return problem(404 if "there is no" in str(error) else 400, str(error))


async def _not_there(request: Request, error: Exception) -> Response:
    return problem(404, str(error))


async def _not_found(request: Request, error: Exception) -> Response:
    return problem(404, "there is nothing here")


async def _not_allowed(request: Request, error: Exception) -> Response:
    return problem(405, "not this method")
