"""Pins descriptions into an integration's folder and writes what can be inferred from them.

A description in one file becomes `specs/<api>.yaml` (or `.json`, as its content is); one in several files keeps its folder below
`specs/<api>/`. Facts are written for the operations that the manifest's streams use.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..api.facts import CONFIDENT, ApiFacts, Fact
from ..api.facts_file import load_facts, write_facts
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import pointer
from ..manifest import MANIFEST_FILE, Manifest, System, load_manifest
from ..openapi import DEFAULT_LIMITS, Document, Limits, build_api, list_operations, read_document
from ..rules.load import load_rules, mapping_file
from ..specs import overlay_path, spec_limits, spec_path
from .changes import FactChange, SpecChange, Weight, compare_specs, worst
from .infer import infer_facts
from .reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestedApi:
    """What `ingest` did for one side of an integration."""

    api: str
    spec: str
    """Relative to the integration's folder."""
    digest: str
    spec_changed: bool
    facts: ApiFacts
    changes: tuple[FactChange, ...]
    diagnostics: tuple[Diagnostic, ...]
    spec_changes: tuple[SpecChange, ...] = ()
    """What a new description changed for the operations and fields that the streams use."""

    @property
    def weight(self) -> Weight:
        """The weightiest of all changes."""
        return worst([*(change.weight for change in self.changes), *(change.weight for change in self.spec_changes)])

    @property
    def open(self) -> tuple[tuple[str, Fact], ...]:
        """(operation, fact) that nobody vouches for yet."""
        return tuple(
            (operation, fact)
            for operation, known in self.facts.operations.items()
            for fact in known.values()
            if fact.by != "person" and fact.confidence < CONFIDENT
        )


def ingest(
    folder: Path, specs: Mapping[str, Path] | None = None, *, bundles: Mapping[str, Path] | None = None
) -> tuple[IngestedApi, IngestedApi]:
    """Pin new descriptions where any are given, and write the facts of both systems.

    Args:
        folder: The integration's.
        specs: API name → a root file to pin in place of the pinned one.
        bundles: API name → the folder that the references of its new files may not leave; the root file's own when not given.

    Raises:
        DiagnosticError: When the manifest, a description or a facts file cannot be used; V303 when a pinned file has another name
            than the manifest says; V219 when a stream names an operation that is not there.
    """
    manifest = load_manifest(folder)
    given, inside = dict(specs or {}), dict(bundles or {})
    unknown = sorted(set(given) - {manifest.source.api, manifest.destination.api})
    if unknown:
        place = Place(file=MANIFEST_FILE)
        message = f"the manifest has no API `{unknown[0]}`"
        help = f"use `{manifest.source.api}` or `{manifest.destination.api}`"
        raise DiagnosticError([Diagnostic(code="V303", message=message, places=(place,), help=help)])
    return (
        _ingest(folder, manifest, "source", given.get(manifest.source.api), inside.get(manifest.source.api)),
        _ingest(
            folder, manifest, "destination", given.get(manifest.destination.api), inside.get(manifest.destination.api)
        ),
    )


def _ingest(folder: Path, manifest: Manifest, side: str, new: Path | None, bundle: Path | None) -> IngestedApi:
    system = manifest.source if side == "source" else manifest.destination
    wanted = manifest.operations(side)
    before = _pinned(folder, system)
    if new is not None:
        limits = spec_limits(system)
        offered = read_document(new, limits=limits, folder=bundle, overlay=overlay_path(folder, system.api))
        _require(offered, wanted)
        _require_name(system, side, _name(offered, new, system.api))
        pin_spec(folder, system.api, new, bundle=bundle, limits=limits)
    document = read_pinned(folder, system)
    _require(document, wanted)
    built = build_api(document)  # the operations around those that are used are evidence too
    reading = Reading(built.api, document)
    used = [operation for id in wanted if (operation := built.api.operation(id)) is not None]
    known = load_facts(folder, system.api)
    inferred = {operation.id: infer_facts(reading, operation) for operation in used}
    write_facts(folder, ApiFacts(api=system.api, operations=inferred))
    facts = load_facts(folder, system.api)
    found = dict.fromkeys(diagnostic for operation in used for diagnostic in built.diagnostics_of(operation))
    done = IngestedApi(
        api=system.api,
        spec=f"specs/{document.file}",
        digest=document.digest,
        spec_changed=before is None or before.digest != document.digest,
        facts=facts,
        changes=tuple(_changes(known, facts)),
        diagnostics=tuple(found),
    )
    if before is None or not done.spec_changed:
        return done
    rules = [load_rules(folder, name) for name in manifest.streams if (folder / mapping_file(name)).is_file()]
    old = build_api(before, [entry.id for entry in list_operations(before) if entry.id in wanted]).api
    changes = compare_specs(old, built.api, manifest=manifest, side=side, rules=rules, facts=(known, facts))
    return replace(done, spec_changes=changes)


