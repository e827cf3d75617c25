"""The tests that every package ships are held to what the rest of the code is held to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_tests_of_a_package_are_typed_strictly(built: Path):
    """In a package: elsewhere they have nothing to import."""
    command = [sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases", "--namespace-packages"]
    done = subprocess.run(
        [*command, "--cache-dir", str(built.parent / "mypy"), "tests"],
        cwd=built,
        env={"MYPYPATH": "src:.", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
