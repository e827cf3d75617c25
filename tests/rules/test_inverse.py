"""`inverse(transform(x)) == x` wherever an inverse is claimed, for every transform, its parameters, and every kind of source."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitesse.rules.model import Shape
from vitesse.rules.spelled import Refused
from vitesse.rules.transforms import TRANSFORMS, inverse_of

from .test_properties import OPTIONS
from .test_transforms import compute, outcome

texts = st.text(max_size=10)
decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30)
SHAPES: list[tuple[str, Shape, st.SearchStrategy[Any]]] = [
    ("text", Shape(kind="string"), texts),
    ("word", Shape(kind="string", enum=("on", "off")), st.sampled_from(["on", "off"])),
    ("moment", Shape(kind="string", format="date-time"), st.datetimes(timezones=st.timezones()).map(lambda one: one.isoformat())),
    ("day", Shape(kind="string", format="date"), st.dates().map(str)),
    ("whole", Shape(kind="integer"), st.integers(-62_000_000_000, 250_000_000_000)),
    ("number", Shape(kind="number"), decimals),
    ("flag", Shape(kind="boolean"), st.booleans()),
    ("texts", Shape(kind="list", items=Shape(kind="string")), st.lists(texts, max_size=3)),
    ("wholes", Shape(kind="list", items=Shape(kind="integer")), st.lists(st.integers(), max_size=3)),
    ("table", Shape(kind="map", items=Shape(kind="string")), st.dictionaries(texts, texts, max_size=2)),
]  # fmt: skip
MORE: dict[str, list[dict[str, Any]]] = {
    **OPTIONS,
    "enum": [*OPTIONS["enum"], {"map": {"on": "x", "off": "y"}}, {"map": {"on": "x", "off": "x"}}, {"map": {"true": "on", "false": "off"}}],
    "date": [*OPTIONS["date"], {"to": "datetime", "form": "unix_ms"}, {"to": "datetime", "form": "unix_s", "zone": "Asia/Tokyo"}],
    "each": [*OPTIONS["each"], {"transform": "mapping"}, {"transform": "enum", "map": {"on": "x"}}],
}  # fmt: skip


def claims() -> list[Any]:
    """(transform, options, shape, values) for which an inverse is claimed, and those it spells."""
    found = []
    for name in TRANSFORMS:
        for options in MORE.get(name, [{}]):
            for kind, shape, values in SHAPES:
                try:
                    outcome(name, options, shape)
                except Refused:
                    continue
                if inverse_of(name, options, shape) is not None:
                    found.append(pytest.param(name, options, shape, values, id=f"{name}-{options}-{kind}"))
    return found


@pytest.mark.parametrize(("name", "options", "shape", "values"), claims())
@given(data=st.data())
def test_inverse_gives_back_every_value_that_the_transform_takes(
    name: str, options: Any, shape: Shape, values: Any, data: Any
) -> None:
    """Through the runtime, there and back; a value that the transform refuses has no way back to claim."""
    value = data.draw(values)
    there = outcome(name, options, shape)
    claimed = inverse_of(name, options, shape)
    assert claimed is not None
    try:
        mapped = compute(there.spelling, [value])
    except ValueError:
        return
    back = outcome(claimed[0], dict(claimed[1]), there.shape)
    again = compute(back.spelling, [mapped])
    assert again == value
    assert Decimal(again) == value if isinstance(value, Decimal) else type(again) is type(value)


def test_row_claims_an_inverse_exactly_where_some_rule_has_one() -> None:
    """The table and the function say the same."""
    claimed = {param.values[0] for param in claims()}
    assert {row.name for row in TRANSFORMS.values() if row.inverse is not None} == claimed
    for param in claims():
        name, options, shape, _ = param.values
        found = inverse_of(name, options, shape)
        assert found is not None
        if name not in ("stringify",):
            assert found[0] == TRANSFORMS[name].inverse
