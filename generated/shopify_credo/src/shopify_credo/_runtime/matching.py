"""How records are told apart: identities as text, match values as they are compared.

A match value is kept only as a digest, so that the state holds no e-mail address for it.
"""

from __future__ import annotations

import unicodedata
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from hashlib import blake2b
from typing import Literal, TypeAlias, TypeVar

from .records import MISSING
from .values import MappingError

Scalar: TypeAlias = "str | bool | int | Decimal | date"
R = TypeVar("R")
Digester: TypeAlias = "Callable[[R], tuple[tuple[str | None, ...], str | None]]"
"""Record → its match values, and their digest when all are there."""
Comparison: TypeAlias = Literal["trim", "lower", "casefold", "nfc", "digits"]


def identity_text(value: Scalar | None | MISSING) -> str:
    """The identity of a record as text. A record without one cannot be synced."""
    if type(value) is int:
        return str(value)
    text = optional_text(value)
    if not text:
        raise MappingError("the record has no identity")
    return text


def optional_text(value: Scalar | None | MISSING) -> str | None:
    """A version or match value as text; None when the record has none."""
    kind = type(value)
    if kind is str:  # by far the most, each looked at several times a record
        return value  # type: ignore[return-value]
    if kind is int:
        return str(value)
    if value is MISSING or value is None:
        return None
    if isinstance(value, str):
        return str(value)
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


def match_digest(values: Sequence[str | None], steps: Sequence[Sequence[Comparison]]) -> str | None:
    """Digest of a record's match values. None when one is absent or empty: such a record matches nothing."""
    parts: list[str] = []
    for value, own_steps in zip(values, steps, strict=True):
        text = compared(value, own_steps) if value else ""
        if not text:
            return None
        parts.append(text)
    return _digest("\x1f".join(parts)) if parts else None


def digester(sources: Sequence[Callable[[R], str | None]], steps: Sequence[Sequence[Comparison]]) -> Digester[R]:
    """How a record's match values and their digest are read; quick for the usual single value."""
    if len(sources) != 1:

        def several(record: R) -> tuple[tuple[str | None, ...], str | None]:
            values = tuple([read(record) for read in sources])
            return values, match_digest(values, steps) if values else None

        return several
    [read_one] = sources
    functions = tuple(_STEPS[step] for step in steps[0])
    digest = _digest

    def one(record: R) -> tuple[tuple[str | None, ...], str | None]:
        value = text = read_one(record)
        if text:
            for function in functions:
                text = function(text)
        return (value,), digest(text) if text else None

    return one


_fresh = blake2b(digest_size=12).copy
"""A copy costs less than a new one that is told its size."""


def _digest(text: str) -> str:
    state = _fresh()
    state.update(text.encode("utf-8", "surrogatepass"))
    return b2a_base64(state.digest(), newline=False).decode("ascii")
