"""What a number counts is read from its name or its description; a difference is a decision, not a guess."""

from __future__ import annotations

import pytest

from vitesse.mapper.fields import Described, read_side
from vitesse.mapper.units import Unit, unit_hole, unit_of


def hole(source: str, destination: str, description: str = "") -> str | None:
    one = read_side([Described(path=source, kind="integer", description=description)]).views[0]
    return unit_hole(one, read_side([Described(path=destination, kind="number")]).views[0])


@pytest.mark.parametrize(
    ("path", "description", "unit"),
    [
        ("amount_cents", "", Unit("money", "cents")),
        ("amount", "The amount in cents.", Unit("money", "cents")),
        ("amount", "Charged in the smallest unit.", Unit("money", "cents")),
        ("duration_ms", "", Unit("time", "milliseconds")),
        ("duration", "How long it took, in minutes.", Unit("time", "minutes")),
        ("weight_kg", "", Unit("mass", "kilograms")),
        ("second_phone", "", None),
        ("created_at_ms", "", None),
        ("amount", "In the end, what was paid.", None),
    ],
)
def test_unit_of_reads_names_and_descriptions(path: str, description: str, unit: Unit | None) -> None:
    """And takes a second phone for no second."""
    assert unit_of(read_side([Described(path=path, description=description)]).views[0]) == unit


def test_unit_hole_names_both_units() -> None:
    """No transform multiplies: a person names a function."""
    assert hole("duration_ms", "duration_seconds") == (
        "`duration_ms` counts milliseconds, `duration_seconds` seconds: name a function that converts"
    )
    assert "make sure that `amount` does too" in (hole("amount_cents", "amount") or "")


@pytest.mark.parametrize(
    ("source", "destination"), [("weight_kg", "weight_kg"), ("weight", "weight_kg"), ("size", "amount")]
)
def test_unit_hole_of_one_unit_or_none_is_none(source: str, destination: str) -> None:
    """Silence is no difference, except about money."""
    assert hole(source, destination) is None
