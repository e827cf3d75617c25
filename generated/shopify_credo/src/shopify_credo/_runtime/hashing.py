"""A mapped body → the bytes that are sent and the hash that tells whether it changed.

Both come from one form: wire names, sorted, missing left out, null kept. In the bytes a decimal is a JSON number with all its
digits; under the hash it is text, so that how a number is spelled on the wire never looks like a change.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from .records import Record
from .values import MappingError

_TO_SEND = msgspec.json.Encoder(order="sorted", decimal_format="number")
_TO_HASH = msgspec.json.Encoder(order="sorted", decimal_format="string")


class Body(NamedTuple):
    """A body to send and its content hash (SHA-256)."""

    data: bytes
    hash: bytes


class BodyCodec:
    """Encodes the bodies of one destination."""

    def __init__(self, model: type[Record]) -> None:
        self._dump: Callable[..., dict[str, Any]] = model.__pydantic_serializer__.to_python
        self._decimals = tuple(
            field.serialization_alias or name
            for name, field in model.model_fields.items()
            if _mentions_decimal(field.annotation, {model})
        )
        """Wire names of the members that may be or hold a `Decimal`."""

    def encode(self, record: Record) -> Body:
        """Raises `MappingError` for what JSON cannot say: numbers that are not finite, half a surrogate pair."""
        try:
            plain = self._dump(record, by_alias=True)
            data = _TO_SEND.encode(plain)
            hashed = _TO_HASH.encode(plain) if self._decimals else data
        except (UnicodeEncodeError, OverflowError, TypeError, RecursionError) as error:
            raise MappingError(f"the body cannot be written as JSON ({type(error).__name__})") from None
        for name in self._decimals:
            value = plain.get(name)
            if not (value.is_finite() if type(value) is Decimal else _is_finite(value)):
                raise MappingError("the body holds a number that is not finite")
        return Body(data, sha256(hashed).digest())


def content_hash(body: dict[str, Any]) -> bytes:
    """The hash of a body that is at hand as plain values, numbers with a fraction as `Decimal`."""
    return sha256(_TO_HASH.encode(body)).digest()


def encode_json(value: object) -> bytes:
    """Plain values as JSON, sorted, decimals as numbers digit by digit."""
    return _TO_SEND.encode(value)


decode_exact: Callable[[bytes], Any] = msgspec.json.Decoder(float_hook=Decimal).decode
"""JSON → plain values that lose nothing: whole numbers of any size, other numbers as `Decimal`."""


def _is_finite(value: object) -> bool:
    match value:
        case Decimal():
            return value.is_finite()
        case dict():
            return all(_is_finite(each) for each in value.values())
        case list() | tuple():
            return all(_is_finite(each) for each in value)
        case _:
            return True


def _may_hold_decimals(model: type[Record], seen: set[type]) -> bool:
    if model in seen:
        return False
    seen.add(model)
    return any(_mentions_decimal(field.annotation, seen) for field in model.model_fields.values())


def _mentions_decimal(annotation: object, seen: set[type]) -> bool:
    if annotation in (Decimal, Any, object):
        return True
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        return issubclass(annotation, Record) and _may_hold_decimals(annotation, seen)
    return any(_mentions_decimal(part, seen) for part in typing.get_args(annotation))
