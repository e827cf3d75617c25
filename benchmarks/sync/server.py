"""Both APIs in one process that is not the limit: HTTP/1.1 on an asyncio protocol, replies joined from prepared bytes.

`/shop` lists customers as `examples/shopify_credo/specs/shopify.yaml` says, `/crm` takes contacts as `credo.json` says. Nothing
is validated and, but for `--keep`, nothing is remembered: it is there to be fast. `--per-s` and `--burst` put a token bucket
before `/crm` that refuses with 429 and `Retry-After` and counts, `--latency-ms` holds each reply back.

Prints its address, then serves until SIGTERM. `GET /_counts` says what came in.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from typing import Any
from urllib.parse import parse_qs

from benchmarks.sync.records import PAGE_RECORDS, Pages

_STORED = (
    b'","full_name":"Grace Hopper","email":"grace.hopper@example.com","first_name":"Grace","last_name":"Hopper",'
    b'"phone_number":"+16135550142","created_date":"2023-11-28","lifetime_value":1249.9,"segments":["vip","newsletter"],'
    b'"status":"lead","marketing_opt_in":true,"company":null,"job_title":null,"address":null,"owner_id":null,'
    b'"external_id":null,"notes":null,"created_at":"2024-03-09T18:32:05Z","updated_at":"2024-03-09T18:32:05Z"}'
)
_NONE_FOUND = b'{"data":[],"page":1,"per_page":200,"total":0}'
_REFUSED = b'{"error":{"code":"rate_limited","message":"too many requests"}}'
_REASONS = {200: b"OK", 201: b"Created", 207: b"Multi-Status", 404: b"Not Found", 429: b"Too Many Requests"}


class Bucket:
    """The server's own count: `burst` requests at once, refilled at `per_s`."""

    def __init__(self, per_s: float, burst: float) -> None:
        self.per_s, self.burst = per_s, burst
        self.tokens, self.at = burst, time.monotonic()

    def take(self) -> float:
        """Zero when the request may pass, else the seconds until one may."""
        now = time.monotonic()
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_s)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.per_s


