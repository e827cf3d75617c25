"""The folders of a command line → the integrations they mean, and the share of them that one machine takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

_MANIFEST = "integration.yaml"


class SameName(Exception):
    """Two integrations would be written to one package."""

    def __init__(self, first: Path, second: Path) -> None:
        super().__init__(f"`{first}` and `{second}` have the same name")


def find_integrations(folders: Iterable[Path]) -> list[Path]:
    """Each folder, or the integrations in it where it is none itself; one that is named twice counts once.

    A folder without a manifest, and without a folder in it that has one, stays: whoever reads it says what is missing.

    Raises:
        SameName: A package has its integration's name.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        for one in _inside(folder):
            name = one.resolve().name
            if name in found and found[name].resolve() != one.resolve():
                raise SameName(found[name], one)
            found.setdefault(name, one)
    return list(found.values())


def _inside(folder: Path) -> list[Path]:
    if (folder / _MANIFEST).is_file():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{_MANIFEST}")) or [folder]


def take_share(folders: Sequence[Path], number: int, of: int) -> list[Path]:
    """The part of the integrations that belongs to one of several machines.

    The names, sorted, are dealt out in turn: every machine that is given the same integrations, in whatever order and wherever they
    lie, finds the same parts; the parts differ by one in size at most and have nothing in common.
    """
    names = sorted(folder.resolve().name for folder in folders)
    share = set(names[number - 1 :: of])
    return [folder for folder in folders if folder.resolve().name in share]
