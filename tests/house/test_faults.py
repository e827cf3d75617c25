"""Every fault has a test that bears its name, or a line that says why not; the page about them is what the tests came to."""

from __future__ import annotations

import json
from functools import cache

import pytest

from tests.faults import page
from tests.faults.bounds import BOUNDS, Bound
from tests.faults.collect import Found, gather
from tests.faults.rows import NOT_TESTED, ROWS, fault
from tests.shared import REPOSITORY, SHARED


@cache
def collected() -> tuple[Found, list[str]]:
    """Collected once for all tests here."""
    return gather()


def test_rows_are_those_of_the_published_matrix():
    matrix = SHARED / "security" / "fault_matrix.json"
    if not matrix.is_file():
        pytest.skip("published test data: no matrix of faults beside the repository or at VITESSE_SHARED")
    published = {row["id"]: row["category"] for row in json.loads(matrix.read_text("utf-8"))["rows"]}
    assert {name: row.side for name, row in ROWS.items()} == published


def test_every_row_has_a_test_of_its_name_or_a_reason_for_none():
    found, misnamed = collected()
    assert misnamed == []
    without = [name for name in ROWS if name not in found and name not in NOT_TESTED]
    assert without == []
    assert [name for name in NOT_TESTED if name in found or name not in ROWS] == []


def test_mark_of_a_row_that_is_not_registered_is_refused():
    with pytest.raises(KeyError, match=r"rows\.toml"):
        fault("no-such-row")


def test_page_is_what_the_results_say_and_the_results_are_of_these_tests():
    results = page.load_results()
    assert page.PAGE.read_text("utf-8") == page.render(results), "run `python -m tests.faults.page`"
    found, _ = collected()
    gone = {row: set(tests) - set(found.get(row, ())) for row, tests in results["rows"].items()}
    assert {row: tests for row, tests in gone.items() if tests} == {}, "run `python -m tests.faults.page --run`"
    assert [row for row, tests in results["rows"].items() if page.outcome(tests).startswith("**")] == []


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.what)
def test_bound_names_a_test_that_is_there(bound: Bound):
    file, _, name = bound.test.partition("::")
    assert f"def {name}(" in (REPOSITORY / file).read_text("utf-8")
    assert bound.value()
