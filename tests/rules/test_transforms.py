"""The transforms table agrees with the runtime, with the speller and with what it claims."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import links as runtime_links
from runtime import transforms as runtime_transforms
from runtime import values as runtime_values
from vitesse.api.model import Json
from vitesse.registry import BUILT_IN, Registry
from vitesse.rules.model import Shape, Spelling
from vitesse.rules.spelled import Input
from vitesse.rules.spelling import spell
from vitesse.rules.transforms import LOSSES, TRANSFORMS, inverse_of

GOLD = {"direct", "mapping", "parse", "stringify", "parse_bool", "collect", "custom", "constant"}
REGISTRY = Registry(functions={one.name: one for one in BUILT_IN})


def compute(spelling: Spelling, values: list[Any]) -> Any:
    """What the runtime makes of it: the plan's expressions, by hand."""
    if spelling.style == "none":
        return values[0] if values else spelling.constant
    function = next(
        getattr(module, str(spelling.function))
        for module in (runtime_values, runtime_transforms, runtime_links)
        if hasattr(module, str(spelling.function))
    )
    keywords = dict(spelling.keywords)
    if spelling.callee is not None:
        return function(getattr(runtime_transforms, spelling.callee.function), *values, **keywords)
    if spelling.item is not None:
        return function(values[0], lambda it: compute(spelling.item, [it]))  # type: ignore[arg-type]
    if spelling.style == "named":
        return function(spelling.first, **dict(zip(spelling.names, values, strict=True)))
    return function(*values, *([spelling.first] if spelling.has_first else []), **keywords)


def outcome(name: str, options: dict[str, Json], *shapes: Shape) -> Any:
    inputs = [
        Input(path=(f"f{i}",), shape=shape, may_be_missing=True, may_be_null=True) for i, shape in enumerate(shapes)
    ]
    return spell(name, options, inputs, ("f0",), REGISTRY)


TEXT, WHOLE, NUMBER, TRUTH = Shape(kind="string"), Shape(kind="integer"), Shape(kind="number"), Shape(kind="boolean")
TEXTS = Shape(kind="list", items=TEXT)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_row_names_real_functions_losses_and_gold_words(name: str) -> None:
    """The table is what the code does."""
    row = TRANSFORMS[name]
    assert row.name == name
    assert row.gold in GOLD
    assert row.inverse is None or row.inverse in TRANSFORMS
    assert set(row.losses) <= set(LOSSES)
    for function in row.functions:
        assert any(hasattr(module, function) for module in (runtime_values, runtime_transforms, runtime_links))


@pytest.mark.parametrize(
    ("name", "options", "shapes", "values", "kind", "expected"),
    [
        ("direct", {}, [TEXT], ["a"], "string", "a"),
        ("lookup", {"stream": "people"}, [WHOLE], [7], "string", "7"),
        ("lookup", {"stream": "people", "to": "integer"}, [TEXT], ["7"], "integer", 7),
        ("parse", {"to": "decimal", "places": 2}, [TEXT], ["1.005"], "number", Decimal("1.00")),
        ("parse", {"to": "decimal", "places": 2, "rounding": "up"}, [TEXT], ["1.001"], "number", Decimal("1.01")),
        ("parse", {"to": "integer"}, [NUMBER], [Decimal("3.0")], "integer", 3),
        ("stringify", {"places": 2}, [NUMBER], [Decimal("3")], "string", "3.00"),
        ("parse_bool", {"true": ["ja"], "false": ["nein"]}, [TEXT], ["JA"], "boolean", True),
        ("collect", {"separator": ","}, [TEXT], ["a, b"], "list", ["a", "b"]),
        ("collect", {}, [TEXTS], [["a", None]], "list", ["a"]),
        ("collect", {}, [TEXT, TEXT], ["a", None], "list", ["a"]),
        ("constant", {"value": {"a": [1]}}, [], [], "map", {"a": [1]}),
        ("enum", {"map": {"1": "one"}, "default": "many"}, [WHOLE], [1], "string", "one"),
        ("enum", {"map": {"1": "one"}, "default": "many"}, [WHOLE], [2], "string", "many"),
        ("split", {"separator": "/"}, [TEXT], ["a/b"], "list", ["a", "b"]),
        ("split", {"separator": " ", "part": 1, "rest": True}, [TEXT], ["a b c"], "string", "b c"),
        ("join", {"separator": "-"}, [TEXT, WHOLE], ["a", 1], "string", "a-1"),
        ("join", {"separator": "-"}, [TEXTS], [["a", "b"]], "string", "a-b"),
        ("template", {"template": "{{{f0}}} and {f1}"}, [TEXT, WHOLE], ["x", 1], "string", "{x} and 1"),
        ("date", {"to": "unix_ms"}, [TEXT], ["1970-01-01T00:00:01Z"], "integer", 1000),
        ("date", {"to": "%d.%m.%Y", "form": "unix_s", "zone": "Asia/Tokyo"}, [WHOLE], [0], "string", "01.01.1970"),
        ("date", {"to": "datetime", "read_as": "UTC"}, [TEXT], ["2024-01-01"], "datetime", datetime(2024, 1, 1, tzinfo=UTC)),
        ("each", {"transform": "parse", "to": "integer"}, [TEXTS], [["1", "2"]], "list", [1, 2]),
        ("each", {"transform": "enum", "map": {"a": "b"}}, [TEXTS], [["a"]], "list", ["b"]),
        ("coalesce", {}, [TEXT, TEXT], [None, "b"], "string", "b"),
        ("first", {}, [TEXTS], [["a", "b"]], "string", "a"),
        ("wrap", {}, [TEXT], ["a"], "list", ["a"]),
        ("text", {"trim": True, "case": "lower", "max_length": 3}, [TEXT], [" ABCD "], "string", "abc"),
        ("custom", {"function": "parse_iso8601_to_date"}, [TEXT], ["2024-01-15T00:00:00Z"], "date", datetime(2024, 1, 15).date()),
    ],
)  # fmt: skip
def test_spelling_of_each_row_computes_what_the_table_says(
    name: str, options: Any, shapes: Any, values: Any, kind: str, expected: Any
) -> None:
    """The call, the result and the kind of the result agree."""
    found = outcome(name, options, *shapes)
    result = compute(found.spelling, values)
    assert (result, found.shape.kind) == (expected, kind)


