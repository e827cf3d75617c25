"""Published specs and other test data that are not part of the repository.

`VITESSE_SHARED` names the folder; without it, a folder `shared` beside the repository's. Tests that need it skip and say so.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("VITESSE_SHARED") or REPOSITORY.parent / "shared")

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason=f"published test data: no folder {SHARED.name!r} beside the repository or at VITESSE_SHARED",
)
