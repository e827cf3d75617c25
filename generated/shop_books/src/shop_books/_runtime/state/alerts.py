"""What monitors were told: one row for each alert, changed when it begins or ends, so that everybody is told once."""

from __future__ import annotations

from typing import Literal, NamedTuple

from sqlalchemy import Connection, func, select, update

from .connect import Statements
from .database import Database

AlertState = Literal["firing", "resolved"]


class AlertRow(NamedTuple):
    """One alert as it stands."""

    name: str
    state: AlertState
    text: str
    changed_at: float
    sent_at: float | None


class AlertRows:
    """Rows of `alerts`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.alerts
        self._sql = Statements(database.dialect)

    def firing(self) -> dict[str, AlertRow]:
        """Alerts that have begun and not ended, by name."""
        query = select(self._table).where(self._table.c.state == "firing")
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {row.name: AlertRow(*row) for row in rows}

    def begin(self, name: str, text: str, now: float) -> bool:
        """An alert begins. False when it had begun already."""
        table = self._table

        def transact(connection: Connection) -> bool:
            values = {"state": "firing", "text": text, "changed_at": now, "sent_at": None}
            insert = self._sql.insert(table).values(name=name, **values)
            again = insert.on_conflict_do_update(index_elements=["name"], set_=values, where=table.c.state != "firing")
            return connection.execute(again.execution_options(preserve_rowcount=True)).rowcount == 1

        return self._database.write(transact)

    def end(self, name: str, text: str, now: float) -> bool:
        """An alert ends. One that nobody was told of ends without a word. False when it was not there."""
        table = self._table
        here = (table.c.name == name, table.c.state == "firing")

        def transact(connection: Connection) -> bool:
            untold = update(table).where(*here, table.c.sent_at.is_(None))
            if connection.execute(untold.values(state="resolved", text=text, changed_at=now, sent_at=now)).rowcount:
                return True
            told = update(table).where(*here).values(state="resolved", text=text, changed_at=now, sent_at=None)
            return connection.execute(told).rowcount == 1

        return self._database.write(transact)

    def untold(self) -> list[AlertRow]:
        """What is still to be sent, oldest first."""
        query = select(self._table).where(self._table.c.sent_at.is_(None)).order_by(self._table.c.changed_at)
        return [AlertRow(*row) for row in self._database.read(lambda connection: connection.execute(query).all())]

    def told(self, row: AlertRow, now: float) -> None:
        """It was sent, or given up."""
        table = self._table
        same = (table.c.name == row.name, table.c.changed_at == row.changed_at)
        self._database.execute(update(table).where(*same).values(sent_at=now))

    def conflicts_of(self, run_id: str) -> int:
        """How many conflicts a run found."""
        table = self._database.tables.conflicts
        query = select(func.count()).where(table.c.run_id == run_id)
        return int(self._database.read(lambda connection: connection.execute(query).scalar_one()))
