"""An integration's own functions are registered by name, with their types."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitesse.diagnostics import DiagnosticError
from vitesse.registry import load_registry


def write(folder: Path, **files: str) -> Path:
    (folder / "custom").mkdir()
    for name, text in files.items():
        (folder / "custom" / f"{name}.py").write_text(text)
    return folder


def test_public_functions_of_custom_are_registered(tmp_path: Path):
    write(tmp_path, dates="from datetime import date\ndef to_day(text: str, zone: str = 'UTC') -> date:\n    'Day.'\n")
    registry = load_registry([], tmp_path)
    found = registry.functions["to_day"]
    assert (found.module, found.function, found.origin) == ("custom.dates", "to_day", "custom/dates.py")
    assert (found.description, str(found.result)) == ("Day.", "date")
    assert (found.place.file, found.place.pointer) == ("custom/dates.py", "#L2")
    assert [(file.path, file.origin) for file in registry.files] == [
        ("custom/__init__.py", "custom"),
        ("custom/dates.py", "custom/dates.py"),
    ]


def test_an_own_init_is_kept_byte_for_byte(tmp_path: Path):
    write(tmp_path, __init__='"""Ours."""\n')
    assert [file.content for file in load_registry([], tmp_path).files] == [b'"""Ours."""\n']


def test_an_integration_without_custom_has_the_built_in_functions(tmp_path: Path):
    registry = load_registry([], tmp_path)
    assert (list(registry.functions), registry.files) == (["parse_iso8601_to_date"], ())


def test_v906_an_import_that_a_package_may_lack(tmp_path: Path):
    write(tmp_path, dates="\nimport dateutil.parser\n")
    with pytest.raises(DiagnosticError) as caught:
        load_registry([], tmp_path)
    (found,) = caught.value.diagnostics
    assert (found.code, found.places[0].file, found.places[0].pointer) == ("V906", "custom/dates.py", "#L2")


def test_v906_a_link_that_leads_out_of_the_folder(tmp_path: Path):
    (tmp_path / "elsewhere.py").write_text("X = 1\n")
    write(tmp_path)
    (tmp_path / "custom/here.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(DiagnosticError, match=r"V906: `here\.py` is a link that leads out of its folder"):
        load_registry([], tmp_path)


def test_v907_a_function_without_annotations_is_a_warning(tmp_path: Path):
    write(tmp_path, mixed="def good(v: str) -> str: ...\ndef bad(v): ...\n")
    registry = load_registry([], tmp_path)
    assert "good" in registry.functions
    assert "bad" not in registry.functions
    (found,) = registry.warnings
    assert (found.code, found.severity, found.places[0].pointer) == ("V907", "warning", "#L2")
    assert found.message == "no rule can call `bad`: its result has no annotation"
