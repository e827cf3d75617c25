"""When a stream runs: `hourly`, `every 30 minutes`, or cron with a zone (`30 2 * * 1-5 Europe/Berlin`).

Intervals are counted from 1970 in UTC, so that all replicas mean the same moments. Cron is read on the wall clock of its zone:
a time that a change of the clocks leaves out happens when the clocks have moved on, one that occurs twice happens the first
time; only where every hour is meant does each real hour count. Moments that were missed are made up for by one run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_INTERVAL = re.compile(r"every\s+(?:(\d{1,6})\s*)?(second|minute|hour|day|week)s?", re.IGNORECASE)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_WORDS = {"hourly": 3600, "daily": 86_400, "weekly": 604_800}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_DAYS = 366 * 8 + 2
"""The 29th of February comes back after eight years at the latest."""

_LOOK_BACK_S = 2 * 86_400.0
"""Moments are gone through one by one from here on; what was missed before only when none came since."""


class ScheduleError(ValueError):
    """A schedule that cannot be read, or never comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Every so many seconds."""

    seconds: float

    def next_after(self, moment: float) -> float:
        """The first moment after `moment` (seconds since 1970) that is a whole number of intervals."""
        return (moment // self.seconds + 1) * self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """Minutes, hours, days of the month, months, days of the week (0 is Sunday), on the wall clock of `zone`."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    zone: tzinfo
    any_hour: bool
    any_day: bool
    any_weekday: bool

    def next_after(self, moment: float) -> float:
        """The first moment after `moment` that fits."""
        day = datetime.fromtimestamp(moment, self.zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        day -= timedelta(days=1)  # a moment that the clocks skipped yesterday may lie today
        for _ in range(_LONGEST_DAYS):
            if self._is_day(day):
                later = [each for each in self._moments(day) if each > moment]
                if later:
                    return min(later)
            day += timedelta(days=1)
        raise ScheduleError("the schedule never comes")

    def _is_day(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return in_month and in_week
        return in_month or in_week  # as cron has it: two restrictions are alternatives

    def _moments(self, day: datetime) -> list[float]:
        found: list[float] = []
        for hour in self.hours:
            for minute in self.minutes:
                wall = day.replace(hour=hour, minute=minute)
                first = wall.replace(tzinfo=self.zone)
                again = first.replace(fold=1)
                exists = datetime.fromtimestamp(first.timestamp(), self.zone).replace(tzinfo=None) == wall
                if exists or not self.any_hour:
                    found.append(first.timestamp())
                if exists and self.any_hour and again.timestamp() != first.timestamp():
                    found.append(again.timestamp())
        return found


Schedule = Interval | Cron


def latest_due(schedule: Schedule, after: float, now: float) -> float | None:
    """The last moment of a schedule later than `after` and not later than `now`; None when there is none.

    Every replica that asks at about the same time is told the same moment, however many were missed.
    """
    if isinstance(schedule, Interval):
        due = now // schedule.seconds * schedule.seconds
        return due if due > after else None
    found = None
    due = schedule.next_after(max(after, now - _LOOK_BACK_S))
    while due <= now:
        found, due = due, schedule.next_after(due)
    if found is None and after < now - _LOOK_BACK_S:
        due = schedule.next_after(after)
        while due <= now:
            found, due = due, schedule.next_after(due)
    return found


def parse_schedule(text: str) -> Schedule:
    """Read a schedule. Raises `ScheduleError` with what is wrong and what would be right."""
    words = text.strip()
    if (seconds := _WORDS.get(words.lower())) is not None:
        return Interval(seconds=seconds)
    if (found := _INTERVAL.fullmatch(words)) is not None:
        count = int(found[1] or 1)
        if count == 0:
            raise ScheduleError(f"`{text}`: an interval of nothing")
        return Interval(seconds=count * _SECONDS[found[2].lower()])
    fields = words.split()
    if len(fields) not in (5, 6):
        raise ScheduleError(f"`{text}` is no schedule: write `hourly`, `every 30 minutes` or `0 2 * * * Europe/Berlin`")
    minute, hour, day, month, weekday = fields[:5]
    cron = Cron(
        minutes=_field(text, minute, 0, 59),
        hours=_field(text, hour, 0, 23),
        days=_field(text, day, 1, 31),
        months=_field(text, month, 1, 12, _MONTHS),
        weekdays=tuple(sorted({each % 7 for each in _field(text, weekday, 0, 7, _DAYS)})),
        zone=_zone(text, fields[5] if len(fields) == 6 else "UTC"),
        any_hour=hour.startswith("*"),
        any_day=day.startswith("*"),
        any_weekday=weekday.startswith("*"),
    )
    cron.next_after(0.0)
    return cron


def _zone(text: str, name: str) -> tzinfo:
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ScheduleError(f"`{text}`: there is no zone `{name}`; write one like `Europe/Berlin`") from None


def _field(text: str, field: str, least: int, most: int, names: Sequence[str] = ()) -> tuple[int, ...]:
    values: set[int] = set()
    for part in field.lower().split(","):
        span, _, step_text = part.partition("/")
        step = int(step_text) if step_text.isascii() and step_text.isdigit() else 1
        low_text, dash, high_text = span.partition("-")
        low, high = _number(low_text, names, least), _number(high_text, names, least)
        if span == "*":
            low, high = least, most
        elif not dash:
            high = most if "/" in part else low
        is_step_bad = "/" in part and (not step_text.isdigit() or step == 0)
        if low is None or high is None or is_step_bad or not least <= low <= high <= most:
            raise ScheduleError(
                f"`{text}`: `{part}` is not between {least} and {most}, nor a range, list or step of such"
            )
        values.update(range(low, high + 1, step))
    return tuple(sorted(values))


def _number(text: str, names: Sequence[str], least: int) -> int | None:
    if text in names:
        return names.index(text) + least
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else None
