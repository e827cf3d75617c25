"""The sync engine: what a package does when it runs."""

from __future__ import annotations

from .engine import Engine
from .errors import ContractMismatch, MappingChanged, MassDelete, Stopped, TooManyDead
from .passes import RunRequest
from .report import Counts, RunReport, run_json

__all__ = [
    "ContractMismatch",
    "Counts",
    "Engine",
    "MappingChanged",
    "MassDelete",
    "RunReport",
    "RunRequest",
    "Stopped",
    "TooManyDead",
    "run_json",
]
