"""The sample's engine between the two fakes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine

from runtime.declare import Stream
from runtime.engine import Engine, RunReport, RunRequest
from runtime.http.session import Session, open_api
from runtime.settings import resolve_settings
from runtime.state import State
from tests.runtime.fakes import Credo, FakeClock, Shopify
from tests.runtime.sample.app import CUSTOMERS, INTEGRATION
from tests.shared import WIRE

ENVIRON = {
    "SHOPIFY_SHOP": "shop",
    "SHOPIFY_ACCESS_TOKEN": "shpat_planted",
    "CREDO_API_KEY": "credo_planted",
    "SHOPIFY_BASE_URL": "https://shop.example/admin",
    "CREDO_BASE_URL": "https://credo.example/v1",
    "MAX_ATTEMPTS": "2",
    **WIRE,
}


def forget_state(url: str, name: str = "shopify_credo") -> None:
    """Take away what another test left under the sample's name, or another one."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {name} CASCADE")
    engine.dispose()


class World:
    """Both fakes, one state, and a new engine for each run, as after a restart."""

    def __init__(self, url: str) -> None:
        self.shopify = Shopify()
        self.credo = Credo()
        self.clock = FakeClock()
        self.url = url
        if url.startswith("postgresql"):  # one server for all tests, and each has the sample's name
            forget_state(url)
        self.environ = dict(ENVIRON)
        self.ids = (f"id-{number}" for number in itertools.count(1))
        self.state = self.open_state()

    def open_state(self) -> State:
        state = State(self.url, name="shopify-credo", now=self.clock.now)
        state.prepare()
        return state

    def engine(self, **changes: Any) -> Engine:
        """An engine of the sample; `changes` replace members of its stream (`destination__batch=None`)."""
        stream: Stream[Any, Any] = CUSTOMERS
        for name, value in changes.items():
            part, _, member = name.partition("__")
            stream = replace(stream, **{part: replace(getattr(stream, part), **{member: value}) if member else value})
        integration = replace(INTEGRATION, streams=(stream,))
        settings = resolve_settings(integration, self.environ)

        return Engine(
            integration,
            source=self.session(integration.source, settings, self.shopify),
            destination=self.session(integration.destination, settings, self.credo),
            state=self.state,
            settings=settings,
            clock=self.clock,
            ids=lambda: next(self.ids),
            holder="me",
        )

    def session(self, api: Any, settings: Any, fake: Callable[[httpx.Request], httpx.Response]) -> Session:
        """One API opened; here without sockets."""
        return open_api(api, settings, transport=httpx.MockTransport(fake), clock=self.clock)

    async def sync(self, *, changes: dict[str, Any] | None = None, **request: Any) -> RunReport:
        """One run, and a check that its numbers add up, here and in the state."""
        self.clock.moment = max(self.clock.moment, self.shopify.now_s) + 10
        report = await self.engine(**(changes or {})).run(RunRequest(stream="customers", **request))
        report.counts.check()
        row = self.state.runs.get(report.run_id)
        assert row is not None
        for name, value in report.counts.as_columns().items():
            assert row[name] == value, name
        return report

    def crash(self) -> None:
        """Forget everything that was not committed, lease included."""
        self.state.close()
        self.clock.moment += 120
        self.state = self.open_state()


SINGLE: dict[str, Any] = {"destination__batch": None}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(f"sqlite:///{tmp_path / 'state.db'}")
    yield world
    world.state.close()
