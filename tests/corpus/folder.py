"""A folder of descriptions → the files to begin with, those in several files once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

_SUFFIXES = (".json", ".yaml", ".yml")
_ROOT = re.compile(r'^\s*(?:\{\s*)?["\']?(?:openapi|swagger)["\']?\s*:', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One description."""

    name: str
    """Relative to the folder, with forward slashes."""
    path: Path
    bounds: Path | None
    """The folder that its references may not leave; None for a file that stands alone."""

    @property
    def slug(self) -> str:
        """The name as a Python module."""
        return "s_" + re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_")


def specs_in(folder: Path) -> list[Spec]:
    """Every description of a folder, by name: as `index.json` lists them, or each file at the top and one in each folder."""
    index = folder / "index.json"
    if index.is_file():
        listed = json.loads(index.read_text(encoding="utf-8"))
        names = [entry["file"] for entry in listed]
    else:
        names = [path.name for path in folder.iterdir() if path.suffix in _SUFFIXES and _is_root(path)]
        names += [found for path in folder.iterdir() if path.is_dir() and (found := _root_in(path, folder))]
    return [
        Spec(name=name, path=folder / name, bounds=folder / name.split("/")[0] if "/" in name else None)
        for name in sorted(names)
    ]


def _root_in(folder: Path, top: Path) -> str | None:
    """The file a description in several files begins with: the highest one that says its version."""
    candidates = [path for path in folder.rglob("*") if path.suffix in _SUFFIXES and _is_root(path)]
    best = min(candidates, key=lambda path: (len(path.parts), path.name), default=None)
    return best.relative_to(top).as_posix() if best is not None else None


def _is_root(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            return _ROOT.search(file.read(200_000)) is not None
    except (OSError, UnicodeDecodeError):
        return False
