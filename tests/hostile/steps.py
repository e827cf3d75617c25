"""The other way in: a person starts an integration from a hostile document by the commands, step by step.

inspect → create → ingest → map → accept → build → check. What these write (manifest, facts, mappings, proposals) comes from the
document too, so it has to be readable as what it is; no step ends in a traceback, prints what a terminal obeys, or calls anybody.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from . import outline
from .children import Finished, run_watched
from .corpus import Case
from .integration import HOSTILE, OURS, ROLES, Role, write_integration

Steps = tuple[tuple[str, ...], ...]


def try_steps(case: Case, place: Path, environ: dict[str, str]) -> list[str]:
    """What goes wrong on the way, in both roles; being refused by a step is fine."""
    return [f"{role}: {fault}" for role in ROLES for fault in _try(case, role, place / role, environ)]


def _try(case: Case, role: Role, place: Path, environ: dict[str, str]) -> Iterator[str]:
    wanted = write_integration(place / "by-hand", case.file.read_bytes(), case.file.suffix, role)
    if wanted is None:
        return
    hostile = place / "by-hand" / "specs" / f"{HOSTILE}{case.file.suffix}"
    ours = place / "ours.json"
    ours.write_text(json.dumps(_ours()), encoding="utf-8")
    operations = list(outline.operations(json.loads(hostile.read_bytes())))
    listing = next((one.id for one in operations if one.method == "get"), "GET /nothing")
    creating = next((one.id for one in operations if one.method == "post"), "POST /nothing")
    specs = {"source": (hostile, ours), "destination": (ours, hostile)}[role]
    names = {"source": (HOSTILE, OURS), "destination": (OURS, HOSTILE)}[role]
    stream = f"{listing}=POST /records" if role == "source" else f"GET /records={creating}"
    folder, out = place / "integration", place / "out"
    steps: Steps = (
        ("inspect", str(hostile)),
        ("create", "hostile-twin", "--source", f"{names[0]}={specs[0]}", "--destination", f"{names[1]}={specs[1]}",
         "--stream", stream, "--intent", "Try it", "--dir", str(folder)),
        ("ingest", str(folder)),
        ("map", str(folder)),
        ("accept", str(folder), "--all", "--by", "tester"),
        ("build", str(folder), "--out", str(out)),
        ("check", str(folder), "--out", str(out)),
    )  # fmt: skip
    for step in steps:
        done = run_watched(
            ["-m", "vitesse", *step], place=place / "room", writable=[folder, out, place], environ=environ
        )
        yield from (f"{step[0]}: {fault}" for fault in _faults(done))
        if step[0] == "create" and done.code != 0:
            return
        yield from (f"{step[0]}: {fault}" for fault in _unreadable(folder))


def _faults(done: Finished) -> Iterator[str]:
    if done.has_traceback or done.code not in (0, 1, 2, 3):
        yield f"exit code {done.code}: {done.error.strip()[-400:]}"
    yield from (f"{kind}: {what}" for kind, what in done.events)
    yield from obeyed(done)


def obeyed(done: Finished) -> Iterator[str]:
    """Control and bidirectional characters in what was printed."""
    for char in sorted(set(done.out + done.error)):
        if char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp"):
            yield f"the character U+{ord(char):04X} is printed as it is"


def _unreadable(folder: Path) -> Iterator[str]:
    """Every file that was written is the YAML or JSON of its name, with each key once."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.parent.name == "specs":
            continue
        try:
            if path.suffix == ".json":
                json.loads(path.read_text("utf-8"), object_pairs_hook=_unique)
            else:
                yaml.load(path.read_text("utf-8"), Loader=_Strict)
        except (ValueError, yaml.YAMLError) as error:
            yield f"{path.name} cannot be read: {str(error)[:200]}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


class _Strict(yaml.SafeLoader):
    """Refuses keys that stand twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(set(map(str, keys))) != len(keys):
            raise yaml.YAMLError(f"a key stands twice: {keys}")
        return super().construct_mapping(node, deep)


def _ours() -> dict[str, Any]:
    """A document of our own with both ends and fields that the others' may be mapped to."""
    text = {"type": "string"}
    names = ("name", "status", "title", "state", "when", "x", "kind", "author", "email")
    record = {"type": "object", "required": ["id"], "properties": {"id": text} | dict.fromkeys(names, text)}
    one = {"application/json": {"schema": {"$ref": "#/components/schemas/Record"}}}
    many = {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Record"}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ours", "version": "1"},
        "servers": [{"url": "https://ours.example.test"}],
        "paths": {
            "/records": {
                "get": {"responses": {"200": {"description": "all", "content": many}}},
                "post": {
                    "requestBody": {"required": True, "content": one},
                    "responses": {"201": {"description": "made", "content": one}},
                },
            }
        },
        "components": {"schemas": {"Record": record}},
    }
