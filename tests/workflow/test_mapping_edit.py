"""A decision changes the lines of one rule; whatever else a person wrote stays byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.apis import rule
from vitesse.diagnostics import DiagnosticError
from vitesse.rules.digests import rule_form
from vitesse.rules.load import load_rules
from vitesse.rules.model import Rule
from vitesse.workflow.mapping_edit import put_rule, put_waiver, take_out_rule

FILE = "mappings/customers.yaml"
TEXT = """\
# Our contacts.
vitesse: 1
stream: customers

rules:
  # A person's word on the address.
  # decide: which of the two
  email:   # told apart by it
    from: mail   # the first one
    transform: direct

    # Never empty.
    on_missing: dead
  "settings.\\"app.name\\"":
    from: [a, b]
    transform: join
    with:
      separator: " "   # one blank
  value: {from: spent, transform: parse, with: {to: decimal}}
  tags:
    from: tags
    transform: collect
    with: {separator: ","}
    waive:
      length: short enough
# The rest.
waive:
  owner: set there  # always
"""


def load(text: str, tmp_path: Path) -> dict[str, Rule]:
    (tmp_path / "mappings").mkdir(exist_ok=True)
    (tmp_path / FILE).write_bytes(text.encode("utf-8"))
    return {one.id: one for one in load_rules(tmp_path, "customers").rules}


def changed_lines(before: str, after: str) -> tuple[list[str], list[str]]:
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


@pytest.mark.parametrize(
    ("id", "edit", "gone", "come"),
    [
        ("email", {"transform": "mapping"}, ["    transform: direct"], ["    transform: mapping"]),
        (
            "email",
            {"sources": (("post",),)},
            ["    from: mail   # the first one"],
            ["    from: post   # the first one"],
        ),
        ("email", {"on_missing": None}, ["    on_missing: dead"], []),
        ("email", {"on_null": "dead"}, [], ["    on_null: dead"]),
        ("email", {"options": {"x": 1}}, [], ["    with: {x: 1}"]),
        (
            "value",
            {"options": {"to": "decimal", "places": 2}},
            ["  value: {from: spent, transform: parse, with: {to: decimal}}"],
            ["  value: {from: spent, transform: parse, with: {to: decimal, places: 2}}"],
        ),
        (
            'settings."app.name"',
            {"options": {"separator": "-"}},
            ['      separator: " "   # one blank'],
            ['      separator: "-"   # one blank'],
        ),
        ('settings."app.name"', {"options": {"separator": " ", "x": True}}, [], ["      x: true"]),
        (
            "tags",
            {"waive": {"length": "short enough", "many_to_one": "yes: fine"}},
            [],
            ['      many_to_one: "yes: fine"'],
        ),
        ("tags", {"waive": {}}, ["    waive:", "      length: short enough"], []),
        (
            "tags",
            {"options": {"separator": "\n #"}},
            ['    with: {separator: ","}'],
            ['    with: {separator: "\\n #"}'],
        ),
    ],
)
def test_put_rule_changes_the_lines_of_what_changed_and_no_other(
    tmp_path: Path, id: str, edit: dict[str, object], gone: list[str], come: list[str]
) -> None:
    """Comments at the end of a line, between keys and above rules are the person's."""
    rules = load(TEXT, tmp_path)
    wanted = replace(rules[id], **edit)  # type: ignore[arg-type]
    after = put_rule(TEXT, wanted, rules[id], {}, FILE)
    was, now = changed_lines(TEXT, after)
    extra = ["  # decide: which of the two"] if id == "email" else []
    assert (was, now) == ([*extra, *gone], come)
    found = load(after, tmp_path)
    assert {one: rule_form(found[one]) for one in found} == {
        one: rule_form(wanted if one == id else rules[one]) for one in rules
    }


