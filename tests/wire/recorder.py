"""A server that knows nothing of Vitesse: it keeps the bytes of each request and answers all of them alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: nothing in it is decoded."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[str]:
        """Encoded `name=value` pairs in their order."""
        query = self.target.partition("?")[2]
        return query.split("&") if query else []

    def header(self, name: str) -> str | None:
        """The value of a header that comes once at most."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) <= 1, f"{name} was sent {len(found)} times"
        return found[0] if found else None


@dataclass
class Recorder:
    port: int = 0
    requests: list[Request] = field(default_factory=list)


@asynccontextmanager
async def recording(reply: bytes = b"{}") -> AsyncIterator[Recorder]:
    """Serve on the loopback until the block ends."""
    found = Recorder()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *fields = head[:-4].split("\r\n")
                method, target, version = line.split(" ")
                assert version == "HTTP/1.1"
                headers = tuple((name, value.strip()) for name, _, value in (one.partition(":") for one in fields))
                length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
                assert not any(name.lower() == "transfer-encoding" for name, _ in headers)
                found.requests.append(Request(method, target, headers, await reader.readexactly(length)))
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(reply)}\r\n\r\n"
                writer.write(head.encode() + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
