"""A world of processes for one test, on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.processes.world import World
from tests.runtime.conftest import postgresql_url

__all__ = ["database", "postgresql_url", "world_of"]


@pytest.fixture
def world_of(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes worlds; their processes end with the test."""
    made: list[World] = []

    def make(database_url: str | None = None, **options: int) -> World:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(World(folder, database_url or f"sqlite:///{folder / 'state.db'}", **options))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return empty_database(request.getfixturevalue("postgresql_url"))


def empty_database(server: str) -> str:
    """The URL of a database of its own on a PostgreSQL server."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    path, question, query = server.partition("?")
    return path.rpartition("/")[0] + f"/{name}" + question + query
