"""`vitesse.workflow.accept` and `vitesse.pipeline`: what people stand behind is compiled, nothing else."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.shared import REPOSITORY
from vitesse.diagnostics import DiagnosticError
from vitesse.pipeline import compile_integration, read_integration
from vitesse.workflow.accept import accept

EXAMPLE = REPOSITORY / "examples" / "shopify_credo"


@pytest.fixture
def folder(tmp_path):
    """The flagship example, with nothing accepted."""
    copy = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLE, copy)
    for review in copy.glob("mappings/*.review.json"):
        review.unlink()
    return copy


def codes(caught):
    return {diagnostic.code for diagnostic in caught.value.diagnostics}


def test_compile_when_nobody_accepted_anything_stops_at_every_open_rule(folder):
    """The gate of the whole product: no rule goes out unread."""
    with pytest.raises(DiagnosticError) as caught:
        compile_integration(folder)
    assert "V450" in codes(caught)


def test_compile_of_a_draft_says_which_rules_are_open(folder):
    """A draft can be tried, and never passes for more."""
    compiled = compile_integration(folder, draft=True)
    assert "customers.email" in compiled.plan.draft


def test_accept_all_then_compile_holds(folder):
    """Reading and accepting is all that stands between a mapping and its package."""
    done = accept(folder, (), everything=True, by="ana", on="2026-11-21")
    assert "customers.email" in done.rules
    assert compile_integration(folder).plan.draft == ()


def test_accept_one_rule_leaves_the_others_open(folder):
    """An acceptance is for what was read."""
    done = accept(folder, ["customers.email"], by="ana", on="2026-11-21")
    assert done.rules == ["customers.email"]
    review = json.loads((folder / "mappings" / "customers.review.json").read_text())
    assert review["rules"]["email"]["by"] == "ana"
    with pytest.raises(DiagnosticError):
        compile_integration(folder)


def test_accept_of_a_rule_that_is_edited_later_no_longer_holds(folder):
    """A hand edit reopens the rule until someone accepts it."""
    accept(folder, (), everything=True, by="ana", on="2026-11-21")
    mapping = folder / "mappings" / "customers.yaml"
    mapping.write_text(mapping.read_text().replace("places: 2", "places: 3"))
    with pytest.raises(DiagnosticError) as caught:
        compile_integration(folder)
    assert any("lifetime_value" in diagnostic.message for diagnostic in caught.value.diagnostics)


@pytest.mark.parametrize("selection", ["custmers", "customers.emial"])
def test_accept_of_something_that_is_not_there_names_the_nearest(folder, selection):
    """V009: a slip accepts nothing and says what was meant."""
    with pytest.raises(DiagnosticError) as caught:
        accept(folder, [selection], by="ana", on="2026-11-21")
    assert codes(caught) == {"V009"}
    assert caught.value.diagnostics[0].help in ("write `customers`", "write `email`")


def test_read_integration_without_a_pinned_spec_says_how_to_pin_one(folder):
    """V301: compiling never fetches."""
    (folder / "specs" / "shopify.yaml").unlink()
    with pytest.raises(DiagnosticError) as caught:
        read_integration(folder)
    assert codes(caught) == {"V301"}
