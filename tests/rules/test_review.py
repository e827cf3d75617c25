"""An acceptance is bound to a rule's text and to the schemas of its fields, and to nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from vitesse.api.facts import Fact, Paging
from vitesse.diagnostics import DiagnosticError
from vitesse.rules.digests import fields_digest, meaning_digest, rule_digest
from vitesse.rules.model import Reached
from vitesse.rules.review import FactUse, Review, check_facts, is_open, load_review, review_text, write_review
from vitesse.rules.shapes import reach

from .apis import rule, source

ONE = rule("mail", "email", on_missing="dead")


def digests(form: object) -> str:
    end = source(form)
    reached = reach(end.type, end.types, ("a", "b"))
    assert isinstance(reached, Reached)
    return fields_digest([reached])


def test_status_follows_the_rule_and_its_fields() -> None:
    """Open, accepted, edited, changed, rejected."""
    review = Review(stream="customers")
    assert review.status("mail", "r", "f") == "open"
    accepted = review.accepting("mail", rule="r", fields="f", by="ana", on="2026-11-21")
    assert [accepted.status("mail", rule, fields) for rule, fields in ("rf", "xf", "rx")] == [
        "accepted",
        "edited",
        "changed",
    ]
    rejected = review.rejecting("mail", rule="r", fields="f", by="ana", on="2026-11-21")
    assert [rejected.status("mail", rule, fields) for rule, fields in ("rf", "rx", "xf")] == [
        "rejected",
        "rejected",
        "edited",
    ]


def test_rule_digest_changes_with_every_part_of_a_rule() -> None:
    """A hand edit reopens the rule."""
    edits = [
        replace(ONE, sources=(("mail",),)),
        replace(ONE, transform="text"),
        replace(ONE, options={"trim": True}),
        replace(ONE, on_missing="omit"),
        replace(ONE, on_missing=None),
        replace(ONE, on_null="omit"),
        replace(ONE, waive={"length": "fine"}),
        replace(ONE, destination=("other",)),
    ]
    assert len({rule_digest(one) for one in [ONE, *edits]}) == len(edits) + 1
    moved = replace(ONE, place=replace(ONE.place, pointer="#/rules/x"))
    assert rule_digest(moved) == rule_digest(ONE)


def test_meaning_digest_ignores_order_and_reasons() -> None:
    """State written under the same meaning is not thrown away for a word in a waiver."""
    other = rule("name", "first_name", waive={"length": "fine"})
    assert meaning_digest([ONE, other]) == meaning_digest([replace(other, waive={"length": "really"}), ONE])
    assert meaning_digest([ONE]) != meaning_digest([replace(ONE, on_missing="omit")])


@pytest.mark.parametrize(
    "changed",
    [
        {"a!": {"b!": "integer"}},
        {"a!": {"b!": "string:email"}},
        {"a!": {"b!": "string=x|y"}},
        {"a!": {"b!": "string?"}},
        {"a!": {"b": "string"}},
        {"a": {"b!": "string"}},
        {"a?!": {"b!": "string"}},
        {"a!": {"b!": "string<10"}},
        {"a!": {"b!": ["string"]}},
        {"a!": {"*": "string"}},
    ],
)
def test_fields_digest_changes_with_what_a_review_was_given_for(changed: object) -> None:
    """Type, format, enum, null, required, length, of the field and of what stands above it."""
    assert digests(changed) != digests({"a!": {"b!": "string"}})


def test_fields_digest_ignores_what_stands_beside_the_field() -> None:
    """A vendor's release reopens only what it changed."""
    assert digests({"a!": {"b!": "string", "c": "integer"}, "d": "string"}) == digests({"a!": {"b!": "string"}})


def test_review_file_reads_back_and_is_canonical(tmp_path: Path) -> None:
    """Two people's reviews merge line by line."""
    fact = Fact(kind="paging", value=Paging(style="link", limit="limit"), confidence=0.5)
    review = (
        Review(stream="customers")
        .accepting("name", rule="r2", fields="f2", by="policy", on="2026-11-22")
        .accepting("mail", rule="r1", fields="f1", by="ana", on="2026-11-21")
        .accepting_fact("GET /customers", fact, by="ana", on="2026-11-21")
    )
    write_review(tmp_path, review)
    text = (tmp_path / "mappings" / "customers.review.json").read_text()
    assert load_review(tmp_path, "customers") == review
    assert text == review_text(load_review(tmp_path, "customers"))
    assert list(json.loads(text)["rules"]) == ["mail", "name"]
    assert [path.name for path in (tmp_path / "mappings").iterdir()] == ["customers.review.json"]


def test_load_review_without_a_file_is_empty_and_of_a_broken_one_is_refused(tmp_path: Path) -> None:
    """No review is no acceptance; a broken one is not none."""
    assert load_review(tmp_path, "customers") == Review(stream="customers")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.review.json").write_text(
        '{"vitesse": 1, "stream": "customers", "rules": {"a": {}}}'
    )
    with pytest.raises(DiagnosticError):
        load_review(tmp_path, "customers")


@pytest.mark.parametrize(
    ("confidence", "by", "accepted", "expected"),
    [(0.9, "ingest", False, False), (0.79, "ingest", False, True), (0.1, "person", False, False), (0.1, "ingest", True, False)],
)  # fmt: skip
def test_fact_that_a_stream_uses_is_open_until_someone_vouches(
    confidence: float, by: str, accepted: bool, expected: bool
) -> None:
    """Under 0.8 a fact is a question."""
    fact = Fact(kind="paging", value=Paging(style="link"), confidence=confidence, by=by)  # type: ignore[arg-type]
    review = Review(stream="customers")
    if accepted:
        review = review.accepting_fact("GET /customers", fact, by="ana", on="2026-11-21")
    use = FactUse(api="shop", operation="GET /customers", fact=fact)
    assert is_open(use, review) is expected
    found = check_facts([use], review)
    assert [one.code for one in found] == (["V452"] if expected else [])
    changed = replace(use, fact=replace(fact, value=Paging(style="page"), confidence=0.5, by="ingest"))
    assert is_open(changed, review)
