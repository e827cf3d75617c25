"""The sample's engine between two vendors that listen on sockets and follow scripts: the package's own wire included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from runtime.engine import Engine, RunReport
from runtime.http.session import Session, open_api
from tests.faults.server import Step, Vendor, vendor
from tests.runtime.conftest import postgresql_url
from tests.runtime.engine.conftest import World
from tests.waiting import PATIENCE_S

__all__ = ["postgresql_url"]


class Wired(World):
    """A world whose engine talks over real connections. Waits are instant: the clock is the fake one."""

    source: Vendor
    destination: Vendor

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.opened: list[Session] = []
        self.apis: dict[str, Any] = {}
        """APIs that are declared otherwise than the sample's."""

    @classmethod
    async def start(cls, url: str, stack: AsyncExitStack) -> Wired:
        """Both vendors listening."""
        world = cls(url)
        world.source = await stack.enter_async_context(vendor(lambda request: world.shopify(request)))
        world.destination = await stack.enter_async_context(vendor(lambda request: world.credo(request)))
        world.environ |= {
            "SHOPIFY_BASE_URL": world.source.url + "/admin",
            "CREDO_BASE_URL": world.destination.url + "/v1",
            "REQUEST_DEADLINE_SECONDS": str(PATIENCE_S),  # tests of silence set their own
            "MAX_ATTEMPTS": "3",
        }
        return world

    def session(self, api: Any, settings: Any, fake: Any) -> Session:
        session = open_api(self.apis.get(api.name, api), settings, clock=self.clock)
        self.opened.append(session)
        return session

    async def sync(self, **options: Any) -> RunReport:
        try:
            return await super().sync(**options)
        finally:
            for session in self.opened:
                await session.aclose()
            self.opened.clear()

    def slept_s(self) -> float:
        """How long everybody waited."""
        return sum(self.clock.slept)

    def point(self) -> Any:
        """The checkpoint of the stream."""
        return self.state.store.checkpoint("customers")

    def is_whole(self) -> bool:
        """Whether each source record is in the destination once, as it is now."""
        made = self.credo.created()
        return len(made) == len(set(made)) == len(self.shopify.customers) == len(self.credo.contacts)


@pytest.fixture
async def wired(tmp_path: Path) -> AsyncIterator[Wired]:
    async with AsyncExitStack() as stack:
        world = await Wired.start(f"sqlite:///{tmp_path / 'state.db'}", stack)
        yield world
        world.state.close()


__all__ += ["Engine", "Step", "Wired"]
