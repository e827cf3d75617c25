"""`vitesse.workflow.accept` and `vitesse.pipeline`: what people stand behind is compiled, nothing else."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from tests.shared import REPOSITORY
from vitesse.cli.group import run
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


# --- what is not finished keeps nothing else from being accepted ------------------------------------------------------


def broken(folder):
    """One rule that does not hold, and a required field that nothing fills."""
    mapping = folder / "mappings" / "customers.yaml"
    text = mapping.read_text()
    start = text.index("  email:")
    end = text.index("\n  ", text.index("\n", start + 1))
    while text[end + 3] == " ":
        end = text.index("\n  ", end + 1)
    text = (text[:start] + text[end + 1 :]).replace("from: last_name", "from: lastname")
    mapping.write_text(text)


def test_accept_all_accepts_what_holds_and_says_what_does_not(folder):
    """Work on a mapping is accepted as it grows."""
    broken(folder)
    done = accept(folder, (), everything=True, by="ana", on="2026-11-21")
    assert "customers.lifetime_value" in done.rules
    assert not any("last_name" in rule for rule in done.rules)
    assert {one.code for one in done.refused} == {"V411"}
    assert "V440" in {one.code for one in done.left}
    again = accept(folder, (), everything=True, by="ana", on="2026-11-21")
    assert (again.rules, {one.code for one in again.refused}) == ([], {"V411"})


def test_accept_of_one_rule_that_does_not_hold_refuses_it_and_writes_nothing(folder):
    broken(folder)
    rule = next(
        line.strip().rstrip(":").split(":")[0]
        for line in (folder / "mappings" / "customers.yaml").read_text().splitlines()
        if "last_name" in line
    )
    done = accept(folder, [f"customers.{rule}"], by="ana", on="2026-11-21")
    assert done.rules == []
    assert {one.code for one in done.refused} == {"V411"}
    assert not (folder / "mappings" / "customers.review.json").exists()


def test_accept_all_leaves_a_rejected_rule_rejected_unless_it_is_named(folder):
    """What a person said no to does not come back with the rest."""
    accept(folder, (), everything=True, by="ana", on="2026-11-21")
    file = folder / "mappings" / "customers.review.json"
    review = json.loads(file.read_text())
    review["rules"]["email"]["state"] = "rejected"
    file.write_text(json.dumps(review))
    done = accept(folder, (), everything=True, by="ana", on="2026-11-21")
    assert done.rules == []
    assert {one.code for one in done.left} == {"V453"}
    assert accept(folder, ["customers.email"], by="ana", on="2026-11-21").rules == ["customers.email"]


def test_the_command_tells_what_is_still_to_do_and_refuses_with_an_exit_code(folder, capsys):
    """0 when all that was meant was accepted, 3 when a part was, 1 when nothing could be."""
    mapping = folder / "mappings" / "customers.yaml"
    whole = mapping.read_text()
    broken(folder)
    assert run(["accept", str(folder), "--all", "--by", "ana"]) == 3
    said = capsys.readouterr()
    assert "accepted customers.lifetime_value" in said.out
    assert "still to do: required destination field `email` is never filled" in said.out
    assert "error[V411]" in said.err
    assert run(["accept", str(folder), "--all", "--by", "ana"]) == 1
    capsys.readouterr()
    assert run(["accept", str(folder), "customers.phone_number", "--by", "ana", "--json"]) == 0
    assert "V440" in {one["code"] for one in json.loads(capsys.readouterr().out)["left"]}
    mapping.write_text(whole)
    assert run(["accept", str(folder), "--all", "--by", "ana"]) == 0
    assert "still" not in capsys.readouterr().out


def test_a_policy_accepts_what_it_may_although_a_field_is_not_filled_yet(folder):
    """`map` ends well on the first day of a mapping, when most of it is still missing."""
    (folder / "mappings" / "customers.yaml").write_text("vitesse: 1\nstream: customers\nrules: {}\n")
    manifest = folder / "integration.yaml"
    manifest.write_text(re.sub(r"^review:.*$", "review: {accept_above: 0.5}", manifest.read_text(), flags=re.MULTILINE))
    spec = folder / "specs" / "credo.json"
    api = json.loads(spec.read_text())
    bodies = [schema for schema in api["components"]["schemas"].values() if "email" in schema.get("required", ())]
    assert bodies
    for schema in bodies:
        schema["required"].append("needed")
        schema["properties"]["needed"] = {"type": "array", "items": {"type": "string", "enum": ["a"]}}
    spec.write_text(json.dumps(api))
    assert run(["map", str(folder)]) == 0
    review = json.loads((folder / "mappings" / "customers.review.json").read_text())
    assert review["rules"]["first_name"]["by"] == "policy"
    assert run(["build", str(folder), "--out", str(folder.parent / "out")]) == 1
