"""The review's table."""

from __future__ import annotations

from ...frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """One line of MAPPING.md: what a reviewer reads about one rule. All of it is outside text but `transform`."""

    destination: str
    sources: tuple[str, ...]
    transform: str
    detail: str
    """Parameters and policies in words: `places=2, missing: omit`."""
    destination_type: str
    source_types: tuple[str, ...]
    state: str
    """`accepted by ana on 2026-11-21`, `open (draft)`."""
    notes: tuple[str, ...] = ()
    """Waived losses with their reasons."""
    sample: str = ""
    """One value in and out, `"19.90" → 19.90`; empty where the result is not certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTable:
    stream: str
    source: str
    """`GET /customers.json`."""
    source_api: str
    """The API's title."""
    destination: str
    destination_api: str
    rows: tuple[RuleRow, ...]
    waived: tuple[tuple[str, str], ...] = ()
    """Destination field → reason."""
    unfilled: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionRow:
    """One correction of a spec by its overlay. A line of MAPPING.md; all of it is outside text."""

    api: str
    target: str
    reason: str
    removes: bool = False
