"""Synthetic records are whole, valid, plausible, distinct where they must be, and the same on every machine."""

from __future__ import annotations

import time
from typing import Any

import jsonschema

from mocks.form import CollectionForm, Hint, Part, read_mock
from mocks.schema import Checker
from mocks.store import Store
from mocks.synthesis import Synthesis, hole
from tests.yardstick import slowness

from .forms import SHOP, shop


def _records(count: int, **members: Any) -> list[Any]:
    form = read_mock(shop(**members))
    store = Store(form, count=count)
    return [stored.record for stored in store.collections["customers"]]


def test_record_has_every_field_but_the_write_only_one() -> None:
    record = _records(2)[1]

    assert set(record) == set(SHOP["$defs"]["Customer"]["properties"]) - {"password"}
    assert None not in record.values()
    assert record["default_address"]["city"]


def test_records_are_valid_by_the_schema_they_are_made_from() -> None:
    validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/Customer", "$defs": SHOP["$defs"]})
    check = Checker(SHOP["$defs"], "reply").check({"$ref": "#/$defs/Customer"})

    for record in _records(50):
        validator.validate(record)
        assert check(record) == []


def test_records_are_the_same_each_time_and_others_for_another_seed() -> None:
    assert _records(20) == _records(20)
    form = read_mock(shop())
    assert Store(form, count=5, seed=1).collections["customers"].synthetic(3) != _records(5)[3]


def test_first_record_takes_the_examples_of_the_description() -> None:
    """All of the example but what the server sets, what is null and what has to differ."""
    first, second = _records(2)

    assert (first["email"], first["first_name"], first["state"]) == ("bob.norman@example.com", "Bob", "enabled")
    assert first["id"] != 7
    assert first["note"] is not None
    assert first["total_spent"] == "199.65"
    assert second["total_spent"] != "199.65"


def test_values_are_plausible_by_name_and_format() -> None:
    record = _records(5)[4]

    assert record["email"].endswith("@example.com")
    assert record["phone"].startswith("+1")
    assert float(record["total_spent"]) >= 0
    assert "." in record["total_spent"]
    assert record["state"] in ("disabled", "enabled", "invited")
    assert len(record["default_address"]["country_code"]) == 2
    assert record["id"] > 2**53


def test_match_values_and_identities_are_distinct_over_many_records() -> None:
    records = _records(1247)

    assert len({record["id"] for record in records}) == 1247
    assert len({record["email"].lower().strip() for record in records}) == 1247


def test_versions_rise_by_a_minute_and_end_before_the_clock() -> None:
    store = Store(read_mock(shop()), count=30)
    versions = [stored.version for stored in store.collections["customers"]]

    assert versions == sorted(versions)
    assert isinstance(versions[0], float)
    assert versions[-1] - versions[0] == 29 * 60  # type: ignore[operator]
    assert store.clock.now.timestamp() > versions[-1]  # type: ignore[operator]


def test_recursive_schema_ends() -> None:
    """Customer → address → customer → …: whole at the top, nothing optional further down."""
    address = _records(1)[0]["addresses"][0]

    assert "addresses" not in address.get("customer", {})


def test_wanted_field_is_there_however_deep_it_lies() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for key in reversed("abcdef"):
        deep = {"type": "object", "properties": {key: deep, "other": {"type": "string"}}}
    collection = CollectionForm(name="things", record=deep, identity=("id",))

    record = Synthesis({}).records(collection, [tuple("abcdef")])(0, 0)

    assert isinstance(record["a"]["b"]["c"]["d"]["e"]["f"], str)
    assert "other" not in record["a"]["b"]["c"]


def test_hint_decides_what_a_field_looks_like() -> None:
    schema = {"type": "object", "properties": {"size": {"type": "string"}, "kind": {"type": "string"}}}
    hints = (Hint(path=("size",), kind="decimal"), Hint(path=("kind",), values=("gold", "silver")))
    make = Synthesis({}).records(CollectionForm(name="things", record=schema, identity=("id",), hints=hints))

    assert all(float(make(number, 0)["size"]) >= 0 for number in range(20))
    assert {make(number, 0)["kind"] for number in range(20)} == {"gold", "silver"}


def test_revision_changes_the_record_but_not_its_match_value() -> None:
    form = read_mock(shop())
    collection = Store(form, count=3).collections["customers"]
    before, after = collection.synthetic(2, 0), collection.synthetic(2, 1)

    assert before["email"] == after["email"]
    assert before["id"] == after["id"]
    assert before["first_name"] != after["first_name"]


def test_joint_match_of_a_plain_name_is_made_distinct() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}}
    unique = ((Part(path=("city",)),),)
    make = Synthesis({}).records(CollectionForm(name="places", record=schema, identity=("id",), unique=unique))
    cities = [make(number, 0)["city"] for number in range(300)]

    assert len(set(cities)) == 300
    assert all(len(city) <= 12 for city in cities)


def test_hole_makes_a_field_null_or_missing_and_leaves_the_rest() -> None:
    record = {"a": {"b": 1, "c": 2}, "rows": [{"x": 1}, {"x": 2}]}

    assert hole(record, ("a", "b"), as_null=True) == {"a": {"b": None, "c": 2}, "rows": record["rows"]}
    assert hole(record, ("a", "b"), as_null=False) == {"a": {"c": 2}, "rows": record["rows"]}
    assert hole(record, ("rows", 0, "x"), as_null=False)["rows"] == [{}, {}]
    assert record["a"] == {"b": 1, "c": 2}


def test_1247_records_take_less_than_a_second() -> None:
    started = time.process_time()
    _records(1247)

    assert time.process_time() - started < 1.0 * slowness()
