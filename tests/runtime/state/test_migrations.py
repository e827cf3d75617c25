"""Promises of the schema's versions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from runtime.state import SchemaNewer, State, StateError
from runtime.state.database import Database
from runtime.state.ledger import Drifts, Runs
from runtime.state.migrations import migrate
from runtime.state.tables import SCHEMA_VERSION, Tables
from tests.waiting import PATIENCE_S


def test_prepare_makes_the_tables_once(state: State) -> None:
    """A second start finds the schema and leaves it."""
    assert state.prepare() == SCHEMA_VERSION


def test_state_of_a_newer_schema_is_refused(state_url: str) -> None:
    """Older code never writes into a schema it does not know."""
    database = Database(state_url, name="newer")
    database.prepare()
    database.execute(database.tables.schema_version.insert().values(version=99, applied_at=0.0))
    with pytest.raises(SchemaNewer, match=f"schema 99 and this package knows {SCHEMA_VERSION}"):
        database.prepare()
    database.close()


def test_step_that_fails_leaves_the_version_before_it(state_url: str) -> None:
    """Changes and the version that records them are one transaction, also in SQLite."""
    database = Database(state_url, name="steps")
    database.prepare()

    def broken(connection: Connection, tables: Tables) -> None:
        name = "links" if tables.schema is None else f'"{tables.schema}".links'
        connection.execute(text(f"ALTER TABLE {name} ADD COLUMN more TEXT"))
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        migrate(database._engine, database.tables, 0.0, steps={SCHEMA_VERSION + 1: broken}, known=SCHEMA_VERSION + 1)
    with database._engine.connect() as connection:
        columns = {column["name"] for column in inspect(connection).get_columns("links", schema=database.tables.schema)}
    assert "more" not in columns
    assert database.prepare() == SCHEMA_VERSION
    database.close()


FIRST_RUNS = """
    id TEXT NOT NULL PRIMARY KEY, stream TEXT NOT NULL, kind TEXT NOT NULL, trigger TEXT NOT NULL, state TEXT NOT NULL,
    dry_run BOOLEAN NOT NULL, parameters TEXT NOT NULL, started_at FLOAT NOT NULL, ended_at FLOAT, seconds FLOAT NOT NULL,
    step BIGINT NOT NULL, fetched BIGINT NOT NULL, "read" BIGINT NOT NULL, written BIGINT NOT NULL, created BIGINT NOT NULL,
    updated BIGINT NOT NULL, deleted BIGINT NOT NULL, unchanged BIGINT NOT NULL, skipped BIGINT NOT NULL, dead BIGINT NOT NULL,
    unknown BIGINT NOT NULL, held BIGINT NOT NULL, resolved BIGINT NOT NULL, failure TEXT, error TEXT, mapping TEXT NOT NULL,
    token BIGINT NOT NULL
"""
FIRST_CONFLICTS = """
    id TEXT NOT NULL PRIMARY KEY, stream TEXT NOT NULL, source_id TEXT NOT NULL, destination_id TEXT, base {blob}, source {blob},
    destination {blob}, fields TEXT NOT NULL, state TEXT NOT NULL, resolution TEXT, made_at FLOAT NOT NULL,
    resolved_at FLOAT, run_id TEXT NOT NULL
"""
FIRST_CHECKPOINTS = """
    stream TEXT NOT NULL, partition TEXT NOT NULL, cursor TEXT, since TEXT, high TEXT, ceiling FLOAT, watermark TEXT,
    mapping TEXT NOT NULL, crashes INTEGER NOT NULL, suspect TEXT, indexed_at FLOAT, run_id TEXT, token BIGINT NOT NULL,
    updated_at FLOAT NOT NULL, PRIMARY KEY (stream, partition)
