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
from ..http.paging import Picked, Picks
from ..records import Record

S = TypeVar("S", bound=Record)


def record_decoder(model: type[S], *, exact: bool) -> Callable[[bytes | Picked], S]:
    """How records of `model` are read.

    Args:
        exact: Numbers with a fraction become `Decimal`, digit by digit, instead of passing through float.
    """
    validate: Callable[..., S] = model.__pydantic_validator__.validate_python
    validate_json: Callable[..., S] = model.__pydantic_validator__.validate_json
    pick = _picker(model, exact=exact)

    def whole(raw: bytes | Picked) -> S:
        raw = bytes(raw)
        if exact:
            return validate(decode_exact(raw), by_alias=True, by_name=False)
        return validate_json(raw, by_alias=True, by_name=False)

    if pick is None:
        return whole

    def narrow(raw: bytes | Picked) -> S:
        if isinstance(raw, Picked) and raw.members is not None:
            return validate(raw.members, by_alias=True, by_name=False)
        try:
            picked = pick(bytes(raw))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return whole(raw)
        return validate(picked, by_alias=True, by_name=False)

    return narrow


def picks_of(model: type[Record], *, exact: bool) -> Picks | None:
    """The members that records of `model` are made from, for whoever reads whole pages of them."""
    kind = _narrow(model)
    return Picks(kind, exact) if kind is not None else None


def _picker(model: type[Record], *, exact: bool) -> Callable[[bytes], Any] | None:
    kind = _narrow(model)
    return None if kind is None else msgspec.json.Decoder(kind, float_hook=Decimal if exact else None).decode


def _narrow(model: type[Record]) -> Any:
    """A type that has the model's members under their wire names, each of any kind; None when msgspec cannot have it."""
    wire_names: list[str] = []
    for name, field in model.model_fields.items():
        alias = field.validation_alias if field.validation_alias is not None else name
        if not isinstance(alias, str):
            return None
        wire_names.append(alias)
    narrow = TypedDict("narrow", dict.fromkeys(wire_names, Any), total=False)  # type: ignore[misc]
    try:
        msgspec.json.Decoder(narrow)
    except ValueError:  # half a surrogate pair stands in no JSON that could be read
        return None
    return narrow
