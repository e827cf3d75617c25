"""Many seeds of a vendor that fails in every way: whatever is told about a write is true."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from runtime.declare import Api, Operation, RateLimit
from runtime.errors import IntegrationError, TransportError
from runtime.http.breaker import BreakerPolicy
from runtime.http.session import open_api
from runtime.settings import Settings
from tests.runtime.virtual_time import VirtualClock, run_virtual

API = Api(name="crm", title="CRM", base_url="https://crm.example", rate_limit=RateLimit(per_s=50, burst=10))
CREATE = Operation(id="POST /things", api="crm", method="POST", path="/things", body="json")
KEYED = Operation(
    id="POST /keyed", api="crm", method="POST", path="/keyed", body="json", idempotency_header="Idempotency-Key"
)
READ = Operation(id="GET /things", api="crm", method="GET", path="/things", records=())


class Vendor(httpx.AsyncBaseTransport):
    """Acts or does not, then answers or does not; keeps what it did for each body, and for each key once."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.effects: Counter[bytes] = Counter()
        self.keys: set[str] = set()
        self.down = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        clock = self.clock
        await clock.sleep(0.01 + 0.05 * clock.random())
        if clock.random() < 0.004:
            self.down = not self.down
        fate = clock.random()
        if self.down or fate < 0.03:
            raise TransportError("refused", sent=False)
        if fate < 0.06:
            raise TransportError("lost on the way there", sent=None)
        if fate < 0.08:
            return httpx.Response(429, headers={"Retry-After": "1"} if clock.random() < 0.5 else {})
        if fate < 0.10:
            return httpx.Response([400, 404, 408, 409, 422, 425, 501][int(clock.random() * 7)])
        if fate < 0.12:
            return httpx.Response(503)
        key = request.headers.get("idempotency-key")
        if request.method == "POST" and key not in self.keys:
            self.effects[body] += 1
            if key is not None:
                self.keys.add(key)
        if fate < 0.15:
            raise TransportError("lost on the way back", sent=None if fate < 0.14 else True)
        if fate < 0.17:
            return httpx.Response(500)
        if fate < 0.18:
            return httpx.Response(200, text='[{"cut')
        return httpx.Response(200, json=[])


@pytest.mark.parametrize("seed", range(60))
def test_what_is_said_about_a_write_is_true(seed: int) -> None:
    """A success happened once; what surely was not done was not done; nothing without a key happens twice; all ends."""

    async def main(clock: VirtualClock) -> None:
        vendor = Vendor(clock)
        told: dict[bytes, IntegrationError | None] = {}
        pages: list[list[bytes]] = []
        failed: list[IntegrationError] = []

        async def write(number: int, operation: Operation) -> None:
            body = f'{{"n":{number}}}'.encode()
            try:
                await session.request(operation, body=body, idempotency_key=f"k{number}")
                told[body] = None
            except IntegrationError as error:
                told[body] = error

        async def read() -> None:
            try:
                pages.append((await session.page(READ)).records)
            except IntegrationError as error:
                failed.append(error)

        policy = BreakerPolicy(least_calls=10, open_s=1)
        async with open_api(API, Settings(), transport=vendor, clock=clock, breaker=policy) as session:
            work: list[Any] = []
            for number in range(120):
                work.append(write(number, KEYED if number % 3 == 0 else CREATE))
                if number % 5 == 0:
                    work.append(read())
            await asyncio.gather(*work)
            assert session.limiter.active == 0
        assert len(told) == 120
        assert len(pages) + len(failed) == 24
        assert not any(pages)
        assert not any(error.may_have_acted for error in failed)
        for body, error in told.items():
            done = vendor.effects[body]
            assert done <= 1
            if error is None:
                assert done == 1
            elif not error.may_have_acted:
                assert done == 0
            else:
                assert error.failure == "unknown"
        assert clock.monotonic() < 3600

    run_virtual(main, seed)
