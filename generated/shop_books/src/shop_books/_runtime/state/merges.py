"""What streams that merge remember: the base of each link, open conflicts, what lost.

Statements of the hot path, run inside the transactions of `Store`; `Conflicts` is what people ask.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, and_, bindparam, delete, func, select, text, update

from .connect import Statements
from .database import Database
from .rows import ConflictRow, Known, Link, Look, MergeOutcomes
from .tables import IS_OWED_BACK, IS_OWED_ON

LOSING = "losing"
"""Kind of a change that is about to take something away; it stands until the outcome of the write is known."""
Shown: TypeAlias = "dict[str, Any]"


class Merges:
    """Statements about bases and conflicts. Belongs to one thread."""

    def __init__(self, database: Database, sql: Statements) -> None:
        self._database, self._sql = database, sql
        t = database.tables
        links, conflicts = t.links, t.conflicts
        known = (
            links.c.source_id, links.c.destination_id, links.c.base, links.c.hash, links.c.version, links.c.match,
            links.c.destination_version, conflicts.c.id, links.c.written_at,
        )  # fmt: skip
        both = links.outerjoin(
            conflicts,
            and_(
                conflicts.c.stream == links.c.stream,
                conflicts.c.source_id == links.c.source_id,
                conflicts.c.state == text("'open'"),
            ),
        )
        of_stream = links.c.stream == bindparam("of")
        names = ("of", "many")
        self._known = sql.compile(
            select(*known).select_from(both).where(of_stream, sql.is_one_of(links.c.source_id)), names
        )
        self._known_back = sql.compile(
            select(*known)
            .select_from(both)
            .where(of_stream, sql.is_one_of(links.c.destination_id))
            .order_by(links.c.gone_at.is_(None)),
            names,
        )
        self._links_back = sql.compile(
            select(
                links.c.destination_id, links.c.source_id, links.c.hash, links.c.destination_version, links.c.match,
                links.c.gone_at,
            )
            .where(of_stream, sql.is_one_of(links.c.destination_id))
            .order_by(links.c.gone_at.is_(None)),  # a record may have had another partner before: the last row counts
            names,
        )  # fmt: skip

    def known(self, connection: Connection, look: Look) -> dict[str, Known]:
        """What is remembered, by the identity that was looked up."""
        back = look.merges == "backward"
        statement = self._known_back if back else self._known
        rows = statement.rows(connection, (look.links_of or look.stream, self._sql.many(look.source_ids)))
        return {row[1 if back else 0]: Known(*row) for row in rows}

    def links_back(self, connection: Connection, look: Look, ids: Sequence[str]) -> dict[str, Link]:
        """Links as the other direction sees them: by the destination's identity."""
        rows = self._links_back.rows(connection, (look.links_of, self._sql.many(ids)))
        return {row[0]: Link(*row) for row in rows}

    def write(self, connection: Connection, outcomes: MergeOutcomes) -> None:
        """Part of a group's outcomes."""
        t = self._database.tables
        for stream, source_id in outcomes.unlinked:
            connection.execute(delete(t.links).where(t.links.c.stream == stream, t.links.c.source_id == source_id))
        for stream, source_id, run_id in outcomes.told:
            c = t.changes.c
            connection.execute(
                delete(t.changes).where(
                    c.stream == stream, c.source_id == source_id, c.run_id == run_id, c.kind == LOSING
                )
            )
        for conflict in outcomes.conflicts:
            self._put_conflict(connection, conflict)
        for stream, source_id, resolution, by in outcomes.closed:
            query = update(t.conflicts).where(
                t.conflicts.c.stream == stream, t.conflicts.c.source_id == source_id, t.conflicts.c.state == "open"
            )
            values = {
                "state": "resolved", "resolution": resolution, "resolved_by": by, "resolved_at": self._database.now()
            }  # fmt: skip
            connection.execute(query.values(values))

    def _put_conflict(self, connection: Connection, row: ConflictRow) -> None:
        """Open a conflict; the row that is open for the record already is brought up to date."""
        table = self._database.tables.conflicts
        values = row._asdict()
        fresh = {name: value for name, value in values.items() if name not in ("id", "stream", "source_id", "made_at")}
        query = update(table).where(
            table.c.stream == row.stream, table.c.source_id == row.source_id, table.c.state == "open"
        )
        if connection.execute(query.values(fresh)).rowcount == 0:
            connection.execute(table.insert().values({**values, "state": "open"}))

    def owed(self, stream: str, *, back: bool, limit: int = 1000) -> list[str]:
        """Records that one side is still to get, by their identity on the side that has them, unless a conflict is open."""
        t = self._database.tables
        links, conflicts = t.links, t.conflicts
        is_held = (
            select(conflicts.c.id)
            .where(
                conflicts.c.stream == links.c.stream,
                conflicts.c.source_id == links.c.source_id,
                conflicts.c.state == "open",
            )
            .exists()
        )
        wanted = links.c.destination_id if back else links.c.source_id
        query = (
            select(wanted)
            .where(links.c.stream == stream, text(IS_OWED_BACK if back else IS_OWED_ON), ~is_held, wanted.is_not(None))
            .limit(limit)
        )
        return list(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def owner_back(self, stream: str, source_id: str) -> str | None:
        """The destination record that a source record is linked to."""
        links = self._database.tables.links
        query = select(links.c.destination_id).where(links.c.stream == stream, links.c.source_id == source_id)
        return self._database.read(lambda connection: connection.execute(query).scalar())


class Conflicts:
    """Rows of `conflicts`, for people."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.conflicts

    def latest(self, stream: str | None = None, *, state: str = "open", limit: int = 50) -> list[Shown]:
        """Conflicts without what is in the records, newest first."""
        table = self._table
        columns = [column for column in table.c if column.name not in ("base", "source", "destination", "link_hash")]
        query = select(*columns).where(table.c.state == state).order_by(table.c.made_at.desc(), table.c.id).limit(limit)
        if stream is not None:
            query = query.where(table.c.stream == stream)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [{**row, "fields": json.loads(row["fields"])} for row in rows]

    def get(self, conflict_id: str) -> Shown | None:
        """One conflict with base and both versions, sealed."""
        query = select(self._table).where(self._table.c.id == conflict_id)
        row = self._database.read(lambda connection: connection.execute(query).mappings().one_or_none())
        return None if row is None else {**row, "fields": json.loads(row["fields"])}

    def open_count(self, stream: str | None = None) -> int:
        """How many wait."""
        query = select(func.count()).select_from(self._table).where(self._table.c.state == "open")
        if stream is not None:
            query = query.where(self._table.c.stream == stream)
        return int(self._database.read(lambda connection: connection.execute(query).scalar_one()))
