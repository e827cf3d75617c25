"""A mapped body → the bytes that are sent and the hash that tells whether it changed.

Both come from one form: wire names, sorted, missing left out, null kept. In the bytes a decimal is a JSON number with all its
digits; under the hash it is text, so that how a number is spelled on the wire never looks like a change.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import sha256
from operator import itemgetter
from typing import Any

import msgspec

from .declare import Path
from .records import MISSING, Record
from .values import MappingError

_TO_SEND = msgspec.json.Encoder(order="sorted", decimal_format="number")
_TO_HASH = msgspec.json.Encoder(order="sorted", decimal_format="string")
_row_to_send = msgspec.json.Encoder(decimal_format="number").encode_into
_row_to_hash = msgspec.json.Encoder(decimal_format="string").encode_into
_UNWRITABLE = (UnicodeEncodeError, OverflowError, TypeError, RecursionError)


class BodyCodec:
    """Encodes the bodies of one destination."""

    def __init__(self, model: type[Record], *, unhashed: Sequence[Path] = ()) -> None:
        """`unhashed`: parts of a body that are sent, and whose change is none."""
        self._unhashed = tuple(unhashed)
        self._dump: Callable[..., dict[str, Any]] = model.__pydantic_serializer__.to_python
        wire = {name: field.serialization_alias or name for name, field in model.model_fields.items()}
        with_decimals = [
            name for name, each in model.model_fields.items() if _mentions_decimal(each.annotation, {model})
        ]
        self._decimals = tuple((name, wire[name]) for name in with_decimals)
        """Members that may be or hold a `Decimal`, with their wire names."""
        self._is_flat = _is_flat(model)
        self._row: Callable[..., Any] | None = None
        self._members: Callable[[dict[str, Any]], tuple[Any, ...]] | None = None
        if self._is_flat and len(wire) > 1 and not self._unhashed:  # else nothing needs sorting
            in_order = sorted(wire, key=lambda name: wire[name].encode("utf-8", "surrogatepass"))
            self._row = _row([wire[name] for name in in_order])
            self._members = itemgetter(*in_order)
        self._scratch = bytearray()
        self._may_miss = tuple(
            name
            for name, field in model.model_fields.items()
            if field.default is MISSING or MISSING in typing.get_args(field.annotation)
        )
        self._renamed = tuple(wire.items()) if any(name != each for name, each in wire.items()) else None

    def encode(self, record: Record) -> tuple[bytes, bytes]:
        """The body to send and its content hash (SHA-256).

        Raises:
            MappingError: for what JSON cannot say: numbers that are not finite, half a surrogate pair.
        """
        values = record.__dict__
        if self._row is None or self._members is None:
            return self._encode_any(record)
        for name in self._may_miss:
            if values[name] is MISSING:
                return self._encode_any(record)
        try:
            row, scratch = self._row(*self._members(values)), self._scratch
            _row_to_send(row, scratch)
            data = bytes(scratch)
            if self._decimals:
                _row_to_hash(row, scratch)
        except _UNWRITABLE as error:
            raise _unwritable(error) from None
        for name, _ in self._decimals:
            value = values[name]
            if type(value) is not Decimal or not value.is_finite():
                _check_finite(value)
        return data, sha256(scratch).digest()

    def _encode_any(self, record: Record) -> tuple[bytes, bytes]:
        """As `encode`, for records that hold others, or not all of their members."""
        try:
            plain = self._plain(record) if self._is_flat else self._dump(record, by_alias=True)
            data = _TO_SEND.encode(plain)
            if self._unhashed:
                hashed = _TO_HASH.encode(_lacking(plain, self._unhashed))
            else:
                hashed = _TO_HASH.encode(plain) if self._decimals else data
        except _UNWRITABLE as error:
            raise _unwritable(error) from None
        for _, name in self._decimals:
            _check_finite(plain.get(name))
        return data, sha256(hashed).digest()

    def _plain(self, record: Record) -> dict[str, Any]:
        """What `_dump` makes of a record whose members are plain values already."""
        values = record.__dict__
        for name in self._may_miss:
            if values[name] is MISSING:
                values = {key: value for key, value in values.items() if value is not MISSING}
                break
        if self._renamed is None:
            return values
        return {wire: values[name] for name, wire in self._renamed if name in values}


def _lacking(value: dict[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    """A copy without what stands at some paths."""
    below: dict[int | str, list[Path]] = {}
    for key, *rest in paths:
        below.setdefault(key, []).append(tuple(rest))
    kept = {name: each for name, each in value.items() if () not in below.get(name, ())}
    for name, rests in below.items():
        if isinstance(name, str) and isinstance(each := kept.get(name), dict):
            kept[name] = _lacking(each, rests)
    return kept


def content_hash(body: dict[str, Any]) -> bytes:
    """The hash of a body that is at hand as plain values, numbers with a fraction as `Decimal`."""
    return sha256(_TO_HASH.encode(body)).digest()


def encode_json(value: object) -> bytes:
    """Plain values as JSON, sorted, decimals as numbers digit by digit."""
    return _TO_SEND.encode(value)


decode_exact: Callable[[bytes], Any] = msgspec.json.Decoder(float_hook=Decimal).decode
"""JSON → plain values that lose nothing: whole numbers of any size, other numbers as `Decimal`."""


def _row(names: Sequence[str]) -> Callable[..., Any] | None:
    """A struct whose members stand in the order of these wire names, so that no body needs sorting; None when there is none."""
    fields = [f"member_{number}" for number in range(len(names))]
    try:
        kind = msgspec.defstruct("Row", fields, rename=dict(zip(fields, names, strict=True)), gc=False)
        _row_to_send(kind(*fields), bytearray())
    except ValueError:  # a wire name with a quote, a backslash or half a surrogate pair
        return None
    return kind


def _unwritable(error: BaseException) -> MappingError:
    return MappingError(f"the body cannot be written as JSON ({type(error).__name__})")


def _check_finite(value: object) -> None:
    if not _is_finite(value):
        raise MappingError("the body holds a number that is not finite")


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


def _is_flat(model: type[Record]) -> bool:
    """Whether all that a record of it can hold goes into JSON as it stands: no records in it, no serialisers of its own."""
    own = model.__pydantic_decorators__
    if (
        own.field_serializers
        or own.model_serializers
        or own.computed_fields
        or model.model_config.get("extra") == "allow"
    ):
        return False
    return all(not field.exclude and _is_plain(field.annotation) for field in model.model_fields.values()) and not any(
        _is_special(each) for field in model.model_fields.values() for each in field.metadata
    )


def _is_plain(annotation: object) -> bool:
    if annotation in (str, int, float, bool, Decimal, date, datetime, time, type(None), None, MISSING):
        return True
    return typing.get_origin(annotation) in (list, typing.Union, types.UnionType) and all(
        _is_plain(part) for part in typing.get_args(annotation)
    )


def _is_special(metadata: object) -> bool:
    """Anything of pydantic's own that says how a value is written."""
    return hasattr(metadata, "__get_pydantic_core_schema__")


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
