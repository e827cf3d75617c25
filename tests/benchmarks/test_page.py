"""The page says what the committed results say."""

from __future__ import annotations

import pytest

from benchmarks.aims import Aim
from benchmarks.page import committed, page
from benchmarks.places import PAGE
from benchmarks.tables import markdown, number


def test_page_is_what_the_committed_results_give():
    """Changed results, or a figure typed by hand, need `python -m benchmarks.page`."""
    assert PAGE.read_text("utf-8") == page(committed())


def result(median: float) -> dict[str, object]:
    spread = {"median": median, "low": median, "high": median}
    return {"compile": {"tables": [{"key": "t", "rows": [{"name": "ours", "cpu_s": spread}]}]}}


@pytest.mark.parametrize(
    ("measured", "verdict"), [(0.9, ("0.90 s", "met")), (1.2, ("1.20 s", "missed by 33%: it is slow"))]
)
def test_aim_of_at_most_is_met_or_missed_by_so_much(measured: float, verdict: tuple[str, str]):
    aim = Aim(text="", result="compile", table="t", row="ours", at_most=0.9, unit=" s", why="it is slow")
    assert aim.reached(result(measured)) == verdict  # type: ignore[arg-type]


def test_aim_without_its_figure_is_not_measured():
    assert Aim(text="", result="sync", table="t", row="ours", at_least=1).reached(result(1)) is None  # type: ignore[arg-type]


def test_markdown_of_a_failed_row_says_why_and_shows_no_figures():
    table = {
        "base": "a",
        "ratio_of": "speed",
        "figures": ["lines"],
        "rows": [{"name": "a", "failure": "exit 1\nValueError: no"}],
    }
    assert markdown(table).splitlines()[-1] == "| a | ✗ exit 1 |  |  |  |  |"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345.6, "12,300"),
        (1234.5, "1,230"),
        (123.4, "123"),
        (12.34, "12.3"),
        (5.0, "5"),
        (1.234, "1.23"),
        (0.05, "0.050"),
    ],
)
def test_number_has_three_figures(value: float, text: str):
    assert number(value) == text
