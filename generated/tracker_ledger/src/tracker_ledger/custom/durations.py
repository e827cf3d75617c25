"""Lengths of time as an invoice states them."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal


def hours(seconds: int, step_minutes: int = 6) -> Decimal:
    """Seconds as hours with two places, rounded up to the next full step.

    Args:
        seconds: Zero or more.
        step_minutes: The smallest time that is billed; 6 is a tenth of an hour.
    """
    if seconds < 0 or step_minutes < 1:
        raise ValueError("a length of time is positive")
    steps = -(-seconds // (60 * step_minutes))
    return (Decimal(steps * step_minutes) / 60).quantize(Decimal("0.01"), ROUND_UP)