class Server:
    """What the connections share."""

    def __init__(self, records: int, *, latency_s: float, bucket: Bucket | None, keep: bool) -> None:
        self.pages = Pages(records)
        self.latency_s = latency_s
        self.bucket = bucket
        self.keep = keep
        self.origin = b""
        self.kept: list[Any] = []
        self.writes = 0
        self.contacts = 0
        self.reads = 0
        self.passed = 0
        self.refused = 0
        self.first_at = self.last_at = 0.0
        self.seen: list[float] = []
        self.slots = [b'{"index":%d,"status":201,"id":"ctc_' % slot for slot in range(PAGE_RECORDS)]
        self.slot_ends = [b'%03d","error":null}' % slot for slot in range(PAGE_RECORDS)]

    def reply(self, method: bytes, target: bytes, body: bytes) -> bytes:
        """The whole reply to one request."""
        if target.startswith(b"/crm/"):
            return self._crm(method, target, body)
        if target.startswith(b"/shop/customers.json"):
            return self._page(target)
        if target.startswith(b"/shop/customers/"):
            return self._customer(target)
        if target == b"/_counts":
            return _reply(200, json.dumps(self.counts()).encode())
        if target == b"/_kept":
            return _reply(200, json.dumps(self.kept).encode())
        return _reply(404, b'{"errors":"Not Found"}')

    def counts(self) -> dict[str, float]:
        """Requests and records that came in, and this process's own CPU."""
        return {
            "reads": self.reads,
            "writes": self.writes,
            "contacts": self.contacts,
            "passed": self.passed,
            "refused": self.refused,
            "limited_for_s": self.last_at - self.first_at,
            "over_budget": self.over_budget(),
            "server_cpu_s": time.process_time(),
        }

    def over_budget(self) -> float:
        """By how many requests the busiest span was above burst + rate × its length, whatever was refused; at least 0."""
        if self.bucket is None:
            return 0.0
        most = 0.0
        lowest = float("inf")
        for number, at in enumerate(self.seen):
            # of all spans that end here: (number - first + 1) - rate × (at - at_first) is largest for the lowest start
            lowest = min(lowest, number - self.bucket.per_s * at)
            most = max(most, number + 1 - self.bucket.per_s * at - lowest)
        return max(0.0, most - self.bucket.burst)

    def _page(self, target: bytes) -> bytes:
        query = parse_qs(target.partition(b"?")[2].decode())
        page = int(query.get("page_info", ["0"])[0])
        self.reads += 1
        headers = b"X-Shopify-Shop-Api-Call-Limit: 1/40\r\n"
        if page + 1 < self.pages.pages:
            address = b"%s/shop/customers.json?limit=%d&page_info=%d" % (self.origin, PAGE_RECORDS, page + 1)
            headers += b'Link: <%s>; rel="next"\r\n' % address
        return _reply(200, b'{"customers":[%s]}' % self.pages.body(page), headers)

    def _customer(self, target: bytes) -> bytes:
        number = target.removeprefix(b"/shop/customers/").partition(b".")[0]
        self.reads += 1
        slot = int(number[8:] or b"0")
        if len(number) != 11 or slot >= PAGE_RECORDS:
            return _reply(404, b'{"errors":"Not Found"}')
        return _reply(200, b'{"customer":%s}' % self.pages.one(number[2:8], slot))

    def _crm(self, method: bytes, target: bytes, body: bytes) -> bytes:
        if self.bucket is not None and (refusal := self._limit(self.bucket)) is not None:
            return refusal
        if method == b"GET":
            self.reads += 1
            return _reply(200, _NONE_FOUND)
        self.writes += 1
        if target == b"/crm/contacts/batch":
            count = body.count(b'"email":')
            if self.keep:
                self.kept += json.loads(body)["contacts"]
            self.contacts += count
            number = b"%09d" % self.writes
            items = (self.slots[slot] + number + self.slot_ends[slot] for slot in range(count))
            return _reply(207, b'{"results":[%s]}' % b",".join(items))
        if self.keep:
            self.kept.append(json.loads(body))
        self.contacts += 1
        return _reply(201, b'{"id":"ctc_%012d' % self.writes + _STORED)

    def _limit(self, bucket: Bucket) -> bytes | None:
        self.last_at = time.monotonic()
        self.first_at = self.first_at or self.last_at
        self.seen.append(self.last_at)
        if not (wait_s := bucket.take()):
            self.passed += 1
            return None
        self.refused += 1
        return _reply(429, _REFUSED, b"Retry-After: %d\r\n" % max(1, round(wait_s + 0.5)))


def _reply(status: int, body: bytes, headers: bytes = b"") -> bytes:
    start = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    return b"".join((start % (status, _REASONS[status], len(body)), headers, b"\r\n", body))


class Connection(asyncio.Protocol):
    """Reads requests one after the other; a client that sends several at once is answered in order."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self.buffer = self.buffer + data if self.buffer else data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            length = 0
            if head[:4] != b"GET ":
                at = head.lower().find(b"\r\ncontent-length:")
                if at < 0:
                    self.transport.write(b"HTTP/1.1 411 Length Required\r\nConnection: close\r\n\r\n")
                    self.transport.close()
                    return
                length = int(head[at + 17 :].split(b"\r\n", 1)[0])
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            method, target, _ = head.split(b" ", 2)
            reply = self.server.reply(method, target, body)
            if self.server.latency_s:
                asyncio.get_running_loop().call_later(self.server.latency_s, self._answer, reply)
            else:
                self.transport.write(reply)

    def _answer(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)


async def serve(server: Server) -> None:
    """Listen on a free port of the loopback until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    listening = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0, backlog=256)
    port = listening.sockets[0].getsockname()[1]
    server.origin = b"http://127.0.0.1:%d" % port
    sys.stdout.write(server.origin.decode() + "\n")
    sys.stdout.flush()
    await stop.wait()
    listening.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sync.server", description=__doc__)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--per-s", type=float, default=0.0, help="requests a second that /crm takes; 0 for no limit")
    parser.add_argument("--burst", type=float, default=1.0)
    parser.add_argument("--keep", action="store_true", help="remember what is written, for GET /_kept")
    options = parser.parse_args()
    bucket = Bucket(options.per_s, options.burst) if options.per_s else None
    asyncio.run(serve(Server(options.records, latency_s=options.latency_ms / 1000, bucket=bucket, keep=options.keep)))


if __name__ == "__main__":
    main()
