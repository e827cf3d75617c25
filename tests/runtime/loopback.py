"""The fakes behind real sockets, in a thread: for what has to be seen through the whole package, wire included."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from aiohttp import web

from tests.waiting import PATIENCE_S

Fake = Callable[[httpx.Request], httpx.Response]


@contextmanager
def listening(*fakes: Fake) -> Iterator[list[str]]:
    """Serve each fake on a port of its own; gives their URLs."""
    urls: list[str] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()

    async def start() -> None:
        for fake in fakes:
            runner = web.AppRunner(_application(fake), access_log=None)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
            urls.append(f"http://127.0.0.1:{port}")

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.call_soon(ready.set)
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        yield urls
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


def _application(fake: Fake) -> web.Application:
    alone = asyncio.Lock()

    async def handle(request: web.Request) -> web.StreamResponse:
        asked = httpx.Request(
            request.method, str(request.url), headers=list(request.headers.items()), content=await request.read()
        )
        try:
            async with alone:  # one request at a time, and beside those of the other fakes
                reply = await asyncio.to_thread(fake, asked)
        except httpx.TransportError:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        headers = [(name, value) for name, value in reply.headers.items() if name.lower() != "content-length"]
        response = web.Response(status=reply.status_code, body=reply.content)
        response.headers.clear()
        for name, value in headers:
            response.headers.add(name, value)
        return response

    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", handle)
    return application
