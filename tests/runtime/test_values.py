"""What a mapper says about absent values and structure keeps missing, null and value apart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import values
from runtime.records import MISSING, Record
from runtime.values import MappingError

SECRET = "4111-1111-1111-1111"


class Address(Record):
    city: str | None | MISSING = MISSING
    zip: str | None | MISSING = MISSING


def test_mirrored_transform_of_missing_and_null_gives_them_back_untouched() -> None:
    """No transform may turn a missing field into a null that clears the destination."""
    seen: list[str] = []
    shout = values.mirror(lambda value: seen.append(value) or value.upper())
    assert shout(MISSING) is MISSING
    assert shout(None) is None
    assert (shout("a"), seen) == ("A", ["a"])


@pytest.mark.parametrize(
    ("policy", "missing", "null"),
    [
        (lambda value: values.required(value, "f"), MappingError, MappingError),
        (lambda value: values.not_missing(value, "f"), MappingError, None),
        (lambda value: values.not_null(value, "f"), MISSING, MappingError),
        (lambda value: values.if_missing(value, "d"), "d", None),
        (lambda value: values.if_null(value, "d"), MISSING, "d"),
        (values.null_as_missing, MISSING, MISSING),
    ],
)
def test_policy_of_missing_null_and_value_changes_only_what_it_names(policy: Any, missing: Any, null: Any) -> None:
    """Each policy answers for one absence and lets a value through."""
    for value, expected in ((MISSING, missing), (None, null), ("v", "v"), ("", "")):
        if expected is MappingError:
            with pytest.raises(MappingError, match="`f`"):
                policy(value)
        else:
            assert policy(value) is expected or policy(value) == expected


def test_apply_of_a_function_that_raises_names_it_and_never_the_value() -> None:
    """A dead letter's reason must not carry a customer's data."""

    def parse_card(value: str) -> int:
        return int(value)

    with pytest.raises(MappingError, match=r"`parse_card` refused the value \(ValueError\)") as caught:
        values.apply(parse_card, SECRET)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert values.apply(parse_card, MISSING) is MISSING
    assert values.apply(parse_card, None) is None


def test_apply_of_a_function_with_a_bug_lets_it_through() -> None:
    """A bug in custom code is not a bad record."""

    def broken(value: str) -> str:
        raise RuntimeError("no such thing")

    with pytest.raises(RuntimeError):
        values.apply(broken, "a")


def test_combine_of_several_values_calls_only_when_all_are_there() -> None:
    """Missing wins over null: what cannot be known is not cleared."""

    def full(first: str, last: str) -> str:
        return f"{first} {last}"

    assert values.combine(full, "Ada", "King") == "Ada King"
    assert values.combine(full, None, MISSING) is MISSING
    assert values.combine(full, "Ada", None) is None


def test_within_of_a_null_object_is_null_and_of_a_missing_one_missing() -> None:
    """An address that was removed clears the city; one that was not sent keeps it."""
    assert values.within(Address(city="Paris"), lambda it: it.city) == "Paris"
    assert values.within(Address(), lambda it: it.city) is MISSING
    assert values.within(None, lambda it: it.city) is None
    assert values.within(MISSING, lambda it: it.city) is MISSING


def test_present_of_an_object_without_any_field_is_missing() -> None:
    """An empty object is not sent; one with a null in it is."""
    assert values.present(Address()) is MISSING
    assert values.present(Address(city=None)) == Address(city=None)


def test_each_of_items_with_nulls_and_gaps_keeps_what_is_there() -> None:
    """A list holds values only."""
    items = [Address(city="Paris"), Address(), None, Address(city=None), Address(city="Rome")]
    assert values.each(items, lambda it: it.city) == ["Paris", "Rome"]
    assert values.each(MISSING, lambda it: it) is MISSING
    assert values.each(None, lambda it: it) is None


def test_first_of_an_empty_list_is_missing() -> None:
    """No first item is not a null first item."""
    assert values.first([]) is MISSING
    assert values.first([None, "b"]) is None
    assert values.first(["a", "b"]) == "a"


def test_wrap_of_a_value_is_a_list_of_it() -> None:
    """A null does not become a list that holds a null."""
    assert values.wrap("a") == ["a"]
    assert values.wrap(None) is None


def test_collect_of_a_text_trims_its_parts_and_leaves_empty_ones_out() -> None:
    """`a, b,` names two tags."""
    assert values.collect("vip, new ,,", separator=",") == ["vip", "new"]
    assert values.collect("", separator=",") == []
    assert values.collect(["a", None, "b"]) == ["a", "b"]
    assert values.collect(MISSING, separator=",") is MISSING


def test_collect_fields_without_any_value_is_null_only_when_one_was_null() -> None:
    """Absent fields do not become an empty list that clears the destination."""
    assert values.collect_fields("a", MISSING, None, "b") == ["a", "b"]
    assert values.collect_fields(MISSING, None) is None
    assert values.collect_fields(MISSING, MISSING) is MISSING


def test_coalesce_without_any_value_gives_the_last_as_it_is() -> None:
    """The result's absence is that of the last field, as its type says."""
    assert values.coalesce(None, MISSING, "c", "d") == "c"
    assert values.coalesce(MISSING, None) is None
    assert values.coalesce(None, MISSING) is MISSING


def test_join_fields_leaves_out_absent_and_empty_parts() -> None:
    """No double blank where the middle name is missing."""
    assert values.join_fields("Ada", MISSING, "", "King", separator=" ") == "Ada King"
    assert values.join_fields("", separator=" ") == ""
    assert values.join_fields(MISSING, None, separator=" ") is None
    assert values.join_fields(1, Decimal("1E+2"), separator="-") == "1-100"


def test_join_of_a_list_keeps_empty_text_and_drops_nulls() -> None:
    """An empty list is an empty text: the source says there is nothing."""
    assert values.join(["a", None, "", "b"], separator=",") == "a,,b"
    assert values.join([], separator=",") == ""


def test_template_never_reads_a_value_as_a_template() -> None:
    """Outside text stays text."""
    assert values.template("{{{a}}} {b}", a="{b}", b="{0.__class__}") == "{{b}} {0.__class__}"
    assert values.template("{a}", a=MISSING) is MISSING
    assert values.template("{a}{b}", a="x", b=None) is None


@pytest.mark.parametrize("text", ["{", "a}", "{}", "{a"])
def test_template_pieces_of_an_open_brace_says_how_to_write_one(text: str) -> None:
    """A template is checked when it is compiled, with the way out."""
    with pytest.raises(ValueError, match="brace"):
        values.template_pieces(text)


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.integers() | st.booleans())
def test_digits_of_any_number_has_no_exponent_or_is_refused(value: Any) -> None:
    """What is written reads back as the same number."""
    try:
        written = values.digits(value)
    except MappingError:
        return
    assert written in ("true", "false") or Decimal(written) == value
    assert "E" not in written


def test_digits_of_a_huge_exponent_is_refused_before_it_takes_memory() -> None:
    """One number in a reply must not become a gigabyte of zeros."""
    for value in (Decimal("1E+999999999"), Decimal("1E-999999999"), 10**5000):
        with pytest.raises(MappingError):
            values.digits(value)
