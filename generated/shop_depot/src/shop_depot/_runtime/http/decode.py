"""Raw JSON of one record → the record, by its wire names.

Decimals are exact on request: pydantic alone reads numbers through float. Messages name the field and what is wrong with
it, never the value.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from types import GenericAlias
from typing import Any, TypeVar, cast

import msgspec
from pydantic import BaseModel, TypeAdapter, ValidationError

from ..errors import DecodeError

T = TypeVar("T")

_exact = msgspec.json.Decoder(float_hook=Decimal).decode


@lru_cache(maxsize=256)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """What reads a list or a dictionary of a type: `list[Item]`, `dict[str, Rate]`."""
    return TypeAdapter(kind)


def decode_record(kind: type[T], raw: bytes, *, exact: bool = False, operation: str = "") -> T:
    """Read one record, or a list or dictionary of some. A pydantic model is read by alias only, so that a wire name is never
    taken for a Python name.

    Args:
        exact: Read numbers that are not integers as `Decimal`.

    Raises:
        DecodeError: with the fields that do not fit, without their values.
    """
    try:
        named: object = kind
        if isinstance(named, GenericAlias):
            return cast("T", _adapter(named).validate_json(raw, by_alias=True, by_name=False))
        if issubclass(kind, BaseModel):
            if exact:
                return cast("T", kind.model_validate(_exact(raw), by_alias=True, by_name=False))
            return cast("T", kind.model_validate_json(raw, by_alias=True, by_name=False))
        return msgspec.json.decode(raw, type=kind)
    except ValidationError as error:
        raise DecodeError(explain(error), operation=operation) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"not the record that was expected: {error}", operation=operation) from None


def explain(error: ValidationError) -> str:
    """What pydantic found, as `email: Input should be a valid string; …`, five fields at most and no values."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(str(part) for part in each['loc']) or 'record'}: {each['msg']}" for each in found[:5]]
    return "; ".join(lines) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")
