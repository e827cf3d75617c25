"""What the state keeps of people's data goes through here before it is stored, and comes back through here.

`Plain` lets it pass. With `STATE_KEY`, `Sealed` encrypts (MultiFernet: AES-128-CBC with HMAC-SHA256): the first key seals, any
of them opens, so keys are replaced by putting a new one in front. What was stored before there was a key stays readable until
it is sealed too (`cleanup --reseal`). Sealed are payloads and tokens; names of records, times, states and digests are not:
the state looks records up by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from .errors import KeyWrong, StateError

MARK = b"\x00sealed\x00"
"""Sealed bytes begin so; nothing that is stored as it came does."""


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
        if stored.startswith(MARK):
            raise KeyWrong("what is stored is sealed and STATE_KEY is not set")
        return stored


class Sealed:
    """Seals with the first of some keys and opens with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises `StateError` when a key is none, or the extra `encrypt` is not installed."""
        try:
            from cryptography.fernet import (  # type: ignore[import-not-found, unused-ignore]
                Fernet,
                InvalidToken,
                MultiFernet,
            )
        except ModuleNotFoundError as error:
            raise StateError("STATE_KEY is set: install the extra `encrypt`") from error
        try:
            each = [Fernet(key) for key in keys]
            self._all: Any = MultiFernet(each)
        except ValueError:
            raise StateError(
                "STATE_KEY is not a Fernet key (32 bytes as URL-safe Base64), or several with blanks between, newest first"
            ) from None
        self._newest: Any = each[0]
        self._wrong = InvalidToken

    def seal(self, data: bytes) -> bytes:
        token: bytes = self._newest.encrypt(data)
        return MARK + token

    def open(self, stored: bytes) -> bytes:
        if not stored.startswith(MARK):
            return stored  # from before there was a key
        try:
            data: bytes = self._all.decrypt(stored[len(MARK) :])
        except self._wrong:
            raise KeyWrong("what is stored is sealed with a key that STATE_KEY does not have") from None
        return data

    def is_newest(self, stored: bytes) -> bool:
        """Whether the first key sealed it."""
        if not stored.startswith(MARK):
            return False
        try:
            self._newest.decrypt(stored[len(MARK) :])
        except self._wrong:
            return False
        return True


def sealer_of(state_key: str | None) -> Sealer:
    """The sealer for the value of `STATE_KEY`."""
    keys = (state_key or "").split()
    return Sealed(keys) if keys else Plain()
