"""Who did what, and how it ended: actions of the control API and of the command line."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from .database import Database

UNDER_WAY = "under way"
"""The outcome until there is one. It stays when the process ended meanwhile."""


class Audit:
    """Rows of `audit`. They hold no data of records, but the names of records that somebody asked about."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.audit

    def begin(self, *, actor: str, role: str, action: str, target: str = "", remote: str = "") -> int:
        """Write down that somebody is about to do something; returns the row's id."""
        row = {
            "at": self._database.now(), "actor": actor[:200], "role": role, "action": action[:200],
            "target": target[:500], "outcome": UNDER_WAY, "remote": remote[:100],
        }  # fmt: skip

        def transact(connection: Connection) -> int:
            return int(connection.execute(self._table.insert().values(row)).inserted_primary_key[0])  # type: ignore[index]

        return self._database.write(transact)

    def end(self, row_id: int, outcome: str, *, target: str | None = None) -> None:
        """How it ended; `target` when it is known only now."""
        values = {"outcome": outcome[:200]} | ({"target": target[:500]} if target is not None else {})
        self._database.execute(update(self._table).where(self._table.c.id == row_id).values(values))

    def latest(self, limit: int = 50, *, before: int | None = None) -> list[dict[str, Any]]:
        """The last entries, newest first; `before` an id for the ones that came earlier."""
        query = select(self._table).order_by(self._table.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(self._table.c.id < before)
        return [dict(row) for row in self._database.read(lambda connection: connection.execute(query).mappings().all())]
