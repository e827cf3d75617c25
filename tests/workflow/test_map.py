"""`map` over an integration's folder: proposals are written, hints obeyed, the policy carried out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vitesse.cli.group import run
from vitesse.diagnostics import DiagnosticError
from vitesse.rules.load import load_rules
from vitesse.rules.review import load_review
from vitesse.workflow.accept import accept
from vitesse.workflow.map import map_streams

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "shopify_credo"
DAY = "2026-11-21"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example without its mapping."""
    target = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLE, target)
    for path in (target / "mappings").iterdir():
        path.unlink()
    return target


def test_map_streams_of_the_example_proposes_the_seven_rules_of_the_story(folder: Path) -> None:
    """From the published-style specs of the example, offline."""
    (done,) = map_streams(folder, on=DAY)
    found = {rule.id: rule for rule in load_rules(folder, "customers").rules}
    expected = {
        "email": ("email", "direct"),
        "first_name": ("first_name", "direct"),
        "last_name": ("last_name", "direct"),
        "phone_number": ("phone", "mapping"),
        "created_date": ("created_at", "custom"),
        "lifetime_value": ("total_spent", "parse"),
        "segments": ("tags", "collect"),
    }
    for id, (source, transform) in expected.items():
        assert (found[id].sources, found[id].transform) == (((source,),), transform)
    assert found["lifetime_value"].options["places"] == 2
    assert set(done.written.added) == set(found)


def test_map_streams_a_second_time_changes_no_byte(folder: Path) -> None:
    """A person's file is theirs."""
    map_streams(folder, on=DAY)
    path = folder / "mappings" / "customers.yaml"
    text = path.read_text() + "# kept\n"
    path.write_text(text)
    (done,) = map_streams(folder, on=DAY)
    assert (done.written.added, path.read_text()) == ((), text)


def test_map_streams_with_a_hint_follows_it(folder: Path) -> None:
    """On the command line as in the manifest."""
    map_streams(folder, ["customers"], hints=["note=job_title"], on=DAY)
    rule = load_rules(folder, "customers").rule("job_title")
    assert rule is not None
    assert rule.sources == (("note",),)


@pytest.mark.parametrize(
    ("streams", "hints", "code"), [(["orders"], [], "V009"), ([], ["note"], "V434"), ([], ["a..b=c"], "V434")]
)
def test_map_streams_of_what_is_not_there_says_so(
    folder: Path, streams: list[str], hints: list[str], code: str
) -> None:
    """A misspelt stream or hint writes nothing."""
    with pytest.raises(DiagnosticError) as caught:
        map_streams(folder, streams, hints=hints, on=DAY)
    assert [found.code for found in caught.value.diagnostics] == [code]
    assert not list((folder / "mappings").iterdir())


def test_map_streams_under_a_policy_accepts_what_is_sure(folder: Path) -> None:
    """Recorded as `by: policy`, and only what is above the line."""
    manifest = folder / "integration.yaml"
    manifest.write_text(manifest.read_text().replace("review: required", "review: {accept_above: 0.9}"))
    (done,) = map_streams(folder, on=DAY)
    review = load_review(folder, "customers")
    sure = {one.id for one in done.proposal.proposals if one.confidence >= 0.9}
    assert sure
    assert {id for id, entry in review.rules.items() if (entry.by, entry.on) == ("policy", DAY)} == sure
    assert set(done.accepted) == {f"customers.{id}" for id in sure}


def test_accept_above_leaves_what_was_edited_or_holds_a_decision_to_a_person(folder: Path) -> None:
    """A number is worth something only for the rule it was given to."""
    (done,) = map_streams(folder, on=DAY)
    confidence = {one.id: one.confidence for one in done.proposal.proposals}
    path = folder / "mappings" / "customers.yaml"
    path.write_text(
        path.read_text().replace("    from: email\n    transform: direct\n", "    from: email\n    transform: text\n")
    )
    sure = accept(folder, (), above=0.5, by="ana", on=DAY).rules
    assert confidence["email"] > 0.9
    assert "customers.email" not in sure
    assert "customers.first_name" in sure
    assert not [id for one in done.proposal.proposals if one.holes and (id := f"customers.{one.id}") in sure]


def test_map_command_prints_what_it_proposed_and_its_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A reviewer sees confidence and evidence at once; a machine gets the same."""
    assert run(["map", str(folder), "--hint", "state=status"]) == 0
    text = capsys.readouterr().out
    assert "total_spent → lifetime_value" in text
    assert "decide:" in text
    assert run(["map", str(folder), "--json"]) == 0
    (stream,) = json.loads(capsys.readouterr().out)["streams"]
    assert stream["added"] == []


def test_map_never_proposes_what_names_the_record_over_there(folder: Path) -> None:
    """The destination gives a record its identity, and would throw ours away; a hint is a person's word."""
    spec = folder / "specs" / "credo.json"
    api = json.loads(spec.read_text())
    body = next(schema for schema in api["components"]["schemas"].values() if "email" in schema.get("required", ()))
    body["properties"]["id"] = {"type": "string"}
    spec.write_text(json.dumps(api))
    map_streams(folder, on=DAY)
    assert "id" not in {rule.id for rule in load_rules(folder, "customers").rules}
    map_streams(folder, hints=["id=id"], on=DAY)
    assert "id" in {rule.id for rule in load_rules(folder, "customers").rules}
