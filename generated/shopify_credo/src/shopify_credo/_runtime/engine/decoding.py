"""Raw JSON of one record → the record: only the fields that its model names are looked at.

A narrow reader made from the model picks those fields and skips the rest without building it; the model then checks them.
What the narrow reader cannot read is left to the model alone, whose errors name the field.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypedDict, TypeVar

import msgspec

from ..hashing import decode_exact
from ..records import Record

S = TypeVar("S", bound=Record)


def record_decoder(model: type[S], *, exact: bool) -> Callable[[bytes], S]:
    """How records of `model` are read.

    Args:
        exact: Numbers with a fraction become `Decimal`, digit by digit, instead of passing through float.
    """
    validate: Callable[..., S] = model.__pydantic_validator__.validate_python
    validate_json: Callable[..., S] = model.__pydantic_validator__.validate_json
    pick = _picker(model, exact=exact)

    def whole(raw: bytes) -> S:
        if exact:
            return validate(decode_exact(raw), by_alias=True, by_name=False)
        return validate_json(raw, by_alias=True, by_name=False)

    if pick is None:
        return whole

    def narrow(raw: bytes) -> S:
        try:
            picked = pick(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return whole(raw)
        return validate(picked, by_alias=True, by_name=False)

    return narrow


def _picker(model: type[Record], *, exact: bool) -> Callable[[bytes], Any] | None:
    wire_names: list[str] = []
    for name, field in model.model_fields.items():
        alias = field.validation_alias if field.validation_alias is not None else name
        if not isinstance(alias, str):
            return None
        wire_names.append(alias)
    narrow = TypedDict("narrow", dict.fromkeys(wire_names, Any), total=False)  # type: ignore[misc]
    try:
        return msgspec.json.Decoder(narrow, float_hook=Decimal if exact else None).decode
    except ValueError:  # half a surrogate pair stands in no JSON that could be read
        return None
