"""Values as the properties of a Notion page take them."""

from __future__ import annotations

from typing import Any


def title(text: str) -> dict[str, Any]:
    """The one property that names a page."""
    return {"title": [{"text": {"content": text[:2000]}}]}


def rich_text(text: str) -> dict[str, Any]:
    """A text without any marks."""
    return {"rich_text": [{"text": {"content": text[:2000]}}]}


def select(name: str) -> dict[str, Any]:
    """One of the words of a list; a new word joins the list."""
    return {"select": {"name": name.replace(",", " ")}}
