"""What the tests of real processes share: both APIs running beside, the package started, killed and asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, update

from runtime.state import State
from runtime.state.tables import Tables
from tests.promises import promised
from tests.shared import WIRE
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).resolve().parents[2]
KILLED = -signal.SIGKILL


class World:
    """One source, one destination with its log of effects, one database, and processes of the sample between them."""

    def __init__(self, folder: Path, database_url: str, *, customers: int = 300) -> None:
        self.folder = folder
        self.url = database_url
        self.log = folder / "effects.jsonl"
        self.processes: list[subprocess.Popen[bytes]] = []
        port_file = folder / "port"
        command = ["--log", str(self.log), "--port-file", str(port_file), "--customers", str(customers)]
        self.apis = self._start("tests.processes.apis", *command, environ={}, name="apis")
        try:
            wait_until(
                lambda: port_file.exists() or self.apis.poll() is not None,
                said=lambda: "the two APIs did not start:\n" + self.said("apis"),
            )
            assert port_file.exists(), self.said("apis")
        except BaseException:
            self.close()
            raise
        self.port = int(port_file.read_text())

    def close(self) -> None:
        """End every process."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    # --- the APIs ---

    def set(self, **knobs: Any) -> None:
        """Change what the APIs do (`tests.processes.apis.Knobs`, `put`, `take`)."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/_control", json.dumps(knobs).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE_S):
            pass

    def tell(self) -> dict[str, Any]:
        """What the APIs hold now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_control", timeout=PATIENCE_S) as reply:
            found: dict[str, Any] = json.load(reply)
        return found

    def effects(self) -> list[dict[str, Any]]:
        """The log, a line each."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def made(self) -> Counter[str]:
        """How often a contact was made for each address."""
        return Counter(line["email"] for line in self.effects() if line["kind"] == "create")

    def assert_converged(self, *, customers: int | None = None) -> None:
        """Everything is there, and nothing was made twice."""
        told = self.tell()
        promised(not told["missing"], f"missing: {told['missing']}")
        promised(not told["created_twice"], f"made twice: {told['created_twice']}")
        assert customers is None or told["customers"] == customers

    def assert_made_once(self) -> None:
        """No contact was made again, not even one that is gone by now."""
        twice = {email: times for email, times in self.made().items() if times > 1}
        promised(not twice, f"made more than once: {twice}")

    # --- the package ---

    def environ(self, **more: str) -> dict[str, str]:
        """The environment of a process of the package."""
        return {
            "SHOPIFY_SHOP": "shop",
            "SHOPIFY_ACCESS_TOKEN": "shpat_planted",
            "CREDO_API_KEY": "credo_planted",
            "SHOPIFY_WEBHOOK_SECRET": "whsec_planted",
            "CONTROL_TOKEN": "control-planted",
            "SHOPIFY_BASE_URL": f"http://127.0.0.1:{self.port}/admin",
            "CREDO_BASE_URL": f"http://127.0.0.1:{self.port}/v1",
            "DATABASE_URL": self.url,
            "LEASE_SECONDS": "1800",  # however slow the machine is, a run that goes on loses it to nobody
            "DESTINATION_LAG_SECONDS": "0",
            **WIRE,
            **more,
        }

    def start(self, *arguments: str, name: str = "package", **environ: str) -> subprocess.Popen[bytes]:
        """Start the package and go on."""
        return self._start("tests.processes.app", *arguments, environ=self.environ(**environ), name=name)

    def run(self, *arguments: str, timeout_s: float = PATIENCE_S, **environ: str) -> int:
        """Run the package to its end; returns the exit code, `KILLED` after a failpoint."""
        process = self.start(*arguments, **environ)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it did not end in {timeout_s} s:\n{self.said()}\n{self.held()}") from None

    def sync(self, *arguments: str, **environ: str) -> list[dict[str, Any]]:
        """One sync; its reports."""
        code = self.run("sync", "--json", *arguments, **environ)
        said = (self.folder / "package.out").read_bytes()
        assert code in (0, 1, 3), f"exit code {code}:\n{self.said()}"
        found: list[dict[str, Any]] = json.loads(said) if said.strip() else []
        return found

    def end_lease(self) -> None:
        """Let the lease of a process that is gone run out: the time that this takes is not what a test is about."""
        state = State(self.url, name="shopify-credo")
        try:
            state._database.execute(update(state._database.tables.leases).values(expires_at=0.0))
        finally:
            state.close()

    def said(self, name: str = "package") -> str:
        """What a process wrote last, for people."""
        return "".join(self._written(name, end)[-4000:] for end in (".out", ".err"))

    def wrote(self, name: str = "package") -> str:
        """All that a process wrote, however much came after what is looked for."""
        return "".join(self._written(name, end) for end in (".out", ".err"))

    def _written(self, name: str, end: str) -> str:
        return (self.folder / f"{name}{end}").read_text(errors="replace")

    def held(self) -> str:
        """What the state holds, for a test that failed: deliveries, runs, leases, intents, dead letters."""
        state = State(self.url, name="shopify-credo")
        try:
            return "\n".join(state._database.read(_told(state._database.tables)))
        except Exception as error:  # it is said in the message of a failure that has another cause
            return f"the state cannot be read: {error}"
        finally:
            state.close()

    def _start(self, module: str, *arguments: str, environ: dict[str, str], name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.out").open("wb") as out, (self.folder / f"{name}.err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=self.folder,
                env=whole(environ),
                stdout=out,
                stderr=err,
            )
        self.processes.append(process)
        return process


def _told(tables: Tables) -> Callable[[Connection], list[str]]:
    def tell(connection: Connection) -> list[str]:
        inbox, letters, intents, runs = tables.inbox.c, tables.dead_letters.c, tables.intents.c, tables.runs.c
        return [
            f"{title}: {[tuple(row) for row in connection.execute(query)]}"
            for title, query in {
                "deliveries": select(
                    inbox.state, inbox.attempts, inbox.error, func.count(), func.min(inbox.id), func.max(inbox.id)
                ).group_by(inbox.state, inbox.attempts, inbox.error),
                "runs": select(
                    runs.id,
                    runs.trigger,
                    runs.state,
                    runs.failure,
                    runs.error,
                    runs.fetched,
                    runs.written,
                    runs.seconds,
                ).order_by(runs.started_at),
                "leases": select(tables.leases),
                "intents": select(intents.state, intents.attempts, func.count()).group_by(
                    intents.state, intents.attempts
                ),
                "dead letters": select(letters.state, letters.stage, letters.reason).limit(20),
            }.items()
        ]

    return tell


def whole(environ: dict[str, str]) -> dict[str, str]:
    """An environment with what Python needs to find us."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
    paths = os.pathsep.join((str(ROOT), str(ROOT / "runtime_template")))
    return {**kept, "PYTHONPATH": paths, **environ}
