"""Operations of a description × their facts → the proof that they compile.

An operation is planned whole (every parameter, every field), rendered and verified as a package's would be. Operations share
their models, so all of one description are proved together; only when that fails are they taken apart, to find which one it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..api.facts import ApiFacts
from ..api.model import Api, Operation
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..plan.whole import plan_whole
from ..render import render_api
from ..templates import template_home
from ..verify import VerifiedPackage, expect_api, verify_package

_TOGETHER = 500
"""Operations that are proved at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What compiles, and what stood in the way of the rest."""

    packages: tuple[VerifiedPackage, ...]
    """Clients and models of all operations that compile."""
    failures: Mapping[str, tuple[Diagnostic, ...]]
    """Operation id → errors."""
    diagnostics: tuple[Diagnostic, ...]
    """Notes about what is compiled more loosely than it is described."""


def prove_operations(
    api: Api, facts: ApiFacts, operations: Sequence[Operation], *, name: str, memo: Path | None = None
) -> Proof:
    """Plan, render and verify operations.

    Args:
        name: A lower-case name for the system.
        memo: A folder to keep the answers of slow tools in.
    """
    prover = _Prover(api, facts, name, memo)
    for start in range(0, len(operations), _TOGETHER):
        prover.prove(operations[start : start + _TOGETHER])
    return Proof(packages=tuple(prover.packages), failures=prover.failures, diagnostics=tuple(prover.notes))


class _Prover:
    """Proves operations together as far as that goes."""

    def __init__(self, api: Api, facts: ApiFacts, name: str, memo: Path | None) -> None:
        self._api, self._facts, self._name, self._memo = api, facts, name, memo
        self.packages: list[VerifiedPackage] = []
        self.failures: dict[str, tuple[Diagnostic, ...]] = {}
        self.notes: dict[Diagnostic, None] = {}

    def prove(self, operations: Sequence[Operation]) -> None:
        """Prove all at once; when that fails, its halves, down to the one that fails by itself."""
        error = self._attempt(operations)
        if error is None:
            return
        if len(operations) == 1:
            self.failures[operations[0].id] = _named(operations[0], error)
            return
        culprits = self._culprits(operations)
        left = [operation for operation in operations if operation.id not in culprits]
        self.failures |= culprits
        if not left or (culprits and self._attempt(left) is None):
            return
        half = len(left) // 2  # each compiles, all of them together do not
        self.prove(left[:half])
        self.prove(left[half:])

    def _culprits(self, operations: Sequence[Operation]) -> dict[str, tuple[Diagnostic, ...]]:
        """Those of operations that fail together which fail alone: id → errors."""
        half = len(operations) // 2
        found: dict[str, tuple[Diagnostic, ...]] = {}
        for some in (operations[:half], operations[half:]):
            error = self._attempt(some, keep=False)
            if error is not None and len(some) == 1:
                found[some[0].id] = _named(some[0], error)
            elif error is not None:
                found |= self._culprits(some)
        return found

    def _attempt(self, operations: Sequence[Operation], *, keep: bool = True) -> Exception | None:
        name = f"{self._name}_{len(self.packages) + 1}" if self.packages else self._name
        try:
            whole = plan_whole(self._api, self._facts, operations, name)
            rendered = render_api(whole.api, whole.models, template_home(), memo=self._memo)
            package = verify_package(rendered, expect_api(whole.api, whole.models))
        except Exception as error:  # whatever it is, it is told of the operation and not as a traceback
            return error
        if keep:
            self.packages.append(package)
            self.notes |= dict.fromkeys(whole.diagnostics)
        return None


def _named(operation: Operation, error: Exception) -> tuple[Diagnostic, ...]:
    place = Place.of(operation.place)
    if isinstance(error, DiagnosticError):
        return tuple(
            Diagnostic(
                code=one.code,
                severity=one.severity,
                message=one.message,
                places=(place, *one.places),
                notes=one.notes,
                help=one.help,
            )
            for one in error.diagnostics
        )
    return (
        Diagnostic(
            code="V509",
            message=f"`{operation.id}` cannot be compiled: {type(error).__name__}: {error}",
            places=(place,),
            help="report this with the description; a stream that does not use the operation is not affected",
        ),
    )
