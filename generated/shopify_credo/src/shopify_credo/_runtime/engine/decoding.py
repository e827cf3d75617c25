"""Raw JSON of one record → the record: only the fields that its model names are looked at.

A narrow reader made from the model picks those fields and skips the rest without building it; the model then checks them.
What the narrow reader cannot read is left to the model alone, whose errors name the field.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

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
    plain = msgspec.to_builtins

    def whole(raw: bytes) -> S:
        if exact:
            return validate(decode_exact(raw), by_alias=True, by_name=False)
        return validate_json(raw, by_alias=True, by_name=False)

    if pick is None:
        return whole

    def narrow(raw: bytes) -> S:
        try:
            picked = plain(pick(raw), builtin_types=_KEPT)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return whole(raw)
        return validate(picked, by_alias=True, by_name=False)

    return narrow


_KEPT = (Decimal,)


def _picker(model: type[Record], *, exact: bool) -> Callable[[bytes], Any] | None:
    wire_names: list[str] = []
    for name, field in model.model_fields.items():
        alias = field.validation_alias if field.validation_alias is not None else name
        if not isinstance(alias, str):
            return None
        wire_names.append(alias)
    members = [(f"f{number}", Any, msgspec.UNSET) for number in range(len(wire_names))]
    names = {f"f{number}": wire_name for number, wire_name in enumerate(wire_names)}
    try:
        struct = msgspec.defstruct("Narrow", members, rename=names, gc=False)
    except ValueError:  # a struct's field cannot have quotes, backslashes or control characters in its wire name
        return None
    return msgspec.json.Decoder(struct, float_hook=Decimal if exact else None).decode
