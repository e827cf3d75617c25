"""What holds for every document, sound or not. Used by the tests and by `make fuzz`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.hostile import quick, structure
from tests.hostile.integration import ROLES, Role, write_integration
from vitesse.diagnostics import DiagnosticError
from vitesse.openapi import build_api, read_document
from vitesse.openapi.json_text import TextError, load_json
from vitesse.openapi.limits import DEFAULT_LIMITS, LimitExceeded
from vitesse.openapi.yaml_text import load_yaml


def read_whole(path: Path) -> None:
    """Read a file and everything it describes. Whatever is wrong is said by a DiagnosticError or a diagnostic with a place."""
    try:
        built = build_api(read_document(path))
    except DiagnosticError as error:
        found = error.diagnostics
    else:
        for operation in built.api.operations:
            built.diagnostics_of(operation)
        list(built.api.types.items())
        found = built.diagnostics
    for diagnostic in found:
        assert diagnostic.places, diagnostic
        assert diagnostic.message, diagnostic


def compile_whole(document: Any, place: Path, baselines: dict[Role, structure.Files]) -> list[Role]:
    """Build packages around a document in both roles. What compiles is in order; the roles that did."""
    done: list[Role] = []
    for role in ROLES:
        shutil.rmtree(place / role, ignore_errors=True)
        wanted = write_integration(place / role, json.dumps(document).encode(), ".json", role)
        try:
            files = quick.compile_files(place / role)
        except DiagnosticError as error:
            assert all(found.message for found in error.diagnostics)  # noqa: PT017
            continue
        assert wanted is not None
        faults = list(structure.faults(files, baselines[role], list(wanted.fields)))
        assert faults == [], (role, faults)
        done.append(role)
    return done


def load_text(data: bytes) -> None:
    """Load bytes as JSON and as YAML: values, a TextError, or a LimitExceeded."""
    text = data.decode("utf-8", "replace")
    for load in (load_json, load_yaml):
        try:
            load(text, DEFAULT_LIMITS)
        except (TextError, LimitExceeded) as error:
            assert str(error)  # noqa: PT017
