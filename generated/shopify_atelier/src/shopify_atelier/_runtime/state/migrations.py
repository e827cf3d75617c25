"""Bring the state's schema up to what this package knows, once, under a lock; never down, never by guessing.

A fresh database gets today's tables. An older one gets the steps in between, each in the transaction that records it, so a
crash leaves the version before it. A newer one is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias
from zlib import crc32

from sqlalchemy import Connection, Engine, Table, inspect, select, text
from sqlalchemy.schema import CreateColumn, CreateSchema

from .errors import SchemaNewer, StateError
from .tables import SCHEMA_VERSION, Tables

Step: TypeAlias = Callable[[Connection, Tables], None]


def _count_drift(connection: Connection, tables: Tables) -> None:
    tables.drift.create(connection)
    runs = "runs" if tables.schema is None else f'"{tables.schema}".runs'
    connection.execute(text(f"ALTER TABLE {runs} ADD COLUMN drift BIGINT NOT NULL DEFAULT 0"))


def _keep_history(connection: Connection, tables: Tables) -> None:
    for table in (
        tables.changes, tables.waiting, tables.seen, tables.seals, tables.audit, tables.tokens, tables.budgets, tables.alerts,
        tables.ticks, tables.workers,
    ):  # fmt: skip
        table.create(connection)
    _add(connection, tables.checkpoints, "began_at", "reconciled_at", "done_at")
    for index in tables.links.indexes:
        if index.name in ("links_owed_on", "links_owed_back"):
            index.create(connection)
    _add(connection, tables.runs, "partition", "holder", "cancel_at", "restored", "rollback_of", "sample")
    _add(connection, tables.conflicts, "strategy", "source_version", "destination_version", "link_hash", "resolved_by")


def _add(connection: Connection, table: Table, *names: str) -> None:
    """Add columns as today's definition has them; they are nullable or have a server default."""
    where = connection.dialect.identifier_preparer.format_table(table)
    for name in names:
        column = CreateColumn(table.c[name]).compile(dialect=connection.dialect)
        connection.execute(text(f"ALTER TABLE {where} ADD COLUMN {column}"))


STEPS: Mapping[int, Step] = {2: _count_drift, 3: _keep_history}
"""Version → the change that leads to it from the one before."""


def migrate(
    engine: Engine, tables: Tables, now: float, *, steps: Mapping[int, Step] = STEPS, known: int = SCHEMA_VERSION
) -> int:
    """Create or upgrade the tables. Returns the version found before, 0 for a fresh database.

    Raises:
        SchemaNewer: the database was written by a newer package.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Held until the transaction ends, so it works behind a pooler too.
            key = crc32(f"vitesse:{tables.schema}".encode())
            connection.execute(text("SET LOCAL lock_timeout = 0"))  # another one's migration takes as long as it takes
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            if tables.schema is not None:
                connection.execute(CreateSchema(tables.schema, if_not_exists=True))
        found = _version(connection, tables)
        if found > known:
            raise SchemaNewer(found, known)
        if found == 0:
            tables.metadata.create_all(connection)
            connection.execute(tables.schema_version.insert(), {"version": known, "applied_at": now})
        for version in range(found + 1, known + 1) if found else ():
            if version not in steps:
                raise StateError(f"there is no step to state schema {version}")
            steps[version](connection, tables)
            connection.execute(tables.schema_version.insert(), {"version": version, "applied_at": now})
    return found


def _version(connection: Connection, tables: Tables) -> int:
    if not inspect(connection).has_table("schema_version", schema=tables.schema):
        return 0
    versions = connection.execute(select(tables.schema_version.c.version)).scalars()
    return max(versions, default=0)
