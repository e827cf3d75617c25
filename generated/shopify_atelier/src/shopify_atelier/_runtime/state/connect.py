"""A database URL → a SQLAlchemy engine that keeps its promises, and statements compiled once.

SQLite: write-ahead log, `synchronous=FULL` (a commit survives a power cut), waits instead of failing when locked, and
transactions that take the write lock at their begin. PostgreSQL: psycopg, a schema of our own.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import (
    ARRAY,
    URL,
    ClauseElement,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Join,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.compiler import SQLCompiler

from .errors import StateError

BUSY_TIMEOUT_MS = 30_000
POOLER = "pooler"
"""In the query of a PostgreSQL URL: `?pooler=transaction` for PgBouncer and its kin in transaction mode."""
HELD_S = 20
"""A transaction whose process says nothing for so long is ended by the server: one that was frozen in it, or is cut off, would
keep its rows locked from whoever takes over."""
STUCK_S = 5
"""The server does not count the time between statements that a process sends one after another without waiting for answers. Who has
waited for a lock by so much longer than `HELD_S` ends such transactions itself (`end_frozen`)."""
READING = "vitesse_reading"
"""Execution option of a connection: its transactions only read, so they take no write lock."""


def connect(url: str, *, name: str) -> tuple[Engine, str | None]:
    """Make the engine for `url`, and the schema its tables live in (None: the database has none).

    Args:
        url: `sqlite:///state.db`, `postgresql://user:password@host/database`.
        name: Of the integration; becomes the schema's name in PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StateError("DATABASE_URL is not a database URL: `sqlite:///state.db`, `postgresql://…`") from error
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed), None
        case "postgresql" | "postgres":
            return _postgresql(parsed, name), _schema(name)
        case other:
            raise StateError(f"DATABASE_URL names `{other}`; the state is kept in SQLite or PostgreSQL")


def _schema(name: str) -> str:
    """A schema's name for an integration's; those that begin with `pg_` are the database's own."""
    schema = re.sub(r"[^a-z0-9_]", "_", name.lower())
    return f"sync_{schema}"[:63] if schema.startswith("pg_") else schema[:63]


def _sqlite(url: URL) -> Engine:
    if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
        Path(url.database).expanduser().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, poolclass=NullPool, connect_args={"check_same_thread": False, "timeout": 30})

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None  # we begin ourselves: the driver would begin late and without the lock
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA wal_autocheckpoint=4000")
        cursor.execute("PRAGMA cache_size=-3000")
        cursor.execute("PRAGMA synchronous=FULL")
        # Some builds of SQLite write zeros over every finished intent; `compact` takes what was deleted out of the files.
        cursor.execute("PRAGMA secure_delete=FAST")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get(READING, False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL, name: str) -> Engine:
    url = url.set(drivername="postgresql+psycopg")
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": "10"})
    url, options = session_options(url, lock_timeout_s=HELD_S + STUCK_S)
    try:
        # `format` gives positional parameters, the quicker way through a driver.
        return create_engine(
            url, poolclass=NullPool, paramstyle="format", connect_args={**options, "fallback_application_name": name}
        )
    except ModuleNotFoundError as error:
        raise StateError("DATABASE_URL names PostgreSQL: install the extra `postgres`") from error


def session_options(url: URL, *, lock_timeout_s: int = 0) -> tuple[URL, dict[str, Any]]:
    """The URL without what is for us, and what the driver is told for each connection.

    Args:
        lock_timeout_s: For one lock; 0 is as long as it takes.

    Raises:
        StateError: `pooler` is something else than `transaction`.
    """
    if POOLER in url.query:
        if url.query[POOLER] != "transaction":
            raise StateError(f"DATABASE_URL: `{POOLER}` is `transaction` or left out")
        # A connection's next transaction may meet another server process: nothing is left prepared there, and nothing is set.
        return url.difference_update_query([POOLER]), {"prepare_threshold": None}
    if "options" in url.query:
        return url, {}
    held = f"-c idle_in_transaction_session_timeout={HELD_S * 1000} -c lock_timeout={lock_timeout_s * 1000}"
    return url, {"options": held}


def end_frozen(connection: Connection) -> int:
    """End transactions of ours that wait for their process in the midst of what it sends; returns how many.

    One that goes on meanwhile is not among them: it has sent something within `HELD_S`.
    """
    query = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        " AND application_name = current_setting('application_name')"
        " AND state = 'active' AND wait_event = 'ClientRead' AND query_start < clock_timestamp() - make_interval(secs => :held)"
    )
    return len(connection.execute(query, {"held": HELD_S}).all())


Row: TypeAlias = "tuple[Any, ...]"


