"""What the tests of the house look at: the files of the repository, as text and as Python."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.shared import REPOSITORY

COMPILER = REPOSITORY / "compiler" / "vitesse"
RUNTIME = REPOSITORY / "runtime_template" / "runtime"


@cache
def repository_files() -> tuple[Path, ...]:
    """Files that are or would be committed; outside a git checkout (an unpacked sdist) all files but caches."""
    command = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True)
    if done.returncode == 0:
        found = (REPOSITORY / name for name in done.stdout.decode().split("\0") if name)
    else:
        found = (path for path in REPOSITORY.rglob("*") if not {".venv", ".tox", "__pycache__"} & set(path.parts))
    return tuple(sorted(path for path in found if path.is_file() and not path.is_symlink()))


def texts(*under: str) -> Iterator[tuple[str, str]]:
    """(path below the repository, text) of each text file, in the given folders or everywhere."""
    for path in repository_files():
        name = path.relative_to(REPOSITORY).as_posix()
        if under and not name.startswith(under):
            continue
        try:
            yield name, path.read_text("utf-8")
        except UnicodeDecodeError:
            continue


def parsed(path: Path) -> ast.Module:
    """The syntax tree of one Python file. Not kept: those of all files are 400 MB, for the rest of a worker's life."""
    return ast.parse(path.read_bytes(), filename=str(path))


def python_files(folder: Path) -> list[Path]:
    """The committed Python files below a folder, in order."""
    return [path for path in repository_files() if path.suffix == ".py" and path.is_relative_to(folder)]


def imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """(absolute module that an import names, line); relative imports are left out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
