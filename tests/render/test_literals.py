"""Literals: every value reads back as it was, in the same bytes on every Python."""

from __future__ import annotations

import ast
from decimal import Decimal

import black
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitesse.diagnostics import InternalError
from vitesse.render.literals import docstring, dotted, literal, name

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.tuples(inner)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_literal_reads_back_as_the_value(value: object):
    assert ast.literal_eval(literal(value)) == value


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_string_literal_is_one_line_that_black_leaves_alone(text: str):
    written = f"x = {literal(text)}\n"
    assert written.count("\n") == 1
    assert ast.literal_eval(written[4:]) == text
    assert black.format_str(written, mode=black.Mode(line_length=100_000)) == written


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_docstring_says_its_text_with_blanks_as_blanks(text: str):
    module = f"def f() -> None:\n    {docstring(text)}\n"
    node = ast.parse(module).body[0]
    assert isinstance(node, ast.FunctionDef)
    assert len(node.body) == 1
    assert ast.get_docstring(node, clean=False) == " ".join(text.split())
    assert black.format_str(module, mode=black.Mode(line_length=100_000)) == module


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Größe", '"Größe"'),
        ("名前", '"名前"'),
        ("a → b", '"a → b"'),
        ("\u202eab", '"\\u202eab"'),
        ("\u0430", '"\\u0430"'),
        ("e\u0301", '"e\\u0301"'),
        ("\u00a0\u00ad", '"\\xa0\\xad"'),
        ("\x00\t\x7f", '"\\x00\\t\\x7f"'),
        ("\U0001f600", '"\\U0001f600"'),
        ("it's \"", '"it\'s \\""'),
        ('"so"', "'\"so\"'"),
    ],
)
def test_characters_outside_the_table_are_escaped(text: str, written: str):
    """A reader sees every character, and none that looks like another."""
    assert literal(text) == written


def test_decimal_is_written_digit_by_digit():
    assert literal(Decimal("12345678901234567890.10")) == 'Decimal("12345678901234567890.10")'
    for bad in ("NaN", "Infinity"):
        with pytest.raises(InternalError):
            literal(Decimal(bad))


@pytest.mark.parametrize("text", ["", "a b", "1a", "class", "None", "a.b", "é", "ａ", "__x__", "a\n", "x;y", 3, None])
def test_name_refuses_what_is_no_plain_identifier(text: object):
    with pytest.raises(InternalError):
        name(text)


def test_dotted_checks_every_part():
    assert dotted("models.customer") == "models.customer"
    for bad in ("models..customer", "models.class", "..models", ""):
        with pytest.raises(InternalError):
            dotted(bad)
