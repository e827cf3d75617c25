"""What the tests of real processes share: both APIs running beside, the package started, killed and asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

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
        until = time.monotonic() + 30
        while not port_file.exists():
            if self.apis.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the two APIs did not start:\n" + self.said("apis"))
            time.sleep(0.02)
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
        with urllib.request.urlopen(request, timeout=10):
            pass

    def tell(self) -> dict[str, Any]:
        """What the APIs hold now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_control", timeout=30) as reply:
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
        assert told["missing"] == []
        assert told["created_twice"] == []
        assert customers is None or told["customers"] == customers

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
            "LEASE_SECONDS": "1",
            "DESTINATION_LAG_SECONDS": "0",
            **more,
        }

    def start(self, *arguments: str, name: str = "package", **environ: str) -> subprocess.Popen[bytes]:
        """Start the package and go on."""
        return self._start("tests.processes.app", *arguments, environ=self.environ(**environ), name=name)

    def run(self, *arguments: str, timeout_s: float = 60, **environ: str) -> int:
        """Run the package to its end; returns the exit code, `KILLED` after a failpoint."""
        process = self.start(*arguments, **environ)
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it did not end in {timeout_s} s:\n{self.said()}") from None

    def sync(self, *arguments: str, **environ: str) -> list[dict[str, Any]]:
        """One sync; its reports."""
        code = self.run("sync", "--json", *arguments, **environ)
        said = (self.folder / "package.out").read_bytes()
        assert code in (0, 1, 3), f"exit code {code}:\n{self.said()}"
        found: list[dict[str, Any]] = json.loads(said) if said.strip() else []
        return found

    def wait_for_lease(self) -> None:
        """Until the lease of a process that is gone has run out."""
        time.sleep(1.1)

    def said(self, name: str = "package") -> str:
        """What a process wrote last."""
        return "".join((self.folder / f"{name}{end}").read_text(errors="replace")[-4000:] for end in (".out", ".err"))

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


def whole(environ: dict[str, str]) -> dict[str, str]:
    """An environment with what Python needs to find us."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
    paths = os.pathsep.join((str(ROOT), str(ROOT / "runtime_template")))
    return {**kept, "PYTHONPATH": paths, **environ}
