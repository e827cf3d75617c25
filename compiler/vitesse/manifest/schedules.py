"""When a stream runs, as a manifest says it: what a package could not read, or would wait for in vain, is refused here.

The package reads the text again (`runtime/schedule.py`); a test holds that both take the same.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_WORDS = ("hourly", "daily", "weekly")
_EVERY = re.compile(r"every (?:[1-9][0-9]{0,3} )?(?:minute|hour|day|week)s?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, Sequence[str]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_PART = re.compile(r"(?:\*|(?P<low>[0-9a-z]{1,4})(?:-(?P<high>[0-9a-z]{1,4}))?)(?:/(?P<step>[0-9]{1,4}))?")
_LEAP_YEAR = 2000


def check_schedule(value: str) -> str:
    """A schedule, as it is written. Raises `ValueError` with what is wrong."""
    if value in _WORDS or _EVERY.fullmatch(value):
        return value
    words = value.split(" ")
    if len(words) not in (5, 6):
        raise ValueError(
            f"`{value[:80]}` is not a schedule: `hourly`, `daily`, `weekly`, `every 30 minutes`, or five cron fields "
            "with a zone such as `0 6 * * 1-5 Europe/Berlin`"
        )
    found = [_values(value, word, *field) for word, field in zip(words, _FIELDS, strict=False)]
    if len(words) == 6:
        _check_zone(value, words[5])
    longest = max(calendar.monthrange(_LEAP_YEAR, month)[1] for month in found[3])
    if min(found[2]) > longest and words[4].startswith("*"):
        raise ValueError(f"`{value[:80]}` never comes: no month that it names has a day {min(found[2])}")
    return value


def _values(whole: str, text: str, what: str, least: int, most: int, names: Sequence[str]) -> set[int]:
    values: set[int] = set()
    for part in text.lower().split(","):
        found = _PART.fullmatch(part)
        low, high, step = least, most, 1
        if found is not None:
            step = int(found["step"] or 1)
            if found["low"] is not None:
                low = _number(found["low"], least, names)
                high = most if found["step"] else low
            if found["high"] is not None:
                high = _number(found["high"], least, names)
        if found is None or step == 0 or not least <= low <= high <= most:
            example = f", or of {names[0]}-{names[-1]}" if names else ""
            raise ValueError(
                f"`{whole[:80]}`: `{part[:20]}` is no {what}: a number, range, list or step of {least}-{most}{example}"
            )
        values.update(range(low, high + 1, step))
    return values


def _number(text: str, least: int, names: Sequence[str]) -> int:
    if text in names:
        return names.index(text) + least
    return int(text) if text.isdigit() else -1


def _check_zone(whole: str, name: str) -> None:
    if name.upper() in ("UTC", "Z"):
        return
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if available_timezones():  # a machine without any says nothing about this one
            raise ValueError(
                f"`{whole[:80]}`: there is no zone `{name[:40]}`; write one like `Europe/Berlin`"
            ) from None
