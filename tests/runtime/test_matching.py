"""Promises of `runtime.matching`."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runtime.matching import compared, identity_text, match_digest, optional_text
from runtime.records import MISSING
from runtime.values import MappingError


def test_identity_text_of_a_number_is_its_digits() -> None:
    """Identities are opaque text; a large number keeps every digit."""
    assert identity_text(2**70) == str(2**70)
    assert identity_text("007") == "007"


@pytest.mark.parametrize("value", [None, MISSING, ""])
def test_identity_text_of_nothing_refuses_the_record(value: str | None) -> None:
    """A record that nobody can name is never synced."""
    with pytest.raises(MappingError, match="no identity"):
        identity_text(value)


def test_optional_text_of_a_decimal_has_no_exponent() -> None:
    """A version that is a number is stored as it reads."""
    assert optional_text(Decimal("1E+3")) == "1000"


@pytest.mark.parametrize(
    ("value", "steps", "expected"),
    [
        (" Ana@Example.COM ", ("trim", "lower"), "ana@example.com"),
        ("STRASSE straße", ("casefold",), "strasse strasse"),
        ("e\u0301", ("nfc",), "\u00e9"),
        ("+49 (30) 123", ("digits",), "4930123"),
    ],
)
def test_compared_applies_the_declared_steps_alone(value: str, steps: tuple[str, ...], expected: str) -> None:
    """Two match values are equal only by the normalisation that was declared."""
    assert compared(value, steps) == expected  # type: ignore[arg-type]


def test_match_digest_is_none_when_a_value_is_absent_or_blank() -> None:
    """Records without a match value never match each other."""
    assert match_digest([None], [()]) is None
    assert match_digest(["  "], [("trim",)]) is None
    assert match_digest([], []) is None


def test_match_digest_keeps_the_border_between_two_values() -> None:
    """`ab` + `c` is not `a` + `bc`."""
    assert match_digest(["ab", "c"], [(), ()]) != match_digest(["a", "bc"], [(), ()])
