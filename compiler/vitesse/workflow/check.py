"""The CI gate: is the committed package what its sources say, reviewed and untouched?"""

from __future__ import annotations

from pathlib import Path

from ..diagnostics import DiagnosticError
from ..output import CheckReport, check_package
from ..pipeline import compile_integration


def check_integration(folder: Path, package: Path) -> CheckReport:
    """Compile in memory, without drafts, and compare. What does not compile any more does not hold."""
    try:
        compiled = compile_integration(folder)
        return check_package(compiled.package, package)
    except DiagnosticError as error:
        return CheckReport(diagnostics=error.diagnostics, diff="")
