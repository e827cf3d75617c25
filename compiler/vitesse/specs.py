"""Where an integration keeps its pinned specs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, DiagnosticError, Place
from .manifest import System

if TYPE_CHECKING:
    from .openapi.limits import Limits

_SUFFIXES = (".yaml", ".yml", ".json")


def overlay_path(folder: Path, api: str) -> Path:
    """Where a person's corrections of a pinned spec stand, whether there are any or not."""
    return folder / "specs" / f"{api}.overlay.yaml"


def spec_limits(system: System) -> Limits:
    """The bounds of a system's description, with those that the manifest sets otherwise."""
    from .openapi.limits import DEFAULT_LIMITS

    return replace(DEFAULT_LIMITS, **system.limits)


def spec_path(folder: Path, system: System) -> Path:
    """The pinned spec of one system: `specs/<spec>` when the manifest names a file, else `specs/<api>.yaml|yml|json`.

    Raises:
        DiagnosticError: V301 when there is none.
    """
    if system.spec is not None:
        names = [system.spec]
    else:
        names = [f"{system.api}{suffix}" for suffix in _SUFFIXES]
    for name in names:
        path = folder / "specs" / name
        if path.is_file():
            return path
    raise DiagnosticError(
        [
            Diagnostic(
                code="V301",
                message=f"no spec is pinned for `{system.api}`",
                places=(Place(file=f"specs/{names[0]}"),),
                help=f"run `vitesse ingest` with `--spec {system.api}=FILE` or `--spec-url {system.api}=URL`, or put the file there",
            )
        ]
    )
