"""Output that does not import is not called output, and what cannot be built is said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.compile.documents import example
from benchmarks.compile.others import clear, written
from benchmarks.measure import Unfit
from benchmarks.places import REPOSITORY, WORK, spoken


def tried(folder: Path) -> dict[str, object]:
    script = Path(REPOSITORY / "benchmarks" / "compile" / "imports.py")
    done = subprocess.run([sys.executable, str(script), str(folder)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_imports_counts_the_modules_that_fail_and_quotes_the_first(tmp_path: Path):
    package = tmp_path / "made"
    (package / "models").mkdir(parents=True)
    for name, text in (
        ("__init__", ""),
        ("models/__init__", ""),
        ("models/good", "X = 1"),
        ("models/bad", "from .good import Y"),
    ):
        (package / f"{name}.py").write_text(text)
    found = tried(package)
    assert (found["modules"], found["failures"]) == (4, 1)
    assert str(found["first"]).startswith("made.models.bad: ImportError")


def test_imports_of_a_project_looks_below_src(tmp_path: Path):
    package = tmp_path / "src" / "made"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from made import other")
    (package / "other.py").write_text("")
    assert tried(tmp_path) == {"modules": 2, "failures": 0, "first": ""}


def test_written_without_any_python_is_unfit(tmp_path: Path):
    (tmp_path / "out").mkdir()
    with pytest.raises(Unfit, match="no Python was written"):
        written(tmp_path / "out", sys.executable)("")


def test_written_takes_a_single_module_and_counts_its_lines(tmp_path: Path):
    (tmp_path / "out").write_text("import json\nX = 1\n")
    assert written(tmp_path / "out", sys.executable)("") == {"lines": 2, "modules": 1, "failed_imports": 0}


def test_clear_takes_away_a_file_and_a_folder(tmp_path: Path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    for name in ("file", "folder"):
        clear(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_example_is_the_one_that_is_committed():
    document = example()
    assert document.path.is_file()
    assert not document.is_json
    assert document.operation in document.path.read_text("utf-8")


def test_spoken_names_no_folder_of_this_machine():
    said = spoken(f"{WORK}/x {REPOSITORY}/compiler {Path.home()}/y")
    assert said == "$BENCH/x ./compiler ~/y"


def test_stages_of_a_build_are_told_apart_and_the_package_is_written(tmp_path: Path):
    script = Path(REPOSITORY / "benchmarks" / "compile" / "stage_times.py")
    folder = REPOSITORY / "examples" / "shopify_credo"
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(tmp_path / "out")],
        env={"PYTHONPATH": str(REPOSITORY / "compiler")},
        capture_output=True,
        text=True,
        check=True,
    )
    times = json.loads(done.stdout)
    assert {"import black", "read both specs", "layout, by black", "write"} <= set(times)
    assert min(times.values()) >= 0
    assert (tmp_path / "out" / "vitesse.lock").is_file()
