"""How a time is written is read from its published example, with what the example leaves open."""

from __future__ import annotations

from typing import Any

import pytest

from vitesse.mapper.times import written_as


@pytest.mark.parametrize(
    ("example", "form", "has_zone", "other"),
    [
        ("2024-03-09T18:32:05-05:00", "iso8601", True, None),
        ("2024-03-09T18:32:05", "iso8601", False, None),
        ("2024-03-09", "iso8601", False, None),
        ("31/12/2024", "%d/%m/%Y", False, None),
        ("12/31/2024", "%m/%d/%Y", False, None),
        ("03/09/2024", "%d/%m/%Y", False, "%m/%d/%Y"),
        ("09.03.2024 18:32", "%d.%m.%Y %H:%M", False, None),
        ("20240309", "%Y%m%d", False, None),
        (1710027125, "unix_s", True, None),
        (1710027125000, "unix_ms", True, None),
    ],
)
def test_written_as_reads_an_example(example: Any, form: str, has_zone: bool, other: str | None) -> None:
    """One form, and another one where day and month could be either."""
    written = written_as(example)
    assert written is not None
    assert (written.form, written.has_zone, written.other) == (form, has_zone, other)


@pytest.mark.parametrize("example", ["yesterday", "", "1.2.3", 5, True, None, "A-1001", {"at": 1}])
def test_written_as_of_what_is_no_time_is_none(example: Any) -> None:
    """Not every text with digits is a day."""
    assert written_as(example) is None
