"""`map` only adds: what a person wrote stays byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitesse.diagnostics import DiagnosticError
from vitesse.forms import check_form
from vitesse.mapper.append import append_rules, block_of, flow, key_text, new_mapping
from vitesse.mapper.model import Complexity, Proposal, StreamProposal
from vitesse.mapper.proposal_file import load_proposal
from vitesse.mapper.write import write_proposal
from vitesse.rules.load import MappingForm, load_rules
from vitesse.rules.model import Default
from vitesse.yaml import read_yaml

from .ends import destination, rule

PERSONS = """\
# our mapping
vitesse: 1
stream: customers   # the shop's
rules:
  # told apart by it
  email: {from: email, transform: direct}

  # money: ask Ana first
  value:
    from: total   # in cents?
    transform: parse
    with: {to: decimal}

# what stays empty
waive:
  owner: set by the CRM
"""
POSITIONS = {
    "email": ((0, "email"),),
    "name": ((1, "name"),),
    "phone": ((2, "phone"),),
    "value": ((3, "value"),),
    "zip": ((4, "zip"),),
}


def proposed(id: str, holes: tuple[str, ...] = (), **more: object) -> Proposal:
    return Proposal(rule=rule(id, id, "mapping", **more), confidence=0.9, evidence=("same name",), holes=holes)


def test_append_rules_puts_blocks_in_the_order_of_the_schema_and_changes_nothing_else() -> None:
    """Between the rules, above their comments, before what follows."""
    after = append_rules(PERSONS, [proposed("zip"), proposed("name"), proposed("phone")], POSITIONS, "m.yaml")
    assert after == PERSONS.replace(
        "  # money: ask Ana first\n",
        "  name:\n    from: name\n    transform: mapping\n  phone:\n    from: phone\n    transform: mapping\n  # money: ask Ana first\n",
    ).replace("    with: {to: decimal}\n", "    with: {to: decimal}\n  zip:\n    from: zip\n    transform: mapping\n")
    added = set(after.splitlines()) - set(PERSONS.splitlines())
    assert not [line for line in PERSONS.splitlines() if line not in after.splitlines()]
    assert added


@pytest.mark.parametrize(
    "text",
    [
        "vitesse: 1\nstream: customers\n",
        "vitesse: 1\nstream: customers",
        "vitesse: 1\nstream: customers\nrules: {}\n",
        "vitesse: 1\nstream: customers\nrules:\nwaive: {}\n",
        "vitesse: 1\nstream: customers\nrules: {}  # none yet\nwaive:\n  a: b\n",
        "vitesse: 1\nstream: customers\nrules:\n    email:\n        {from: email, transform: direct}\n",
        "vitesse: 1\nrules:\n  email: {from: email, transform: direct}\n  # the end\nstream: customers\n",
    ],
)
def test_append_rules_to_any_form_of_the_file_keeps_what_is_there(text: str) -> None:
    """Empty, in other indentation, with what follows."""
    before = check_form(MappingForm, read_yaml(text.replace("rules:\nwaive", "rules: {}\nwaive")), "m.yaml")
    after = check_form(MappingForm, read_yaml(append_rules(text, [proposed("name")], POSITIONS, "m.yaml")), "m.yaml")
    assert set(after.rules) == {*before.rules, "name"}
    assert after.waive == before.waive


def test_append_rules_between_braces_says_what_to_do() -> None:
    """A block cannot stand between braces."""
    with pytest.raises(DiagnosticError) as caught:
        append_rules(
            "vitesse: 1\nstream: c\nrules: {a: {from: a, transform: direct}}\n", [proposed("name")], {}, "m.yaml"
        )
    assert [found.code for found in caught.value.diagnostics] == ["V433"]


def test_block_of_a_rule_with_everything_reads_back(tmp_path: Path) -> None:
    """Lists, tables, constants, quoted names; decisions stand as comments."""
    one = Proposal(
        rule=rule(
            'settings."app.name"',
            ("first name", "x: y"),
            "template",
            options={"template": "{first name} # {x: y}\n", "n": 1.5, "null": None, "yes": ["no", "on", "~", "- a"]},
            on_missing=Default(value={"a": [1]}),
            on_null="omit",
            waive={"length": "it's: fine"},
        ),
        confidence=0.5,
        evidence=(),
        holes=("say what\nbecomes of `a`",),
    )
    text = new_mapping("customers").replace("rules: {}\n", "rules:\n" + block_of(one))
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "customers.yaml").write_text(text)
    (read,) = load_rules(tmp_path, "customers").rules
    assert (read.destination, read.sources, read.options, read.on_missing, read.on_null, read.waive) == (
        one.rule.destination,
        one.rule.sources,
        one.rule.options,
        one.rule.on_missing,
        one.rule.on_null,
        one.rule.waive,
    )
    assert "  # decide: say what becomes of `a`\n" in text


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet="abn: #'\"\\-~0.", min_size=1), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(JSON)
def test_flow_of_any_value_reads_back(value: object) -> None:
    """Outside text in a mapping stays what it was."""
    assert read_yaml(f"a:\n  {key_text('k')}: {flow(value)}\n") == {"a": {"k": value}}  # type: ignore[arg-type]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_key_text_of_any_name_reads_back(name: str) -> None:
    """Wire names are the vendor's."""
    assert read_yaml(f"{key_text(name)}: 1\n") == {name: 1}


def test_write_proposal_writes_both_files_and_a_second_run_adds_nothing(tmp_path: Path) -> None:
    """The proposal of a rule stays as long as the rule does."""
    crm = destination({"email": "string", "name": "string"})
    first = StreamProposal(
        stream="customers", proposals=(proposed("name"), proposed("email")), unfilled=(), complexity=Complexity(score=1)
    )
    written = write_proposal(tmp_path, first, crm)
    text = (tmp_path / written.mapping).read_text()
    assert list(read_yaml(text)["rules"]) == ["email", "name"]  # type: ignore[index, call-overload, arg-type]
    nothing = StreamProposal(stream="customers", proposals=(), unfilled=(), complexity=Complexity(score=1))
    write_proposal(tmp_path, nothing, crm)
    assert (tmp_path / written.mapping).read_text() == text
    kept = load_proposal(tmp_path, "customers")
    assert kept is not None
    assert {id: one.confidence for id, one in kept.rules.items()} == {"email": 0.9, "name": 0.9}
    (tmp_path / written.mapping).write_text(text.replace("  name:\n    from: name\n    transform: mapping\n", ""))
    write_proposal(tmp_path, nothing, crm)
    kept = load_proposal(tmp_path, "customers")
    assert kept is not None
    assert set(kept.rules) == {"email"}
