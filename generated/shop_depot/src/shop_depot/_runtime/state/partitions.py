"""The parts of a pass that several replicas share: one row of `checkpoints` each, beside the stream's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from .database import Database
from .rows import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the parts of a pass have seen together."""

    high: Sequence[str]
    """The highest version of each part that has one."""
    ceiling: float | None
    """The server's time when the first of them began."""


class Partitions:
    """Rows of `checkpoints` with a partition, and of `runs` and `links` as far as they are about such."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.checkpoints
        self._runs = database.tables.runs
        self._links = database.tables.links

    def keys(self, stream: str, mapping: str) -> list[str]:
        """All parts of the pass under way under this mapping, in order."""
        table = self._table
        mine = (table.c.stream == stream, table.c.partition != "", table.c.mapping == mapping)
        query = select(table.c.partition).where(*mine).order_by(table.c.partition)
        return list(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def left(self, stream: str) -> list[str]:
        """The parts that are not done, in order."""
        table = self._table
        mine = (table.c.stream == stream, table.c.partition != "", table.c.done_at.is_(None))
        query = select(table.c.partition).where(*mine).order_by(table.c.partition)
        return list(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def plan(self, lease: Lease, stream: str, mapping: str, keys: Sequence[str]) -> None:
        """Begin a pass of these parts. Whoever works on an older one finds its lease lost."""
        table, now = self._table, self._database.now()
        rows = [
            {
                "stream": stream,
                "partition": key,
                "mapping": mapping,
                "crashes": 0,
                "token": lease.token,
                "updated_at": now,
            }
            for key in keys
        ]

        def transact(connection: Connection) -> None:
            connection.execute(delete(table).where(table.c.stream == stream, table.c.partition != ""))
            for start in range(0, len(rows), 1000):
                connection.execute(insert(table), rows[start : start + 1000])

        self._database.write(transact)

    def seen(self, stream: str) -> Seen:
        """What was seen by all parts."""
        table = self._table
        mine = (table.c.stream == stream, table.c.partition != "")

        def transact(connection: Connection) -> Seen:
            high = connection.execute(select(table.c.high).where(*mine, table.c.high.is_not(None))).scalars().all()
            ceiling = connection.execute(select(func.min(table.c.ceiling)).where(*mine)).scalar()
            return Seen(high=list(high), ceiling=ceiling)

        return self._database.read(transact)

    def forget(self, stream: str) -> None:
        """The pass is over."""
        self._database.execute(delete(self._table).where(self._table.c.stream == stream, self._table.c.partition != ""))

    def counts(self, run_id: str, names: Sequence[str]) -> dict[str, int]:
        """The counts of a run's parts, added up."""
        runs = self._runs
        sums = [func.coalesce(func.sum(runs.c[name]), 0).label(name) for name in names]
        query = select(*sums).where(runs.c.id.startswith(f"{run_id}-p", autoescape=True), runs.c.partition != "")
        row: Any = self._database.read(lambda connection: connection.execute(query).mappings().one())
        return {name: int(row[name]) for name in names}

    def parents(self, stream: str, low: str | None = None, high: str | None = None) -> list[str]:
        """The identities that have links, in the database's order: from `low` on and before `high`."""
        links = self._links
        query = select(links.c.source_id).where(links.c.stream == stream, links.c.gone_at.is_(None))
        if low is not None:
            query = query.where(links.c.source_id >= low)
        if high is not None:
            query = query.where(links.c.source_id < high)
        query = query.order_by(links.c.source_id)
        return list(self._database.read(lambda connection: connection.execute(query).scalars().all()))
