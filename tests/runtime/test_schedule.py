"""Promises of schedules: the moments that were meant, once each, whatever the clocks do."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from runtime.schedule import Interval, ScheduleError, parse_schedule


def utc(text: str) -> float:
    return datetime.fromisoformat(text + "+00:00").timestamp()


def following(schedule: str, after: str, count: int = 1) -> list[str]:
    parsed, moment, found = parse_schedule(schedule), utc(after), []
    for _ in range(count):
        moment = parsed.next_after(moment)
        found.append(datetime.fromtimestamp(moment, ZoneInfo("UTC")).isoformat()[:16])
    return found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("hourly", 3600),
        ("every 30 minutes", 1800),
        ("Every 2 hours", 7200),
        ("every minute", 60),
        ("every 15 seconds", 15),
    ],
)
def test_interval_in_words(text: str, seconds: int) -> None:
    """The forms of the manifest."""
    assert parse_schedule(text) == Interval(seconds=seconds)


def test_intervals_mean_the_same_moments_on_every_replica() -> None:
    """They are counted from 1970, not from the start of a process."""
    assert following("hourly", "2026-05-01T10:20:00", 2) == ["2026-05-01T11:00", "2026-05-01T12:00"]
    assert following("hourly", "2026-05-01T11:00:00") == ["2026-05-01T12:00"]


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("*/20 * * * *", "2026-05-01T10:20:00", ["2026-05-01T10:40", "2026-05-01T11:00"]),
        ("30 2 * * *", "2026-05-01T10:00:00", ["2026-05-02T02:30", "2026-05-03T02:30"]),
        ("0 9 * * mon-fri", "2026-05-01T10:00:00", ["2026-05-04T09:00", "2026-05-05T09:00"]),
        ("0 0 1,15 * *", "2026-05-01T10:00:00", ["2026-05-15T00:00", "2026-06-01T00:00"]),
        ("0 0 13 * fri", "2026-05-01T10:00:00", ["2026-05-08T00:00", "2026-05-13T00:00"]),
        ("0 0 29 2 *", "2026-05-01T10:00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("0 12 * jan,jul 7", "2026-05-01T10:00:00", ["2026-07-05T12:00", "2026-07-12T12:00"]),
        ("5/20 * * * *", "2026-05-01T10:26:00", ["2026-05-01T10:45", "2026-05-01T11:05"]),
    ],
)
def test_cron_fields(schedule: str, after: str, expected: list[str]) -> None:
    """Steps, ranges, lists, names; two restricted day fields are alternatives."""
    assert following(schedule, after, 2) == expected


def test_cron_time_that_the_clocks_skip_is_not_lost() -> None:
    """Berlin, 29 March 2026: 02:30 does not exist; it happens as the clocks show 03:30, once."""
    assert following("30 2 * * * Europe/Berlin", "2026-03-28T12:00:00", 2) == ["2026-03-29T01:30", "2026-03-30T00:30"]


def test_cron_time_that_occurs_twice_happens_once() -> None:
    """Berlin, 25 October 2026: 02:30 comes at 00:30 and at 01:30 UTC."""
    assert following("30 2 * * * Europe/Berlin", "2026-10-24T12:00:00", 2) == ["2026-10-25T00:30", "2026-10-26T01:30"]


def test_cron_of_every_hour_counts_real_hours() -> None:
    """Where every hour is meant, the hour that occurs twice is two hours and the skipped one is none."""
    autumn = following("0 * * * * Europe/Berlin", "2026-10-24T23:30:00", 4)
    assert autumn == ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"]
    spring = following("0 * * * * Europe/Berlin", "2026-03-28T23:30:00", 3)
    assert spring == ["2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T02:00"]


def test_cron_across_the_date_line() -> None:
    """The day is the zone's own."""
    assert following("0 0 1 * * Pacific/Auckland", "2026-06-29T00:00:00") == ["2026-06-30T12:00"]


@pytest.mark.parametrize(
    "text",
    [
        "", "sometimes", "every 0 minutes", "* * * *", "60 * * * *", "* * * * * Mars/Olympus", "*/0 * * * *", "5-1 * * * *",
        "0 0 31 2 *", "0 0 * * * ../etc", "a * * * *", "1,,2 * * * *", "*/x * * * *",
    ],
)  # fmt: skip
def test_schedule_that_cannot_be_is_refused(text: str) -> None:
    """It says what it is and what would be right."""
    with pytest.raises(ScheduleError):
        parse_schedule(text)
