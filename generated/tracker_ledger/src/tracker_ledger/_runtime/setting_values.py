"""A value as it was read: from a variable, or from a file that may change."""

from __future__ import annotations

import re
from pathlib import Path

from .redact import Redactor

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_FILE_BYTES = 64 * 1024


class Value:
    """A resolved setting. One that came from a file is read again by `reload` when the file has changed."""

    __slots__ = ("_file", "_redactor", "_stamp", "secret", "text")

    def __init__(self, text: str, *, secret: bool, file: Path | None = None, redactor: Redactor | None = None) -> None:
        self.text = text
        self.secret = secret
        self._file = file
        self._redactor = redactor
        self._stamp = _stamp(file)

    def __repr__(self) -> str:
        return "Value([redacted])" if self.secret else f"Value({self.text!r})"

    @property
    def can_change(self) -> bool:
        """Whether it comes from a file."""
        return self._file is not None

    def reload(self) -> bool:
        """Read the file again if it was written since. True when the value is another one now; a file that cannot be read
        or holds nothing keeps the old value (it is being replaced at this moment)."""
        if self._file is None:
            return False
        stamp = _stamp(self._file)
        if stamp == self._stamp or stamp is None:
            return False
        try:
            text = read_file(self._file)
        except (OSError, ValueError):
            return False
        self._stamp = stamp
        if not text or text == self.text or CONTROL.search(text):
            return False
        if self._redactor is not None:
            self._redactor.register(text)
        self.text = text
        return True


def _stamp(file: Path | None) -> tuple[int, int, int] | None:
    if file is None:
        return None
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def read_file(file: Path) -> str:
    """The text of a short file. Raises `OSError`, or `ValueError` for what is none."""
    with file.open("rb") as stream:
        raw = stream.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise ValueError("too large")
    return raw.decode("utf-8-sig").strip("\r\n \t")
