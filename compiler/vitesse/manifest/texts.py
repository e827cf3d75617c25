"""Values in one line of a manifest: names, operations, field paths, lengths of time, settings."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Discriminator, Tag

from ..api.paths import PathSyntaxError, parse_path
from ..forms import Form

_ENV = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_OPERATION = re.compile(r"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE|QUERY) \S.*", re.DOTALL)
LENGTH = re.compile(r"([0-9]{1,6}) *(s|seconds?|m|minutes?|h|hours?|d|days?)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def matching(pattern: re.Pattern[str], what: str) -> AfterValidator:
    """A text that is like `pattern`, which people call `what`."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"`{value[:80]}` is not {what}")
        return value

    return AfterValidator(check)


def _check_path(value: str) -> str:
    try:
        parse_path(value)
    except PathSyntaxError as error:
        raise ValueError(str(error)) from None
    return value


EnvName = Annotated[str, matching(_ENV, "a name for an environment variable: capitals, digits and `_`")]
Name = Annotated[str, matching(_NAME, "a name: small letters and digits, with single `-` or `_` between")]
OperationId = Annotated[str, matching(_OPERATION, "an operation: a method and a path as published, `GET /customers`")]
PathText = Annotated[str, AfterValidator(_check_path)]


class Env(Form):
    """A value that is read from the environment when the package starts."""

    env: EnvName
    default: str | None = None


def shape(value: Any) -> str:
    """Which form something has that can be written as one text or written out."""
    return "(text)" if isinstance(value, str) else "(object)"


Setting: TypeAlias = Annotated[Annotated[str, Tag("(text)")] | Annotated[Env, Tag("(object)")], Discriminator(shape)]
"""A fixed text or an environment variable."""


def check_length(value: str) -> str:
    """A length of time, as it is written."""
    if not LENGTH.fullmatch(value):
        raise ValueError(f"`{value[:80]}` is not a length of time such as `90 seconds` or `5 minutes`")
    return value


def seconds(length: str) -> int:
    """A length of time that was checked, in seconds."""
    found = LENGTH.fullmatch(length)
    assert found is not None
    return int(found[1]) * _SECONDS[found[2][0]]
