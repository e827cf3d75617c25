"""Promises of decoding: the narrow way and the whole way agree."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import httpx
import pytest
from pydantic import Field, ValidationError

from runtime.declare import Operation, Paging
from runtime.engine.decoding import picks_of, record_decoder
from runtime.http.paging import PageReader, Picked
from runtime.records import MISSING, Record


class Address(Record):
    city: str | None | MISSING = MISSING


class Thing(Record):
    id: int
    created_at: Annotated[str | MISSING, Field(alias="createdAt")] = MISSING
    price: Decimal | None | MISSING = MISSING
    address: Address | None | MISSING = MISSING
    parts: list[Address] | MISSING = MISSING
    day: date | MISSING = MISSING
    extra: dict[str, Any] | MISSING = MISSING


QUICK = record_decoder(Thing, exact=False)
EXACT = record_decoder(Thing, exact=True)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":1}',
        b'{"id":1,"unknown":{"a":[1,2,{"b":null}]},"address":{"city":"K\\u00f6ln","zip":"1"}}',
        b'{"id":1,"address":null,"parts":[{"city":null},{}],"day":"2024-02-29","extra":{"x":1}}',
        b' {"id": 123456789012345678901234567890, "price": "1.10", "createdAt": "x"} ',
        b'{"id":1,"id":2}',
    ],
)
def test_narrow_reading_is_what_the_model_would_read(raw: bytes) -> None:
    """Unknown members are skipped, missing ones stay missing, null stays null."""
    assert QUICK(raw) == EXACT(raw) == Thing.model_validate_json(raw, by_alias=True, by_name=False)


def test_python_name_on_the_wire_is_not_taken_for_the_wire_name() -> None:
    """`created_at` is another member than `createdAt`."""
    assert QUICK(b'{"id":1,"created_at":"x"}').created_at is MISSING


def test_exact_reading_keeps_the_digits_of_decimals() -> None:
    """They never pass through float; nor do those of members without a type."""
    record = EXACT(b'{"id":1,"price":12345678901234567890.123456789,"extra":{"rate":1.10}}')
    assert record.price == Decimal("12345678901234567890.123456789")
    assert isinstance(record.extra, dict)
    assert str(record.extra["rate"]) == "1.10"


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b'{"id":"x"}', b'{"id":1,"parts":{}}', b'{"createdAt":1,"id":1}']
)
def test_record_that_does_not_fit_is_refused(raw: bytes) -> None:
    """With the model's own error, which names the member."""
    for decode in (QUICK, EXACT):
        with pytest.raises((ValidationError, ValueError)):
            decode(raw)


def test_half_a_surrogate_pair_is_refused() -> None:
    """It has no UTF-8 form, so it could not be written either."""
    with pytest.raises((ValidationError, ValueError)):
        QUICK(b'{"id":1,"createdAt":"\\ud800"}')


class Odd(Record):
    quote: Annotated[str | MISSING, Field(alias='a"b')] = MISSING
    lines: Annotated[int | MISSING, Field(alias="a\nb\\")] = MISSING


def test_wire_names_that_a_narrow_reader_cannot_have_are_read_by_the_model() -> None:
    """Vendors may call a field what they like."""
    record = record_decoder(Odd, exact=False)(b'{"a\\"b":"x","a\\nb\\\\":2,"other":3}')
    assert (record.quote, record.lines) == ("x", 2)


def test_record_picked_with_its_page_is_the_record_read_alone() -> None:
    """One pass over a page reads what one pass a record would, and the record as it came is still there."""
    operation = Operation(
        id="list",
        api="shop",
        method="GET",
        path="/things",
        records=("things",),
        paging=Paging(style="link", limit="limit", max=250),
    )
    raws = [
        b'{"id":1,"createdAt":"x","noise":[1,2,{"a":null}],"price":1.10}',
        b'{"id":"no number"}',
        b'{ "id" : 3, "address" : null }',
    ]
    body = b'{"things":[' + b" , ".join(raws) + b'],"more":true}'
    for exact in (False, True):
        decode = record_decoder(Thing, exact=exact)
        page = PageReader(operation).read(body, httpx.Headers(), picks_of(Thing, exact=exact))
        assert [type(each) for each in page.records] == [Picked] * 3
        assert [bytes(each) for each in page.records] == raws
        for picked, raw in zip(page.records, raws, strict=True):
            try:
                wanted = decode(raw)
            except ValidationError:
                with pytest.raises(ValidationError):
                    decode(picked)
            else:
                assert decode(picked) == wanted
                picked.members = None  # somebody has taken them: it is read once more, from what came
                assert decode(picked) == wanted
                assert bytes(picked) == raw


@pytest.mark.parametrize("body", [b'{"things":[{"id":1},5]}', b'{"things":[{"id":1},"\\ud800"]}'])
def test_page_with_what_is_no_object_is_split(body: bytes) -> None:
    """One odd record does not spoil its page."""
    operation = Operation(
        id="list", api="shop", method="GET", path="/things", records=("things",), paging=Paging(style="link")
    )
    page = PageReader(operation).read(body, httpx.Headers(), picks_of(Thing, exact=False))
    assert bytes(page.records[0]) == b'{"id":1}'
    assert len(page.records) == 2
