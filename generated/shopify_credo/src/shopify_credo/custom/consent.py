"""What Shopify's states of consent mean to the CRM."""

from __future__ import annotations


def is_subscribed(state: str) -> bool:
    """True when the person agreed to be written to; a request that is still to be confirmed is not an agreement."""
    return state == "subscribed"
