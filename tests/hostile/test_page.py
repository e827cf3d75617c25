"""docs/security.md is what the script makes of the last results."""

from __future__ import annotations

import json

from .page import OUTCOMES, PAGE, RESULTS, render


def test_page_is_written_from_the_results() -> None:
    """No figure on it was typed by hand; `python -m tests.hostile.page` writes it."""
    assert PAGE.read_text("utf-8") == render(json.loads(RESULTS.read_text("utf-8")))


def test_results_have_no_failure_of_ours() -> None:
    """Zero is the aim and the state."""
    ours = json.loads(RESULTS.read_text("utf-8"))["vitesse"]
    groups = ours["groups"].values()
    assert sum(group["failed"] for group in groups) == 0
    assert sum(group[one] for group in groups for one in OUTCOMES) == ours["cases"]
