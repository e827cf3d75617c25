"""Promises of bodies and their hashes: what changed looks changed, what did not does not."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import Field, field_serializer

from runtime.hashing import BodyCodec, content_hash, decode_exact, encode_json
from runtime.records import MISSING, Record
from runtime.values import MappingError


class Money(Record):
    amount: Decimal | MISSING = MISSING


class Body(Record):
    first_name: Annotated[str | None | MISSING, Field(serialization_alias="firstName")] = MISSING
    age: int | None | MISSING = MISSING
    spent: Decimal | None | MISSING = MISSING
    born: date | MISSING = MISSING
    money: Money | MISSING = MISSING
    extra: dict[str, Any] | MISSING = MISSING


ENCODE = BodyCodec(Body).encode


def test_body_has_wire_names_in_order_and_leaves_out_what_is_missing() -> None:
    """Null stays, missing goes, a decimal keeps its digits, a date is ISO 8601."""
    body = Body(first_name=None, spent=Decimal("12345678901234567890.10"), born=date(2024, 2, 29))
    assert ENCODE(body)[0] == b'{"born":"2024-02-29","firstName":null,"spent":12345678901234567890.10}'


def test_hash_tells_missing_null_empty_and_a_value_apart() -> None:
    """Four states, four hashes."""
    bodies = [Body(), Body(first_name=None), Body(first_name=""), Body(first_name="a")]
    assert len({ENCODE(body)[1] for body in bodies}) == 4


def test_hash_is_of_the_canonical_form() -> None:
    """SHA-256 over sorted members with decimals as text, whatever order the model has."""
    _, digest = ENCODE(Body(first_name="a", spent=Decimal("1.10"), money=Money(amount=Decimal("2"))))
    assert digest == content_hash({"money": {"amount": Decimal("2")}, "spent": Decimal("1.10"), "firstName": "a"})
    assert digest == content_hash({"firstName": "a", "money": {"amount": "2"}, "spent": "1.10"})
    assert digest != content_hash({"firstName": "a", "money": {"amount": "2"}, "spent": "1.1"})


def test_what_is_not_hashed_is_sent_and_its_change_is_none() -> None:
    """Also inside an object, and the rest of it counts."""
    encode = BodyCodec(Body, unhashed=(("spent",), ("money", "amount"), ("extra", "a"), ("absent", "b"))).encode
    one = Body(first_name="a", spent=Decimal("1"), money=Money(amount=Decimal("2")), extra={"a": 1, "b": 2})
    two = Body(first_name="a", spent=Decimal("9"), money=Money(amount=Decimal("9")), extra={"a": 9, "b": 2})
    assert encode(one)[1] == encode(two)[1] == encode(Body(first_name="a", money=Money(), extra={"b": 2}))[1]
    assert (encode(one)[0], encode(two)[0]) == (ENCODE(one)[0], ENCODE(two)[0])
    assert encode(one)[1] != encode(one.model_copy(update={"extra": {"a": 1, "b": 3}}))[1]


class Flat(Record):
    """Nothing in it but plain values: its bodies are never sorted."""

    zip: str | None
    spent: Annotated[Decimal | None, Field(serialization_alias="Spent")]
    born: Annotated[date | None, Field(serialization_alias="né")]
    tags: Annotated[list[str], Field(serialization_alias="tags[]")]
    is_new: Annotated[bool | MISSING, Field(serialization_alias="Is-New")] = MISSING


class Quoted(Record):
    first: Annotated[str, Field(serialization_alias='a"b')]
    last: Annotated[str, Field(serialization_alias="a\\b")]


@pytest.mark.parametrize(
    "body",
    [
        Flat(zip="é\n", spent=Decimal("1.10"), born=date(2024, 2, 29), tags=["a"], is_new=True),
        Flat(zip=None, spent=None, born=None, tags=[]),
        Quoted(first="1", last="2"),
    ],
    ids=["whole", "with a member missing", "names that no struct can have"],
)
def test_flat_body_is_what_sorting_makes_of_it(body: Record) -> None:
    """The quick way writes and hashes as the general one does."""
    plain = body.model_dump(mode="python", by_alias=True)
    data, digest = BodyCodec(type(body)).encode(body)
    assert data == encode_json(plain)
    assert digest == content_hash(plain)


@pytest.mark.parametrize("spent", ["NaN", "Infinity", "sNaN"])
def test_flat_body_with_a_number_that_is_not_finite_is_refused(spent: str) -> None:
    """JSON has no such number."""
    body = Flat.model_construct(zip=None, spent=Decimal(spent), born=None, tags=[], is_new=True)
    with pytest.raises(MappingError):
        BodyCodec(Flat).encode(body)


def test_whole_numbers_of_any_size_are_kept() -> None:
    """Beyond 64 bits too."""
    assert ENCODE(Body(age=2**80))[0] == f'{{"age":{2**80}}}'.encode()
    assert decode_exact(f'{{"age":{2**80},"x":1.10}}'.encode()) == {"age": 2**80, "x": Decimal("1.10")}


@pytest.mark.parametrize(
    "body",
    [
        Body.model_construct(spent=Decimal("NaN")),
        Body.model_construct(spent=Decimal("-Infinity")),
        Body(money=Money.model_construct(amount=Decimal("Infinity"))),
        Body(extra={"a": [Decimal("sNaN")]}),
        Body(first_name="\ud800"),
        Body(extra={"a": object()}),
    ],
    ids=["nan", "infinity", "nested", "in a list", "surrogate", "object"],
)
def test_what_json_cannot_say_is_refused(body: Body) -> None:
    """Such a record is a dead letter, not a broken request."""
    with pytest.raises(MappingError):
        ENCODE(body)


def test_text_that_spells_infinity_is_text() -> None:
    """Only numbers are looked at."""
    assert b"Infinity NaN" in ENCODE(Body(first_name="Infinity NaN", spent=Decimal(1)))[0]


class Plain(Record):
    first_name: Annotated[str | None | MISSING, Field(serialization_alias="firstName")] = MISSING
    spent: Decimal | None | MISSING = MISSING
    born: date | MISSING = MISSING
    tags: list[str] | None | MISSING = MISSING
    age: int


class Written(Plain):
    @field_serializer("age")
    def write_age(self, age: int) -> str:
        return f"{age} years"


@pytest.mark.parametrize(
    "values",
    [
        {"age": 1},
        {"age": 1, "first_name": None, "tags": []},
        {"age": 1, "spent": Decimal("1.10"), "born": date(2024, 2, 29), "tags": ["a"], "first_name": "a"},
    ],
)
def test_flat_body_is_what_the_model_itself_would_write(values: dict[str, Any]) -> None:
    """The short way past the model's serialiser says the same; a model that has its own way of writing never takes it."""
    short, long = BodyCodec(Plain), BodyCodec(Plain)
    assert short._is_flat
    long._is_flat = False
    assert short.encode(Plain(**values)) == long.encode(Plain(**values))
    assert not BodyCodec(Written)._is_flat
    assert b'"age":"1 years"' in BodyCodec(Written).encode(Written(**values))[0]
