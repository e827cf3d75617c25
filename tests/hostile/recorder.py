"""A server on loopback that keeps every request as it came over the wire, byte for byte. Knows nothing of HTTP libraries."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote


@dataclass(slots=True)
class Request:
    """One request, cut at line ends and colons only."""

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""

    @property
    def path(self) -> str:
        """Percent-decoded, without the query."""
        return unquote(self.target.partition(b"?")[0].decode("ascii"), errors="strict")

    @property
    def query(self) -> list[tuple[str, str]]:
        """Percent-decoded pairs in their order."""
        text = self.target.partition(b"?")[2].decode("ascii")
        pairs = [pair.partition("=") for pair in text.split("&") if pair]
        return [(unquote(name, errors="strict"), unquote(value, errors="strict")) for name, _, value in pairs]

    @property
    def cookies(self) -> list[tuple[str, str]]:
        """Percent-decoded pairs of all cookie headers."""
        lines = [value.decode("latin-1") for name, value in self.headers if name.lower() == b"cookie"]
        pairs = [pair.partition("=") for line in lines for pair in line.split("; ")]
        return [(unquote(name), unquote(value)) for name, _, value in pairs]


@dataclass
class Recorder:
    """Answers every request with what `reply` gives for it: status and JSON."""

    port: int
    reply: Callable[[Request], tuple[int, Any]]
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Recorder:
        self._socket = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def take(self) -> list[Request]:
        """What came since the last look."""
        taken, self.requests[:] = list(self.requests), []
        return taken

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as stream:
            while (request := _read(stream)) is not None:
                self.requests.append(request)
                status, value = self.reply(request)
                body = json.dumps(value).encode()
                head = (
                    f"HTTP/1.1 {status} Done\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                )
                stream.write(head.encode() + body)
                stream.flush()


def _read(stream: Any) -> Request | None:
    line = stream.readline()
    if not line.strip():
        return None
    method, target, _ = line.split(b" ", 2)
    headers: list[tuple[bytes, bytes]] = []
    length = 0
    while (line := stream.readline()).rstrip(b"\r\n"):
        name, _, value = line.rstrip(b"\r\n").partition(b":")
        headers.append((name, value.strip()))
        if name.lower() == b"content-length":
            length = int(value)
    return Request(method.decode("ascii"), target, headers, stream.read(length) if length else b"")


def free_port() -> int:
    """A loopback port that nobody listens on, below those that the system gives to whoever asks for any."""
    while True:
        port = random.randrange(20000, 30000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
