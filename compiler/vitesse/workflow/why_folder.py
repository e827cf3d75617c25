"""A package's folder → the integration it was compiled from: the folder of that name that stands near it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..manifest import MANIFEST_FILE

_SKIP = frozenset({"node_modules", ".git", ".venv", "venv", "build", "dist", "__pycache__"})


def find_integration(package: Path) -> Path:
    """Look beside and above the package, one folder deep, up to the top of the repository.

    Raises:
        DiagnosticError: V438 when no integration of that name is there, or more than one.
    """
    for top in package.parents:
        found = sorted({path.resolve() for path in _candidates(top, package.name)})
        if len(found) == 1:
            return found[0]
        if found:
            raise _error(f"{len(found)} integrations are named `{package.name}`: {', '.join(map(str, found))}")
        if (top / ".git").exists():
            break
    raise _error(f"the integration of `{package.name}` is not beside or above the package")


def _candidates(top: Path, name: str) -> Iterator[Path]:
    folders = [top, *(one for one in _folders(top) if one.name not in _SKIP)]
    for folder in folders:
        if (folder / name / MANIFEST_FILE).is_file():
            yield folder / name


def _folders(top: Path) -> list[Path]:
    try:
        return [one for one in top.iterdir() if one.is_dir() and not one.is_symlink()]
    except OSError:
        return []


def _error(message: str) -> DiagnosticError:
    help = "name it with `--integration DIR`"
    return DiagnosticError([Diagnostic(code="V438", message=message, places=(Place(file="."),), help=help)])
