"""A pair of published specs → an integration folder that can be built.

With a mapping: the folder as a person wrote it, or one made by `create` and `ingest` with the person's mapping in it. Without
one: what `map` proposes, and holes filled by constants that say so. Specs are pinned as they are.
"""

from __future__ import annotations

import re
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
    """The one mapping that someone wrote for the pair: a file of its name, or in a folder of its name without a manifest."""
    if mappings is None:
        return None
    files = [mappings / f"{pair.id}{suffix}" for suffix in (".yaml", ".yml")]
    for folder in (mappings / pair.id / "mappings", mappings / pair.id):
        files += sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return next((file for file in files if file.is_file()), None)


def copy_folder(written: Path, to: Path) -> None:
    """Copy an integration as someone wrote it."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(written, to)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest as plain values. Raises FolderError."""
    try:
        manifest = yaml.safe_load((folder / "integration.yaml").read_text(encoding="utf-8"))
        api_names = [manifest[side]["api"] for side in ("source", "destination")]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise FolderError(f"integration.yaml: {type(error).__name__}: {error}") from error
    if not all(isinstance(name, str) for name in api_names):
        raise FolderError("integration.yaml names no APIs")
    assert isinstance(manifest, dict)
    return manifest


def spec_file(specs: Path, spec: str) -> Path:
    """One spec of the pairs' folder. Raises FolderError."""
    file = specs / spec
    if not file.is_file():
        raise FolderError(f"there is no spec {spec}")
    return file


def bundle(specs: Path, *names: str) -> Path | None:
    """The folder that references may not leave, where a root file lies deeper than its spec's own folder."""
    deep = [specs / name.split("/", maxsplit=1)[0] for name in names if name.count("/") > 1]
    return None if not deep else deep[0] if len(deep) == 1 else specs


def slug(id: str) -> str:
    """A pair's id as an integration may be called."""
    return re.sub(r"[^a-z0-9]+", "-", id.lower()).strip("-") or "pair"


def place_mapping(mapping: Path, folder: Path) -> None:
    """Put a mapping that someone wrote into a new integration, whose one stream takes the mapping's name."""
    try:
        form = yaml.safe_load(mapping.read_text(encoding="utf-8"))
        name = str(form["stream"])
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise FolderError(f"{mapping.name}: {type(error).__name__}: {error}") from error
    manifest = read_manifest(folder)
    [own] = manifest["streams"]
    if own != name:
        manifest["streams"] = {name: manifest["streams"][own]}
        text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)
        (folder / "integration.yaml").write_text(text, encoding="utf-8")
        (folder / "mappings" / f"{own}.yaml").unlink()
    shutil.copyfile(mapping, folder / "mappings" / f"{name}.yaml")
    for beside in ("custom", "facts"):
        for near in (mapping.parent, mapping.parent.parent):
            if (near / beside).is_dir() and near.name == folder.name:
                shutil.copytree(near / beside, folder / beside, dirs_exist_ok=True)
