"""One record from raw JSON."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from pydantic import Field

from runtime.errors import DecodeError
from runtime.http.decode import decode_record
from runtime.records import MISSING, Record


class Order(Record):
    created_at: str | MISSING = Field(default=MISSING, alias="createdAt")
    total: Decimal | None | MISSING = MISSING
    id: int = 0


def test_wire_name_is_never_taken_for_a_python_name() -> None:
    """`created_at` on the wire is another field than `createdAt`."""
    order = decode_record(Order, b'{"created_at": "no", "createdAt": "yes"}')
    assert order.created_at == "yes"
    assert decode_record(Order, b'{"created_at": "no"}').created_at is MISSING


def test_exact_decoding_keeps_every_digit() -> None:
    """Money as a JSON number."""
    raw = b'{"total": 12345678901234567890.10, "id": 9007199254740993}'
    order = decode_record(Order, raw, exact=True)
    assert str(order.total) == "12345678901234567890.10"
    assert order.id == 9007199254740993


@pytest.mark.parametrize(
    "raw", [b'{"id": "secret-value"}', b"[]", b"null", b'{"id": 1', b"", b'{"createdAt": "\\ud800"}', b"\xff"]
)
@pytest.mark.parametrize("exact", [False, True])
def test_record_that_cannot_be_read_is_an_error_without_its_values(raw: bytes, exact: bool) -> None:
    """Wrong type, wrong kind, cut off, half a surrogate pair."""
    with pytest.raises(DecodeError) as caught:
        decode_record(Order, raw, exact=exact, operation="GET /orders")
    assert "GET /orders" in str(caught.value)
    assert "secret-value" not in str(caught.value)


def test_many_faults_are_told_shortly() -> None:
    """Five fields, then a number."""

    class Wide(Record):
        a: int
        b: int
        c: int
        d: int
        e: int
        f: int
        g: int

    with pytest.raises(DecodeError, match="and 2 more"):
        decode_record(Wide, b"{}")


def test_other_types_are_read_by_msgspec() -> None:
    """Structs and plain containers."""

    class Point(msgspec.Struct):
        x: int

    assert decode_record(Point, b'{"x": 1}').x == 1
    assert decode_record(dict, b'{"x": 1}') == {"x": 1}
    with pytest.raises(DecodeError):
        decode_record(Point, b'{"x": "1"}')


def test_lists_and_dictionaries_of_records_are_read_by_their_wire_names() -> None:
    """Replies that are no single object: `list[Order]`, `dict[str, Order]`, a plain scalar."""
    assert decode_record(list[Order], b'[{"createdAt": "a", "created_at": "b"}]')[0].created_at == "a"
    assert decode_record(dict[str, Order], b'{"x": {"id": 3}}')["x"].id == 3
    assert decode_record(bool, b"true") is True
    with pytest.raises(DecodeError, match="GET /orders"):
        decode_record(list[Order], b'[{"id": "secret-value"}]', operation="GET /orders")
