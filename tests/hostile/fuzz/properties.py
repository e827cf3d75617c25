"""What holds for every document, sound or not. Used by the tests and by `make fuzz`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.hostile import quick, structure
from tests.hostile.integration import ROLES, Role, write_integration
from vitesse.diagnostics import Diagnostic, DiagnosticError
from vitesse.openapi import build_api, read_document
from vitesse.openapi.json_text import TextError, load_json
from vitesse.openapi.limits import DEFAULT_LIMITS, LimitExceeded
from vitesse.openapi.yaml_text import load_yaml
from vitesse.workflow.inspect import inspect_file


def read_whole(path: Path) -> None:
    """Read a file and everything it describes. Whatever is wrong is said by a DiagnosticError or a diagnostic with a place."""
    try:
        built = build_api(read_document(path))
    except DiagnosticError as error:
        _check(error.diagnostics)
        return
    for operation in built.api.operations:
        built.diagnostics_of(operation)
    list(built.api.types.items())
    _check(built.diagnostics)


def inspect_whole(path: Path, memo: Path) -> int:
    """Plan, render and verify every operation, and guess its facts. How many operations compile."""
    try:
        found = inspect_file(path, memo=memo)
    except DiagnosticError as error:
        _check(error.diagnostics)
        return 0
    json.dumps(found.form())
    _check(found.diagnostics)
    for operation in found.operations:
        _check(operation.diagnostics)
    return found.compiled


def _check(diagnostics: tuple[Diagnostic, ...]) -> None:
    for diagnostic in diagnostics:
        assert diagnostic.places, diagnostic
        assert diagnostic.message, diagnostic
        assert not diagnostic.code.startswith("V6"), diagnostic  # what was rendered is not what was planned


def compile_whole(document: Any, place: Path, baselines: dict[Role, structure.Files]) -> list[Path]:
    """Build packages around a document in both roles. What compiles is in order; the folders of what did."""
    done: list[Path] = []
    for role in ROLES:
        shutil.rmtree(place / role, ignore_errors=True)
        wanted = write_integration(place / role / "integration", json.dumps(document).encode(), ".json", role)
        try:
            files = quick.compile_files(place / role / "integration")
        except DiagnosticError as error:
            _check(error.diagnostics)
            continue
        assert wanted is not None
        faults = list(structure.faults(files, baselines[role], list(wanted.fields)))
        assert faults == [], (role, faults)
        package = place / role / "package"
        for name, content in files.items():
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            (package / name).write_bytes(content)
        done.append(package)
    return done


def load_text(data: bytes) -> None:
    """Load bytes as JSON and as YAML: values, a TextError, or a LimitExceeded."""
    text = data.decode("utf-8", "replace")
    for load in (load_json, load_yaml):
        try:
            load(text, DEFAULT_LIMITS)
        except (TextError, LimitExceeded) as error:
            assert str(error)  # noqa: PT017
