"""VerifiedPackage × folder → what is not as it should be: `vitesse check`. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..diagnostics import Diagnostic, Place
from ..package import LOCK
from .compare import FileDifference, differences, folder_lock
from .folder import Folder
from .lock import Lock
from .write import edited

if TYPE_CHECKING:
    from ..verify import VerifiedPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What `check` found. The package holds when there is nothing."""

    diagnostics: tuple[Diagnostic, ...]
    diff: str
    """All differences as one unified diff, from the folder to what would be built."""

    @property
    def holds(self) -> bool:
        return not any(diagnostic.is_error for diagnostic in self.diagnostics)


def check_package(verified: VerifiedPackage, folder: Path) -> CheckReport:
    """Compare a folder with what its inputs give now.

    Raises:
        DiagnosticError: V700 when the lock is there and cannot be read.
    """
    target = Folder(folder)
    lock = folder_lock(target)
    if lock is not None and (other := other_version(lock)):
        return CheckReport(diagnostics=(other,), diff="")
    found = differences(verified.package.files, target, lock)
    problems = [_problem(difference) for difference in found]
    if lock is not None and lock.draft:
        problems.append(draft(lock))
    shown = [difference for difference in found if difference.path != LOCK]
    return CheckReport(diagnostics=tuple(problems), diff="".join(difference.diff() for difference in shown))


def other_version(lock: Lock) -> Diagnostic | None:
    """V704 when another compiler wrote the package: a diff would only show what the versions differ in."""
    if lock.vitesse == __version__:
        return None
    return Diagnostic(
        code="V704",
        message=f"the package was made by vitesse {lock.vitesse}; this is {__version__}",
        places=(Place(file=LOCK),),
        help=f"install `vitesse=={lock.vitesse}` to check it, or build it again with this version",
    )


def draft(lock: Lock) -> Diagnostic:
    """V707 with the rules that nobody accepted."""
    return Diagnostic(
        code="V707",
        message=f"the package was built with {len(lock.draft)} open rules",
        places=(Place(file=LOCK, pointer="#/draft"),),
        notes=(", ".join(f"`{rule}`" for rule in lock.draft[:20]),),
        help="accept the rules and build again without `--draft`",
    )


def _problem(difference: FileDifference) -> Diagnostic:
    place = (Place(file=difference.path),)
    match difference.kind:
        case "edited" | "left over, edited":
            return edited(difference)
        case "missing":
            return Diagnostic(
                code="V706",
                message=f"the generated file `{difference.path}` is missing",
                places=place,
                help="run `vitesse build`, and commit what it writes",
            )
        case kind:
            return Diagnostic(
                code="V705",
                message=f"`{difference.path}` is not what its inputs give: it is {kind}",
                places=place,
                help="run `vitesse build`, and commit what it writes",
            )
