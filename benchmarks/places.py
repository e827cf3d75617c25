"""Where the benchmarks find and put things."""

from __future__ import annotations

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
WORK = REPOSITORY / ".bench"
"""Scratch: environments of the peers, what they write, databases. Not committed; removing it costs time only."""
RESULTS = REPOSITORY / "benchmarks" / "results"
PAGE = REPOSITORY / "docs" / "benchmarks.md"
SHARED = Path(os.environ.get("VITESSE_SHARED") or REPOSITORY.parent / "shared")
"""A folder with published descriptions under `specs/`; what needs it is left out, by name, without it."""


def spoken(text: str) -> str:
    """The text with the folders of this machine replaced by names that hold on any."""
    for folder, name in (
        (Path(sys.executable), "python"),
        ((WORK / "environments").resolve(), "$BENCH/environments"),
        (WORK, "$BENCH"),
        (SHARED, "$VITESSE_SHARED"),
        (REPOSITORY, "."),
    ):
        text = text.replace(str(folder), name)
    return text.replace(str(Path.home()), "~")
