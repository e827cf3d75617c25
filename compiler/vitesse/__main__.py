"""`python -m vitesse`."""

from __future__ import annotations

from .cli import main

main()
