"""Which workers live, and which moments of the schedules were taken; all times are the database's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias
from zlib import crc32

from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from .database import Database
from .errors import StateError

Sign: TypeAlias = Literal["working", "leaving"]


class WorkerTaken(StateError):
    """Another live worker has this identity."""

    def __init__(self, worker: str) -> None:
        super().__init__(
            f"a worker `{worker}` is alive already: two of one identity would take each other's work; set another WORKER_ID"
        )


class Workers:
    """Rows of `workers`: one for each process that carries out runs of the queue."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.workers
        self._leases = database.tables.leases

    def join(self, worker: str, version: str, dead_after_s: float) -> float | None:
        """Become the worker of this identity. Returns what proves it; None while another one may be alive."""
        table = self._table

        def transact(connection: Connection) -> float | None:
            now = self._database.server_now(connection)
            row = connection.execute(select(table).where(table.c.id == worker).with_for_update()).mappings().first()
            values = {"started_at": now, "seen_at": now, "version": version, "state": "working"}
            if row is None:
                connection.execute(insert(table).values(id=worker, **values))
                return now
            if row["state"] in ("working", "leaving") and row["seen_at"] > now - dead_after_s:
                return None
            connection.execute(update(table).where(table.c.id == worker).values(values))
            return now

        try:
            return self._database.write(transact)
        except IntegrityError:  # another one of that identity made the row at the same moment
            return None

    def seen_at(self, worker: str) -> float:
        """When it last showed that it is alive."""
        query = select(self._table.c.seen_at).where(self._table.c.id == worker)
        return float(self._database.read(lambda connection: connection.execute(query).scalar()) or 0.0)

    def beat(self, worker: str, proof: float, state: Sign = "working") -> bool:
        """Show that it is alive. False when it was taken for dead: then it is to end."""
        table = self._table

        def transact(connection: Connection) -> bool:
            now = self._database.server_now(connection)
            mine = (table.c.id == worker, table.c.started_at == proof, table.c.state.in_(("working", "leaving")))
            return connection.execute(update(table).where(*mine).values(seen_at=now, state=state)).rowcount == 1

        return self._database.write(transact)

    def leave(self, worker: str, proof: float) -> None:
        """Say that it is gone and holds nothing."""
        mine = (self._table.c.id == worker, self._table.c.started_at == proof)
        self._database.execute(update(self._table).where(*mine).values(state="left"))

    def live(self, dead_after_s: float) -> dict[str, str]:
        """The workers that are alive → the version of each."""
        table = self._table

        def transact(connection: Connection) -> dict[str, str]:
            now = self._database.server_now(connection)
            alive = (table.c.state.in_(("working", "leaving")), table.c.seen_at > now - dead_after_s)
            return {row.id: row.version for row in connection.execute(select(table).where(*alive))}

        return self._database.read(transact)

    def bury(
        self, connection: Connection, dead_after_s: float, forget_after_s: float
    ) -> tuple[list[str], dict[str, str]]:
        """Mark those that show no sign of life, and let go of their leases; returns them, and version by living worker.

        Such a lease can be taken at once. Its holder, should it wake up, finds its token old as soon as somebody did.
        """
        table, leases = self._table, self._leases
        now = self._database.server_now(connection)
        silent = (table.c.state.in_(("working", "leaving")), table.c.seen_at <= now - dead_after_s)
        dead = list(
            connection.execute(update(table).where(*silent).values(state="dead").returning(table.c.id)).scalars()
        )
        if dead:
            connection.execute(update(leases).where(leases.c.holder.in_(dead)).values(expires_at=0.0))
        gone = (table.c.state.in_(("dead", "left")), table.c.seen_at < now - forget_after_s)
        connection.execute(delete(table).where(*gone))
        alive = select(table).where(table.c.state.in_(("working", "leaving")))
        return dead, {row.id: row.version for row in connection.execute(alive)}

    def all(self) -> list[dict[str, Any]]:
        """For people: every worker that is known, the youngest first."""
        query = select(self._table).order_by(self._table.c.started_at.desc())
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [dict(row) for row in rows]

    def alone(self, work: Callable[[Connection], None]) -> bool:
        """Do `work` in a transaction while no other replica does such work. False when one does."""
        key = crc32(f"vitesse:reaper:{self._table.schema}".encode())

        def transact(connection: Connection) -> bool:
            if self._database.is_postgresql:  # held until the transaction ends, so it works behind a pooler too
                query = text("SELECT pg_try_advisory_xact_lock(:key)")
                if not connection.execute(query, {"key": key}).scalar():
                    return False
            work(connection)
            return True

        return self._database.write(transact)


class Ticks:
    """Rows of `ticks`: the last moment of each stream's schedule that a replica took."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.ticks

    def now(self) -> float:
        """The time that all replicas mean."""
        return self._database.read(self._database.server_now)

    def taken(self, stream: str) -> float | None:
        """The last moment that was taken; None when none ever was."""
        query = select(self._table.c.due_at).where(self._table.c.stream == stream)
        found = self._database.read(lambda connection: connection.execute(query).scalar())
        return None if found is None else float(found)

    def take(self, stream: str, due_at: float, worker: str) -> bool:
        """Say that this moment is seen to. False when it, or a later one, was already."""
        table = self._table

        def transact(connection: Connection) -> bool:
            later = (table.c.stream == stream, table.c.due_at < due_at)
            if connection.execute(update(table).where(*later).values(due_at=due_at, taken_by=worker)).rowcount:
                return True
            if connection.execute(select(func.count()).where(table.c.stream == stream)).scalar_one():
                return False
            connection.execute(insert(table).values(stream=stream, due_at=due_at, taken_by=worker))
            return True

        try:
            return self._database.write(transact)
        except IntegrityError:
            return False
