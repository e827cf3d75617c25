from __future__ import annotations

import json
from pathlib import Path

from vitesse.diagnostics import Diagnostic, Place
from vitesse.diagnostics.forms import diagnostic_form, diagnostic_forms, render_annotations


def test_form_has_every_member_and_survives_json():
    diagnostic = Diagnostic(
        code="T100", message="m\u202e", places=(Place(file="a.yaml", pointer="#/x", label="l"),), notes=("n",), help="h"
    )
    assert json.loads(json.dumps(diagnostic_form(diagnostic))) == {
        "code": "T100",
        "severity": "error",
        "message": "m\u202e",
        "places": [{"file": "a.yaml", "pointer": "#/x", "label": "l"}],
        "notes": ["n"],
        "help": "h",
    }


def test_forms_are_in_the_order_they_are_shown():
    found = [Diagnostic(code="T200", severity="note", message="b"), Diagnostic(code="T100", message="a")]
    assert [form["message"] for form in diagnostic_forms(found)] == ["a", "b"]


def test_annotation_names_file_line_and_column(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("x: 1\ny: 2\n")
    found = [
        Diagnostic(code="T100", message="is 100%", places=(Place(file="a.yaml", pointer="#/y"),), help="mend it"),
        Diagnostic(code="T300", severity="note", message="n"),
    ]
    assert render_annotations(found, tmp_path, prefix="examples/x/") == (
        "::error file=examples/x/a.yaml,line=2,col=1,title=T100%3A title of T100::is 100%25%0Ahelp: mend it\n"
        "::notice title=T300%3A title of T300::n\n"
    )


def test_annotation_of_outside_text_stays_one_command():
    """A vendor's text cannot set variables in the CI that reads it."""
    nasty = "x\n::set-env name=A::b\r%0A::error::c"
    found = [Diagnostic(code="T100", message=nasty, places=(Place(file="a,line=9::b\n::c"),))]
    text = render_annotations(found)
    assert text.count("\n") == 1
    assert text.endswith("::x\\n::set-env name=A::b\\r%250A::error::c\n")
    assert text.startswith("::error file=a%2Cline=9%3A%3Ab\\n%3A%3Ac,title=")
