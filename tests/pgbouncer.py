"""A real PgBouncer in transaction mode, with few connections, so that each transaction may get another one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.waiting import PATIENCE_S, free_port, wait_until


@contextmanager
def pooled(postgresql_url: str) -> Iterator[str]:
    """A URL of the same server through it; skips where there is none."""
    program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if program is None:
        pytest.skip("no pgbouncer here: `make pooler` installs Debian's, as root")
    where = make_url(postgresql_url)
    host = where.query.get("host") or where.host or ""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="vitesse-pgbouncer-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(
            f"[databases]\n* = host={host} port={where.port or 5432} user={where.username or 'postgres'}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            "pool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 200\nquery_wait_timeout = 60\n"
        )
        Path(folder).chmod(0o755)
        # It refuses to be root; the server's own user may read its socket.
        become = ["-u", Path(host).owner()] if os.geteuid() == 0 else []
        command = [program, *become, str(file)]
        with (Path(folder) / "log").open("wb") as said:
            process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            pooled = where.difference_update_query(["host"]).set(host="127.0.0.1", port=port)
            url = pooled.update_query_dict({"pooler": "transaction"}).render_as_string(hide_password=False)
            log = Path(folder) / "log"

            def answers() -> bool:
                assert process.poll() is None, f"pgbouncer ended:\n{log.read_text()}"
                with suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S).close()
                    return True
                return False

            wait_until(answers, said=lambda: f"pgbouncer does not answer:\n{log.read_text()}")
            yield url
        finally:
            process.kill()
            process.wait()
