"""The change of a mapping in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vitesse.rules.diff import diff_rules, summary
from vitesse.rules.model import Default
from vitesse.workflow.diff_words import render_diff

from .apis import rule, rules

MAIL = rule("mail", "email", "direct")
SPENT = rule("value", "spent", "parse", options={"to": "decimal", "places": 2}, on_missing=Default(value=0))
STATE = rule("status", "state", "enum", options={"map": {"on": "active", "off": "idle"}})


def test_diff_of_a_mapping_with_itself_in_another_order_is_empty() -> None:
    """Layout is no change."""
    assert diff_rules(rules(MAIL, SPENT), rules(SPENT, MAIL)).is_empty
    assert render_diff([diff_rules(rules(MAIL), rules(MAIL))]) == ""


def test_render_diff_as_text_says_what_was_and_what_is() -> None:
    """One line a change; the parts of a changed rule below it."""
    after = rules(
        replace(MAIL, on_missing="dead"),
        replace(
            SPENT,
            sources=(("total",),),
            options={"to": "decimal", "places": 3, "rounding": "up"},
            on_missing=None,
            waive={"fraction": "fine"},
        ),
        replace(STATE, options={"map": {"on": "live", "off": "idle", "gone": "idle"}}),
        rule("name", ("first", "last"), "join", options={"separator": " "}),
        waive={"owner": "set by the CRM"},
    )
    before = rules(
        MAIL,
        SPENT,
        STATE,
        rule("old", (), "constant", options={"value": "x"}),
        waive={"owner": "not needed", "notes": "later"},
    )
    diff = diff_rules(before, after)
    assert render_diff([diff]) == (
        "customers: 1 rule added, 1 removed, 3 changed, 2 waivers changed\n"
        "  ~ mail\n"
        "      on missing: omit (default) → dead\n"
        "  ~ value\n"
        "      source: spent → total\n"
        "      on missing: 0 → omit (default)\n"
        "      with places: 2 → 3\n"
        "      with rounding: up\n"
        "      waiver of fraction: fine\n"
        "  ~ status\n"
        "      with map on: active → live\n"
        "      with map gone: idle\n"
        '  + name: `join` of `first`, `last` (separator=" ")\n'
        "  - old: `constant` (value=x)\n"
        "  ~ waiver owner: not needed → set by the CRM\n"
        "  - waiver notes: later → (removed)\n"
    )
    assert summary(diff) == "1 rule added, 1 removed, 3 changed, 2 waivers changed"


def test_render_diff_of_a_new_mapping_adds_every_rule() -> None:
    """A first pull request shows all of it."""
    text = render_diff([diff_rules(None, rules(MAIL, SPENT))], "markdown")
    assert "2 rules added." in text
    assert "| `value` | added |  | `parse` of `spent` (to=decimal, places=2, missing: 0) |  |" in text


@pytest.mark.parametrize("format", ["markdown", "github"])
def test_render_diff_of_outside_text_cannot_leave_its_place(format: str) -> None:
    """A path or a reason that holds markup stays text."""
    after = rules(replace(MAIL, waive={"length": "a | b\n::error::x"}), waive={"notes": "<img src=x> **bold**"})
    text = render_diff([diff_rules(rules(MAIL), after)], format)  # type: ignore[arg-type]
    assert "\n::error" not in text
    assert format == "github" or "<img" not in text  # an annotation is shown as it is
    if format == "markdown":
        assert "a \\| b" in text
