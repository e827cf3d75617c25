"""JSON text → values, exactly or not at all.

Integers of any length (up to the limit) stay whole; duplicate keys, NaN and infinite numbers are refused.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .limits import LimitExceeded, Limits

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class TextError(Exception):
    """The text is not what it should be. `line` and `column` count from 1, 0 where nothing is known."""

    def __init__(self, code: str, message: str, line: int = 0, column: int = 0, pointer: str = "") -> None:
        self.code = code
        self.line = line
        self.column = column
        self.pointer = pointer
        super().__init__(message)


def load_json(text: str, limits: Limits) -> Any:
    """Parse one JSON document.

    Raises:
        TextError: Where it is not JSON, or means two things at once.
        LimitExceeded: For `depth` and `integer_digits`.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_int=int, parse_float=_finite, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise TextError("V103", f"this is not JSON: {_lower(error.msg)}", error.lineno, error.colno) from None
    except RecursionError:  # the scanner counts its own depth; nothing was built yet
        raise LimitExceeded("depth", limits.depth, "the document is nested more deeply than that") from None
    except _DuplicateKey as error:
        raise _located(text, error.key) from None
    except ValueError as error:
        if "digits" not in str(error):
            raise
        raise LimitExceeded("integer_digits", limits.integer_digits, "an integer has more digits than that") from None
    if _SURROGATE.search(text):
        refuse_surrogates(value)
    return value


class _DuplicateKey(Exception):
    def __init__(self, key: str) -> None:
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return members


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise TextError("V107", f"the number `{digits[:40]}` is too large for a JSON number")
    return number


def _refuse_constant(name: str) -> Any:
    raise TextError("V107", f"`{name}` is not a JSON number")


def _located(text: str, key: str) -> TextError:
    """The error for a key that stands twice in one object, with the line of the second one."""
    pattern = re.compile(re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:")
    lines = [text.count("\n", 0, found.start()) + 1 for found in pattern.finditer(text)]
    line = lines[1] if len(lines) == 2 else 0  # more of them: which two belong together is for a person to see
    return TextError("V104", f"the key `{key}` stands twice in one object", line)


def refuse_surrogates(value: Any) -> None:
    """Half a surrogate pair is no character: such text could not be written anywhere.

    Raises:
        TextError: With the pointer of the first such text.
    """
    from . import pointers

    stack: list[tuple[Any, str]] = [(value, "#")]
    while stack:
        node, pointer = stack.pop()
        if isinstance(node, str):
            _refuse_surrogate(node, pointer)
        elif isinstance(node, list):
            stack.extend((item, pointers.join(pointer, index)) for index, item in enumerate(node))
        elif isinstance(node, dict):
            for key, member in node.items():
                _refuse_surrogate(key, pointer)
                stack.append((member, pointers.join(pointer, key)))


def _refuse_surrogate(text: str, pointer: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise TextError("V102", "a text holds half a surrogate pair, which is no character", pointer=pointer) from None


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
