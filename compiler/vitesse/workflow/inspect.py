"""A spec → what of it compiles: every operation is planned, rendered and verified on its own, not just read."""

from __future__ import annotations

from pathlib import Path

from ..ingest.inspect import Inspection, inspect_spec


def inspect_file(path: Path, *, folder: Path | None = None) -> Inspection:
    """Inspect one description; `folder` is what its references may not leave. Raises DiagnosticError when it is none."""
    return inspect_spec(path, folder=folder)
