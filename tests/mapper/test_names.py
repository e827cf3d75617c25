"""Names are read as the same words whatever their spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitesse.mapper.knowledge import knowledge, singular
from vitesse.mapper.names import cut, read_name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CreatedOn", "created_at"),
        ("createdon", "creation date"),
        ("lastmodifieddate", "UpdatedAt"),
        ("SystemModstamp", "updated"),
        ("postalCode", "zip"),
        ("Mailing_Zip", "mailing postcode"),
        ("fname", "GivenName"),
        ("DOB", "date_of_birth"),
        ("numberofemployees", "employee_count"),
        ("AddressLine1", "street"),
        ("phone_numbers", "Telephone"),
        ("qty", "quantity"),
    ],
)
def test_read_name_of_two_spellings_of_one_thing_gives_the_same_concepts(one: str, other: str) -> None:
    """Case, marks, run-together words, plurals, short forms and phrases are undone."""
    assert read_name(one).concepts == read_name(other).concepts


@pytest.mark.parametrize(
    ("one", "other"), [("billing_city", "shipping_city"), ("first_name", "last_name"), ("start_date", "end_date")]
)
def test_read_name_of_different_things_keeps_them_apart(one: str, other: str) -> None:
    """A synonym too many is a wrong proposal."""
    assert read_name(one).concepts != read_name(other).concepts


def test_read_name_of_a_numbered_object_keeps_the_field() -> None:
    """`address1_city` is a city of the first address, `address1` a line of one."""
    assert read_name("address1_city").concepts[-1] == "city"
    assert read_name("address1").concepts == ("street",)


@pytest.mark.parametrize(
    ("word", "pieces"),
    [
        ("createdon", ("created", "on")),
        ("websiteurl", ("website", "url")),
        ("email", ("email",)),
        ("xqzzw", ("xqzzw",)),
        ("id", ("id",)),
    ],
)
def test_cut_of_run_together_words_comes_out_even_or_not_at_all(word: str, pieces: tuple[str, ...]) -> None:
    """Half a cut would make words of what is none."""
    assert cut(word) == pieces


@given(st.text(max_size=40))
def test_read_name_of_any_text_never_fails(text: str) -> None:
    """Names are the vendor's, in any script."""
    name = read_name(text)
    assert all(name.words)
    assert all(name.concepts)


def test_knowledge_is_consistent() -> None:
    """A short form that is also a phrase of another meaning would be read two ways; every group is reachable."""
    known = knowledge()
    assert known.longest >= 3
    for phrase, group in known.same.items():
        assert phrase, group
        assert all(word == singular(word) or word in known.words for word in phrase), phrase
    for short, words in known.abbreviations.items():
        assert short not in words
