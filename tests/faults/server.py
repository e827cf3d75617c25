"""A vendor on a bad day, as a program: it answers like one of the fakes, except where its script says otherwise.

Each `Step` of a script hits so many requests, in the order they come, and does one thing to them, byte by byte. The server
keeps what it saw (`requests`); what really happened is in the fake behind it (`Credo.effects`), so that a test counts effects
where they happen. As a program (`python -m tests.faults.server credo --script FILE`) it writes both to a file, a line each.

    status      another status, with headers and a body
    silence     take the request and never answer
    drip        the right answer, a byte at a time, `every_s`
    close       end the connection without an answer
    reset       the same with RST
    reset_body  half of the right answer, then RST
    cut         announce the whole answer, send half, end
    cut_chunked the right answer chunked, without its last chunk
    cut_json    half of the JSON, with a length that is right for it
    instead     another body, with its own media type
    bomb        a gzip body of zeros, `megabytes` when unpacked
    huge        a body of `megabytes` of blanks inside JSON, unpacked as it is
    headers     `count` header fields of `bytes_each`
    hints       100 and 103 before the right answer
    upgrade     a frame of HTTP/2 where an answer of HTTP/1.1 is due
    close_after the right answer, then the connection ends although it was to be kept
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from tests.runtime.fakes import Credo, Shopify
from tests.runtime.raw_server import Behaviour, Exchange, Seen, Server, serving

Fake = Callable[[httpx.Request], httpx.Response]


@dataclass(slots=True, kw_only=True)
class Step:
    """One fault for the next `times` requests that fit, after `skip` of them that pass."""

    does: str
    method: str | None = None
    path: str = ""
    """A part of the path and query."""
    holds: str = ""
    """A part of the body."""
    times: int = 1
    skip: int = 0
    acts: bool = False
    """The request takes effect first: its outcome is then unknown to the sender."""
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"error": "as the script says"}'
    every_s: float = 0.05
    megabytes: int = 100
    count: int = 10_000
    bytes_each: int = 10

    def __post_init__(self) -> None:
        if self.does not in _DOES:
            raise ValueError(f"a step cannot `{self.does}`")

    def fits(self, seen: Seen) -> bool:
        """Whether this request is one of its."""
        method, target, _ = seen.line.split(" ", 2)
        return self.method in (None, method) and self.path in target and self.holds.encode() in seen.body


_DOES = (
    "status", "silence", "drip", "close", "reset", "reset_body", "cut", "cut_chunked", "cut_json", "instead",
    "bomb", "huge", "headers", "hints", "upgrade", "close_after",
)  # fmt: skip


class Vendor:
    """A fake behind a socket, with a script."""

    def __init__(self, fake: Fake, *steps: Step, log: Path | None = None) -> None:
        self.fake = fake
        self.steps = list(steps)
        self.server: Server | None = None
        self._log = log
        self._logged = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self.server is not None
        return self.server.url

    @property
    def requests(self) -> list[Seen]:
        """Every request, in the order they came."""
        assert self.server is not None
        return self.server.requests

    def script(self, *steps: Step) -> None:
        """What happens from now on, in place of what was to happen."""
        self.steps = list(steps)

    async def __call__(self, exchange: Exchange) -> None:
        step = self._take(exchange.seen)
        if step is None:
            await _send(exchange, self._right(exchange.seen))
        else:
            await self._do(step, exchange)
        self._write_down(exchange.seen, step)

    def _take(self, seen: Seen) -> Step | None:
        for step in self.steps:
            if not step.fits(seen):
                continue
            if step.skip > 0:
                step.skip -= 1
                return None
            step.times -= 1
            if step.times <= 0:
                self.steps.remove(step)
            return step
        return None

    def _right(self, seen: Seen) -> httpx.Response:
        method, target, _ = seen.line.split(" ", 2)
        try:
            return self.fake(httpx.Request(method, self.url + target, headers=seen.headers, content=seen.body))
        except httpx.TransportError:
            return httpx.Response(599)

    async def _do(self, step: Step, exchange: Exchange) -> None:
        answers = ("drip", "reset_body", "cut", "cut_chunked", "cut_json", "hints", "close_after")
        right = self._right(exchange.seen) if step.acts or step.does in answers else httpx.Response(200)
        match step.does:
            case "status":
                await _send(exchange, httpx.Response(step.status, headers=step.headers, text=step.body))
            case "silence":
                await asyncio.Event().wait()
            case "drip":
                await _drip(exchange, _bytes(right), step.every_s)
            case "close":
                exchange.writer.close()
            case "reset":
                exchange.reset()
            case "reset_body":
                await exchange.send(_bytes(right)[: -max(len(right.content) // 2, 1)])
                await asyncio.sleep(0.02)
                exchange.reset()
            case "cut":
                await exchange.send(_bytes(right)[: -max(len(right.content) // 2, 1)])
                exchange.writer.close()
            case "cut_chunked":
                half = right.content[: len(right.content) // 2]
                await exchange.send(_head(right, chunked=True) + b"%x\r\n%b\r\n" % (len(half), half))
                exchange.writer.close()
            case "cut_json":
                half = right.content[: len(right.content) // 2]
                await _send(exchange, httpx.Response(right.status_code, headers=_kept(right), content=half))
            case "instead":
                await _send(exchange, httpx.Response(step.status, headers=step.headers, text=step.body))
            case "bomb":
                data = bomb(step.megabytes)
                headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
                await _send(exchange, httpx.Response(200, headers=headers, stream=httpx.ByteStream(data)), data)
            case "huge":
                await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in range(step.megabytes):
                    await exchange.send(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")
                await exchange.send(b"0\r\n\r\n")
            case "headers":
                fields = b"".join(b"X-%d: %b\r\n" % (number, b"a" * step.bytes_each) for number in range(step.count))
                await exchange.send(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 2\r\n\r\n{}")
            case "hints":
                await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
                await _send(exchange, right)
            case "upgrade":
                await exchange.send(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
                exchange.writer.close()
            case "close_after":
                await _send(exchange, right)
                exchange.writer.close()

    def _write_down(self, seen: Seen, step: Step | None) -> None:
        if self._log is None:
            return
        effects = getattr(self.fake, "effects", [])
        lines = [json.dumps({"request": seen.line, "step": step.does if step else None})]
        lines += [json.dumps({"effect": each}) for each in effects[self._logged :]]
        self._logged = len(effects)
        with self._log.open("a") as file:
            file.write("\n".join(lines) + "\n")


@cache
def bomb(megabytes: int) -> bytes:
    engine = zlib.compressobj(1, wbits=31)
    return b"".join(engine.compress(b" " * (1 << 20)) for _ in range(megabytes)) + engine.flush()


def _kept(reply: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name not in ("content-length", "transfer-encoding")}


def _head(reply: httpx.Response, *, chunked: bool = False, length: int | None = None) -> bytes:
    size = len(reply.content) if length is None else length
    framing = "transfer-encoding: chunked" if chunked else f"content-length: {size}"
    if reply.status_code in (204, 304):
        framing = "x-no-body: yes"
    fields = [f"{name}: {value}" for name, value in _kept(reply).items()]
    return "\r\n".join([f"HTTP/1.1 {reply.status_code} {reply.reason_phrase}", framing, *fields, "", ""]).encode()


def _bytes(reply: httpx.Response) -> bytes:
    return _head(reply) + reply.content


async def _send(exchange: Exchange, reply: httpx.Response, data: bytes | None = None) -> None:
    await exchange.send(_bytes(reply) if data is None else _head(reply, length=len(data)) + data)


async def _drip(exchange: Exchange, data: bytes, every_s: float) -> None:
    for position in range(len(data)):
        await exchange.send(data[position : position + 1])
        await asyncio.sleep(every_s)


@asynccontextmanager
async def vendor(fake: Fake, *steps: Step, tls: ssl.SSLContext | None = None) -> AsyncIterator[Vendor]:
    """Serve a fake with a script until the block ends."""
    found = Vendor(fake, *steps)
    async with serving(found, tls=tls) as found.server:
        yield found


class Proxy:
    """A proxy that says no to whoever asks, and counts them."""

    def __init__(self, status: str = "407 Proxy Authentication Required") -> None:
        self.status = status

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Server]:
        """Listen until the block ends."""

        async def refuse(exchange: Exchange) -> None:
            await exchange.reply(b"", status=self.status)

        behaviour: Behaviour = refuse
        async with serving(behaviour) as server:
            yield server


def load_script(text: str) -> list[Step]:
    """Steps from JSON: a list of objects with the members of `Step`."""
    return [Step(**each) for each in json.loads(text)]


async def _serve(arguments: argparse.Namespace) -> None:
    fake: Any = Shopify(arguments.records) if arguments.side == "shopify" else Credo()
    steps = load_script(arguments.script.read_text()) if arguments.script else []
    found = Vendor(fake, *steps, log=arguments.log)
    async with serving(found) as found.server:
        print(found.url, flush=True)
        await asyncio.Event().wait()


def main(argv: list[str]) -> None:
    """Serve one of the fakes until somebody ends it; the first line it prints is its URL."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("side", choices=["shopify", "credo"])
    parser.add_argument("--script", type=Path, help="JSON: a list of steps")
    parser.add_argument("--log", type=Path, help="where requests and effects are written, a line each")
    parser.add_argument("--records", type=int, default=100, help="customers that the source has")
    asyncio.run(_serve(parser.parse_args(argv)))


if __name__ == "__main__":
    main(sys.argv[1:])
