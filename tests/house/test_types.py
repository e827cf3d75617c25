"""`mypy --strict` over the compiler and the runtime, as configured in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.shared import REPOSITORY


@pytest.mark.slow
def test_compiler_and_runtime_are_typed_strictly():
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
