"""Promises of reading at paths."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from runtime.engine.engine import _new_id
from runtime.hashing import decode_exact
from runtime.json_paths import at, raw_getter


@pytest.mark.parametrize("path", [("id",), ("data", "id"), ("data", 0, "id"), (), ("\ud800",)])
@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":7,"data":{"id":"a"}}',
        b'{"data":[{"id":1.10}]}',
        b'{"data":null,"id":{"x":1}}',
        b'{"data":5}',
        b"[1]",
        b"null",
        b'"id"',
        b'{"id":12345678901234567890123}',
    ],
)
def test_value_of_raw_json_is_the_value_of_the_decoded_one(path: Any, raw: bytes) -> None:
    """Also where something on the way is no object."""
    assert raw_getter(path)(raw) == at(decode_exact(raw), path)


def test_value_of_what_is_not_json_is_an_error() -> None:
    """All of the text is read, not only what stands before the value."""
    for raw in (b"", b'{"id":1', b'{"id":1,"x":nul}'):
        with pytest.raises(msgspec.DecodeError):
            raw_getter(("id",))(raw)
    assert raw_getter(("id",))(b'{"id":1.10}') == Decimal("1.10")


def test_ids_are_random_uuids() -> None:
    """Of version 4, each another."""
    ids = [_new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(len(each) == 36 and each[14] == "4" and each[19] in "89ab" and each.count("-") == 4 for each in ids)
