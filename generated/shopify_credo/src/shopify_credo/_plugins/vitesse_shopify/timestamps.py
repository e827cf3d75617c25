"""Shopify's timestamps: ISO 8601 with the offset that the shop's clock had, written anew in one zone and one form."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def parse_shopify_timestamp(value: str, format: str = "iso8601", timezone: str = "UTC") -> str:
    """The same moment, in `timezone` and written in `format`.

    Args:
        value: `2024-03-09T18:32:05-05:00`; `Z` and fractions of seconds are read too. A text without an offset is taken
            as the wall clock of `timezone`: the earlier moment where clocks were set back, and where they were set
            forward the moment that the skipped hour would have been.
        format: `iso8601` (`2024-03-09T23:32:05Z`), `date` (`2024-03-09`), or a pattern such as `%d/%m/%Y %H:%M`.
        timezone: A name of the IANA database (`America/Toronto`), or `UTC`.

    Raises:
        ValueError: The value is no timestamp, the zone is not known, or the moment cannot be written.
    """
    zone = _zone(timezone)
    text = value.strip()
    moment = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith(("Z", "z")) else text)
    try:
        # By way of UTC: an hour that the clocks skipped comes out as the one they showed instead.
        moment = (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC).astimezone(zone)
    except OverflowError:
        raise ValueError("the timestamp is out of range") from None
    if format == "iso8601":
        written = moment.isoformat()
        return f"{written.removesuffix('+00:00')}Z" if zone is UTC else written
    if format == "date":
        return moment.date().isoformat()
    return moment.strftime(format)


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("the time zone is not known on this machine") from None
