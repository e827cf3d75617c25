"""IR 3: a package as files in memory.

Made by `render`, proved by `verify`, written by `output`. Paths are relative to the package's folder, with forward slashes.
"""

from __future__ import annotations

import hashlib
from functools import cached_property

from .frozen import dataclass

LOCK = "vitesse.lock"


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file."""

    path: str
    content: bytes
    executable: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class RenderedPackage:
    """Every file of a package in path order, `vitesse.lock` among them. Nothing in it is proved yet."""

    name: str
    """The distribution: `shopify-credo`."""
    files: tuple[PackageFile, ...]

    @cached_property
    def paths(self) -> dict[str, PackageFile]:
        return {file.path: file for file in self.files}

    @property
    def lock(self) -> PackageFile:
        return self.paths[LOCK]

    @property
    def digest(self) -> str:
        """What a report is bound to: the digest of the lock, which holds the digest of every other file."""
        return f"sha256:{self.lock.sha256}"
