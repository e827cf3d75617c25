"""JSON pointers as OpenAPI writes them: `#/paths/~1contacts/post`, percent-encoded where a URL needs it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

_BAD_TILDE = re.compile(r"~(?![01])")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class BadPointer(ValueError):
    """A fragment that is no JSON pointer."""


def step(name: str) -> str:
    """One name as it stands in a pointer: `/contacts` → `~1contacts`."""
    return name.replace("~", "~0").replace("/", "~1") if "~" in name or "/" in name else name


def join(pointer: str, *names: str | int) -> str:
    """The pointer of something below: `join("#/paths", "/a", "get")` → `#/paths/~1a/get`."""
    return "/".join([pointer, *(step(str(name)) for name in names)])


def parse(fragment: str) -> tuple[str, ...]:
    """The names a `$ref`'s fragment leads along, first %XX then ~0 and ~1 decoded.

    Args:
        fragment: What follows `#`: empty, or starting with a slash.

    Raises:
        BadPointer: For an anchor, a stray `~` or `%`, or bytes that are not UTF-8.
    """
    if not fragment:
        return ()
    if "%" in fragment:
        if _BAD_PERCENT.search(fragment):
            raise BadPointer("a `%` is not followed by two hexadecimal digits")
        try:
            fragment = unquote_to_bytes(fragment).decode("utf-8")
        except UnicodeDecodeError:
            raise BadPointer("its percent-encoded bytes are not UTF-8") from None
    if not fragment.startswith("/"):
        raise BadPointer("it names an anchor, where only JSON pointers are followed")
    if "~" in fragment:
        if _BAD_TILDE.search(fragment):
            raise BadPointer("a `~` is followed by neither 0 nor 1")
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in fragment[1:].split("/"))
    return tuple(fragment[1:].split("/"))


def render(names: Iterable[str]) -> str:
    """The plain pointer of these names: no percent-encoding, one spelling for one place."""
    return "/".join(["#", *(step(name) for name in names)])
