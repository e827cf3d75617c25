"""Every generated package carries the runtime byte for byte."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from tests.house.tree import RUNTIME, repository_files
from tests.shared import REPOSITORY


def digests(folder: Path) -> dict[str, str]:
    """Path below the folder → SHA-256."""
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in repository_files()
        if path.is_relative_to(folder)
    }


def differing(ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    """Files that are missing, foreign or other in a copy."""
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def test_copies_of_the_runtime_equal_the_runtime():
    copies = {path.parent for path in repository_files() if path.match("generated/*/src/*/_runtime/__init__.py")}
    packages = {path.parent for path in repository_files() if path.match("generated/*/pyproject.toml")}
    assert len(copies) == len(packages), "a generated package without a runtime"
    ours = digests(RUNTIME)
    assert {
        copy.relative_to(REPOSITORY).as_posix(): wrong for copy in copies if (wrong := differing(ours, digests(copy)))
    } == {}


def test_differing_names_missing_foreign_and_changed_files():
    assert differing({"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}) == ["b", "c", "d"]
