"""Amounts of money."""

from __future__ import annotations

from decimal import Decimal

_WHOLE = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"}
)


def major_units(amount: int, currency: str) -> Decimal:
    """An amount in the smallest unit of its currency as an amount in the currency itself."""
    return Decimal(amount) if currency.lower() in _WHOLE else Decimal(amount) / 100
