"""The constant files of a package and the digest of all it is made from.

Reads the folder that `templates.template_home` finds: `runtime/` becomes `src/<package>/_runtime/`, `mocks/` becomes
`tests/mocks/`, `tests/` becomes `tests/`. Imports nothing heavy: the check for an unchanged build needs it.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

from .package import PackageFile

_LEFT_OUT = frozenset({"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"})


class TemplateFiles:
    """The template's files, read once."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Path below the template → content, in path order."""
        found = {}
        for path in sorted(self._home.rglob("*")):
            relative = path.relative_to(self._home)
            if path.is_file() and path.suffix != ".pyc" and not _LEFT_OUT.intersection(relative.parts):
                found[relative.as_posix()] = path.read_bytes()
        return dict(sorted(found.items()))

    def package_files(self, module: str) -> list[PackageFile]:
        """The files that go into a package as they are."""
        return [
            PackageFile(target + path.removeprefix(folder), content)
            for folder, target in (
                ("runtime/", f"src/{module}/_runtime/"),
                ("mocks/", "tests/mocks/"),
                ("tests/", "tests/"),
            )
            for path, content in self.files.items()
            if path.startswith(folder)
        ]

    @cached_property
    def runtime_digest(self) -> str:
        return _digest({path: content for path, content in self.files.items() if path.startswith("runtime/")})

    @cached_property
    def digest(self) -> str:
        return _digest(self.files)


def _digest(files: dict[str, bytes]) -> str:
    whole = hashlib.sha256()
    for path, content in files.items():
        whole.update(f"{path}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return f"sha256:{whole.hexdigest()}"
