"""Tags as HubSpot's checkboxes take them."""

from __future__ import annotations


def as_checkboxes(tags: str) -> str:
    """`vip, wholesale` as `vip;wholesale`."""
    return ";".join(tag.strip() for tag in tags.split(",") if tag.strip())