class Statement:
    """A Core statement compiled once; run with tuples in the order of `names`."""

    __slots__ = ("_dialect", "_fill", "_one_row", "_several", "names", "sql")

    def __init__(self, clause: ClauseElement, dialect: Dialect, names: Sequence[str]) -> None:
        compiled = clause.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        positions = compiled.positiontup
        assert positions is not None, "the dialect must have positional parameters"
        self.sql = str(compiled)
        self.names = tuple(names)
        self._dialect = dialect
        fixed = {name: value for name, value in compiled.params.items() if name not in self.names and value is not None}
        unknown = [name for name in positions if name not in self.names and name not in fixed]
        assert not unknown, f"no value for {unknown}"
        same = tuple(positions) == self.names
        self._fill = (
            None if same else tuple((self.names.index(n) if n in self.names else -1, fixed.get(n)) for n in positions)
        )
        # SQLite takes many rows of one statement in two thirds of the time of many statements; psycopg has a pipeline.
        only = _ONE_ROW.search(self.sql) if dialect.name == "sqlite" else None
        self._one_row = only if only is not None and only[1].count("?") == self.sql.count("?") else None
        self._several: dict[int, str] = {}

    def row(self, values: Row) -> Row:
        """Values in the order of `names` → parameters in the order of the statement."""
        if self._fill is None:
            return values
        return tuple([values[index] if index >= 0 else constant for index, constant in self._fill])

    def run(self, connection: Connection, values: Row) -> Any:
        """Execute once; returns SQLAlchemy's cursor result."""
        return connection.exec_driver_sql(self.sql, self.row(values))

    def run_now(self, connection: Connection, values: Row) -> int:
        """Execute once on the driver's own cursor, which costs a tenth; returns how many rows it changed."""
        cursor = self._execute(connection, self.sql, self.row(values))
        changed: int = cursor.rowcount
        cursor.close()
        return changed

    def rows(self, connection: Connection, values: Row) -> list[Row]:
        """Query on the driver's own cursor; all rows as plain tuples."""
        cursor = self._execute(connection, self.sql, self.row(values))
        found: list[Row] = cursor.fetchall()
        cursor.close()
        return found

    def run_many(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Execute for each row, with as few calls of the database as it allows."""
        if not rows:
            return
        rows = rows if self._fill is None else [self.row(row) for row in rows]
        if self._one_row is None:
            cursor = connection.connection.cursor()
            try:
                cursor.executemany(self.sql, rows)
            except Exception as error:
                raise self._told(error) from error
            cursor.close()
            return
        start, left = 0, len(rows)
        for size in _TOGETHER:
            while left >= size:
                values = list(chain.from_iterable(rows[start : start + size]))
                self._execute(connection, self._several.get(size) or self._for(size), values).close()
                start, left = start + size, left - size

    def _for(self, size: int) -> str:
        """The statement for so many rows."""
        assert self._one_row is not None
        first, last = self._one_row.span(1)
        group = self.sql[first:last]
        self._several[size] = f"{self.sql[:first]}{', '.join([group] * size)}{self.sql[last:]}"
        return self._several[size]

    def _execute(self, connection: Connection, sql: str, values: Sequence[Any]) -> Any:
        cursor = connection.connection.cursor()
        try:
            cursor.execute(sql, values)
        except Exception as error:
            raise self._told(error) from error
        return cursor

    def _told(self, error: Exception) -> BaseException:
        """A driver's error as SQLAlchemy tells it, which is what the rest of the state knows."""
        dialect = self._dialect
        kinds = dialect.loaded_dbapi.Error
        if not isinstance(error, kinds):
            return error
        return DBAPIError.instance(
            None,
            None,
            error,
            kinds,
            connection_invalidated=dialect.is_disconnect(error, None, None),
            dialect=dialect,
        )


_ONE_ROW = re.compile(r"\bVALUES (\(\?(?:, \?)*\))(?! *,)")
_TOGETHER = (*((250,) if sqlite3.sqlite_version_info >= (3, 32) else ()), 64, 16, 4, 1)
"""Rows of one statement: few sizes, so that the driver keeps them all prepared; all stay far below SQLite's limit of parameters."""


class _InThisOrder(Join):
    """A join whose left side is gone through, whatever SQLite expects of its size."""

    inherit_cache = True


@compiles(_InThisOrder, "sqlite")
def _cross_join(join: _InThisOrder, compiler: SQLCompiler, **options: Any) -> str:
    plain: str = compiler.visit_join(join, **options)  # type: ignore[no-untyped-call]
    return plain.replace(" JOIN ", " CROSS JOIN ", 1)


class Statements:
    """Makes statements of one dialect, where the two databases need different words."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.is_postgresql = dialect.name == "postgresql"

    def compile(self, clause: ClauseElement, names: Sequence[str]) -> Statement:
        """A statement whose parameters are given in the order of `names`."""
        return Statement(clause, self._dialect, names)

    def many(self, values: Sequence[str]) -> object:
        """A list as one parameter: an array for PostgreSQL, a JSON text for SQLite."""
        return list(values) if self.is_postgresql else msgspec.json.encode(values).decode()

    def is_one_of(self, column: Column[Any]) -> ColumnElement[bool]:
        """Whether a column is in the list that the parameter `many` holds."""
        if self.is_postgresql:
            return column == any_(bindparam("many", type_=ARRAY(Text)))
        return column.in_(select(func.json_each(bindparam("many")).table_valued("value").c.value))

    def find(self, columns: Sequence[Column[Any]], *, of: str, by: Column[Any]) -> Statement:
        """A query for the rows of the stream `of` whose column `by` is in the list `many`; the two are its parameters.

        SQLite is told to ask the index for each of the list: left alone, it sorts the list into an index of its own first, or reads
        the whole stream.
        """
        in_stream = by.table.c.stream == bindparam(of)
        if self.is_postgresql:
            return self.compile(select(*columns).where(in_stream, self.is_one_of(by)), (of, "many"))
        wanted = func.json_each(bindparam("many")).table_valued("value")
        rows = _InThisOrder(wanted, by.table, and_(in_stream, by == wanted.c.value))
        return self.compile(select(*columns).select_from(rows), (of, "many"))

    def insert(self, table: Table) -> Any:
        """An insert that can say what to do when the row is there."""
        return postgresql.insert(table) if self.is_postgresql else sqlite.insert(table)
