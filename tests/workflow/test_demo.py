"""`vitesse demo`: the main job, from two specs to a synced CRM, without an account."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.shared import REPOSITORY
from vitesse.diagnostics import DiagnosticError
from vitesse.workflow import demo


@pytest.mark.slow
def test_demo_syncs_all_customers_then_none_then_the_three_that_changed(tmp_path, environments):
    """1,247 written, all unchanged, 3 written; the package passes its gate; Vitesse is not there when it runs."""
    said: list[str] = []
    result = demo.run_demo(tmp_path, environments, os.environ, said.append)
    first, again, changed = (result["runs"][name] for name in ("first", "again", "changed"))
    assert (first["read"], first["written"]) == (1247, 1247)
    assert (again["read"], again["unchanged"], again["written"]) == (1247, 1247, 0)
    assert (changed["written"], changed["unchanged"]) == (3, changed["read"] - 3)
    assert result["passed"], said
    assert shape("\n".join(said)) in shape((REPOSITORY / "README.md").read_text("utf-8"))


def shape(text: str) -> str:
    """A text without its figures: times and ports are another machine's, counts of files and tests another day's."""
    return re.sub(r"[\d.,]*\d", "#", text)


def test_example_home_when_nothing_was_shipped_says_so(monkeypatch, tmp_path):
    """V011: an installation without examples is told from a broken demo."""
    monkeypatch.setattr(demo, "files", lambda _: tmp_path)
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "a" / "b" / "c" / "demo.py"))
    with pytest.raises(DiagnosticError) as caught:
        demo.example_home()
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["V011"]


def test_a_step_that_fails_shows_the_end_of_what_it_printed(tmp_path):
    """V013: the reason is on the screen, not in a log."""
    place = demo.Place(python=Path(sys.executable), site=tmp_path, folder=tmp_path)
    with pytest.raises(DiagnosticError) as caught:
        place.run(["-c", "import sys; sys.exit('no index answers')"], {}, "a sync failed")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "V013"
    assert "no index answers" in diagnostic.notes
