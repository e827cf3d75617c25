"""Transactions: begun, retried when the database says so, and never half done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Executable, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from .connect import READING, connect, end_frozen
from .errors import StateError, StateUnavailable
from .migrations import migrate
from .tables import Tables

log = logging.getLogger(__name__)
T = TypeVar("T")

TRIES = 6
"""Of one transaction, with pauses that double from 50 ms: about three seconds in all."""
_LOCKED = "55P03"
_RETRIED_STATES = frozenset({"40001", "40P01", _LOCKED})


class Database:
    """One connection, used by one thread at a time, opened when first needed and again after it broke."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.now = now
        self._pause = pause
        self._engine, schema = connect(url, name=name)
        self.dialect = self._engine.dialect
        self.tables = Tables(schema)
        self._connection: Connection | None = None

    @property
    def is_postgresql(self) -> bool:
        return self.dialect.name == "postgresql"

    def prepare(self) -> int:
        """Create or upgrade the tables; returns the schema version found before, 0 for a fresh database."""
        try:
            return migrate(self._engine, self.tables, self.now())
        except DBAPIError as error:
            raise _unavailable(error) from error

    def compact(self) -> bool:
        """Take rows that were deleted out of the files as well. False when another connection stood in the way.

        SQLite: the file is written anew and the log emptied. PostgreSQL: dead rows are vacuumed away.
        """
        self._drop()
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                if self.is_postgresql:
                    for table in self.tables.metadata.tables.values():
                        connection.exec_driver_sql(f"VACUUM {self.dialect.identifier_preparer.format_table(table)}")
                    return True
                cursor = connection.connection.cursor()
                cursor.execute("VACUUM")
                busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                cursor.close()
                return not busy
        except Exception as error:
            failed = error.orig if isinstance(error, DBAPIError) else error
            if any(word in str(failed) for word in ("locked", "lock timeout", "busy")):
                return False
            if isinstance(error, DBAPIError):
                raise _unavailable(error) from error
            raise

    def close(self) -> None:
        self._drop()
        self._engine.dispose()

    def write(self, work: Callable[[Connection], T], *, is_done: Callable[[Connection], bool] | None = None) -> T:
        """Run `work` in one transaction, and once more when the database lost it.

        `work` may run several times, so all it does besides the database must be repeatable. When the connection breaks
        while committing, nobody knows whether the commit took place: then `is_done` is asked on a new connection, and when
        it says so the result of the work that was committed is returned.
        """
        return self._transact(work, reading=False, is_done=is_done)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction that takes no write lock."""
        return self._transact(work, reading=True, is_done=None)

    def execute(self, query: Executable, rows: Sequence[Mapping[str, object]] | None = None) -> int:
        """Run one statement in a transaction of its own; returns how many rows it changed."""
        return self.write(lambda connection: connection.execute(query, rows).rowcount)

    def server_now(self, connection: Connection) -> float:
        """The time by the one clock that all replicas share; on one machine that is the machine's."""
        if not self.is_postgresql:
            return self.now()
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())

    def _transact(
        self, work: Callable[[Connection], T], *, reading: bool, is_done: Callable[[Connection], bool] | None
    ) -> T:
        wait = 0.05
        for attempt in range(1, TRIES + 1):
            done: list[T] = []
            try:
                with self._transaction(reading) as connection:
                    done.append(work(connection))
                return done[0]
            except IntegrityError:
                raise
            except DBAPIError as error:
                self._drop()
                if attempt == TRIES or not _is_passing(error):
                    raise _unavailable(error) from error
                if getattr(error.orig, "sqlstate", None) == _LOCKED:
                    self._end_frozen()
            self._pause(wait)
            wait *= 2
            if done and is_done is not None and self._asked(is_done):
                return done[0]
        raise AssertionError("unreachable")

    def _asked(self, is_done: Callable[[Connection], bool]) -> bool:
        return self._transact(is_done, reading=True, is_done=None)

    def _end_frozen(self) -> None:
        """Somebody holds a lock for longer than the server lets a process be silent."""
        try:
            with self._transaction(reading=True) as connection:
                if count := end_frozen(connection):
                    log.warning("%d transactions of processes that do not go on were ended: they held locks", count)
        except DBAPIError as error:
            self._drop()
            log.warning("who holds a lock could not be seen: %s", type(error.orig).__name__)

    @contextmanager
    def _transaction(self, reading: bool) -> Iterator[Connection]:
        if self._connection is None:
            self._connection = self._engine.connect()
        connection = self._connection.execution_options(**{READING: reading})
        with connection.begin():
            yield connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except DBAPIError:
                connection.invalidate()


def _is_passing(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    if getattr(error.orig, "sqlstate", None) in _RETRIED_STATES:
        return True
    words = str(error.orig).lower()
    return "locked" in words or "busy" in words or "connection" in words or "terminat" in words


def _unavailable(error: DBAPIError) -> StateError:
    words = " ".join(str(error.orig).split())[:300]
    if "malformed" in words or "not a database" in words:
        return StateError(f"the state is damaged ({words}): restore a copy; it is never re-created by itself")
    return StateUnavailable(f"the database does not answer as it should: {words}")
