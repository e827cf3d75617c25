"""The exit codes of every command."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code says."""

    DONE = 0
    FAILED = 1
    """The user's input, or a gate that did not hold."""
    USAGE = 2
    """The command line."""
    PARTIAL = 3
    """Some inputs failed, or a run left records dead, unknown or held."""
    INTERNAL = 70
    """A bug in Vitesse."""
