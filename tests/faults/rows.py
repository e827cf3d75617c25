"""The faults that a package has to live with, by their ids: what happens, and what the package does about it.

A row is covered by tests that bear its id twice, in their name and in the mark:

    @fault("src-read-timeout")
    async def test_src_read_timeout_is_tried_again(…)

`tests/house/test_faults.py` proves that each row has one, or a line in `NOT_TESTED` that says why not; `tests/faults/page.py`
writes docs/reliability.md from what the tests came to.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Row:
    """One fault."""

    side: str
    happens: str
    does: str


def load_rows() -> dict[str, Row]:
    """The rows of rows.toml by id, in its order."""
    sides = tomllib.loads((Path(__file__).parent / "rows.toml").read_text("utf-8"))
    return {name: Row(side, **row) for side, rows in sides.items() for name, row in rows.items()}


ROWS = load_rows()
NOT_TESTED: dict[str, str] = {}
"""Rows without a test, each with the reason."""


def fault(name: str) -> Callable[[Any], Any]:
    """Mark a test as one that covers a row. The row must be registered here."""
    if name not in ROWS:
        raise KeyError(f"there is no fault `{name}`; tests/faults/rows.toml lists them")
    return pytest.mark.fault(name)
