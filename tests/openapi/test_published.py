"""Published and hostile descriptions: every file is read or refused with a reason, and every place that is named exists."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.shared import SHARED, needs_shared
from vitesse.api.model import Array, Object, Place, Type, Union
from vitesse.diagnostics import DiagnosticError
from vitesse.openapi import ApiBuild, Document, build_api, read_document
from vitesse.openapi import pointers as pointer_steps

SPECS = SHARED / "specs"


def _files() -> list[str]:
    if not (SPECS / "index.json").is_file():
        return []
    return [entry["file"] for entry in json.loads((SPECS / "index.json").read_text(encoding="utf-8"))]


def _read(file: str) -> Document:
    top = file.split("/", maxsplit=1)[0]
    return read_document(SPECS / file, folder=SPECS / top if "/" in file else None)


def _places(type: Type) -> Iterator[Place]:
    yield type.place
    match type:
        case Object():
            for field in type.fields:
                yield field.place
                yield from _places(field.type)
            if type.extra is not None:
                yield from _places(type.extra)
        case Array():
            yield from _places(type.items)
        case Union():
            for member in type.members:
                yield from _places(member)
        case _:
            pass


def _is_there(document: Document, place: Any) -> bool:
    value = document.files[place.file]
    for name in pointer_steps.parse(place.pointer[1:].replace("%", "%25")):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return False
    return True


def _built(file: str) -> ApiBuild:
    found = build_api(_read(file))
    len(found.api.types)
    return found


@needs_shared
@pytest.mark.parametrize("file", _files())
def test_published_description_is_read(file: str):
    found = _built(file)
    errors = [diagnostic for diagnostic in found.diagnostics if diagnostic.is_error]
    assert found.api.operations or found.api.webhooks or errors
    for type in found.api.types.values():
        missing = [place for place in _places(type) if not _is_there(found.document, place)]
        assert missing == []
    for diagnostic in found.diagnostics:
        assert diagnostic.message
        assert diagnostic.help or not diagnostic.is_error, diagnostic


@needs_shared
@pytest.mark.slow
def test_nearly_all_published_operations_are_free_of_errors(capsys: pytest.CaptureFixture[str]):
    """At least 99.5 %, and what is not has a code."""
    whole = good = 0
    for file in _files():
        found = _built(file)
        for operation in found.api.operations:
            whole += 1
            good += not any(diagnostic.is_error for diagnostic in found.diagnostics_of(operation))
    with capsys.disabled():
        print(f"\n{good} of {whole} published operations are read without an error")
    assert good / whole >= 0.995


def _hostile() -> list[dict[str, Any]]:
    path = SHARED / "security" / "malicious_specs.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


@pytest.fixture(scope="module")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    spec = importlib.util.spec_from_file_location("hostile_build", SHARED / "security" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(["--all", str(folder)])
    return folder


@needs_shared
@pytest.mark.parametrize("case", _hostile(), ids=lambda case: case["id"])
def test_hostile_description_is_data_or_refused(case: dict[str, Any], hostile_folder: Path):
    name = case["id"] + (case.get("ext", ".yaml") if case["slot"] == "rawfile" else ".json")
    try:
        found = build_api(read_document(hostile_folder / name))
        len(found.api.types)
        diagnostics = found.diagnostics
    except DiagnosticError as error:
        diagnostics = error.diagnostics
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.is_error]
    if case["expected"] == "error":
        assert errors
    elif case["expected"] == "safe":
        assert errors == []
