"""Outside text, made fit for one line of a prompt or of evidence: bounded, printable, without direction marks."""

from __future__ import annotations

import unicodedata


def one_line(text: str, longest: int) -> str:
    """The text with its blanks as single spaces, without what does not print, cut at `longest` characters."""
    plain = " ".join(text[: longest * 8].split())
    kept = "".join(char for char in plain if char == " " or unicodedata.category(char)[0] != "C")
    kept = kept.strip()
    return kept if len(kept) <= longest else kept[: longest - 1].rstrip() + "…"
