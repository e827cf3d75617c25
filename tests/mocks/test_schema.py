"""The checker agrees with JSON Schema on the subset the mocks are written in, and says where a value departs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from mocks.schema import Checker, Problem

DEFS = {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "v": {"type": "integer"}}}}

CASES: list[tuple[dict[str, Any], Any]] = [
    ({"type": "string"}, "x"),
    ({"type": "string"}, 1),
    ({"type": ["string", "null"]}, None),
    ({"type": "integer"}, True),
    ({"type": "integer"}, 2.0),
    ({"type": "integer"}, 2.5),
    ({"type": "number"}, 2),
    ({"type": "boolean"}, 0),
    ({"enum": ["a", 1]}, 1),
    ({"enum": ["a", 1]}, True),
    ({"enum": [None]}, None),
    ({"type": "string", "maxLength": 2}, "abc"),
    ({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}, {}),
    ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": None}),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": "x"}),
    ({"type": "object", "additionalProperties": False, "properties": {"a": {}}}, {"b": 1}),
    ({"type": "object", "additionalProperties": False, "properties": {"a": {}}}, {"a": 1}),
    ({"type": "array", "items": {"type": "integer"}}, [1, "x"]),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, None),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x"),
    ({"$ref": "#/$defs/Node"}, {"next": {"next": {"v": 1}}}),
    ({"$ref": "#/$defs/Node"}, {"next": {"next": {"v": "x"}}}),
    ({}, object),
]


@pytest.mark.parametrize(("schema", "value"), CASES)
def test_checker_agrees_with_jsonschema(schema: dict[str, Any], value: Any) -> None:
    """What the reference implementation accepts is accepted, and nothing else."""
    reference = jsonschema.Draft202012Validator({**schema, "$defs": DEFS})

    assert (not Checker(DEFS, "reply").check(schema)(value)) == reference.is_valid(value)


@pytest.mark.parametrize(
    ("format", "good", "bad"),
    [
        ("date-time", "2024-03-09T18:32:05-05:00", "2024-03-09"),
        ("date-time", "2024-03-09T18:32:05.123Z", "2024-13-09T18:32:05Z"),
        ("date", "2024-02-29", "2023-02-29"),
        ("uuid", "6f0c7c1e-1c39-4c3e-9a6b-0d3f7c9e51aa", "6f0c"),
        ("email", "ada@example.com", "ada"),
        ("uri", "https://example.com/a", "example"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
        ("int32", 2**31 - 1, 2**31),
        ("int64", -(2**63), 2**63),
    ],
)
def test_format_is_asserted(format: str, good: Any, bad: Any) -> None:
    check = Checker({}, "request").check({"format": format})

    assert check(good) == []
    assert check(bad) == [Problem("", f"is no {format}")]


def test_problem_names_the_field_inside_lists_and_objects() -> None:
    schema = {"properties": {"rows": {"items": {"required": ["id"], "properties": {"n": {"type": "integer"}}}}}}

    problems = Checker({}, "request").check(schema)({"rows": [{"id": 1, "n": "x"}, {}]})

    assert problems == [Problem("rows[0].n", "is string, must be integer"), Problem("rows[1].id", "is required")]


def test_read_only_field_is_not_required_of_a_request() -> None:
    schema = {"required": ["id", "secret"], "properties": {"id": {"readOnly": True}, "secret": {"writeOnly": True}}}

    assert Checker({}, "request").check(schema)({"secret": "x"}) == []
    assert Checker({}, "reply").check(schema)({"id": 1}) == []
    assert Checker({}, "request").check(schema)({"id": 1}) == [Problem("secret", "is required")]


def test_decimal_counts_as_a_number() -> None:
    assert Checker({}, "request").check({"type": "number"})(Decimal("1.10")) == []
    assert Checker({}, "request").check({"type": "integer"})(Decimal("1.10")) != []
