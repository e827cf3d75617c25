"""What is installed has what `vitesse build` copies from, in a wheel and in a source tree."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import repository_files
from tests.shared import REPOSITORY
from vitesse.templates import template_home


def test_template_home_in_the_source_tree_is_the_source():
    assert template_home() == REPOSITORY / "runtime_template"


@pytest.mark.slow
def test_wheel_made_through_the_sdist_carries_the_whole_template(tmp_path: Path):
    """Hidden files and folders named by a variable too, and no caches."""
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(REPOSITORY)],
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "installed")
    home = REPOSITORY / "runtime_template"
    ours = {path.relative_to(home).as_posix() for path in repository_files() if path.is_relative_to(home)}
    shipped = {name.removeprefix("vitesse/runtime_template/") for name in names if "/runtime_template/" in name}
    assert {name for name in shipped if not name.startswith("vitesse-")} == ours
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []
    code = "from vitesse.templates import template_home; print(template_home())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "installed"), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(tmp_path / "installed" / "vitesse" / "runtime_template")
