"""The file that a worker touches with each sign of life, for health checks of its container."""

from __future__ import annotations

import tempfile
from pathlib import Path


def alive_file(name: str) -> Path:
    """Of the integration of this name, on this machine."""
    return Path(tempfile.gettempdir()) / f"{name}.alive"
