"""Whether a folder is what its inputs give, told from digests alone: no spec is parsed, nothing heavy is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .. import __version__
from ..diagnostics import DiagnosticError
from ..package import LOCK
from ..template_files import TemplateFiles
from .compare import folder_lock
from .folder import Folder
from .lock import Lock

_COMPILER = Path(__file__).resolve().parents[1]


def is_current(folder: Path, inputs: Mapping[str, str], template: Path) -> bool:
    """True when building would change nothing: same inputs, same compiler, same template, every file as it was written.

    Args:
        inputs: As `Plan.inputs`: file → its digest.
        template: The folder that `templates.template_home` finds.
    """
    target = Folder(folder)
    try:
        lock = folder_lock(target)
    except DiagnosticError:
        return False
    if lock is None or lock.vitesse != __version__ or lock.inputs != dict(inputs):
        return False
    return (
        not _compiler_is_newer(folder / LOCK)
        and lock.template == TemplateFiles(template).digest
        and _is_as_written(target, lock)
    )


def package_digest(folder: Path) -> str | None:
    """What a report about the package in a folder is bound to: the digest of its lock, while every file is as the lock says.

    Returns:
        As `VerifiedPackage.digest`; None when the folder holds no package or one that was changed since it was written.
    """
    target = Folder(folder)
    try:
        lock = folder_lock(target)
    except DiagnosticError:
        return None
    return target.digest(LOCK) if lock is not None and _is_as_written(target, lock) else None


def _is_as_written(folder: Folder, lock: Lock) -> bool:
    return all(folder.digest(path) == digest for path, digest in lock.files.items())


def _compiler_is_newer(lock: Path) -> bool:
    """True when the compiler's own source was changed since the lock was written, as it is when one works on it."""
    written = lock.stat().st_mtime_ns
    for folder, _, names in os.walk(_COMPILER):
        if folder.endswith("__pycache__"):
            continue
        if any(os.stat(os.path.join(folder, name)).st_mtime_ns > written for name in names if name.endswith(".py")):
            return True
    return False
