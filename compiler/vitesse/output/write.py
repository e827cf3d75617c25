"""VerifiedPackage × folder → files on disk.

Ours are the files that `vitesse.lock` lists. A file of ours that somebody edited stops the build; a file that is not ours is
never read beyond seeing that it is in the way. The lock is written last: a build that was cut short is finished by the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..frozen import dataclass
from ..package import LOCK
from .compare import FileDifference, differences, folder_lock, link
from .folder import Folder

if TYPE_CHECKING:
    from ..verify import VerifiedPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteReport:
    """What a write did. Paths are relative to the folder, in order."""

    folder: Path
    digest: str
    """The package's digest, what a report of the Guardian is bound to."""
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    discarded: tuple[str, ...] = ()
    """Files with hand edits that were overwritten or removed because the caller asked for it."""

    @property
    def is_unchanged(self) -> bool:
        return not (self.added or self.changed or self.removed)


def write_package(verified: VerifiedPackage, folder: Path, *, discard: bool = False) -> WriteReport:
    """Make the folder hold the package, and touch nothing else in it.

    Args:
        discard: Overwrite generated files that were edited by hand.

    Raises:
        DiagnosticError: V700 to V703 and V708; nothing was written then, but for V708, which says so.
    """
    target = Folder(folder)
    found = differences(verified.package.files, target, folder_lock(target))
    _refuse(found, discard=discard)
    wanted = verified.package.paths
    changes = [wanted[difference.path] for difference in found if difference.wanted is not None]
    removed = [difference.path for difference in found if difference.wanted is None]
    try:
        target.put(sorted(changes, key=lambda file: (file.path == LOCK, file.path)))
        target.remove(removed)
    except OSError as problem:
        raise DiagnosticError([_unwritable(folder, problem)]) from None
    return WriteReport(
        folder=folder,
        digest=verified.digest,
        added=_paths(found, "missing"),
        changed=_paths(found, "stale", "edited"),
        removed=_paths(found, "left over", "left over, edited"),
        discarded=_paths(found, "edited", "left over, edited"),
    )


def _paths(found: Iterable[FileDifference], *kinds: str) -> tuple[str, ...]:
    return tuple(difference.path for difference in found if difference.kind in kinds)


def _refuse(found: Iterable[FileDifference], *, discard: bool) -> None:
    problems = []
    for difference in found:
        match difference.kind:
            case "edited" | "left over, edited" if not discard:
                problems.append(edited(difference))
            case "in the way":
                problems.append(_in_the_way(difference))
            case "link":
                problems.append(link(difference.path))
            case _:
                pass
    if problems:
        raise DiagnosticError(problems)


def edited(difference: FileDifference) -> Diagnostic:
    """V701 with the diff that a build would make."""
    return Diagnostic(
        code="V701",
        message=f"the generated file `{difference.path}` was edited by hand",
        places=(Place(file=difference.path),),
        notes=(f"building would undo this:\n{difference.diff()}",),
        help="move the change to `custom/` or to the mapping, or build with `--discard` to lose it",
    )


def _in_the_way(difference: FileDifference) -> Diagnostic:
    return Diagnostic(
        code="V702",
        message=f"`{difference.path}` is there already and `{LOCK}` does not list it",
        places=(Place(file=difference.path),),
        notes=("only files that Vitesse wrote are overwritten",),
        help="move it away, or build into another folder with `--out`",
    )


def _unwritable(folder: Path, problem: OSError) -> Diagnostic:
    return Diagnostic(
        code="V708",
        message=f"`{folder.name}` cannot be written: {problem.strerror or type(problem).__name__}",
        places=(Place(file=""),),
        notes=("every file is written whole or not at all; the next build finishes what this one began",),
        help="see to the folder's permissions and the space on its disk, then build again",
    )
