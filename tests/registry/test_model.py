"""Types are written and read in one way, and know what they take."""

from __future__ import annotations

import pytest

from vitesse.registry import parse_type


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("string", "string"),
        ("null | date | string", "string | date | null"),
        ("list[ string|null ]", "list[string | null]"),
        ("list[list[integer]] | string", "string | list[list[integer]]"),
        ("list[string] | list[integer]", "list[string | integer]"),
    ],
)
def test_parse_type_is_written_back_in_one_order(text: str, written: str):
    assert str(parse_type(text)) == written
    assert parse_type(written) == parse_type(text)


@pytest.mark.parametrize("text", ["", "text", "list[string", "list[]", "string |"])
def test_parse_type_names_what_is_no_type(text: str):
    with pytest.raises(ValueError, match="is no type; the types are string, integer"):
        parse_type(text)


@pytest.mark.parametrize(
    ("taker", "given", "taken"),
    [
        ("string", "string", True),
        ("string | integer", "integer", True),
        ("string", "string | integer", False),
        ("number", "integer", True),
        ("integer", "number", False),
        ("string", "string | null", False),
        ("string | null", "string | null", True),
        ("any", "list[object] | null", True),
        ("list[string]", "list[string]", True),
        ("list[string]", "list[integer]", False),
        ("string", "list[string]", False),
    ],
)
def test_accepts_says_whether_every_value_is_taken(taker: str, given: str, taken: bool):
    assert parse_type(taker).accepts(parse_type(given)) is taken