def test_spelling_leaves_out_what_is_left_at_its_default() -> None:
    """One mapped field reads as shortly as it can."""
    found = outcome("date", {"to": "date", "form": "iso8601"}, TEXT)
    assert found.spelling.keywords == ()


def test_template_arguments_of_two_paths_with_one_leaf_are_told_apart() -> None:
    """Keywords are identifiers, whatever the wire names are."""
    inputs = [
        Input(path=path, shape=TEXT, may_be_missing=False, may_be_null=False)
        for path in [("home", "city"), ("work", "city"), ("1st-Name",), ("é",)]
    ]
    text = "{home.city} {work.city} {1st-Name} {é}"
    found = spell("template", {"template": text}, inputs, ("x",), REGISTRY)
    assert found.spelling.names == ("city", "work_city", "part_1st_name", "part")
    assert compute(found.spelling, ["a", "b", "c", "d"]) == "a b c d"


EXAMPLES = [
    ("mapping", {}, TEXT, st.text()),
    ("stringify", {}, WHOLE, st.integers(-(10**20), 10**20)),
    ("stringify", {}, NUMBER, st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9)),
    ("stringify", {}, TRUTH, st.booleans()),
    ("wrap", {}, TEXT, st.text()),
    ("enum", {"map": {"a": "x", "b": "y"}}, TEXT, st.sampled_from(["a", "b"])),
    ("date", {"form": "unix_s", "to": "datetime"}, WHOLE, st.integers(0, 4_000_000_000)),
    ("each", {"transform": "stringify"}, Shape(kind="list", items=WHOLE), st.lists(st.integers(-1000, 1000))),
]


@pytest.mark.parametrize(
    ("name", "options", "shape", "values"), EXAMPLES, ids=lambda value: value if isinstance(value, str) else ""
)
@given(data=st.data())
def test_inverse_where_one_is_claimed_gives_the_value_back(
    name: str, options: Any, shape: Shape, values: Any, data: Any
) -> None:
    """`inverse(transform(x)) == x`."""
    value = data.draw(values)
    there = outcome(name, options, shape)
    claimed = inverse_of(name, options, shape)
    assert claimed is not None
    back = outcome(claimed[0], dict(claimed[1]), there.shape)
    assert compute(back.spelling, [compute(there.spelling, [value])]) == value


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("parse", {"to": "decimal"}, TEXT),
        ("stringify", {"places": 2}, NUMBER),
        ("enum", {"map": {"a": "x", "b": "x"}}, TEXT),
        ("enum", {"map": {"a": "x"}, "default": "y"}, TEXT),
        ("text", {"case": "lower"}, TEXT),
        ("first", {}, TEXTS),
        ("date", {"to": "date"}, TEXT),
        ("join", {"separator": " "}, TEXTS),
    ],
)
def test_inverse_of_what_loses_something_is_not_claimed(name: str, options: Any, shape: Shape) -> None:
    """Two-way streams are told where there is no way back."""
    assert inverse_of(name, options, shape) is None
