"""`vitesse.workflow.diff`: what a pull request changes, in words."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.shared import REPOSITORY
from vitesse.diagnostics import DiagnosticError
from vitesse.rules.diff import render_diff
from vitesse.workflow.diff import diff_integration


@pytest.fixture
def folder(tmp_path):
    """The flagship example in a repository of its own, committed."""
    copy = tmp_path / "shopify_credo"
    shutil.copytree(REPOSITORY / "examples" / "shopify_credo", copy)
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", "-C", str(copy), *identity, *arguments], check=True)
    return copy


def test_diff_when_nothing_changed_is_empty(folder):
    """Silence means that there is nothing to read."""
    assert diff_integration(folder).is_empty


def test_diff_of_an_edited_option_names_rule_option_before_and_after(folder):
    """A reviewer reads the change without reading YAML."""
    mapping = folder / "mappings" / "customers.yaml"
    mapping.write_text(mapping.read_text().replace("places: 2", "places: 4"))
    text = render_diff(diff_integration(folder).rules)
    assert "lifetime_value" in text
    assert "2" in text
    assert "4" in text


def test_diff_of_an_edited_fact_shows_both_values(folder):
    """Facts are decisions too."""
    facts = folder / "facts" / "shopify.yaml"
    facts.write_text(facts.read_text().replace("per_s: 2", "per_s: 4"))
    (change,) = diff_integration(folder).facts
    assert (change.operation, change.kind) == ("GET /customers.json", "rate_limit")
    assert '"per_s": 4' in change.in_words()


def test_diff_against_a_revision_that_is_not_there_says_so(folder):
    """V010: no traceback for a slip in a branch name."""
    with pytest.raises(DiagnosticError) as caught:
        diff_integration(folder, "no-such-branch")
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["V010"]
