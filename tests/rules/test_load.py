"""Mapping files become rules with places."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitesse.api.paths import EACH
from vitesse.diagnostics import DiagnosticError
from vitesse.rules.load import load_rules
from vitesse.rules.model import Default, Rules

WHOLE = """
vitesse: 1
stream: customers
rules:
  email: {from: email, transform: direct, on_missing: dead, on_null: dead}
  # the CRM stores two places
  lifetime_value:
    from: total_spent
    transform: parse
    with: {to: decimal, places: 2, rounding: half_even}
    on_missing: {value: 0}
    on_null: keep
    waive: {decimal_to_float: the CRM stores two places}
  full_name: {from: [first_name, last_name], transform: join, with: {separator: " "}}
  source: {transform: constant, with: {value: {system: shop, beta: null}}}
  lines[].sku: {from: "line_items[].sku", transform: mapping}
  settings."app.site_name": {from: shop.name, transform: mapping}
waive:
  owner_id: set by the CRM
"""


def load(tmp_path: Path, text: str) -> Rules:
    (tmp_path / "mappings").mkdir(exist_ok=True)
    (tmp_path / "mappings" / "customers.yaml").write_text(text)
    return load_rules(tmp_path, "customers")


def test_load_rules_of_every_form_reads_it(tmp_path: Path) -> None:
    """The file as a person writes it."""
    rules = load(tmp_path, WHOLE)
    assert [rule.id for rule in rules.rules] == [
        "email",
        "lifetime_value",
        "full_name",
        "source",
        "lines[].sku",
        'settings."app.site_name"',
    ]
    value = rules.rule("lifetime_value")
    assert value is not None
    assert (value.on_missing, value.on_null, value.options["places"]) == (Default(value=0), "keep", 2)
    assert value.place.pointer == "#/rules/lifetime_value"
    assert value.at("with", "places").pointer == "#/rules/lifetime_value/with/places"
    assert rules.rules[2].sources == (("first_name",), ("last_name",))
    assert rules.rules[3].options == {"value": {"system": "shop", "beta": None}}
    assert rules.rules[4].sources == (("line_items", EACH, "sku"),)
    assert rules.rules[5].destination == ("settings", "app.site_name")
    assert [(waiver.id, waiver.reason) for waiver in rules.waivers] == [("owner_id", "set by the CRM")]


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ("vitesse: 1\nstream: orders\n", "V402", "#/stream"),
        ("vitesse: 1\nstream: customers\nrules: {a..b: {from: x, transform: mapping}}", "V401", "#/rules/a..b"),
        ("vitesse: 1\nstream: customers\nrules: {'': {from: x, transform: mapping}}", "V401", "#/rules/"),
        ("vitesse: 1\nstream: customers\nrules: {a: {from: [x, y.], transform: join}}", "V401", "#/rules/a/from/1"),
        ("vitesse: 1\nstream: customers\nrules: {a: {from: x, transform: mapping, onmissing: omit}}", "V003", "#/rules/a/onmissing"),
        ("vitesse: 1\nstream: customers\nrules: {a: {from: x}}", "V004", "#/rules/a"),
        ("vitesse: 1\nstream: customers\nrules: {a: {from: x, transform: mapping, on_null: drop}}", "V005", "#/rules/a/on_null"),
        ("vitesse: 1\nstream: customers\nwaive: {a: ''}", "V005", "#/waive/a"),
        ("vitesse: 1\nstream: customers\nrules: {a: {from: x, transform: mapping}}\nwaive: {a: no}", "V402", "#/waive/a"),
        ('vitesse: 1\nstream: customers\nrules: {a: {transform: constant}, \'"a"\': {transform: constant}}', "V402", '#/rules/"a"'),
        ("vitesse: 3\nstream: customers\n", "V006", "#/vitesse"),
        ("- a\n", "V005", "#"),
    ],
)  # fmt: skip
def test_load_rules_of_one_fault_names_its_place(tmp_path: Path, text: str, code: str, pointer: str) -> None:
    """No key is ignored, no field stands twice."""
    with pytest.raises(DiagnosticError) as caught:
        load(tmp_path, text)
    (found,) = caught.value.diagnostics
    assert (found.code, found.places[0].pointer) == (code, pointer)
