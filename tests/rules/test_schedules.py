"""Promises of schedules in a manifest: what is taken comes about, and what never could is refused with its reason."""

from __future__ import annotations

import pytest

from runtime.schedule import ScheduleError, parse_schedule
from vitesse.manifest.schedules import check_schedule

RIGHT = (
    "hourly",
    "daily",
    "weekly",
    "every minute",
    "every 30 minutes",
    "every 2 hours",
    "every 1 day",
    "every 2 weeks",
    "0 6 * * 1-5 Europe/Berlin",
    "*/15 8-18/2,20 1,15 jan-mar mon,wed-fri America/New_York",
    "0 6 * * 7",
    "5/20 * * * *",
    "0 0 31 * *",
    "0 0 29 2 *",
    "0 0 31 2 mon",
    "30 2 * * * UTC",
)
WRONG = {
    "99 2 * * *": "`99` is no minute",
    "* 24 * * *": "`24` is no hour",
    "0 0 0 * *": "`0` is no day of the month",
    "0 0 * 13 *": "`13` is no month",
    "0 0 * foo *": "of jan-dec",
    "0 0 * * 8": "`8` is no day of the week",
    "0 0 * * sat-sun": "`sat-sun`",
    "*/0 * * * *": "`*/0`",
    "30-10 * * * *": "`30-10`",
    "0 0 31 2 *": "no month that it names has a day 31",
    "0 0 31 4,6,9,11 *": "no month that it names has a day 31",
    "30 2 * * 1-5 Europe/Berln": "there is no zone `Europe/Berln`",
    "0 6 * * 1-5 ../../etc/passwd": "there is no zone",
    "0 6 * *": "is not a schedule",
    "@hourly": "is not a schedule",
    "every 0 minutes": "is not a schedule",
    "every 7 parsecs": "is not a schedule",
}


@pytest.mark.parametrize("text", RIGHT)
def test_schedule_that_is_taken_is_read_by_the_package(text: str) -> None:
    assert check_schedule(text) == text
    assert parse_schedule(text).next_after(0.0) > 0


@pytest.mark.parametrize("text", WRONG)
def test_schedule_that_is_refused_says_why_and_the_package_would_refuse_it_too(text: str) -> None:
    with pytest.raises(ValueError, match="`") as refused:
        check_schedule(text)
    assert WRONG[text] in str(refused.value)
    with pytest.raises(ScheduleError):
        parse_schedule(text)
