"""Amounts of an invoice's lines."""

from __future__ import annotations

from decimal import Decimal


def line_amount(quantity: str, unit_price: str) -> Decimal:
    """What one line comes to, to the cent."""
    return (Decimal(quantity) * Decimal(unit_price)).quantize(Decimal("0.01"))
