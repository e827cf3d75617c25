"""Results of the two slow tools, kept by the digest of what they were given. Safe to lose, and safe to be lied to.

A result is the tool's answer to the same text, options and version, so it is the same bytes with and without. Whoever can
write to the folder could put other text there; what comes of it is read again by verification like everything else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

_MOST = 4096
"""Files kept; a few kilobytes each."""


@cache
def tool_version(distribution: str) -> str:
    """The installed version of a tool."""
    return version(distribution)


class Memo:
    """A folder of texts, or nothing at all when there is no folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def text(self, tool: str, options: str, given: str, make: Callable[[], str]) -> str:
        """What the tool makes of a text, from the folder if it is there."""
        if self._folder is None:
            return make()
        key = hashlib.sha256("\0".join((tool, tool_version(tool), options, given)).encode("utf-8", "surrogatepass"))
        path = self._folder / key.hexdigest()
        with contextlib.suppress(OSError, UnicodeDecodeError):
            digest, _, text = path.read_text(encoding="utf-8").partition("\n")
            if digest == hashlib.sha256(text.encode()).hexdigest():
                return text
        made = make()
        with contextlib.suppress(OSError):
            self._keep(path, made)
        return made

    def _keep(self, path: Path, text: str) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        with open(fresh, "w", encoding="utf-8", newline="") as file:
            file.write(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}")
        os.replace(fresh, path)
        kept = os.listdir(path.parent)
        if len(kept) > _MOST:
            for name in sorted(kept, key=lambda name: (path.parent / name).stat().st_mtime)[: _MOST // 2]:
                (path.parent / name).unlink(missing_ok=True)
