"""The base image that generated packages are built on here can do what they need."""

from __future__ import annotations

import subprocess

import pytest

from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.xdist_group("docker")]


def test_base_image_with_everything_dropped_runs_python(python_image: str):
    """`--read-only --cap-drop ALL` and no network leave a Python with TLS and SQLite."""
    code = "import pip, sqlite3, ssl, sys; sqlite3.connect(':memory:'); print(sys.version_info >= (3, 11))"
    command = ["docker", "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", python_image]
    done = subprocess.run([*command, "python", "-c", code], capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


def test_base_image_makes_virtual_environments(python_image: str):
    done = subprocess.run(
        ["docker", "run", "--rm", "--network", "none", python_image, "python", "-m", "venv", "/tmp/v"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
