"""The Guardian, first form: a package's own tests and shadow calls, in a clean environment, as one score with a gate.

Nothing real is reached: both APIs are the package's own mocks on the loopback interface.
"""

from __future__ import annotations

from .examination import examine
from .forms import report_form, report_junit, report_text
from .report import GATE, HealthReport

__all__ = ["GATE", "HealthReport", "examine", "report_form", "report_junit", "report_text"]
