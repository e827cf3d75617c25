"""A package × a folder: which files differ, and whose doing it is. Writing and checking start here."""

from __future__ import annotations

import difflib
from typing import Literal, TypeAlias

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..frozen import dataclass
from ..package import LOCK, PackageFile
from .folder import Folder
from .lock import Lock, read_lock

Difference: TypeAlias = Literal["missing", "stale", "edited", "in the way", "link", "left over", "left over, edited"]
"""stale: as it was written, not as it would be now. edited: not as it was written. left over: written, no longer wanted."""

_MAX_DIFF_LINES = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDifference:
    """One path at which a folder is not what a package is."""

    path: str
    kind: Difference
    there: bytes | None
    wanted: bytes | None

    def diff(self) -> str:
        """A unified diff from what is there to what is wanted; a sentence for what is no text."""
        try:
            there = (self.there or b"").decode().splitlines(keepends=True)
            wanted = (self.wanted or b"").decode().splitlines(keepends=True)
        except UnicodeDecodeError:
            return f"{self.path}: not text, {len(self.there or b'')} bytes there\n"
        lines = list(difflib.unified_diff(there, wanted, f"{self.path} (in the folder)", f"{self.path} (as built)"))
        text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines[:_MAX_DIFF_LINES])
        return text + (f"… {len(lines) - _MAX_DIFF_LINES} more lines\n" if len(lines) > _MAX_DIFF_LINES else "")


def folder_lock(folder: Folder) -> Lock | None:
    """The lock in a folder; None when there is none.

    Raises:
        DiagnosticError: V700; V703 when the folder itself is a link, which may lead anywhere.
    """
    if folder.is_link:
        raise DiagnosticError([link(folder.path.name)])
    content = folder.read(LOCK)
    return None if content is None else read_lock(content)


def link(path: str) -> Diagnostic:
    """V703."""
    return Diagnostic(
        code="V703",
        message=f"`{path}` is a link or a special file, or lies behind one",
        places=(Place(file=path),),
        notes=("links are not followed: what they lead to may lie outside the package",),
        help="remove it and build again",
    )


def differences(files: tuple[PackageFile, ...], folder: Folder, lock: Lock | None) -> list[FileDifference]:
    """Everything that differs, in path order. Files that are neither in the package nor in the lock are not looked at."""
    written = dict(lock.files) if lock else {}
    found = [_difference(file, folder, written.get(file.path), lock) for file in files]
    wanted = {file.path for file in files}
    found += [_left_over(path, folder, digest) for path, digest in written.items() if path not in wanted]
    return sorted((difference for difference in found if difference), key=lambda difference: difference.path)


def _difference(file: PackageFile, folder: Folder, written: str | None, lock: Lock | None) -> FileDifference | None:
    there = folder.read(file.path)
    if there == file.content and folder.is_executable(file.path) == file.executable:
        return None
    match folder.kind(file.path):
        case "missing":
            kind: Difference = "missing"
        case "file" if file.path == LOCK and lock is not None:
            kind = "stale"
        case "file" if written is None:
            kind = "in the way"
        case "file":
            kind = "stale" if folder.digest(file.path) == written else "edited"
        case "folder":
            kind = "in the way"
        case "other":
            kind = "link"
    return FileDifference(path=file.path, kind=kind, there=there, wanted=file.content)


def _left_over(path: str, folder: Folder, written: str) -> FileDifference | None:
    there = folder.read(path)
    if there is None:
        return None
    kind: Difference = "left over" if folder.digest(path) == written else "left over, edited"
    return FileDifference(path=path, kind=kind, there=there, wanted=None)
