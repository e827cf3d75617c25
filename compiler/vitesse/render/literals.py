"""Values → Python literals; the only place where outside text becomes Python.

A literal depends on the value alone: not on the interpreter's Unicode tables, not on the locale. Strings are quoted as black
leaves them: double, unless single needs fewer escapes. Characters outside a fixed table are escaped: controls, bidirectional
marks, line separators, combining marks, and the letters of Greek and Cyrillic, which a reader takes for Latin ones.
"""

from __future__ import annotations

import keyword
import re
from decimal import Decimal
from typing import Final

from ..diagnostics import InternalError

_PLAIN: Final = (
    (0x20, 0x7E),  # ASCII
    (0xA1, 0xAC),  # Latin-1 without the no-break space and the soft hyphen
    (0xAE, 0x17F),
    (0x2013, 0x2014),  # dashes
    (0x2026, 0x2026),
    (0x20AC, 0x20AC),
    (0x2190, 0x2193),  # arrows
    (0x3041, 0x3096),  # kana
    (0x30A1, 0x30FA),
    (0x4E00, 0x9FFF),  # CJK
    (0xAC00, 0xD7A3),  # Hangul
)

_ESCAPED: Final = re.compile(
    "\\\\|[^" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in _PLAIN) + "]",
)
_SHORT: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SEAL: Final = object()


class Code(str):
    """Python source that is written as it is. Made only in this module and by the environment's macros."""

    __slots__ = ()

    def __new__(cls, text: str, seal: object = None) -> Code:
        if seal is not _SEAL:
            raise InternalError(f"`Code` was made outside the renderer's own functions: {text[:60]!r}")
        return super().__new__(cls, text)


class Identifier(Code):
    """One checked Python name."""

    __slots__ = ()


def _code(text: str) -> Code:
    return Code(text, _SEAL)


def macro_result(text: str) -> Code:
    """What a macro of one of our templates wrote; every value in it went through `literal` already."""
    return _code(text)


def name(value: object) -> Identifier:
    """A name the plan decided. ASCII, no keyword, no dunder: anything else is a bug of the plan."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or keyword.iskeyword(value) or value.startswith("__"):
        raise InternalError(f"the plan names something {str(value)[:80]!r}, which is no Python name")
    return Identifier(str(value), _SEAL)


def dotted(value: object) -> Code:
    """A module path below the package: `models.customer`."""
    if not isinstance(value, str):
        raise InternalError(f"the plan names a module {value!r}")
    return _code(".".join(name(part) for part in value.split(".")))


def literal(value: object) -> Code:
    """The Python literal of a value, by its exact type; code stays as it is.

    Raises:
        InternalError: for anything else: an undefined name, a bound method, a generator, a subclass of `str`, NaN.
    """
    kind = type(value)
    if kind is Code or kind is Identifier:
        return value  # type: ignore[return-value]
    return _code(_literal(value))


def _literal(value: object) -> str:
    # Exact types: a subclass may print itself as anything.
    kind = type(value)
    if kind is str:
        return _string(value)  # type: ignore[arg-type]
    if kind is int or kind is bool or value is None:
        return repr(value)
    if kind is float:
        text = repr(value)
        if text.strip("-") in ("inf", "nan"):
            raise InternalError("a number of the plan is not finite")
        return text
    if kind is Decimal:
        if not value.is_finite():  # type: ignore[attr-defined]
            raise InternalError("a decimal of the plan is not finite")
        return f"Decimal({_string(str(value))})"
    if kind is tuple:
        inner = [_literal(item) for item in value]  # type: ignore[attr-defined]
        return f"({inner[0]},)" if len(inner) == 1 else f"({', '.join(inner)})"
    if kind is list:
        return f"[{', '.join(_literal(item) for item in value)}]"  # type: ignore[attr-defined]
    if kind is dict:
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"  # type: ignore[attr-defined]
    raise InternalError(f"a template writes a {kind.__name__}, which has no literal")


def _string(text: str) -> str:
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + _escaped(text, quote) + quote


def _escaped(text: str, quote: str) -> str:
    return _ESCAPED.sub(_escape, text).replace(quote, f"\\{quote}")


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if short := _SHORT.get(character):
        return short
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def arguments(values: object) -> Code:
    """Literals with commas between: `import a, b`, `(1, 2)`. The only way to join."""
    if not isinstance(values, list | tuple):
        raise InternalError(f"`args` joins a list, not a {type(values).__name__}")
    return _code(", ".join(literal(value) for value in values))


def docstring(text: object) -> Code:
    '''A docstring of one line: `"""GET /customers/{id}.json"""`.

    White space is one blank, as it is when read. No quote stands at either end and no run of them inside, so black leaves the
    text alone and nothing in it can close the string.
    '''
    if type(text) is not str:
        raise InternalError(f"a docstring is a {type(text).__name__}")
    body = _escaped(" ".join(text.split()), '"')
    if body.endswith(('\\"', "\\\\")):
        body = body[:-2] + (r"\x22" if body.endswith('"') else r"\x5c")
    return _code(f'"""{body}"""')


def indent(level: object) -> Code:
    """Four blanks a level."""
    if type(level) is not int or not 0 <= level <= 40:
        raise InternalError(f"an indent of {level!r} levels")
    return _code("    " * level)