def _require(document: Document, operations: tuple[str, ...]) -> None:
    """Nothing is replaced by a description that lacks what the streams use."""
    there = {entry.id for entry in list_operations(document)}
    missing = [id for id in operations if id not in there]
    if missing:
        raise DiagnosticError(
            diagnostic for diagnostic in build_api(document, missing).diagnostics if diagnostic.code == "V219"
        )


def _changes(before: ApiFacts, after: ApiFacts) -> Iterator[FactChange]:
    for operation in dict.fromkeys((*before.operations, *after.operations)):
        old, new = before.operations.get(operation, {}), after.operations.get(operation, {})
        for kind in dict.fromkeys((*old, *new)):
            if old.get(kind) != new.get(kind):
                yield FactChange(operation=operation, kind=kind, before=old.get(kind), after=new.get(kind))


# --- pinning ----------------------------------------------------------------------------------------------------------


def pin_spec(folder: Path, api: str, root: Path, *, bundle: Path | None = None, limits: Limits = DEFAULT_LIMITS) -> str:
    """Copy a description into the integration's folder, over the one that was there.

    Args:
        root: The root file of the description.
        bundle: The folder that its references may not leave; the root file's own when None.

    Returns:
        Its name below `specs/`: `shopify.yaml`, or `shopify/openapi.yaml` for one in several files.

    Raises:
        DiagnosticError: When it is no description.
    """
    document = read_document(root, limits=limits, folder=bundle)
    specs = folder / "specs"
    specs.mkdir(parents=True, exist_ok=True)
    name = _name(document, root, api)
    if len(document.files) == 1:
        _replace_file(specs / name, root.read_bytes())
        for other in (".yaml", ".yml", ".json"):
            if f"{api}{other}" != name:
                (specs / f"{api}{other}").unlink(missing_ok=True)
        return name
    fresh = Path(tempfile.mkdtemp(prefix=f".{api}-", dir=specs))
    for file in sorted(document.files):
        target = fresh / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((document.folder / file).read_bytes())
    old = specs / api
    if old.is_dir():
        shutil.rmtree(old)
    fresh.chmod(0o755)
    fresh.rename(old)
    return name


def _name(document: Document, root: Path, api: str) -> str:
    """Where a description is pinned below `specs/`. A JSON text in a `.yaml` file stays YAML, which it is too."""
    if len(document.files) > 1:
        return f"{api}/{document.file}"
    if root.suffix.lower() in (".yaml", ".yml"):
        return f"{api}.yaml"
    is_object = root.read_bytes().lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
    return f"{api}.json" if is_object else f"{api}.yaml"


def _replace_file(path: Path, data: bytes) -> None:
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.chmod(fresh, 0o644)
    os.replace(fresh, path)


def _require_name(system: System, side: str, name: str) -> None:
    plain = {f"{system.api}{suffix}" for suffix in (".yaml", ".yml", ".json")}
    if name in ({system.spec} if system.spec is not None else plain):
        return
    place = Place(file=MANIFEST_FILE, pointer=pointer(side, *(["spec"] if system.spec is not None else [])))
    message = f"the description of `{system.api}` is pinned as `specs/{name}`, which the manifest does not name"
    raise DiagnosticError(
        [Diagnostic(code="V303", message=message, places=(place,), help=f"set `{side}.spec: {name}`")]
    )


def read_pinned(folder: Path, system: System) -> Document:
    """Read the pinned description of one system, as `build` does: places are shown from the integration's folder on.

    Raises:
        DiagnosticError: V301 when there is none, V101 to V110 when it cannot be used.
    """
    path, overlay = spec_path(folder, system), overlay_path(folder, system.api)
    return read_document(path, limits=spec_limits(system), folder=folder / "specs", label="specs/", overlay=overlay)


def _pinned(folder: Path, system: System) -> Document | None:
    """What was pinned before; None when nothing that can be read was."""
    try:
        return read_pinned(folder, system)
    except DiagnosticError:
        return None
