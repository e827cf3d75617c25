"""How much waits in the state: deliveries, dead letters, conflicts, records without their parent, unknown outcomes."""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import Connection, func, select

from .database import Database

Depths: TypeAlias = "dict[tuple[str, str], int]"
"""(queue, stream) → rows."""
QUEUES = ("inbox", "dead_letters", "conflicts", "waiting", "unknown")


class Queues:
    """Counts over several tables, in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def depths(self) -> Depths:
        """Every queue that is not empty."""
        t = self._database.tables

        def ask(connection: Connection) -> Depths:
            found: Depths = {}
            for queue, table, state in (
                ("inbox", t.inbox, "waiting"),
                ("dead_letters", t.dead_letters, "open"),
                ("conflicts", t.conflicts, "open"),
                ("waiting", t.waiting, None),
                ("unknown", t.intents, "unknown"),
            ):
                query: Any = select(table.c.stream, func.count()).group_by(table.c.stream)
                if state is not None:
                    query = query.where(table.c.state == state)
                found.update({(queue, row[0]): row[1] for row in connection.execute(query)})
            return found

        return self._database.read(ask)

    def latest_runs(self) -> dict[str, dict[str, Any]]:
        """Stream → its last run that ended, by itself or not, and when one last went well."""
        runs = self._database.tables.runs

        def ask(connection: Connection) -> dict[str, dict[str, Any]]:
            well = (
                select(runs.c.stream, func.max(runs.c.ended_at))
                .where(runs.c.state.in_(("done", "partial")), runs.c.dry_run.is_(False))
                .group_by(runs.c.stream)
            )
            ended = (
                select(runs.c.stream, func.max(runs.c.started_at))
                .where(runs.c.ended_at.is_not(None), runs.c.dry_run.is_(False))
                .group_by(runs.c.stream)
            )
            found: dict[str, dict[str, Any]] = {}
            for stream, started_at in connection.execute(ended).all():
                row = connection.execute(
                    select(runs).where(runs.c.stream == stream, runs.c.started_at == started_at).limit(1)
                ).mappings()
                found[stream] = {**row.one(), "well_at": None}
            for stream, moment in connection.execute(well):
                found.setdefault(stream, {})["well_at"] = moment
            return found

        return self._database.read(ask)
