"""The program that atheris drives: bytes into both loaders."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

_REPOSITORY = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(_REPOSITORY), str(_REPOSITORY / "compiler")]

with atheris.instrument_imports(include=["vitesse.openapi", "yaml"]):
    from tests.hostile.fuzz.properties import load_text


def try_bytes(data: bytes) -> None:
    """One input."""
    load_text(data)


if __name__ == "__main__":
    atheris.Setup(sys.argv, try_bytes)
    atheris.Fuzz()
