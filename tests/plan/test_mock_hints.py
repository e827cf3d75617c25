"""What rules expect of the fields they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from vitesse.api.model import Json, Place, Scalar
from vitesse.api.paths import Path, parse_path
from vitesse.plan.mock_hints import Hints

AT = Place(file="", pointer="#")


@dataclass(frozen=True)
class Rule:
    transform: str
    options: Mapping[str, Json] = field(default_factory=dict)
    destination: Path = ("to",)
    sources: tuple[Path, ...] = (("from",),)


def hint(rule: Rule, read: Scalar, written: Scalar | None = None) -> dict[str, Any]:
    hints = Hints()
    hints.add(rule, lambda _: read, lambda _: written)
    forms = hints.forms()
    return {name: value for name, value in forms[0].items() if name != "path"} if forms else {}


TEXT = Scalar(kind="string", place=AT)
WHOLE = Scalar(kind="integer", place=AT)


@pytest.mark.parametrize(
    ("rule", "read", "written", "expected"),
    [
        (Rule("parse", {"to": "decimal"}), TEXT, None, {"kind": "decimal"}),
        (Rule("parse", {"to": "integer"}), TEXT, None, {"kind": "integer"}),
        (Rule("parse", {"to": "decimal"}), WHOLE, None, {}),
        (Rule("parse_bool"), TEXT, None, {"values": ["true", "false"]}),
        (Rule("parse_bool", {"true": ["yes"], "false": ["no"]}), TEXT, None, {"values": ["yes", "no"]}),
        (Rule("parse_bool"), WHOLE, None, {"values": [1, 0]}),
        (Rule("enum", {"map": {"a": "x", "b": "y"}}), TEXT, None, {"values": ["a", "b"]}),
        (Rule("enum", {"map": {"1": "x"}}), WHOLE, None, {"values": [1]}),
        (Rule("date", {"form": "unix_ms"}), WHOLE, None, {"kind": "unix_ms"}),
        (Rule("date"), TEXT, None, {"kind": "date-time"}),
        (Rule("date"), Scalar(kind="string", format="date", place=AT), None, {}),
        (Rule("date", {"form": "%d.%m."}), TEXT, None, {"kind": "time:%d.%m."}),
        (Rule("custom", {"function": "parse_iso8601_to_date"}), TEXT, None, {"kind": "date-time"}),
        (Rule("custom", {"function": "shout"}), TEXT, None, {}),
        (Rule("mapping"), TEXT, Scalar(kind="string", enum=("a", None), place=AT), {"values": ["a"]}),
        (Rule("mapping"), TEXT, Scalar(kind="string", format="uuid", max_length=36, place=AT), {"kind": "uuid", "longest": 36}),
        (Rule("stringify"), TEXT, Scalar(kind="string", format="uuid", place=AT), {}),
        (Rule("enum", {"map": {"a": "x"}}), Scalar(kind="string", enum=("q",), place=AT), None, {}),
    ],
)  # fmt: skip
def test_rule_hints_what_it_can_map(rule: Rule, read: Scalar, written: Scalar | None, expected: dict[str, Any]) -> None:
    assert hint(rule, read, written) == expected


def test_first_rule_that_reads_a_field_decides() -> None:
    hints = Hints()
    hints.add(Rule("parse", {"to": "integer"}), lambda _: TEXT, lambda _: None)
    hints.add(Rule("parse", {"to": "decimal"}), lambda _: TEXT, lambda _: None)

    assert hints.forms() == [{"path": ["from"], "kind": "integer"}]


def test_items_of_a_list_are_its_position_0() -> None:
    hints = Hints()
    hints.add(Rule("parse", {"to": "integer"}, sources=(parse_path("rows[].n"),)), lambda _: TEXT, lambda _: None)

    assert hints.forms()[0]["path"] == ["rows", 0, "n"]
