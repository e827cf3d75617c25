"""The two exceptions of the compiler: what the user can mend, and what only we can."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import Diagnostic


class DiagnosticError(Exception):
    """The input cannot be used as it is. Carries everything that was found, in the order it is shown."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        from .model import ordered

        self.diagnostics = ordered(diagnostics)
        super().__init__("; ".join(f"{found.code}: {found.message}" for found in self.diagnostics))


class InternalError(Exception):
    """A bug in Vitesse: something that no input may cause."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; this is a bug in Vitesse")


def raise_errors(diagnostics: Iterable[Diagnostic]) -> None:
    """Raise a DiagnosticError with all of them, warnings too, when at least one is an error."""
    found = tuple(diagnostics)
    if any(diagnostic.is_error for diagnostic in found):
        raise DiagnosticError(found)
