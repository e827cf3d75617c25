"""Fixtures: every test that takes `bench` runs once for each stream, against fresh mocks and fresh state.

No test can reach another machine: a guard refuses every connection that leaves this one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.bench import Bench, serving
from tests.package import STREAMS
from tests.shadow import keep_on_this_machine

keep_on_this_machine()


@pytest.fixture(params=STREAMS)
def stream(request: pytest.FixtureRequest) -> str:
    """The name of a stream of this package."""
    name: str = request.param
    return name


@pytest_asyncio.fixture
async def bench(stream: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """Both mocks with 30 source records, and the engine between them."""
    async with serving(stream, tmp_path) as ready:
        yield ready
