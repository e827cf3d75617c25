"""`map --learn-from`: what reviewers decided in other integrations moves the next proposal; what goes the other way comes back turned."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from vitesse.cli.group import run
from vitesse.diagnostics import DiagnosticError
from vitesse.mapper.proposal_file import load_proposal
from vitesse.rules.digests import rule_digest
from vitesse.rules.load import load_rules
from vitesse.rules.review import Entry, Review, load_review, write_review
from vitesse.workflow.map import map_streams

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "shopify_credo"
DAY = "2026-11-21"


@pytest.fixture
def reviewed(tmp_path: Path) -> Path:
    """The example, where a reviewer took the job title from the note and rejected what was proposed for the notes."""
    folder = tmp_path / "done" / "shopify_credo"
    shutil.copytree(EXAMPLE, folder)
    for path in (folder / "mappings").iterdir():
        path.unlink()
    map_streams(folder, hints=["note=job_title"], on=DAY)
    rules = load_rules(folder, "customers")
    entries = {
        rule.id: Entry(
            rule=rule_digest(rule),
            fields="f",
            state="rejected" if rule.id == "notes" else "accepted",
            by="ana",
            on=DAY,
        )
        for rule in rules.rules
    }
    write_review(folder, Review(stream="customers", rules=entries))
    return folder


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """The example without its mapping."""
    folder = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLE, folder)
    for path in (folder / "mappings").iterdir():
        path.unlink()
    return folder


def proposed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, object]]:
    assert run(["map", "--json", *arguments]) == 0
    (stream,) = json.loads(capsys.readouterr().out)["streams"]
    return {one["rule"]: one for one in stream["added"]}


def test_map_learns_what_was_accepted_and_what_was_rejected(
    reviewed: Path, fresh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pair that no word would find, and less of one that was refused; the evidence names the place."""
    twin = tmp_path / "twin"
    shutil.copytree(fresh, twin)
    before, after = proposed(capsys, str(twin)), proposed(capsys, str(fresh), "--learn-from", str(reviewed))
    assert "job_title" not in before
    assert "accepted before in shopify-credo, customers" in after["job_title"]["evidence"]  # type: ignore[operator]
    assert after["email"]["confidence"] > before["email"]["confidence"]  # type: ignore[operator]
    assert after["notes"]["confidence"] < before["notes"]["confidence"]  # type: ignore[operator]
    assert "rejected before in shopify-credo, customers" in after["notes"]["evidence"]  # type: ignore[operator]


def test_map_learns_from_a_folder_of_integrations(
    reviewed: Path, fresh: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One option for all that a team has reviewed."""
    assert "job_title" in proposed(capsys, str(fresh), "--learn-from", str(reviewed.parent))


def test_map_of_the_way_back_turns_what_was_accepted(reviewed: Path, tmp_path: Path) -> None:
    """The inverse where there is one, and a word where there is none."""
    back = tmp_path / "credo_shopify"
    shutil.copytree(EXAMPLE, back)
    for path in (back / "mappings").iterdir():
        path.unlink()
    manifest = yaml.safe_load((back / "integration.yaml").read_text())
    manifest["source"], manifest["destination"] = manifest["destination"], manifest["source"]
    manifest["streams"] = {
        "contacts": {
            "mode": "append",
            "source": {"list": "GET /contacts", "identity": "id"},
            "destination": {"create": "POST /customers.json"},
        }
    }
    manifest.pop("webhooks")
    spec = back / "specs" / "shopify.yaml"
    text = yaml.safe_load(spec.read_text())
    customer = {"type": "object", "properties": {name: {"type": "string"} for name in ("note", "phone", "total_spent")}}
    text["paths"]["/customers.json"]["post"] = {
        "requestBody": {"content": {"application/json": {"schema": customer}}},
        "responses": {"201": {"description": "made", "content": {"application/json": {"schema": customer}}}},
    }
    spec.write_text(yaml.safe_dump(text, sort_keys=False))
    (back / "integration.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    (done,) = map_streams(back, on=DAY, learn=[reviewed])
    found = {one.id: one for one in done.proposal.proposals}
    assert found["note"].rule.sources == (("job_title",),)
    assert "accepted before the other way round in shopify-credo, customers" in found["note"].evidence
    assert any("`parse` there has no inverse" in line for line in found["total_spent"].evidence)


def test_proposals_say_the_way_back(fresh: Path) -> None:
    """A transform that undoes it, or why nothing does."""
    map_streams(fresh, on=DAY)
    rules = load_proposal(fresh, "customers").rules  # type: ignore[union-attr]
    assert rules["phone_number"].back.transform == "mapping"  # type: ignore[union-attr]
    parsed = rules["lifetime_value"].back
    assert parsed is not None
    assert (parsed.transform, parsed.why) == (None, "several texts are read as one number")


def test_what_was_rejected_stays_told_in_the_proposal_file(reviewed: Path) -> None:
    """Though the rule is taken out, others can learn from it after the next `map`."""
    path = reviewed / "mappings" / "customers.yaml"
    form = yaml.safe_load(path.read_text())
    del form["rules"]["notes"]
    path.write_text(yaml.safe_dump(form, sort_keys=False))
    map_streams(reviewed, on=DAY)
    assert load_review(reviewed, "customers").rules["notes"].state == "rejected"
    assert "notes" in load_proposal(reviewed, "customers").rules  # type: ignore[union-attr]


def test_map_with_nothing_to_learn_from_says_so(fresh: Path, tmp_path: Path) -> None:
    """V439 names the folder; nothing is written."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(DiagnosticError) as caught:
        map_streams(fresh, on=DAY, learn=[tmp_path / "empty"])
    assert [found.code for found in caught.value.diagnostics] == ["V439"]
    assert not list((fresh / "mappings").iterdir())
