"""The one place that touches a package's folder: looks without following links, writes whole files or none."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from ..package import PackageFile

Kind: TypeAlias = Literal["file", "folder", "missing", "other"]

_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Folder:
    """A folder that holds, or will hold, one package."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_link(self) -> bool:
        return self.path.is_symlink()

    def kind(self, path: str) -> Kind:
        """What stands at a path, links seen as what they are: `other`, wherever on the way one stands."""
        parts = path.split("/")
        for end in range(1, len(parts)):
            found = _kind(self.path.joinpath(*parts[:end]))
            if found != "folder":
                return "missing" if found == "missing" else "other"
        return _kind(self.path / path)

    def read(self, path: str) -> bytes | None:
        """A file's bytes; None when no plain file stands there."""
        if self.kind(path) != "file":
            return None
        try:
            descriptor = os.open(self.path / path, _READ)
        except OSError:
            return None
        with open(descriptor, "rb") as file:
            return file.read()

    def digest(self, path: str) -> str | None:
        """`sha256:…` of a file."""
        content = self.read(path)
        return None if content is None else f"sha256:{hashlib.sha256(content).hexdigest()}"

    def is_executable(self, path: str) -> bool:
        return bool(os.stat(self.path / path).st_mode & stat.S_IXUSR)

    def put(self, files: Iterable[PackageFile]) -> None:
        """Write files, each whole: first all of them into a fresh folder beside this one, then one rename each, in order.

        Raises:
            OSError: nothing was renamed when writing failed; when a rename failed, those before it stand.
        """
        ordered = list(files)
        with self._staging() as staging:
            staged = [_write(staging / str(number), file) for number, file in enumerate(ordered)]
            for file, source in zip(ordered, staged, strict=True):
                target = self.path / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(source, target)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files, and folders that are empty then."""
        for path in paths:
            (self.path / path).unlink(missing_ok=True)
            parent = (self.path / path).parent
            while parent != self.path and parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
                parent = parent.parent

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        # In the target's parent: a rename is atomic only within one file system.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        staging = self.path.parent / f".{self.path.name}.{secrets.token_hex(6)}"
        staging.mkdir(mode=0o700)
        try:
            yield staging
        finally:
            for left in staging.iterdir():
                left.unlink()
            staging.rmdir()


def _kind(path: Path) -> Kind:
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"


def _write(path: Path, file: PackageFile) -> Path:
    descriptor = os.open(path, _CREATE, 0o755 if file.executable else 0o644)
    with open(descriptor, "wb") as opened:
        opened.write(file.content)
    return path
