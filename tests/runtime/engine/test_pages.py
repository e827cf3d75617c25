"""Pages read ahead: what ends the reading reaches whoever waits for the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from runtime.engine.pages import Page, Prefetch


async def test_reading_that_is_cancelled_by_somebody_else_s_end_is_told() -> None:
    """It waited for something shared, such as a token that another task fetched, and that task was cancelled: no run hangs."""
    shared: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def pages() -> AsyncIterator[Page]:
        yield Page(records=[b"{}"])
        await shared

    found = Prefetch(pages())
    assert await found.next() is not None
    shared.cancel()
    with pytest.raises(RuntimeError, match="cancelled elsewhere"):
        await asyncio.wait_for(found.next(), 60)
    await found.close()


async def test_reading_that_is_closed_ends_at_once() -> None:
    """Whatever it waits for."""

    async def pages() -> AsyncIterator[Page]:
        await asyncio.Event().wait()
        yield Page(records=[])

    found = Prefetch(pages())
    await asyncio.sleep(0)
    await asyncio.wait_for(found.close(), 60)
