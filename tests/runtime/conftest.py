"""What the tests of the runtime share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pgbouncer import pooled
from tests.postgresql import running


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server for this session."""
    with running() as server:
        yield server.get_uri()


@pytest.fixture(scope="session")
def pgbouncer_url(postgresql_url: str) -> Iterator[str]:
    """The same server through a real PgBouncer in transaction mode."""
    with pooled(postgresql_url) as url:
        yield url
