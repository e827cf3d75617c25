"""A process that slept past its lease sends nothing more."""

from __future__ import annotations

import httpx
import pytest

from runtime.fence import FENCE, Fence
from runtime.http.session import open_api
from runtime.settings import resolve_settings
from runtime.state import LeaseLost
from tests.runtime.engine.conftest import ENVIRON
from tests.runtime.fakes import FakeClock
from tests.runtime.sample.app import INTEGRATION
from tests.runtime.sample.clients.credo import CREATE_CONTACT, LIST_CONTACTS


async def test_a_write_is_sent_while_the_lease_lasts_and_not_after_it_may_be_anothers() -> None:
    clock, asked = FakeClock(), []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(201 if request.method == "POST" else 200, json={"id": 1, "contacts": []})

    session = open_api(
        INTEGRATION.destination,
        resolve_settings(INTEGRATION, ENVIRON),
        transport=httpx.MockTransport(answer),
        clock=clock,
    )
    fence = Fence("stream:customers", 60.0, clock, since=clock.monotonic())
    mine = FENCE.set(fence)
    try:
        await session.request(CREATE_CONTACT, body=b"{}")
        clock.moment += 61.0
        with pytest.raises(LeaseLost) as lost:
            await session.request(CREATE_CONTACT, body=b"{}")
        assert not lost.value.may_have_acted
        await session.request(LIST_CONTACTS)  # reading does no harm
        fence.renewed(clock.monotonic())
        await session.request(CREATE_CONTACT, body=b"{}")
    finally:
        FENCE.reset(mine)
        await session.aclose()
    assert asked == ["POST", "GET", "POST"]
