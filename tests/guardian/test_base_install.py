"""What a user gets who installs a generated package: little, and all of it fits together."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.shared import REPOSITORY

MOST = 25


@pytest.mark.slow
def test_base_install_of_the_example_is_small_and_consistent(tmp_path):
    """Each distribution is one more that can have a hole: at most 25, the package itself counted, and `pip check` agrees."""
    home = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    python = str(home / "bin" / "python")
    package = str(REPOSITORY / "generated" / "shopify_credo")
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", package], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=True
    )
    names = {entry["name"].lower() for entry in json.loads(listed.stdout)} - {"pip", "setuptools", "wheel"}
    assert "shopify-credo" in names
    assert len(names) <= MOST, sorted(names)
    assert "vitesse" not in names
    checked = subprocess.run([python, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
def test_wheel_and_sdist_of_the_example_build(tmp_path):
    """Whoever owns the package ships it as any other."""
    package = str(REPOSITORY / "generated" / "shopify_credo")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".gz", ".whl"]
