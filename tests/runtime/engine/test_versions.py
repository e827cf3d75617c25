"""Promises of versions and watermarks: never past what was surely seen."""

from __future__ import annotations

import pytest

from runtime.engine.versions import High, capped, is_older, since_parameter


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z"),
        ("2024-01-01T12:00:00+02:00", "2024-01-01T11:00:00Z"),
        ("2024-01-01T00:00:00.9Z", "2024-01-01T00:00:01Z"),
        ("2024-01-01", "2024-01-01T00:00:01Z"),
        ("9", "10"),
        ("1.5", "1.50001"),
        ("a", "b"),
    ],
)
def test_versions_are_ordered_as_what_they_read_as(older: str, newer: str) -> None:
    """Times across zones, numbers by value, other text as text."""
    assert is_older(older, newer)
    assert not is_older(newer, older)
    assert not is_older(older, older)


@pytest.mark.parametrize(
    ("a", "b"), [("10", "2024-01-01T00:00:00Z"), (None, "1"), ("1", None), ("x", "1"), ("NaN", "1")]
)
def test_versions_of_different_kinds_are_not_ordered(a: str | None, b: str | None) -> None:
    """What cannot be compared is never called older, so nothing is dropped for it."""
    assert not is_older(a, b)
    assert not is_older(b, a)


SEEN = (
    None, "2024-03-01T00:00:00-05:00", "2024-02-01T00:00:00-05:00", "2024-03-01T04:59:59Z", "garbage", None,
    "2024-03-01T00:00:01-05:00", "17",
)  # fmt: skip


def test_high_is_the_highest_whatever_the_order_and_the_form() -> None:
    """The quick way for times of one form agrees with the slow one."""
    high = High()
    for version in SEEN:
        high.see(version)
    assert high.version == "2024-03-01T00:00:01-05:00"
    high.see("2024-03-01T05:00:02Z")
    assert high.version == "2024-03-01T05:00:02Z"


@pytest.mark.parametrize("first", range(len(SEEN)))
@pytest.mark.parametrize("before", [None, "2024-03-01T05:00:00Z", "9", "rev-9"])
def test_versions_seen_together_count_as_one_by_one(before: str | None, first: int) -> None:
    """In any order, after whatever was seen before."""
    together, one_by_one = High(before), High(before)
    versions = (*SEEN[first:], *SEEN[:first])
    together.see_all(versions)
    for version in versions:
        one_by_one.see(version)
    assert together.version == one_by_one.version
    together.see_all(["2024-03-02T00:00:00Z"])
    one_by_one.see("2024-03-02T00:00:00Z")
    assert together.version == one_by_one.version


def test_watermark_never_passes_the_start_of_the_run() -> None:
    """A record dated into the future would hide all changes until then."""
    assert capped("2999-01-01T00:00:00Z", 1_700_000_000.0) == "2023-11-14T22:13:20Z"
    assert capped("2020-01-01T00:00:00Z", 1_700_000_000.0) == "2020-01-01T00:00:00Z"
    assert capped("1800000000", 1_700_000_000.0) == "1700000000"
    assert capped("1800000000000", 1_700_000_000.0) == "1700000000000"
    assert capped("rev-9", 1_700_000_000.0) == "rev-9"
    assert capped(None, 1.0) is None


@pytest.mark.parametrize(
    ("watermark", "form", "expected"),
    [
        ("2024-01-01T00:01:00Z", "iso8601", "2024-01-01T00:00:00Z"),
        ("2024-01-01T02:01:00+02:00", "iso8601", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:30Z", "date", "2023-12-31"),
        ("2024-01-01T00:01:00Z", "unix_s", "1704067200"),
        ("2024-01-01T00:01:00Z", "unix_ms", "1704067200000"),
        ("1704067260", "iso8601", "2024-01-01T00:00:00Z"),
        ("rev-9", "iso8601", "rev-9"),
    ],
)
def test_since_is_the_watermark_minus_the_overlap_in_the_filters_form(watermark: str, form: str, expected: str) -> None:
    """Sixty seconds here."""
    assert since_parameter(watermark, form, 60) == expected  # type: ignore[arg-type]
