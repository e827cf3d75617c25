"""Signed deliveries at a steady rate, whether or not the service keeps up: `python -m benchmarks.webhooks.load ADDRESS`.

Each delivery has a moment at which it is due; its latency counts from then, so that a service that stalls is charged for
all that came due meanwhile. Bodies and signatures are made before the clock starts. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import sys
import time
from base64 import b64encode
from hashlib import sha256
from urllib.parse import urlsplit

from benchmarks.sync.records import PAGE_RECORDS, customer

TOPIC = "customers/update"
CONNECTIONS = 64


def deliveries(count: int, host: str, secret: bytes) -> list[bytes]:
    """Whole requests, each of another customer."""
    made = []
    for number in range(count):
        page, slot = divmod(number, PAGE_RECORDS)
        record = customer(f"{page:06d}", slot)
        body = json.dumps({**record, "id": int(record["id"])}, separators=(",", ":")).encode()
        signature = b64encode(hmac.digest(secret, body, sha256)).decode()
        head = (
            f"POST /webhooks/{TOPIC} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"X-Shopify-Hmac-Sha256: {signature}\r\nX-Shopify-Webhook-Id: delivery-{number}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


class Connection(asyncio.Protocol):
    """One delivery at a time."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[int] | None = None
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """A reply is whole when its announced body is there."""
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 or self.answer is None:
            return
        head = self.buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.buffer) >= end + 4 + length:
            status, self.buffer = int(self.buffer[9:12]), b""
            answer, self.answer = self.answer, None
            if not answer.done():
                answer.set_result(status)

    def connection_lost(self, error: Exception | None) -> None:
        """What was under way has no answer."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(0)

    async def send(self, request: bytes) -> int:
        """The status; 0 for none."""
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answer


async def run(address: str, requests: list[bytes], per_s: float) -> dict[str, object]:
    """Send them all and tell."""
    loop = asyncio.get_running_loop()
    parts = urlsplit(address)
    assert parts.hostname is not None
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(Connection, parts.hostname, parts.port)
        idle.put_nowait(connection)
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    lags: list[float] = []

    async def deliver(request: bytes, due: float) -> None:
        connection = await idle.get()
        status = await connection.send(request)
        latencies.append(loop.time() - due)
        statuses[status] = statuses.get(status, 0) + 1
        idle.put_nowait(connection)

    cpu_before = time.process_time()
    began = loop.time() + 0.2
    tasks = set()
    for number, request in enumerate(requests):
        due = began + number / per_s
        if (wait := due - loop.time()) > 0.0005:
            await asyncio.sleep(wait)
        lags.append(loop.time() - due)
        tasks.add(asyncio.ensure_future(deliver(request, due)))
        if number % 100 == 0:
            tasks = {task for task in tasks if not task.done()}
    await asyncio.gather(*tasks)
    took = loop.time() - began
    latencies.sort()
    lags.sort()
    return {
        "stored": statuses.get(200, 0),
        "failed": sum(count for status, count in statuses.items() if status != 200),
        "statuses": {str(status): count for status, count in statuses.items()},
        "per_s": len(requests) / took,
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[int(len(latencies) * 0.99)],
        "longest_ms": 1000 * latencies[-1],
        "load_lag_p99_ms": 1000 * lags[int(len(lags) * 0.99)],
        "load_cpu_s": time.process_time() - cpu_before,
    }


def main() -> None:
    """Read the command line, send, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webhooks.load", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--per-s", type=float, default=1000.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--secret", default="benchmark")
    options = parser.parse_args()
    host = urlsplit(options.address).netloc
    made = deliveries(round(options.per_s * options.seconds), host, options.secret.encode())
    json.dump(asyncio.run(run(options.address, made, options.per_s)), sys.stdout)


if __name__ == "__main__":
    main()
