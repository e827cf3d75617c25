"""The control API and the webhooks of a package, as one Starlette application.

Everything but health checks and webhooks needs the token of `CONTROL_TOKEN`; webhooks are proved by their signatures. Bodies
are bounded while they are read.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .actions import history_of, status_of
from .declare import Webhook
from .engine import MappingChanged, RunRequest, run_json
from .engine.opened import Opened
from .errors import IntegrationError, RequestRefused
from .inbox import InboxWorker, InboxWriter
from .scheduler import Scheduler
from .state import LeaseHeld, StateError
from .webhooks import MAX_DELIVERY_BYTES, Delivery, Refused, Verifier, verifier_of

log = logging.getLogger(__name__)

MAX_CONTROL_BYTES = 64 * 1024
BODY_TIMEOUT_S = 10.0
Handler = Callable[[Request], Awaitable[Response]]


class TooLarge(Exception):
    """A body above its limit."""


class SyncRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /sync`."""

    stream: str
    since: str | None = None
    ids: list[str] = []
    dry_run: bool = False


class Service:
    """The handlers, and the runs they started."""

    def __init__(self, opened: Opened, *, token: str | None, public_url: str | None, with_schedule: bool) -> None:
        self._opened = opened
        self._engine = opened.engine
        self._state = opened.state
        self._token = token.encode() if token else None
        self._public_url = (public_url or "").rstrip("/")
        self._inbox = InboxWriter(opened.state)
        self._worker = InboxWorker(opened.engine, self._inbox)
        self._webhooks: dict[str, tuple[Webhook, Verifier]] = {}
        for webhook in opened.integration.webhooks:
            verifier = verifier_of(webhook, opened.settings)
            for topic in webhook.topics:
                self._webhooks[topic] = (webhook, verifier)
        self._scheduler = Scheduler(opened.engine, interval_s=opened.settings.options.sync_interval_s)
        self._with_schedule = with_schedule
        self._runs: set[asyncio.Task[None]] = set()
        self._is_leaving = False

    # --- life ---

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliveries and schedules are worked on in here; leaving stops runs at a safe place and waits for them."""
        tasks = [asyncio.create_task(self._worker.run())] if self._webhooks else []
        if self._with_schedule:
            tasks.append(asyncio.create_task(self._scheduler.run()))
        try:
            yield
        finally:
            self._is_leaving = True
            self._engine.stop()
            if self._engine.under_way:
                await asyncio.wait([asyncio.create_task(self._until_idle())], timeout=25)
            for task in (*tasks, *self._runs):
                task.cancel()
            await asyncio.gather(*tasks, *self._runs, return_exceptions=True)

    async def _until_idle(self) -> None:
        while self._engine.under_way:
            await asyncio.sleep(0.05)

    # --- health ---

    async def healthz(self, request: Request) -> Response:
        """The process answers; nothing else is asked, so that a vendor's outage restarts nobody."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Whether deliveries can be stored now."""
        if self._is_leaving:
            return JSONResponse({"status": "leaving"}, status_code=503)
        try:
            await self._state.call(self._state.inbox.counts)
        except StateError:
            return JSONResponse({"status": "unavailable", "database": "does not answer"}, status_code=503)
        return JSONResponse({"status": "ok", "database": "ok"})

    # --- control ---

    async def status(self, request: Request) -> Response:
        """Everything at a glance."""
        found = await self._state.call(lambda: status_of(self._opened.integration, self._state))
        return JSONResponse({
            **found,
            "next_runs": self._scheduler.next_at if self._with_schedule else {},
            "circuit_breakers": self._breakers(),
        })  # fmt: skip

    async def sync_status(self, request: Request) -> Response:
        """Where each stream stands; runs under way with their counts so far."""
        found = await self._state.call(lambda: status_of(self._opened.integration, self._state))
        under_way = {name: counts.as_columns() for name, counts in self._engine.under_way.items()}
        return JSONResponse({"streams": found["streams"], "under_way": under_way})

    async def sync_history(self, request: Request) -> Response:
        """The last runs of a stream, or of all."""
        stream = request.query_params.get("stream")
        limit = request.query_params.get("limit", "20")
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:6]) <= 1000:
            return _problem(400, "`limit` is a number from 1 to 1000")
        if stream is not None:
            self._engine.stream(stream)
        return JSONResponse({"runs": await self._state.call(lambda: history_of(self._state, stream, int(limit)))})

    async def breaker_status(self, request: Request) -> Response:
        """Both breakers."""
        return JSONResponse(self._breakers())

    async def run_of(self, request: Request) -> Response:
        """One run."""
        run_id = request.path_params["run_id"]
        row = await self._state.call(lambda: self._state.runs.get(run_id))
        return _problem(404, "there is no such run") if row is None else JSONResponse(run_json(row))

    async def start_sync(self, request: Request) -> Response:
        """Start a run; 202 with its id, 409 when the stream is being run."""
        try:
            asked = msgspec.json.decode(await _body(request, MAX_CONTROL_BYTES), type=SyncRequest)
        except msgspec.MsgspecError as error:
            return _problem(400, f"the body is not a sync request: {error}")
        if len(asked.ids) > 10_000:
            return _problem(400, "at most 10,000 `ids`")
        stream = self._engine.stream(asked.stream)
        run_request = RunRequest(
            stream=stream.name,
            trigger="http",
            run_id=self._engine.new_run_id(),
            since=asked.since,
            ids=tuple(asked.ids),
            dry_run=asked.dry_run,
        )
        await self._engine.check(run_request)
        lease = f"stream:{stream.name}"
        if not asked.dry_run and await self._state.call(lambda: self._state.leases.is_held(lease)):
            return _problem(409, f"{stream.name} is being run")
        started = asyncio.Event()
        task = asyncio.create_task(self._carry_out(run_request, started))
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        await started.wait()
        run_id = run_request.run_id
        return JSONResponse(
            {"run_id": run_id, "stream": stream.name, "status": f"/runs/{run_id}"},
            status_code=202,
            headers={"Location": f"/runs/{run_id}"},
        )

    async def _carry_out(self, request: RunRequest, started: asyncio.Event) -> None:
        try:
            await self._engine.run(request, started=started)
        except IntegrationError as error:
            log.warning("the run of %s did not start: %s", request.stream, error)
        except Exception:  # a task nobody awaits must say what happened
            log.exception("the run of %s met a bug", request.stream)
        finally:
            started.set()

    def _breakers(self) -> dict[str, Any]:
        return {
            session.api.name: dataclasses.asdict(session.breaker.status())
            for session in (self._opened.source, self._opened.destination)
        }

    # --- webhooks ---

    async def webhook(self, request: Request) -> Response:
        """Prove, store, answer; the work comes after."""
        found = self._webhooks.get(request.path_params["topic"])
        if found is None:
            return _problem(404, "there is no such webhook")
        webhook, verifier = found
        if request.headers.get("content-encoding", "identity") != "identity":
            return _problem(415, "deliveries are not compressed")
        body = await _body(request, MAX_DELIVERY_BYTES)
        headers: dict[str, list[str]] = {}
        for name, value in request.headers.raw:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        path = request.scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0]
        query = request.scope["query_string"].decode("ascii", "replace")
        url = f"{self._public_url}{path}{'?' + query if query else ''}"
        delivery = Delivery(body=body, headers=headers, method=request.method, url=url)
        try:
            verifier.verify(delivery, self._engine.clock.now())
        except Refused as refused:
            log.warning("a delivery to %s was refused: %s", request.path_params["topic"], refused)
            return _problem(401, "not proved")
        return await self._store(webhook, verifier, delivery, request.path_params["topic"])

    async def _store(self, webhook: Webhook, verifier: Verifier, delivery: Delivery, topic: str) -> Response:
        parsed: Any = None
        try:
            parsed = msgspec.json.decode(delivery.body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            await self._inbox.put({
                "stream": webhook.stream, "topic": topic, "delivery_id": verifier.delivery_id(delivery, None),
                "body": delivery.body, "state": "dead", "error": "the body is not JSON",
            })  # fmt: skip
            return _problem(400, "the body is not JSON")
        if (answer := verifier.challenge(parsed)) is not None:
            return JSONResponse(answer)
        state = "waiting"
        if webhook.topic_path is not None:
            named = _text_at(parsed, webhook.topic_path)
            if named not in webhook.topics:
                state = "ignored"
            else:
                topic = named
        if topic in self._opened.integration.deleted_topics:
            state = "ignored"
        await self._inbox.put({
            "stream": webhook.stream, "topic": topic, "delivery_id": verifier.delivery_id(delivery, parsed),
            "body": delivery.body, "state": state, "error": None,
        })  # fmt: skip
        return JSONResponse({"status": "stored" if state == "waiting" else state})

    # --- the application ---

    def protected(self, handler: Handler) -> Handler:
        """Only with the token."""

        async def checked(request: Request) -> Response:
            if self._token is None:
                return _problem(401, "the control API is closed: set CONTROL_TOKEN")
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            is_right = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self._token)
            if scheme.lower() != "bearer" or not is_right:
                reply = _problem(401, "a bearer token is needed")
                reply.headers["WWW-Authenticate"] = "Bearer"
                return reply
            return await handler(request)

        return checked

    def application(self) -> Starlette:
        """The routes."""
        control: Sequence[tuple[str, Handler, str]] = (
            ("/status", self.status, "GET"),
            ("/sync/status", self.sync_status, "GET"),
            ("/sync/history", self.sync_history, "GET"),
            ("/circuit-breaker/status", self.breaker_status, "GET"),
            ("/runs/{run_id}", self.run_of, "GET"),
            ("/sync", self.start_sync, "POST"),
        )
        routes = [Route(path, self.protected(handler), methods=[method]) for path, handler, method in control]
        routes += [
            Route("/healthz", self.healthz, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
            Route("/webhooks/{topic:path}", self.webhook, methods=["POST"]),
        ]

        def lifespan(app: Starlette) -> AbstractAsyncContextManager[None]:
            return self.running()

        return Starlette(
            routes=routes,
            lifespan=lifespan,
            exception_handlers={
                TooLarge: _too_large,
                TimeoutError: _too_slow,
                ClientDisconnect: _too_slow,
                StateError: _unavailable,
                LeaseHeld: _conflict,
                MappingChanged: _conflict,
                RequestRefused: _refused,
                404: _not_found,
                405: _not_allowed,
            },
        )


def make_application(
    opened: Opened, *, token: str | None, public_url: str | None = None, with_schedule: bool = True
) -> Starlette:
    """The application of an opened integration. Raises `SettingsError` when a webhook has no secret."""
    return Service(opened, token=token, public_url=public_url, with_schedule=with_schedule).application()


async def _body(request: Request, limit: int) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:18]) > limit:
        raise TooLarge
    pieces: list[bytes] = []
    size = 0
    async with asyncio.timeout(BODY_TIMEOUT_S):
        async for piece in request.stream():
            size += len(piece)
            if size > limit:
                raise TooLarge
            pieces.append(piece)
    return b"".join(pieces)


def _text_at(value: Any, path: tuple[str | int, ...]) -> str:
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        else:
            return ""
    return value if isinstance(value, str) else ""


def _problem(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status_code=status)


async def _too_large(request: Request, error: Exception) -> Response:
    return _problem(413, "the body is too large")


async def _too_slow(request: Request, error: Exception) -> Response:
    return _problem(408, "the body came too slowly")


async def _unavailable(request: Request, error: Exception) -> Response:
    reply = _problem(503, "the state does not answer")
    reply.headers["Retry-After"] = "5"
    return reply


async def _conflict(request: Request, error: Exception) -> Response:
    return _problem(409, str(error))


async def _refused(request: Request, error: Exception) -> Response:
    return _problem(404 if "no stream" in str(error) else 400, str(error))


async def _not_found(request: Request, error: Exception) -> Response:
    return _problem(404, "there is nothing here")


async def _not_allowed(request: Request, error: Exception) -> Response:
    return _problem(405, "not this method")
