"""Compile an integration and write its package; do nothing at all when digests say that nothing changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..diagnostics import DiagnosticError

if TYPE_CHECKING:
    from ..output import WriteReport
    from ..pipeline import Compiled


def is_unchanged(folder: Path, package: Path) -> bool:
    """Whether building would change nothing. Reads digests only; neither a spec nor the manifest is parsed."""
    from ..inputs import file_digests, plugin_digests, plugins_of
    from ..output.current import is_current
    from ..output.lock import read_lock
    from ..package import LOCK
    from ..templates import template_home

    try:
        locked = read_lock((package / LOCK).read_bytes())
    except (OSError, DiagnosticError):
        return False
    inputs = file_digests(folder)
    if locked.draft or any(locked.inputs.get(name) != digest for name, digest in inputs.items()):
        return False
    return is_current(package, {**inputs, **plugin_digests(plugins_of(locked.inputs))}, template_home())


def build_integration(
    folder: Path, package: Path, *, draft: bool = False, discard: bool = False, memo: Path | None = None
) -> tuple[Compiled, WriteReport]:
    """The chain of `pipeline`, then the write. Raises DiagnosticError; then the package is as it was."""
    from ..output import write_package
    from ..pipeline import compile_integration

    compiled = compile_integration(folder, draft=draft, memo=memo)
    return compiled, write_package(compiled.package, package, discard=discard)
