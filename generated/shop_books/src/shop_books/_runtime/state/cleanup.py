"""Rows that are over and older than they are kept → gone, a bounded number at a time.

Links, open letters, open conflicts, deliveries that wait, runs under way and the last run of each stream stay whatever their age.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from ..declare import Retention
from .database import Database

TOGETHER = 500
"""Rows that one transaction deletes."""


class Cleanup:
    """Deletes what nobody will ask for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables = database.tables

    def clean(self, retention: Retention, *, most: int) -> tuple[Counter[str], bool]:
        """Delete at most `most` rows of each table; how many of what, and whether nothing is left to delete."""
        found: Counter[str] = Counter()
        is_done = True
        for table, where in self._over(retention, self._database.now()):
            [key] = table.primary_key.columns
            left = most
            while left > 0:
                asked = min(left, TOGETHER)
                old = select(key).where(*where).limit(asked)

                def transact(connection: Connection, table: Table = table, old: object = old) -> int:
                    named = list(connection.execute(old).scalars())  # type: ignore[call-overload]
                    [key] = table.primary_key.columns
                    return connection.execute(delete(table).where(key.in_(named))).rowcount if named else 0

                count = self._database.write(transact)
                found[table.name] += count
                left -= count
                if count < asked:
                    break
            else:
                is_done = False
        return +found, is_done

    def _over(self, retention: Retention, now: float) -> Iterator[tuple[Table, tuple[ColumnElement[bool], ...]]]:
        t = self._tables
        runs, others = t.runs, t.runs.alias("others")
        newest = (
            select(func.max(others.c.started_at))
            .where(others.c.stream == runs.c.stream)
            .correlate(runs)
            .scalar_subquery()
        )
        ended = runs.c.ended_at < now - retention.runs_s
        yield runs, (ended, runs.c.state != "running", runs.c.started_at < newest)
        yield t.changes, (t.changes.c.at < now - retention.history_s,)
        yield t.audit, (t.audit.c.at < now - retention.history_s,)
        letters = t.dead_letters.c
        yield t.dead_letters, (letters.state == "discarded", letters.last_at < now - retention.dead_letters_s)
        yield t.inbox, (t.inbox.c.state != "waiting", t.inbox.c.received_at < now - retention.deliveries_s)
        conflicts = t.conflicts.c
        yield t.conflicts, (conflicts.state != "open", conflicts.resolved_at < now - retention.conflicts_s)
