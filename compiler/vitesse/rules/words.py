"""Rules in words: what a reviewer reads in MAPPING.md, in `vitesse diff` and in a pull request."""

from __future__ import annotations

import json

from ..api.model import Json
from ..api.paths import format_path
from .model import Default, Reached, Rule
from .review import Entry, Status
from .shapes import shape_of


def literal(value: Json) -> str:
    """A parameter's value as a person writes it: text bare where nothing is hidden by that."""
    if (
        isinstance(value, str)
        and value
        and value == value.strip()
        and value.isprintable()
        and not set(value) & set('`",{}[]')
    ):
        return value
    return json.dumps(value, ensure_ascii=False)


def sources_in_words(rule: Rule) -> str:
    """`first_name`, `last_name`; nothing for a constant."""
    return ", ".join(f"`{format_path(source)}`" for source in rule.sources)


def detail(rule: Rule) -> str:
    """Parameters and policies: `places=2, missing: omit`."""
    parts = [f"{key}={literal(value)}" for key, value in rule.options.items()]
    for name, policy in (("missing", rule.on_missing), ("null", rule.on_null)):
        if policy is not None:
            parts.append(f"{name}: {literal(policy.value) if isinstance(policy, Default) else policy}")
    return ", ".join(parts)


def in_words(rule: Rule) -> str:
    """The whole rule in one line: `parse` of `total_spent` (to=decimal, places=2)."""
    what = f"`{rule.transform}`"
    if rule.sources:
        what += f" of {sources_in_words(rule)}"
    told = detail(rule)
    return f"{what} ({told})" if told else what


def type_in_words(reached: Reached, types: object) -> str:
    """`string (email), required, may be null`."""
    words = [str(shape_of(reached.type, types))]  # type: ignore[arg-type]
    if reached.steps[-1].required:
        words.append("required")
    if reached.type.nullable:
        words.append("may be null")
    return ", ".join(words)


def status_in_words(status: Status, entry: Entry | None) -> str:
    """Where a rule stands: `accepted by ana on 2026-11-21`, `edited since ana looked at it on 2026-11-21`."""
    if entry is None:
        return "nobody has looked at it"
    match status:
        case "accepted" | "rejected":
            return f"{status} by {entry.by} on {entry.on}"
        case "edited":
            return f"edited since {entry.by} looked at it on {entry.on}"
        case "changed":
            return f"the schema of a field it touches changed since {entry.by} looked at it on {entry.on}"
        case "open":
            return "nobody has looked at it"
