"""A real PgBouncer in transaction mode, with few connections, so that each transaction may get another one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url


@contextmanager
def pooled(postgresql_url: str) -> Iterator[str]:
    """A URL of the same server through it; skips where there is none."""
    program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if program is None:
        pytest.skip("no pgbouncer here: `make pooler` installs Debian's, as root")
    where = make_url(postgresql_url)
    host = where.query.get("host") or where.host or ""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
            until = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    log = (Path(folder) / "log").read_text()
                    assert process.poll() is None, f"pgbouncer ended:\n{log}"
                    assert time.monotonic() < until, f"pgbouncer does not answer:\n{log}"
                    time.sleep(0.05)
            yield url
        finally:
            process.kill()
            process.wait()
