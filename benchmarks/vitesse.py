"""The command `vitesse`, run by this interpreter from this checkout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from .places import REPOSITORY

COMMAND = (sys.executable, "-m", "vitesse")
ENV = {"PYTHONPATH": str(REPOSITORY / "compiler"), "VITESSE_CACHE": ""}
"""Nothing is remembered from one build to the next unless a command says so."""


def can_build() -> bool:
    """Whether this interpreter has what the compiler needs."""
    done = subprocess.run([*COMMAND, "build", "--help"], env=ENV, capture_output=True, check=False)
    return done.returncode == 0


def vitesse(*arguments: str, env: Mapping[str, str] = ENV) -> None:
    """Run one command that must succeed."""
    done = subprocess.run([*COMMAND, *arguments], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"vitesse {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
