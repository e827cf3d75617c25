"""Days that follow from others."""

from __future__ import annotations

from datetime import date, datetime, timedelta


def days_after(moment: str, days: int = 30) -> date:
    """The day that many days after a moment, in the zone that the moment is written in."""
    return (datetime.fromisoformat(moment) + timedelta(days=days)).date()
