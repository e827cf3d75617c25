"""The state on SQLite, on a real PostgreSQL, and on that through a real PgBouncer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.state import State

SERVERS = ("postgresql", "pgbouncer")


@pytest.fixture(params=["sqlite", *(pytest.param(each, marks=pytest.mark.postgres) for each in SERVERS)])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def state(state_url: str) -> Iterator[State]:
    """A prepared state of its own."""
    state = State(state_url, name=f"shop-{uuid.uuid4().hex[:8]}")
    state.prepare()
    yield state
    state.close()
