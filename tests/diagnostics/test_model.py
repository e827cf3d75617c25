from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from vitesse.api.model import Place as ApiPlace
from vitesse.diagnostics import Diagnostic, DiagnosticError, Exit, InternalError, Place, ordered, raise_errors


def at(pointer: str, *, code: str = "T100", severity: str = "error", file: str = "a.yaml") -> Diagnostic:
    return Diagnostic(code=code, severity=severity, message="m", places=(Place(file=file, pointer=pointer),))  # type: ignore[arg-type]


def test_diagnostic_with_an_unknown_code_is_a_bug_of_ours():
    """A code that the catalogue does not have never reaches a user."""
    with pytest.raises(InternalError, match=r"T999 is not in the catalogue.*bug in Vitesse"):
        Diagnostic(code="T999", message="m")


def test_ordered_in_any_order_of_finding_is_the_same():
    """What is found in another order, or twice, is shown the same."""
    found = [
        at("#/b"),
        at("#/items/10"),
        at("#/items/9"),
        at("#/a", severity="warning"),
        at("#/z", file="A.yaml"),
        at("#/b", code="T200"),
        at("#L10:1"),
        at("#L9"),
    ]
    expected = [
        ("A.yaml", "#/z", "T100"),
        ("a.yaml", "#L9", "T100"),
        ("a.yaml", "#L10:1", "T100"),
        ("a.yaml", "#/b", "T100"),
        ("a.yaml", "#/b", "T200"),
        ("a.yaml", "#/items/9", "T100"),
        ("a.yaml", "#/items/10", "T100"),
        ("a.yaml", "#/a", "T100"),
    ]
    for permutation in itertools.islice(itertools.permutations(found), 0, 5040, 97):
        shown = ordered([*permutation, permutation[0]])
        assert [(d.places[0].file, d.places[0].pointer, d.code) for d in shown] == expected


def test_raise_errors_with_warnings_alone_returns():
    raise_errors([at("#/a", severity="warning"), at("#/a", severity="note")])


def test_raise_errors_with_one_error_carries_everything_found():
    with pytest.raises(DiagnosticError) as caught:
        raise_errors([at("#/a", severity="warning"), at("#/b")])
    assert [d.severity for d in caught.value.diagnostics] == ["error", "warning"]
    assert str(caught.value) == "T100: m; T100: m"


def test_place_of_an_api_place_keeps_file_and_pointer():
    place = Place.of(ApiPlace(file="specs/crm.yaml", pointer="#/paths"), "here")
    assert place == Place(file="specs/crm.yaml", pointer="#/paths", label="here")


def test_exit_codes_are_the_published_ones():
    assert {code.name: int(code) for code in Exit} == {"DONE": 0, "FAILED": 1, "USAGE": 2, "PARTIAL": 3, "INTERNAL": 70}


def test_diagnostics_import_reads_no_yaml_and_no_pydantic():
    """Every command imports this; `--help` must not pay for showing an error."""
    code = "import sys, vitesse.diagnostics; print(sorted({'yaml', 'pydantic', 'json', 'unicodedata'} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.stdout.strip() == "[]"
