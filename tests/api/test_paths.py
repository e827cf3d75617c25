"""`vitesse.api.paths`: writing and reading field paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitesse.api.paths import EACH, PathSyntaxError, format_path, parse_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ()),
        ("email", ("email",)),
        ("default_address.city", ("default_address", "city")),
        ("addresses[].zip", ("addresses", EACH, "zip")),
        ("[].id", (EACH, "id")),
        ("rows[][]", ("rows", EACH, EACH)),
        ('settings."app.site_name"', ("settings", "app.site_name")),
        ('"".x', ("", "x")),
        ("$and.@id", ("$and", "@id")),
    ],
)
def test_parse_path_reads_each_form_and_format_path_writes_it_back(text, path):
    """What a person writes is what the compiler shows again."""
    assert parse_path(text) == path
    assert format_path(path) == text


@pytest.mark.parametrize("text", [".a", "a.", "a..b", 'a"b', "a[", "a[0]", '"open', "a]", "a[]b"])
def test_parse_path_when_the_text_is_no_path_says_where(text):
    """A slip is told, not guessed around."""
    with pytest.raises(PathSyntaxError, match="character"):
        parse_path(text)


@given(st.lists(st.one_of(st.text(max_size=8), st.just(EACH)), max_size=5))
def test_every_path_survives_writing_and_reading(segments):
    """No wire name is out of reach."""
    path = tuple(segments)
    assert parse_path(format_path(path)) == path
