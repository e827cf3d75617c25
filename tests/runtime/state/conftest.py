"""The state on SQLite, on a real PostgreSQL, and on that through a real PgBouncer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from runtime.state import State
from tests.processes.conftest import empty_database

SERVERS = ("postgresql", "pgbouncer")


@pytest.fixture(params=["sqlite", *(pytest.param(each, marks=pytest.mark.postgres) for each in SERVERS)])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    url: str = request.getfixturevalue("postgresql_url" if request.param == "postgresql" else "pooled_database")
    return url


@pytest.fixture(scope="session")
def pooled_database(postgresql_url: str, pgbouncer_url: str) -> str:
    """A database of its own behind the pooler: tests that name their state run on both."""
    database = make_url(empty_database(postgresql_url)).database
    return make_url(pgbouncer_url).set(database=database).render_as_string(hide_password=False)


@pytest.fixture
def state(state_url: str) -> Iterator[State]:
    """A prepared state of its own."""
    state = State(state_url, name=f"shop-{uuid.uuid4().hex[:8]}")
    state.prepare()
    yield state
    state.close()
