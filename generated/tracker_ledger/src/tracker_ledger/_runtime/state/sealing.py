"""What the state keeps of people's data goes through here before it is stored, and comes back through here.

`Plain` lets it pass.
"""

from __future__ import annotations

from typing import Protocol


class Sealer(Protocol):
    """Makes bytes that only holders of the key can read."""

    def seal(self, data: bytes) -> bytes:
        """Bytes to store."""

    def open(self, stored: bytes) -> bytes:
        """What was sealed. Raises `StateError` when no key opens it."""


class Plain:
    """Stores bytes as they are."""

    def seal(self, data: bytes) -> bytes:
        return data

    def open(self, stored: bytes) -> bytes:
        return stored
