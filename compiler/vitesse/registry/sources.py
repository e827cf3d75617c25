"""A folder of Python files → their bytes and syntax trees, proved to import nothing that a package may lack."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..diagnostics import Diagnostic, Place
from .signature import imported_modules

MAX_BYTES = 1_000_000
"""The largest file that is read."""

_FILE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}\.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file that was read. `shown_as` is what diagnostics call it."""

    name: str
    """With `.py`: `dates.py`."""
    shown_as: str
    content: bytes
    tree: ast.Module

    @property
    def module(self) -> str:
        return self.name.removesuffix(".py")


def read_sources(
    folder: Path, paths: Iterable[Path], shown_as: str, code: str
) -> tuple[tuple[Source, ...], tuple[Diagnostic, ...]]:
    """Read files of one flat folder, in name order.

    Args:
        folder: The folder; a link that leads out of it is refused.
        paths: Its files.
        shown_as: What diagnostics call the folder: `custom`.
        code: Of the diagnostics for a file that cannot be copied into a package.

    Returns:
        The files that can be copied, and what is wrong with the others. An import of the wrong kind is reported, and
        its file is returned all the same.
    """
    found: list[Source] = []
    diagnostics: list[Diagnostic] = []
    for path in sorted(paths, key=lambda path: path.name):
        place = Place(file=f"{shown_as}/{path.name}")
        source = _read(folder, path, place, code)
        if isinstance(source, Diagnostic):
            diagnostics.append(source)
        else:
            found.append(source)
    siblings = {source.module for source in found}
    for source in found:
        diagnostics += _foreign_imports(source, siblings, code)
    return tuple(found), tuple(diagnostics)


def _read(folder: Path, path: Path, place: Place, code: str) -> Source | Diagnostic:
    def refuse(message: str, help: str, at: Place = place) -> Diagnostic:
        return Diagnostic(code=code, message=message, places=(at,), help=help)

    if not _FILE_NAME.fullmatch(path.name):
        return refuse(
            f"`{path.name}` is not named as a module can be", "name it in lower case letters, digits and underscores"
        )
    if not path.resolve().is_relative_to(folder.resolve()):
        return refuse(f"`{path.name}` is a link that leads out of its folder", "put the file itself there")
    try:
        if path.stat().st_size > MAX_BYTES:
            return refuse(f"`{path.name}` has more than {MAX_BYTES:,} bytes", "split it, or take the data out of it")
        content = path.read_bytes()
    except OSError as error:
        return refuse(f"`{path.name}` cannot be read: {error.strerror}", "make it a readable file")
    try:
        tree = ast.parse(content, filename=path.name)
    except SyntaxError as error:
        at = Place.at_line(place.file, error.lineno or 1, label="here")
        return refuse(f"`{path.name}` is no Python: {error.msg}", "mend it; `python -m py_compile` shows the same", at)
    except (ValueError, RecursionError, MemoryError):
        return refuse(f"`{path.name}` is no Python that can be read", "mend it; `python -m py_compile` shows why")
    return Source(name=path.name, shown_as=place.file, content=content, tree=tree)


def _foreign_imports(source: Source, siblings: set[str], code: str) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for module, level, line in imported_modules(source.tree):
        first = module.partition(".")[0]
        if level == 0 and first in sys.stdlib_module_names:
            continue
        if level == 1 and module in siblings:
            continue
        what = f"`{'.' * level}{module}`"
        found.append(
            Diagnostic(
                code=code,
                message=f"`{source.name}` imports {what}, which is neither in the standard library nor beside it",
                places=(Place.at_line(source.shown_as, line, label="imported here"),),
                notes=("a package depends on what every package depends on, and on nothing for one function",),
                help="write it with the standard library, or copy what is needed into a file beside it",
            )
        )
    return found
