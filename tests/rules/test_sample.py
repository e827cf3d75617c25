"""The value a reviewer is shown is the value the package will write."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitesse.rules.model import Shape
from vitesse.rules.prove import prove_rule
from vitesse.rules.sample import computed, example_of, sample_of, shown
from vitesse.rules.shapes import leaves

from .apis import destination, rule, source
from .test_transforms import NUMBER, REGISTRY, TEXT, TEXTS, TRUTH, WHOLE, compute, outcome

NUMBERS = Shape(kind="list", items=WHOLE)
texts = st.text(max_size=12)
numerals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**6), max_value=10**6).map(
    lambda number: format(number, "f")
)
moments = st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
CASES: list[tuple[str, dict[str, Any], list[Shape], list[st.SearchStrategy[Any]]]] = [
    ("direct", {}, [TEXT], [texts]),
    ("parse", {"to": "decimal"}, [TEXT], [numerals]),
    *[
        ("parse", {"to": "decimal", "places": places, "rounding": how}, [TEXT], [numerals])
        for places in (0, 2)
        for how in ("half_even", "half_up", "down", "up")
    ],
    ("parse", {"to": "integer", "rounding": "half_up"}, [TEXT], [numerals]),
    ("stringify", {}, [WHOLE], [st.integers()]),
    ("stringify", {"places": 1}, [NUMBER], [numerals.map(Decimal)]),
    ("stringify", {}, [TRUTH], [st.booleans()]),
    ("parse_bool", {}, [TEXT], [st.sampled_from(["Yes", "no ", "1", "f"])]),
    ("parse_bool", {"true": ["ja"], "false": ["nein"]}, [TEXT], [st.sampled_from(["JA", "nein"])]),
    ("collect", {"separator": ","}, [TEXT], [st.text(alphabet="a, b")]),
    ("collect", {}, [TEXTS], [st.lists(st.none() | texts)]),
    ("collect", {}, [TEXT, TEXT], [texts, texts]),
    ("constant", {"value": {"a": [1]}}, [], []),
    ("enum", {"map": {"a": "x", "b": "y"}, "default": "z"}, [TEXT], [st.sampled_from("abc")]),
    ("enum", {"map": {"1": "x"}}, [WHOLE], [st.just(1)]),
    ("split", {"separator": "/"}, [TEXT], [st.text(alphabet="a/ ")]),
    ("split", {"separator": " ", "part": 0}, [TEXT], [st.text(alphabet="ab ", min_size=1)]),
    ("split", {"separator": " ", "part": -1}, [TEXT], [st.text(alphabet="ab ", min_size=1)]),
    ("split", {"separator": " ", "part": 1, "rest": True}, [TEXT], [st.just("Ada King Lovelace")]),
    ("join", {"separator": " "}, [TEXT, WHOLE], [texts, st.integers()]),
    ("join", {"separator": "-"}, [TEXTS], [st.lists(st.none() | texts)]),
    ("template", {"template": "{{{f0}}}: {f1}"}, [TEXT, WHOLE], [texts, st.integers()]),
    ("date", {"to": "date"}, [TEXT], [moments]),
    ("date", {"to": "datetime", "zone": "UTC"}, [TEXT], [moments]),
    ("date", {"to": "unix_ms"}, [TEXT], [moments]),
    ("date", {"to": "%d.%m.%Y", "form": "unix_s"}, [WHOLE], [st.integers(0, 4 * 10**9)]),
    ("date", {"to": "datetime", "form": "%d/%m/%Y", "read_as": "UTC"}, [TEXT], [st.just("05/06/2024")]),
    ("each", {"transform": "stringify"}, [NUMBERS], [st.lists(st.integers())]),
    ("coalesce", {}, [TEXT, TEXT], [texts, texts]),
    ("first", {}, [TEXTS], [st.lists(texts, min_size=1)]),
    ("wrap", {}, [TEXT], [texts]),
    ("text", {"trim": True, "case": "upper", "max_length": 3}, [TEXT], [texts]),
    ("text", {"case": "lower"}, [NUMBER], [numerals.map(Decimal)]),
    ("custom", {"function": "parse_iso8601_to_date"}, [TEXT], [moments]),
]


@pytest.mark.parametrize(
    ("name", "options", "shapes", "values"), CASES, ids=lambda one: one if isinstance(one, str) else ""
)
@given(data=st.data())
def test_computed_is_what_the_runtime_computes(
    name: str, options: dict[str, Any], shapes: list[Shape], values: list[Any], data: Any
) -> None:
    """Where the sketch gives a value, the package gives the same; where it has none, a reviewer sees none."""
    drawn = [data.draw(one) for one in values]
    spelling = outcome(name, options, *shapes).spelling
    try:
        sketched = computed(spelling, drawn)
    except Exception:
        return
    real = compute(spelling, drawn)
    assert shown(sketched) == shown(real)
    assert type(sketched) is type(real)


def test_every_transform_has_a_case() -> None:
    """A new row of the table needs a sketch, or is named here."""
    from vitesse.rules.transforms import TRANSFORMS

    assert {case[0] for case in CASES} | {"mapping", "lookup"} == set(TRANSFORMS)


def test_sample_of_a_rule_shows_a_value_of_the_fields_type_and_what_becomes_of_it() -> None:
    """Made up where the vendor gives no example."""
    shop = source(
        {
            "total": "string:decimal",
            "at": "string:date-time",
            "tags": ["string"],
            "addresses": [{"zip": "string"}],
            "zip": "string",
        }
    )
    crm = destination(
        {
            "value": "number",
            "day": "string:date",
            "labels": ["string"],
            "zips": ["string"],
            "flag": "boolean",
            "count": "integer",
        }
    )
    rules = [
        rule("value", "total", "parse", options={"to": "decimal", "places": 1}),
        rule("day", "at", "date", options={"to": "date"}, waive={"datetime_to_date": "fine"}),
        rule("labels", "tags"),
        rule("zips", "addresses[].zip"),
        rule("flag", "zip", "parse_bool", options={"true": ["ja"], "false": ["nein"]}),
        rule("count", "zip", "parse", options={"to": "integer"}),
        rule("day", "zip", "date", options={"to": "date", "form": "%d/%m/%Y"}),
    ]
    found = []
    for one in rules:
        checked, _ = prove_rule(one, source=shop, destination=crm, registry=REGISTRY)
        assert checked is not None
        found.append(str(sample_of(checked, shop)))
    assert found == [
        '"19.90" → 19.9',
        '"2024-03-09T18:32:05-05:00" → "2024-03-09"',
        '["tags"] → ["tags"]',
        '["zip"] → ["zip"]',
        '"ja" → true',
        '"42" → 42',
        '"09/03/2024" → "2024-03-09"',
    ]


def test_example_of_is_of_the_fields_type() -> None:
    """Whatever the schema, the made-up value is one of it."""
    from vitesse.rules.fits import unfit

    end = source(
        {
            "a": "string<3",
            "b": "integer=7|8",
            "c": "boolean",
            "d": ["number"],
            "e": {"*": "string"},
            "f": "any",
            "g": "string:uuid",
        }
    )
    for reached in leaves(end.type, end.types):
        assert unfit(example_of(reached, end.types), reached.type, end.types) is None


def test_shown_keeps_digits_and_cuts_what_is_long() -> None:
    """One line of a screen."""
    assert shown(Decimal("1.10")) == "1.10"
    assert shown([date(2024, 1, 2), None]) == '["2024-01-02", null]'
    assert len(shown("x" * 500)) == 120
