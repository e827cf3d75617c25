"""A spec → what of it compiles: every operation is planned, rendered and verified, not just read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..api.facts import ApiFacts
from ..api.model import Api, Operation
from ..ingest.inspect import Inspection, inspect_spec
from .prove import Proof, prove_operations


def inspect_file(path: Path, *, folder: Path | None = None, memo: Path | None = None) -> Inspection:
    """Inspect one description. Raises DiagnosticError when it is none.

    Args:
        folder: What references may not leave, when the root file lies deeper.
        memo: A folder to keep the answers of slow tools in.
    """

    def prove(api: Api, facts: ApiFacts, operations: Sequence[Operation]) -> Proof:
        return prove_operations(api, facts, operations, name="api", memo=memo)

    return inspect_spec(path, folder=folder, prove=prove)
