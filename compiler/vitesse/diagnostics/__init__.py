"""What Vitesse says when something is not as it should be: a code, a place, a way out.

Every room reports with `Diagnostic`; `terminal`, `forms` and `positions` show it and are imported only then.
"""

from __future__ import annotations

from .errors import DiagnosticError, InternalError, raise_errors
from .exits import Exit
from .model import Diagnostic, HasPlace, Place, Severity, ordered

__all__ = [
    "Diagnostic",
    "DiagnosticError",
    "Exit",
    "HasPlace",
    "InternalError",
    "Place",
    "Severity",
    "ordered",
    "raise_errors",
]
