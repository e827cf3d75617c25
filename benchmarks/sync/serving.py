"""The server as a child process on a processor of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

from benchmarks.places import REPOSITORY


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs."""

    address: str

    def counts(self) -> dict[str, float]:
        """What came in since it started."""
        counts: dict[str, float] = self._get("/_counts")
        return counts

    def kept(self) -> list[dict[str, Any]]:
        """The contacts that were written, in the order they came; only with `--keep`."""
        kept: list[dict[str, Any]] = self._get("/_kept")
        return kept

    def _get(self, path: str) -> Any:
        with urlopen(self.address + path, timeout=30) as reply:
            return json.load(reply)


def processors() -> tuple[int | None, int | None]:
    """(the server's, the client's); none when there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


@contextmanager
def serving(*options: str) -> Iterator[Serving]:
    """Start `benchmarks.sync.server` with these options, and stop it at the end."""
    command = [sys.executable, "-m", "benchmarks.sync.server", *options]
    allowed = os.sched_getaffinity(0)
    if (own := processors()[0]) is not None:
        os.sched_setaffinity(0, {own})
    try:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    finally:
        os.sched_setaffinity(0, allowed)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("the benchmark's server did not start")
        yield Serving(address)
    finally:
        process.terminate()
        process.wait(timeout=30)
        if process.stdout is not None:
            process.stdout.close()
