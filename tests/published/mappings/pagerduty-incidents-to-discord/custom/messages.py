"""Incidents as messages of a channel."""

from __future__ import annotations


def announcement(urgency: str, title: str, url: str) -> str:
    """One line that a phone shows without being unlocked."""
    return f"[{urgency}] {title}: <{url}>"[:2000]
