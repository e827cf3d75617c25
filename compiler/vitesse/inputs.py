"""What a package is made from, as digests: told without parsing anything."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

PLUGIN = "plugin:"
"""Before a plugin's name among the inputs; its version and digest follow."""

_FOLDERS = ("specs", "facts", "fields", "mappings", "custom")
_NOT_COMPILED = (".proposal.json", ".pyc", "~")


def input_files(folder: Path) -> list[str]:
    """The files of an integration's folder that a package depends on, relative, with forward slashes, in order."""
    found = ["integration.yaml"]
    for name in _FOLDERS:
        for parent, folders, files in os.walk(folder / name):
            folders[:] = sorted(entry for entry in folders if entry != "__pycache__" and not entry.startswith("."))
            found.extend(
                Path(parent, file).relative_to(folder).as_posix()
                for file in files
                if not file.startswith(".") and not file.endswith(_NOT_COMPILED)
            )
    return sorted(found)


def file_digests(folder: Path) -> dict[str, str]:
    """Input file → `sha256:…` of its bytes. A manifest that is not there has no digest."""
    digests = {}
    for name in input_files(folder):
        path = folder / name
        if path.is_file():
            digests[name] = f"sha256:{sha256(path.read_bytes()).hexdigest()}"
    return digests


def plugin_digests(names: Iterable[str], folders: Iterable[Path] = ()) -> dict[str, str]:
    """`plugin:<name>` → its version and the digest of all that it brings."""
    from .registry import load_plugin

    return {f"{PLUGIN}{name}": _plugin_digest(load_plugin(name, tuple(folders))) for name in names}


def _plugin_digest(plugin: object) -> str:
    from .hooks import Plugin

    assert isinstance(plugin, Plugin)
    digest = sha256(repr((plugin.functions, plugin.signatures, plugin.vendors)).encode())
    if plugin.vendored is not None:
        for path in sorted(plugin.vendored.rglob("*.py")):
            digest.update(path.relative_to(plugin.vendored).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{plugin.version} sha256:{digest.hexdigest()}"


def plugins_of(lock_inputs: Mapping[str, str]) -> list[str]:
    """The plugins that a lock's inputs name."""
    return [key.removeprefix(PLUGIN) for key in lock_inputs if key.startswith(PLUGIN)]
