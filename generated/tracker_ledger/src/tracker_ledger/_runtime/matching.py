"""How records are told apart: identities as text, match values as they are compared.

A match value is kept only as a digest, so that the state holds no e-mail address for it.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, TypeAlias

from .records import MISSING
from .values import MappingError

Scalar: TypeAlias = "str | bool | int | Decimal | date"
Comparison: TypeAlias = Literal["trim", "lower", "casefold", "nfc", "digits"]


def identity_text(value: Scalar | None | MISSING) -> str:
    """The identity of a record as text. A record without one cannot be synced."""
    text = optional_text(value)
    if not text:
        raise MappingError("the record has no identity")
    return text


def optional_text(value: Scalar | None | MISSING) -> str | None:
    """A version or match value as text; None when the record has none."""
    if value is MISSING or value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date) else str(value)


def _digits(value: str) -> str:
    return "".join([char for char in value if char.isdigit()])


def _nfc(value: str) -> str:
    return unicodedata.normalize("NFC", value)


_STEPS: dict[Comparison, Callable[[str], str]] = {
    "trim": str.strip,
    "lower": str.lower,
    "casefold": str.casefold,
    "nfc": _nfc,
    "digits": _digits,
}


def compared(value: str, steps: Sequence[Comparison]) -> str:
    """A match value in the form in which two of them are compared."""
    for step in steps:
        value = _STEPS[step](value)
    return value


def match_digest(values: Sequence[str | None], steps: Sequence[Sequence[Comparison]]) -> bytes | None:
    """Digest of a record's match values. None when one is absent or empty: such a record matches nothing."""
    parts: list[bytes] = []
    for value, own_steps in zip(values, steps, strict=True):
        text = compared(value, own_steps) if value else ""
        if not text:
            return None
        parts.append(text.encode("utf-8", "surrogatepass"))
    if not parts:
        return None
    return hashlib.blake2b(b"\x1f".join(parts), digest_size=16).digest()
