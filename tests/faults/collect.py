"""Which tests cover which row, and what they came to: a plugin of pytest, and a run of its own around it.

`python -m tests.faults.collect FILE` only collects; with `--run` it runs them and FILE gets their outcomes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.shared import REPOSITORY

Found: TypeAlias = dict[str, dict[str, dict[str, int]]]
"""Row → test (file and function) → outcome → how often."""


class Rows:
    """Keeps the rows of each test that was collected, and its outcomes."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
        self.misnamed: list[str] = []
        self._rows_of: dict[str, tuple[str, list[str]]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            rows = [mark.args[0] for mark in item.iter_markers("fault")]
            name = getattr(item, "originalname", item.name)
            test = f"{item.nodeid.partition('::')[0]}::{name}"
            self._rows_of[item.nodeid] = (test, rows)
            for row in rows:
                self.found[row][test]["collected"] += 1
                if not name.startswith("test_" + row.replace("-", "_")):
                    self.misnamed.append(test)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        test, rows = self._rows_of[report.nodeid]
        for row in rows:
            self.found[row][test][report.outcome] += 1


def files() -> list[str]:
    """The test files that mark a test."""
    found = (REPOSITORY / "tests").rglob("test_*.py")
    return sorted(str(path.relative_to(REPOSITORY)) for path in found if "@fault(" in path.read_text("utf-8"))


def gather(*, run: bool = False, arguments: Sequence[str] = (), wire: str | None = None) -> tuple[Found, list[str]]:
    """Collect, or run, the marked tests in a process of their own: rows, and tests whose name does not say their row.

    Args:
        wire: What packages send their requests with, instead of the default.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "tests.faults.collect", str(out), *(["--run"] if run else []), *arguments]
        path = os.pathsep.join(str(REPOSITORY / each) for each in (".", "compiler", "runtime_template"))
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": path, **({"TEST_WIRE": wire} if wire else {})},
            stdout=None if run else subprocess.PIPE,
        )
        if not out.exists():
            raise RuntimeError(f"the tests of the faults could not be collected: {done.stdout!r}")
        found: dict[str, Any] = json.loads(out.read_text())
    return found["rows"], found["misnamed"]


def main(argv: list[str]) -> int:
    out, *rest = argv
    rows = Rows()
    run = "--run" in rest
    chosen = ["-m", "fault", "-q", "--no-header", "-p", "no:cacheprovider", *(each for each in rest if each != "--run")]
    code = pytest.main([*chosen, *(() if run else ("--collect-only",)), *files()], plugins=[rows])
    if code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        Path(out).write_text(json.dumps({"rows": rows.found, "misnamed": rows.misnamed}, indent=1))
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