WORDS = st.text(max_size=12) | st.sampled_from(
    ["yes", "null", "1", "~", "- a", "a: b", "# no", "{x}", "'", '"', "\\", "\u2028", "\t"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)


@given(
    id=st.sampled_from(["email", 'settings."app.name"', "value", "tags"]),
    options=st.dictionaries(WORDS, VALUES, max_size=3),
    waive=st.dictionaries(WORDS, WORDS.filter(bool), max_size=2),
    sources=st.lists(WORDS.filter(bool).map(lambda word: (word,)), max_size=2),
)
def test_put_rule_of_any_values_reads_back_as_it_was_meant(
    id: str, options: dict[str, Any], waive: dict[str, str], sources: list[tuple[str, ...]]
) -> None:
    """Whatever a path, a parameter or a reason holds, it is quoted so that YAML gives it back; the other rules are as they were."""
    with TemporaryDirectory() as name:
        rules = load(TEXT, Path(name))
        wanted = replace(rules[id], options=options, waive=waive, sources=tuple(sources))
        found = load(put_rule(TEXT, wanted, rules[id], {}, FILE), Path(name))
    assert {one: rule_form(found[one]) for one in found} == {
        one: rule_form(wanted if one == id else rules[one]) for one in rules
    }


def test_put_rule_that_is_not_there_stands_where_its_schema_has_it(tmp_path: Path) -> None:
    """An insertion is an insertion."""
    rules = load(TEXT, tmp_path)
    positions = {id: ((index * 2, ""),) for index, id in enumerate(rules)}
    after = put_rule(TEXT, rule("value2", "spent"), None, positions | {"value2": ((5, ""),)}, FILE)
    assert list(load(after, tmp_path)) == ["email", 'settings."app.name"', "value", "value2", "tags"]
    assert changed_lines(TEXT, after)[0] == []


@pytest.mark.parametrize("id", ["email", 'settings."app.name"', "value", "tags"])
def test_take_out_rule_takes_its_lines_and_leaves_a_persons_comment(tmp_path: Path, id: str) -> None:
    """What `map` asked goes with the rule."""
    rules = load(TEXT, tmp_path)
    after = take_out_rule(TEXT, rules[id], FILE)
    assert list(load(after, tmp_path)) == [one for one in rules if one != id]
    assert "# A person's word on the address." in after
    assert ("# decide:" in after) == (id != "email")
    assert "# The rest." in after


def test_take_out_rule_until_none_is_left_leaves_a_file_that_reads(tmp_path: Path) -> None:
    """An empty mapping is one."""
    text = TEXT
    for one in load(TEXT, tmp_path).values():
        text = take_out_rule(text, one, FILE)
    assert load(text, tmp_path) == {}
    again = put_rule(text, rule("email", "mail"), None, {}, FILE)
    assert list(load(again, tmp_path)) == ["email"]


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.split("# The rest.")[0],
        TEXT.split("# The rest.")[0].rstrip("\n"),
        TEXT.split("  owner")[0].replace("waive:\n# The", "#"),
    ],
)
def test_put_waiver_says_why_a_field_stays_empty(tmp_path: Path, text: str) -> None:
    """With or without a section for it."""
    if text.rstrip().endswith("\nwaive:"):
        text = text.rstrip() + " {}\n"
    rules = load(text, tmp_path)
    after = put_waiver(text, "home.city", "nobody: asks", FILE)
    assert load(after, tmp_path).keys() == rules.keys()
    waivers = {one.id: one.reason for one in load_rules(tmp_path, "customers").waivers}
    assert waivers["home.city"] == "nobody: asks"


@pytest.mark.parametrize(
    "text",
    [
        "vitesse: 1\nstream: customers\nrules: {email: {from: mail, transform: direct}}\n",
        "- 1\n",
        "vitesse: 1\nstream: customers\n",
    ],
)
def test_take_out_rule_where_lines_cannot_be_told_apart_is_refused(text: str) -> None:
    """V435: better no edit than a wrong one."""
    with pytest.raises(DiagnosticError) as caught:
        take_out_rule(text, rule("email", "mail", "direct"), FILE)
    assert [one.code for one in caught.value.diagnostics] == ["V435"]
