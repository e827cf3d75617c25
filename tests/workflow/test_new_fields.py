"""What a vendor's release brings arrives as proposals: a person includes it by review, or the manifest's policy does."""

from __future__ import annotations

import copy
import io
from pathlib import Path

import pytest

from vitesse.cli.group import run
from vitesse.rules.load import load_rules
from vitesse.rules.review import load_review

from .gates import CONTACT, DAY, PERSON, accept_all, small, write_specs


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A built mapping; then both systems learn about birthdays."""
    folder = small(tmp_path / "small")
    text = (folder / "mappings" / "people.yaml").read_text()
    waived = "".join(f"  {name}: not yet\n" for name in CONTACT["properties"] if name not in ("id", "mail"))
    (folder / "mappings" / "people.yaml").write_text(f"{text}waive:\n{waived}")
    accept_all(folder)
    person, contact = copy.deepcopy(PERSON), copy.deepcopy(CONTACT)
    for one in (person, contact):
        one["properties"]["birthday"] = {"type": "string", "format": "date"}
    write_specs(folder, person, contact)
    return folder


def test_map_after_a_release_proposes_the_new_field_and_reopens_nothing(
    released: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one block is appended; what was accepted stays accepted; `review` asks about the new one alone."""
    before = (released / "mappings" / "people.yaml").read_text()
    assert run(["map", str(released)]) == 0
    after = (released / "mappings" / "people.yaml").read_text()
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert added == ["  birthday:", "    from: birthday", "    transform: direct"]
    assert list(load_review(released, "people").rules) == ["mail"]
    out = str(released.parent / "out")
    assert run(["build", str(released), "--out", out]) == 1
    text = capsys.readouterr().err
    assert text.count("error[") == 1
    assert "nobody has accepted the rule `birthday`" in text
    monkeypatch.setattr("sys.stdin", io.StringIO("a\n"))
    assert run(["review", str(released), "--by", "ana"]) == 0
    assert "1 of 1" in capsys.readouterr().out
    assert run(["build", str(released), "--out", out]) == 0


def test_map_after_a_release_under_a_policy_includes_the_new_field(released: Path) -> None:
    """`review: {accept_above: …}`: recorded as the policy's."""
    manifest = released / "integration.yaml"
    manifest.write_text(manifest.read_text().replace("review: required", "review: {accept_above: 0.8}"))
    assert run(["map", str(released)]) == 0
    assert load_review(released, "people").rules["birthday"].by == "policy"
    assert run(["build", str(released), "--out", str(released.parent / "out")]) == 0


def test_map_does_not_propose_again_what_was_rejected(
    released: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rejected is rejected, also after the next release."""
    assert run(["map", str(released)]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("r\n"))
    assert run(["review", str(released), "--by", "ana"]) == 0
    before = (released / "mappings" / "people.yaml").read_bytes()
    assert run(["map", str(released)]) == 0
    assert (released / "mappings" / "people.yaml").read_bytes() == before
    assert [rule.id for rule in load_rules(released, "people").rules] == ["mail"]
    entry = load_review(released, "people").rules["birthday"]
    assert (entry.state, entry.by, entry.on >= DAY) == ("rejected", "ana", True)
    capsys.readouterr()
    assert run(["build", str(released), "--out", str(released.parent / "out")]) == 0


def test_policy_does_not_accept_again_what_a_changed_spec_reopened(released: Path) -> None:
    """The confidence was given for another schema: a person looks at it."""
    manifest = released / "integration.yaml"
    manifest.write_text(manifest.read_text().replace("review: required", "review: {accept_above: 0.8}"))
    assert run(["map", str(released)]) == 0
    accepted = load_review(released, "people").rules["birthday"]
    person, contact = copy.deepcopy(PERSON), copy.deepcopy(CONTACT)
    person["properties"]["birthday"] = {"type": "string", "format": "date", "maxLength": 10}
    contact["properties"]["birthday"] = {"type": "string", "format": "date"}
    write_specs(released, person, contact)
    assert run(["map", str(released)]) == 0
    assert run(["accept", str(released), "--accept-above", "0.5", "--by", "ana"]) == 0
    assert load_review(released, "people").rules["birthday"] == accepted
    assert run(["build", str(released), "--out", str(released.parent / "out")]) == 1
    assert run(["accept", str(released), "people.birthday", "--by", "ana"]) == 0
    assert load_review(released, "people").rules["birthday"].by == "ana"
    assert run(["build", str(released), "--out", str(released.parent / "out")]) == 0
