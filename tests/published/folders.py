"""A pair of published specs → an integration folder that can be built.

With a mapping: the folder as a person wrote it, or one made by `create` and `ingest` with the person's mapping in it. Without
one: what `map` proposes, and holes filled by constants that say so. Specs are pinned as they are.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One entry of a file of pairs."""

    id: str
    source_spec: str
    source_operation: str
    dest_spec: str
    dest_operation: str
    intent: str = ""

    @classmethod
    def read(cls, entry: dict[str, Any]) -> Pair:
        """Take what is needed of an entry; raises ValueError for what is not there."""
        names = ("id", "source_spec", "source_operation", "dest_spec", "dest_operation")
        missing = [name for name in names if not isinstance(entry.get(name), str)]
        if missing:
            raise ValueError(f"a pair without {', '.join(missing)}: {str(entry)[:80]}")
        return cls(**{name: entry[name] for name in names}, intent=str(entry.get("intent") or ""))


class FolderError(Exception):
    """A folder that could not be made; the text says why."""


def written_folder(pair: Pair, mappings: Path | None) -> Path | None:
    """The integration that someone wrote for the pair, without its specs."""
    folder = mappings / pair.id if mappings is not None else None
    return folder if folder is not None and (folder / "integration.yaml").is_file() else None


def written_mapping(pair: Pair, mappings: Path | None) -> Path | None:
    """The one mapping file that someone wrote for the pair."""
    files = [mappings / f"{pair.id}{suffix}" for suffix in (".yaml", ".yml")] if mappings is not None else []
    return next((file for file in files if file.is_file()), None)


def copy_folder(written: Path, to: Path, pair: Pair, specs: Path) -> None:
    """Copy an integration and pin its specs where the manifest looks for them."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(written, to)
    manifest = read_manifest(to)
    for side, spec in (("source", pair.source_spec), ("destination", pair.dest_spec)):
        pin(manifest, side, specs, spec, to)


def read_manifest(folder: Path) -> dict[str, Any]:
    manifest = yaml.safe_load((folder / "integration.yaml").read_text(encoding="utf-8"))
    if not isinstance(manifest, dict):
        raise FolderError("integration.yaml is no object")
    return manifest


def pin(manifest: dict[str, Any], side: str, specs: Path, spec: str, to: Path) -> None:
    """Copy one spec, with the files beside it when it is one of several."""
    file = specs / spec
    if not file.is_file():
        raise FolderError(f"there is no spec {spec}")
    system = manifest[side]
    target = to / "specs" / (system.get("spec") or f"{system['api']}{file.suffix}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if "/" not in spec:
        shutil.copyfile(file, target)
        return
    top = specs / spec.split("/", maxsplit=1)[0]
    depth = len(Path(spec).parts) - 2
    root = target.parents[depth]
    if root == to / "specs":
        raise FolderError(f"{spec} is one of several files: the manifest's `spec` names no folder for them")
    shutil.copytree(top, root, dirs_exist_ok=True, copy_function=shutil.copyfile)
