"""A transform's parameters, as the rule gives them: which are unknown, missing or not what they should be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from ..api.model import Json
from ..forms import either, near
from .spelled import Fault
from .transforms import TRANSFORMS, Option, Transform

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(?:/[A-Za-z0-9_+\-]+)*")
_DIRECTIVES = re.compile(r"%(.?)", re.DOTALL)
_KNOWN_DIRECTIVES = frozenset("aAwdbBmyYHIpMSfzZj%")


def check_options(row: Transform, options: Mapping[str, Json]) -> list[Fault]:
    """What is wrong with the parameters that a rule gives."""
    faults = []
    for key, value in options.items():
        option = row.option(key)
        if option is None:
            if not row.open_options:
                known = [option.name for option in row.options]
                close = near(key, known)
                told = either(close or known) if known else ""
                faults.append(
                    Fault(
                        kind="option",
                        message=f"`{row.name}` has no parameter `{key}`",
                        at=("with", key),
                        help=f"write {told}" if told else "remove it",
                    )
                )
        elif (wrong := _wrong(option, value)) is not None:
            faults.append(Fault(kind="option", message=f"`{key}` {wrong}", at=("with", key), help=_hint(option)))
    for option in row.options:
        if option.required and option.name not in options:
            faults.append(
                Fault(
                    kind="option",
                    message=f"`{row.name}` needs `{option.name}`",
                    at=("with",) if options else (),
                    help=f"add `with: {{{option.name}: …}}`" + (f": {option.doc}" if option.doc else ""),
                )
            )
    return faults


def _hint(option: Option) -> str | None:
    if option.words:
        return f"write {either(option.words)}"
    return f"give {option.doc}" if option.doc else None


def _wrong(option: Option, value: Json) -> str | None:
    """What is wrong with an option's value; None when it is as it should be."""
    match option.kind:
        case "text" | "function" | "template":
            return None if isinstance(value, str) and value else "takes a text"
        case "whole":
            return (
                None
                if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 1000
                else "takes a whole number up to 1000"
            )
        case "flag":
            return None if isinstance(value, bool) else "is true or false"
        case "word":
            return None if value in option.words else f"is none of its words: {', '.join(option.words)}"
        case "words":
            words = value if isinstance(value, list) else []
            return None if words and all(isinstance(word, str) for word in words) else "takes a list of words"
        case "table":
            table = value if isinstance(value, dict) else {}
            fine = table and all(_is_scalar(one) for one in table.values())
            return None if fine else "takes a table: source value → destination value"
        case "json":
            return None
        case "zone":
            return None if isinstance(value, str) and _ZONE.fullmatch(value) else "takes a zone such as `Europe/Berlin`"
        case "time_form":
            return None if value in ("iso8601", "unix_s", "unix_ms") else _wrong_pattern(value)
        case "time_target":
            return None if value in ("date", "datetime", "unix_s", "unix_ms") else _wrong_pattern(value)
        case "transform":
            known = isinstance(value, str) and value in TRANSFORMS and value not in ("each", "constant", "direct")
            return None if known else "names no transform for one item"


def _is_scalar(value: Json) -> bool:
    return isinstance(value, str | int | float | bool)


def _wrong_pattern(value: Json) -> str | None:
    if not isinstance(value, str) or "%" not in value:
        return f"is `{value}`, neither a known form nor a pattern with `%`"
    for directive in _DIRECTIVES.findall(value):
        if directive not in _KNOWN_DIRECTIVES:
            return f"has `%{directive}`, which is not known everywhere"
    try:
        datetime(2000, 1, 2).strftime(value)
    except ValueError:
        return "is not a pattern"
    return None
