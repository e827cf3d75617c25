"""`parse_shopify_timestamp` keeps the moment, whatever zone and form it is written in."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def parse(vendored: Callable[[str, str], ModuleType]) -> Callable[..., str]:
    return vendored("vitesse_shopify", "timestamps").parse_shopify_timestamp


@pytest.mark.parametrize(
    "value",
    [
        "2024-03-09T18:32:05-05:00",
        "2024-03-09T23:32:05Z",
        "2024-03-09T23:32:05z",
        "2024-03-09T23:32:05+00:00",
        " 2024-03-10T05:02:05+05:30 ",
        "2024-03-09T23:32:05",
        "2024-03-09 23:32:05",
    ],
)
def test_every_spelling_of_a_moment_gives_one_text(parse: Callable[..., str], value: str):
    assert parse(value) == "2024-03-09T23:32:05Z"


def test_fractions_of_seconds_are_kept(parse: Callable[..., str]):
    assert parse("2024-03-09T18:32:05.250-05:00") == "2024-03-09T23:32:05.250000Z"


@pytest.mark.parametrize(
    ("value", "zone", "written"),
    [
        ("2024-03-10T06:59:59Z", "America/Toronto", "2024-03-10T01:59:59-05:00"),
        ("2024-03-10T07:00:00Z", "America/Toronto", "2024-03-10T03:00:00-04:00"),
        ("2024-11-03T05:30:00Z", "America/Toronto", "2024-11-03T01:30:00-04:00"),
        ("2024-11-03T06:30:00Z", "America/Toronto", "2024-11-03T01:30:00-05:00"),
        ("2024-01-15T12:00:00Z", "Europe/London", "2024-01-15T12:00:00+00:00"),
        ("2024-01-15T12:00:00Z", "Asia/Kolkata", "2024-01-15T17:30:00+05:30"),
    ],
)
def test_a_moment_has_the_offset_that_its_zone_had_then(parse: Callable[..., str], value: str, zone: str, written: str):
    assert parse(value, timezone=zone) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("2024-07-01T12:00:00", "2024-07-01T12:00:00-04:00"),
        ("2024-11-03T01:30:00", "2024-11-03T01:30:00-04:00"),
        ("2024-03-10T02:30:00", "2024-03-10T03:30:00-04:00"),
        ("2024-07-01", "2024-07-01T00:00:00-04:00"),
    ],
    ids=["summer", "hour that occurs twice: the first", "hour that is skipped: what the clocks showed", "date alone"],
)
def test_a_text_without_an_offset_is_the_zones_wall_clock(parse: Callable[..., str], value: str, written: str):
    assert parse(value, timezone="America/Toronto") == written


@pytest.mark.parametrize(
    ("form", "written"),
    [("date", "2024-03-10"), ("%d/%m/%Y %H:%M", "10/03/2024 08:32"), ("%d.%m.%y", "10.03.24"), ("iso8601", None)],
)
def test_the_form_is_applied_in_the_zone(parse: Callable[..., str], form: str, written: str | None):
    assert parse("2024-03-09T18:32:05-05:00", form, "Asia/Tokyo") == (written or "2024-03-10T08:32:05+09:00")


@pytest.mark.parametrize("value", ["", "yesterday", "2024-13-01T00:00:00Z", "1709991125", "2024-03-09T25:00:00Z", "Z"])
def test_a_text_that_is_no_timestamp_is_refused(parse: Callable[..., str], value: str):
    with pytest.raises(ValueError, match=r"."):
        parse(value)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "/etc/localtime"])
def test_a_zone_that_is_not_known_is_refused(parse: Callable[..., str], zone: str):
    with pytest.raises(ValueError, match=r"."):
        parse("2024-03-09T18:32:05-05:00", timezone=zone)


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00"])
def test_a_moment_that_cannot_be_written_is_refused(parse: Callable[..., str], value: str):
    with pytest.raises(ValueError, match="the timestamp is out of range"):
        parse(value, timezone="Asia/Tokyo")