"""
LATER = ("drift", "changes", "waiting", "seen", "seals", "audit", "tokens", "budgets", "alerts", "ticks", "workers")
LATER_INDEXES = ("links_owed_on", "links_owed_back")


def test_state_of_the_first_schema_becomes_todays(state_url: str) -> None:
    """Step by step it gets the tables and columns that a fresh one has, and runs of before have seen no drift."""
    database = Database(state_url, name="first")
    database.prepare()
    schema = "" if database.tables.schema is None else f'"{database.tables.schema}".'
    fresh = _shape(database)
    blob = "BYTEA" if database.is_postgresql else "BLOB"
    with database._engine.begin() as connection:
        for name in (*LATER, "runs", "conflicts", "checkpoints"):
            connection.execute(text(f"DROP TABLE {schema}{name}"))
        for name in LATER_INDEXES:
            connection.execute(text(f"DROP INDEX {schema}{name}"))
        connection.execute(text(f"CREATE TABLE {schema}runs ({FIRST_RUNS})"))
        connection.execute(text(f"CREATE TABLE {schema}checkpoints ({FIRST_CHECKPOINTS})"))
        connection.execute(text(f"CREATE TABLE {schema}conflicts ({FIRST_CONFLICTS.format(blob=blob)})"))
        connection.execute(text(f"UPDATE {schema}schema_version SET version = 1"))
        counts = 'seconds, step, fetched, "read", written, created, updated, deleted, unchanged, skipped, dead, unknown, held, resolved'
        connection.execute(
            text(
                f"INSERT INTO {schema}runs (id, stream, kind, trigger, state, dry_run, started_at, parameters, mapping, token, {counts})"
                f" VALUES ('r', 's', 'full', 'cli', 'done', false, 0, '{{}}', '', 0, {', '.join('0' * 14)})"
            )
        )
    assert database.prepare() == 1
    [run] = Runs(database).latest()
    assert (run["drift"], run["partition"], run["cancel_at"], run["restored"]) == (0, "", None, 0)
    assert Drifts(database).latest() == []
    assert _shape(database) == fresh
    with database._engine.connect() as connection:
        indexes = {each["name"] for each in inspect(connection).get_indexes("links", schema=database.tables.schema)}
    assert indexes >= set(LATER_INDEXES)
    assert database.prepare() == SCHEMA_VERSION
    database.close()


def _shape(database: Database) -> dict[str, dict[str, bool]]:
    """Table → column → whether it may be null."""
    with database._engine.connect() as connection:
        found = inspect(connection)
        return {
            name: {
                column["name"]: column["nullable"] for column in found.get_columns(name, schema=database.tables.schema)
            }
            for name in sorted(found.get_table_names(schema=database.tables.schema))
        }


def test_sqlite_commits_survive_a_power_cut(tmp_path: Path) -> None:
    """The pragmas that the promise rests on."""
    database = Database(f"sqlite:///{tmp_path / 's.db'}", name="x")
    found = database.read(
        lambda connection: [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    )
    assert found == ["wal", 2, 30_000]
    database.close()


def test_finished_intents_are_not_written_a_second_time_as_zeros(tmp_path: Path) -> None:
    """Whatever the build of SQLite does by default; `compact` takes what was deleted out of the files."""
    database = Database(f"sqlite:///{tmp_path / 's.db'}", name="x")
    fast = 2
    assert database.read(lambda connection: connection.exec_driver_sql("PRAGMA secure_delete").scalar()) == fast
    database.close()


def test_damaged_sqlite_file_is_refused_and_kept(tmp_path: Path) -> None:
    """A state that cannot be read is never re-created in silence."""
    path = tmp_path / "s.db"
    path.write_bytes(b"no database at all" * 100)
    state = State(f"sqlite:///{path}", name="x")
    with pytest.raises(StateError, match="damaged"):
        state.prepare()
    state.close()
    assert path.read_bytes().startswith(b"no database")


def test_two_processes_that_start_at_once_both_find_a_schema(tmp_path: Path) -> None:
    """The migration's lock lets one make the tables and the other find them."""
    code = "import sys; from runtime.state import State; s = State(sys.argv[1], name='x'); s.prepare(); s.close(); print('ok')"
    url = f"sqlite:///{tmp_path / 's.db'}"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    started = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=PATIENCE_S)[0].strip() for process in started] == ["ok"] * 3


@pytest.mark.parametrize("url", ["mysql://x", "nonsense"])
def test_database_url_that_is_not_supported_names_the_variable(url: str) -> None:
    """The way out is in the message; the URL, which may hold a password, is not."""
    with pytest.raises(StateError, match="DATABASE_URL") as caught:
        State(url, name="x")
    assert url not in str(caught.value)


def test_tables_use_portable_types_only() -> None:
    """What one database can store, the other can too."""
    kinds = {type(column.type).__name__ for table in Tables().metadata.sorted_tables for column in table.c}
    assert kinds <= {"Text", "Float", "Integer", "BigInteger", "Boolean", "LargeBinary"}
