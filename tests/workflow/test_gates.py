"""The gates before a package, one case each, as a user meets them: `build` says code, place and way out, then holds."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vitesse.cli.group import run
from vitesse.rules.review import load_review
from vitesse.rules.transforms import LOSSES
from vitesse.workflow.accept import accept

from .gates import CONTACT, DAY, MAIL, PERSON, accept_all, small, write_mapping, write_specs

Fix = Callable[[Path], None]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model generator is asked once for each shape."""
    monkeypatch.setenv("VITESSE_CACHE", str(tmp_path_factory.getbasetemp() / "memo"))


def fails(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says when it does not hold: exit code 1, and no package."""
    out = folder.parent / "out"
    assert run([command, str(folder), "--out", str(out)]) == 1
    if command == "build":
        assert not (out / "small").exists()
    return capsys.readouterr().err


def holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`build` writes the package and `check` agrees."""
    out = folder.parent / "out"
    accept_all(folder)
    assert run(["build", str(folder), "--out", str(out)]) == 0, capsys.readouterr().err
    assert run(["check", str(folder), "--out", str(out)]) == 0, capsys.readouterr().err
    capsys.readouterr()


def shows(text: str, code: str, message: str, place: str, help: str) -> None:
    """One drawn diagnostic with all its parts."""
    blocks = [block for block in text.split("\n\n") if f"error[{code}]" in block]
    assert blocks, text
    assert any(message in block and re.search(rf"--> {place}:\d+:\d+", block) and help in block for block in blocks), (
        text
    )


LOSSY: list[tuple[str, dict[str, Any], str]] = [
    ("decimal_to_float", {"value": {"from": "amount", "transform": "mapping"}}, "`value` may lose something"),
    ("int64_to_int32", {"count": {"from": "big", "transform": "mapping"}}, "`count` may lose something"),
    (
        "fraction",
        {"whole": {"from": "rate", "transform": "parse", "with": {"to": "integer", "rounding": "half_up"}}},
        "digits behind the point",
    ),
    (
        "datetime_to_date",
        {"since": {"from": "created_at", "transform": "date", "with": {"to": "date"}}},
        "the time of day is lost",
    ),
    (
        "zone_loss",
        {"seen": {"from": "created_at", "transform": "date", "with": {"to": "%d.%m.%Y %H:%M"}}},
        "names no zone",
    ),
    ("length", {"heading": {"from": "title", "transform": "mapping"}}, "200 characters go where 50 fit"),
    (
        "enum_gap",
        {"status": {"from": "state", "transform": "enum", "with": {"map": {"on": "active", "off": "inactive"}}}},
        "1 of 3 values are not in the table: `gone`",
    ),
    (
        "null_into_non_null",
        {"name": {"from": "nick", "transform": "mapping", "on_null": "keep"}},
        "a null goes where the destination takes none",
    ),
    ("list_into_scalar", {"label": {"from": "tags", "transform": "first"}}, "all items but the first are lost"),
    (
        "many_to_one",
        {
            "status": {
                "from": "state",
                "transform": "enum",
                "with": {"map": {"on": "active", "off": "inactive", "gone": "inactive"}},
            }
        },
        "`off`, `gone` all become `inactive`",
    ),
]


def test_every_loss_has_a_case() -> None:
    """A new loss of the table needs one here."""
    assert {loss for loss, _, _ in LOSSY} == set(LOSSES)


@pytest.mark.parametrize(("loss", "rules", "message"), LOSSY, ids=[loss for loss, _, _ in LOSSY])
def test_build_of_a_loss_fails_until_a_reason_is_given(
    loss: str, rules: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is lost in silence. A draft compiles and warns."""
    folder = small(tmp_path / "small", {**MAIL, **rules})
    accept_all(folder)
    assert list(load_review(folder, "people").rules) == ["mail"], (
        "a rule that loses something unsaid is not accepted either"
    )
    for command in ("build", "check"):
        shows(fails(command, folder, capsys), "V430", message, "mappings/people.yaml", f"`waive: {{{loss}: …}}`")
    assert run(["build", str(folder), "--out", str(tmp_path / "draft"), "--draft"]) == 0
    assert "warning[V430]" in capsys.readouterr().err
    [(id, rule)] = rules.items()
    write_mapping(folder, {**MAIL, id: {**rule, "waive": {loss: "we know"}}})
    holds(folder, capsys)
    page = (tmp_path / "out" / "small" / "MAPPING.md").read_text()
    assert "we know" in page


def mapping(*rules: dict[str, Any], waive: dict[str, str] | None = None) -> Fix:
    merged = {id: rule for one in rules for id, rule in one.items()}
    return lambda folder: write_mapping(folder, merged, waive)


NAME: dict[str, Any] = {"name": {"from": "title", "transform": "mapping"}}
GATES: list[tuple[str, Fix, str, str, str, str, Fix]] = [
    (
        "required field unfilled, then filled",
        mapping(NAME),
        "V440",
        "required destination field `mail` is never filled",
        "specs/crm.yaml",
        "or list it under `waive` with a reason",
        mapping(MAIL, NAME),
    ),
    (
        "required field unfilled, then waived",
        mapping(NAME),
        "V440",
        "`mail`",
        "specs/crm.yaml",
        "add a rule for it",
        mapping(NAME, waive={"mail": "the CRM makes one up"}),
    ),
    (
        "unknown destination",
        mapping(MAIL, {"nmae": NAME["name"]}),
        "V410",
        "`nmae` is not a destination field of Crm",
        "mappings/people.yaml",
        "write `name`",
        mapping(MAIL, NAME),
    ),
    (
        "unknown source",
        mapping({"mail": {"from": "emial", "transform": "mapping"}}),
        "V411",
        "`emial` is not a field of Shop",
        "mappings/people.yaml",
        "write `email`",
        mapping(MAIL),
    ),
    (
        "unknown waived field",
        mapping(MAIL, waive={"nmae": "no"}),
        "V441",
        "`nmae`",
        "mappings/people.yaml",
        "write `name`",
        mapping(MAIL, waive={"name": "no"}),
    ),
    (
        "required field whose source may be missing",
        mapping({"mail": {"from": "title", "transform": "mapping"}}),
        "V421",
        "`mail` is required, and its source may be missing",
        "mappings/people.yaml",
        "`on_missing: dead`",
        mapping({"mail": {"from": "title", "transform": "mapping", "on_missing": "dead"}}),
    ),
    (
        "null without a word on it",
        mapping(MAIL, {"name": {"from": "nick", "transform": "mapping"}}),
        "V422",
        "`name` takes no null, and its source may be one",
        "mappings/people.yaml",
        "`on_null: omit`",
        mapping(MAIL, {"name": {"from": "nick", "transform": "mapping", "on_null": "omit"}}),
    ),
]


@pytest.mark.parametrize(
    ("wrong", "code", "message", "place", "help", "right"),
    [case[1:] for case in GATES],
    ids=[case[0] for case in GATES],
)
def test_build_stops_at_a_gate_with_place_and_way_out(
    wrong: Fix,
    code: str,
    message: str,
    place: str,
    help: str,
    right: Fix,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And holds once the way out is taken."""
    folder = small(tmp_path / "small")
    wrong(folder)
    for command in ("build", "check"):
        shows(fails(command, folder, capsys), code, message, place, help)
    assert run(["build", str(folder), "--out", str(tmp_path / "draft"), "--draft"]) == 1, "a draft is no way around"
    capsys.readouterr()
    right(folder)
    holds(folder, capsys)


def test_build_of_a_rule_that_nobody_reviewed_fails_until_it_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """V450."""
    folder = small(tmp_path / "small")
    text = fails("build", folder, capsys)
    shows(text, "V450", "nobody has accepted the rule `mail`", "mappings/people.yaml", "vitesse accept DIR people.mail")
    assert run(["accept", str(folder), "people.mail", "--by", "ana"]) == 0
    holds(folder, capsys)


def test_check_of_a_rule_edited_by_hand_fails_until_it_is_accepted_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """V451. The edit and `accept` are as good as `review`."""
    folder = small(tmp_path / "small", {**MAIL, **NAME})
    holds(folder, capsys)
    write_mapping(folder, {**MAIL, "name": {**NAME["name"], "on_missing": "dead"}})
    text = fails("check", folder, capsys)
    shows(
        text,
        "V451",
        "the rule was edited since ana looked at it",
        "mappings/people.yaml",
        "vitesse accept DIR people.name",
    )
    assert "people.mail" not in text
    assert run(["accept", str(folder), "people.name", "--by", "ben"]) == 0
    holds(folder, capsys)
    review = json.loads((folder / "mappings" / "people.review.json").read_text())["rules"]
    assert (review["mail"]["by"], review["name"]["by"]) == ("ana", "ben")


@pytest.mark.parametrize(
    ("field", "schema"),
    [
        ("title", {"type": "string", "maxLength": 40}),
        ("title", {"type": "string", "nullable": False, "enum": ["Dr", "Prof"]}),
        ("title", {"type": "string", "format": "html", "maxLength": 200}),
    ],
    ids=["length", "enum", "format"],
)
def test_check_of_a_changed_spec_reopens_only_the_rules_whose_fields_changed(
    field: str, schema: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """V451, with the place in the spec; what else the vendor's release brought reopens nothing."""
    folder = small(tmp_path / "small", {**MAIL, **NAME})
    holds(folder, capsys)
    person = copy.deepcopy(PERSON)
    person["properties"] = {"new": {"type": "string"}, **person["properties"], field: schema}
    contact = copy.deepcopy(CONTACT)
    contact["properties"]["another"] = {"type": "integer"}
    write_specs(folder, person, contact)
    text = fails("check", folder, capsys)
    shows(text, "V451", "the schema of a field it touches changed", "mappings/people.yaml", "people.name")
    assert "specs/shop.yaml" in text
    assert text.count("error[V451]") == 1
    accept(folder, ["people.name"], by="ben", on=DAY)
    holds(folder, capsys)


def test_build_of_a_rejected_rule_that_is_still_there_fails_until_it_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """V453."""
    folder = small(tmp_path / "small", {**MAIL, **NAME})
    accept_all(folder)
    path = folder / "mappings" / "people.review.json"
    review = json.loads(path.read_text())
    review["rules"]["name"]["state"] = "rejected"
    path.write_text(json.dumps(review))
    text = fails("build", folder, capsys)
    shows(text, "V453", "ana rejected the rule `name`", "mappings/people.yaml", "remove or change the rule")
    write_mapping(folder, MAIL)
    holds(folder, capsys)


def test_build_of_a_fact_that_nobody_vouches_for_fails_until_it_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """V452: under 0.8 a fact is a question."""
    folder = small(tmp_path / "small")
    accept_all(folder)
    path = folder / "facts" / "shop.yaml"
    path.write_text(path.read_text().replace("0.99", "0.5"))
    shows(fails("build", folder, capsys), "V452", "nobody vouches for `records`", "facts/shop.yaml", "vitesse accept")
    holds(folder, capsys)
