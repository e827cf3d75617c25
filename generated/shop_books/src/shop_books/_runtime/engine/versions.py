"""Versions of records: which is newer, and how far a watermark may go.

A version is text. It is read as a time when it looks like one, else as a number, else compared as text; two versions that
are not of one kind cannot be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias

from ..transforms import iso_moment

SinceFormat: TypeAlias = Literal["iso8601", "unix_s", "unix_ms", "date"]
Order: TypeAlias = "tuple[int, float | Decimal | str]"
"""Kind (0 time, 1 number, 2 text) and value."""

_TIME, _NUMBER, _TEXT = 0, 1, 2
_EARLIEST_S, _LATEST_S = -62_135_596_800.0, 253_402_300_799.0


def order_of(version: str) -> Order:
    """What two versions are compared by. A time without a zone counts as UTC: it is only ever compared with its kind."""
    text = version.strip()
    if "-" in text[1:] or ":" in text:
        try:
            moment = iso_moment(text)
        except ValueError:
            return _TEXT, text
        return _TIME, (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    try:
        number = Decimal(text)
    except InvalidOperation:
        return _TEXT, text
    return (_NUMBER, number) if number.is_finite() else (_TEXT, text)


def is_older(version: str | None, than: str | None) -> bool:
    """Whether `version` surely is older. Never for equal ones, absent ones and ones of different kinds."""
    if version is None or than is None or version == than:
        return False
    a, b = order_of(version), order_of(than)
    return a[0] == b[0] and a[1] < b[1]  # type: ignore[operator]


class High:
    """The highest version seen so far."""

    __slots__ = ("_suffix", "version")

    def __init__(self, version: str | None = None) -> None:
        self.version: str | None = None
        self._suffix: str | None = None
        self.see(version)

    def see(self, version: str | None) -> None:
        """Take a version into account. One of another kind than the first is left out."""
        high = self.version
        if version is None or version == high:
            return
        if high is not None:
            if version[19:] == self._suffix and version[10:11] == "T" and version[4:5] == "-":
                # Times of one form in one zone sort as text: most records need no more than this.
                if version > high:
                    self.version = version
                return
            if not is_older(high, version):
                return
        self.version = version
        self._suffix = version[19:] if _PLAIN_TIME.match(version) else None

    def see_all(self, versions: Iterable[str | None]) -> None:
        """Take many into account, as `see` does one."""
        high, suffix = self.version, self._suffix
        for version in versions:
            if (
                high is not None
                and version is not None
                and version[19:] == suffix
                and version[4:5] == "-"
                and version[10:11] == "T"
            ):
                if version > high:
                    high = version
                continue
            self.version = high
            self.see(version)
            high, suffix = self.version, self._suffix
        self.version = high


_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)$")


def capped(version: str | None, ceiling_s: float | None) -> str | None:
    """A version that is a time and lies past `ceiling_s` becomes that time: a watermark never passes the run's start."""
    if version is None or ceiling_s is None:
        return version
    seconds = _seconds(version)
    if seconds is None or seconds <= ceiling_s:
        return version
    if order_of(version)[0] == _NUMBER:
        return str(int(ceiling_s * (1000 if _is_ms(version) else 1)))
    return _iso(ceiling_s)


def since_parameter(watermark: str, form: SinceFormat, overlap_s: float) -> str:
    """The watermark minus the overlap, as the list operation's filter takes it. What is not a time goes as it is."""
    seconds = _seconds(watermark)
    if seconds is None:
        return watermark
    seconds = max(seconds - overlap_s, 0.0)
    match form:
        case "unix_s":
            return str(int(seconds))
        case "unix_ms":
            return str(int(seconds * 1000))
        case "date":
            return _iso(seconds)[:10]
        case "iso8601":
            return _iso(seconds)


def seconds_of(version: str | None) -> float | None:
    """A version as seconds since 1970, where it is a time."""
    return None if version is None else _seconds(version)


def _seconds(version: str) -> float | None:
    kind, value = order_of(version)
    if kind == _TIME:
        assert isinstance(value, float)
        return value
    if kind == _NUMBER and Decimal(10**8) < Decimal(value) < Decimal(10**14):
        return float(value) / (1000 if _is_ms(version) else 1)
    return None


def _is_ms(version: str) -> bool:
    return Decimal(version) > Decimal(10**11)


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=min(max(seconds, _EARLIEST_S), _LATEST_S))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
