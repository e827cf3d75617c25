"""One mock API behind `aiohttp.web`: finds the operation, keeps the limit, checks the credential, plays the faults."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from email.utils import format_datetime

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from .auth import TokenServer, is_signed_in
from .control import control
from .faults import Fault, Faults
from .form import MockForm
from .limits import Bucket
from .operations import Call, Operation, Reply, path_values
from .refused import Refused
from .store import Store, dumps

_LONGEST_BODY = 64 * 1024 * 1024


class Mock:
    """One mock API with its state.

    Args:
        form: What it serves.
        count: Records in each seeded collection at the start.
        seed: Another seed, other records.
        limited: False switches the declared rate limit off.
        now: Seconds on the clock that the rate limit is kept by.
    """

    def __init__(
        self,
        form: MockForm,
        *,
        count: int = 25,
        seed: int = 0,
        limited: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.form = form
        self.store = Store(form, count=count, seed=seed)
        self.faults = Faults()
        self.page_cap: int | None = None
        """Records of a page at most, whatever is asked for: servers do that."""
        self.bucket = Bucket(form.rate_limit if limited else None, now)
        self.tokens = TokenServer(lambda: self.form.auth, now)
        self.requests: list[tuple[str, int]] = []
        """(operation id or method and path, status) of every request, in order; 0 where no status was sent."""
        self._operations = [Operation(operation, self.store, form.auth) for operation in form.operations]
        self._operations.sort(key=lambda operation: (len(operation.names), -len(operation.form.path)))
        self._plain = {
            (operation.form.method, re.split(r"[?#]", operation.form.path)[0]): operation
            for operation in reversed(self._operations)
            if not operation.names
        }

    def counts(self) -> dict[str, int]:
        """How often each operation was asked, by its id."""
        return dict(Counter(operation for operation, _ in self.requests))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = request.rel_url.raw_path
        if (path == "/_mock" or path.startswith("/_mock/")) and not self._is_below_base(path):
            return await control(self, request)
        if self.form.auth is not None and self.form.auth.kind == "oauth2" and path == self.form.auth.token_path:
            status, given = self.tokens.answer(request.headers.get("Authorization", ""), await request.read())
            return web.Response(status=status, text=dumps(given), content_type="application/json")
        number = len(self.requests)
        self.requests.append((f"{request.method} {path}", 0))
        reply, fault, name = await self._reply(request, path, number)
        status = 0 if fault and fault.kind in ("reset", "truncate") else reply.status
        self.requests[number] = (name, status)
        return await _send(request, reply, fault)

    def _is_below_base(self, path: str) -> bool:
        """Whether a path that looks like a control path is the vendor's: there are servers at `/_mock/…`."""
        base = self.form.base_path
        return base.startswith("/_mock/") and path.startswith(f"{base}/")

    async def _reply(self, request: web.BaseRequest, path: str, number: int) -> tuple[Reply, Fault | None, str]:
        operation, values = self._find(request.method, path)
        name = operation.form.id if operation else f"{request.method} {path}"
        body = await request.read()
        passes, headers = self.bucket.take()
        fault: Fault | None = None
        try:
            if not passes:
                raise Refused(429, "too many requests")
            if operation is None:
                raise Refused(404, f"there is no operation `{name}`")
            fault = self.faults.take(name, body)
            if fault and fault.kind == "delay":
                await asyncio.sleep(fault.delay_s)
                if fault.until is not None:
                    await fault.until.wait()
            if fault and not fault.after_effect and fault.kind in ("status", "refused", "garbage", "reset"):
                return _faulty(fault, operation, headers), fault, name
            if not is_signed_in(self.form.auth, request, self.tokens):
                raise Refused(401, "the credential is missing or wrong")
            reply = operation.answer(
                Call(
                    url=f"{request.scheme}://{request.host}{path}",
                    path=values,
                    query=dict(request.query),
                    headers={key.lower(): value for key, value in request.headers.items()},
                    body=body,
                    number=number,
                    fault=fault.kind if fault else None,
                    page_cap=self.page_cap,
                )
            )
        except Refused as refused:
            reply = _refusal(refused)
        if fault and fault.after_effect:
            return _faulty(fault, operation, headers) if fault.kind != "delay" else reply, fault, name
        reply = Reply(reply.status, reply.text, {**headers, **reply.headers}, reply.media_type)
        reply.headers["Date"] = format_datetime(self.store.clock.now, usegmt=True)
        return reply, fault, name

    def _find(self, method: str, path: str) -> tuple[Operation | None, dict[str, str]]:
        base = self.form.base_path
        if not path.startswith(base):
            return None, {}
        path = path[len(base) :]
        if (operation := self._plain.get((method, path))) is not None:
            return operation, {}
        for operation in self._operations:
            if operation.form.method == method and (values := path_values(operation, path)) is not None:
                return operation, values
        return None, {}


def _refusal(refused: Refused) -> Reply:
    error = {
        "error": {
            "status": refused.status,
            "message": refused.message,
            "fields": [{"field": one.field, "message": one.message} for one in refused.problems],
        }
    }
    return Reply(refused.status, dumps(error), dict(refused.headers))


def _faulty(fault: Fault, operation: Operation | None, headers: dict[str, str]) -> Reply:
    match fault.kind:
        case "refused" if operation is not None:
            return operation.refusal()
        case "garbage":
            return Reply(200, "<!doctype html><title>Down for maintenance</title>", media_type="text/html")
        case _:
            text = dumps({"error": {"status": fault.status, "message": "switched on"}})
            return Reply(fault.status, text, {**headers, **fault.headers})


async def _send(request: web.BaseRequest, reply: Reply, fault: Fault | None) -> web.StreamResponse:
    raw = reply.text.encode()
    if fault is None or fault.kind not in ("reset", "truncate", "drip"):
        return web.Response(status=reply.status, body=raw or None, headers=reply.headers, content_type=reply.media_type)
    if fault.kind == "reset":
        _cut(request)
        return web.Response(status=500)
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_type = reply.media_type
    response.content_length = len(raw)
    await response.prepare(request)
    if fault.kind == "truncate":
        await response.write(raw[: len(raw) // 2])
        _cut(request)
        return response
    size = max(1, len(raw) // 20)
    for start in range(0, len(raw), size):
        await response.write(raw[start : start + size])
        await asyncio.sleep(fault.delay_s)
    return response


def _cut(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    """aiohttp's own bare request, with room for a large batch."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LONGEST_BODY)


async def listen(mock: Mock, port: int = 0) -> tuple[web.ServerRunner, str]:
    """Serve a mock on the loopback interface.

    Returns:
        The runner (`await runner.cleanup()` ends it) and the base URL of the API.
    """
    runner = web.ServerRunner(web.Server(mock.handle, request_factory=_request), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    address = runner.addresses[0]
    return runner, f"http://127.0.0.1:{address[1]}{mock.form.base_path}"
