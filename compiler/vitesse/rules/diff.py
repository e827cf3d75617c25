"""Two states of a mapping → the change in words, for a reviewer and for a changelog.

Compares what rules mean, not how their file is laid out. A rule that moved is no change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..api.model import Json
from .digests import rule_form
from .model import Rule, Rules
from .words import literal

_KEYS = {"from": "source", "transform": "transform", "on_missing": "on missing", "on_null": "on null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing about a rule that is not what it was. An empty side was not there."""

    what: str
    """`source`, `transform`, `with places`, `on null`, `waiver of length`."""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """One rule that was added, removed or changed."""

    kind: Literal["added", "removed", "changed"]
    id: str
    before: Rule | None = None
    after: Rule | None = None
    parts: tuple[Part, ...] = ()
    sample_before: str = ""
    """A value in and out, `"19.90" → 19.9`; empty where none is certain."""
    sample_after: str = ""
    review: str = ""
    """Who stands behind the newer rule: `accepted by ana on 2026-11-21`, `nobody has looked at it`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field of a spec that came, went, or is not what it was."""

    side: Literal["source", "destination"]
    path: str
    before: str = ""
    """`string (email), required`; empty when the field was not there."""
    after: str = ""
    rules: tuple[str, ...] = ()
    """Rules of the newer mapping that touch it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesDiff:
    """What changed between two states of one stream's mapping."""

    stream: str
    file: str
    rules: tuple[RuleChange, ...] = ()
    """Added, removed and changed ones in the order of the newer file, removed ones last."""
    waivers: tuple[Part, ...] = ()
    """Destination fields whose waiver came, went, or has another reason."""
    fields: tuple[FieldChange, ...] = ()
    """What changed at the vendors."""
    unfilled: tuple[str, ...] = ()
    """Destination fields that no rule fills and no waiver names."""
    unread: tuple[str, ...] = ()
    """Source fields that no rule reads."""
    source: str = ""
    destination: str = ""
    """Titles of the two systems."""

    @property
    def is_empty(self) -> bool:
        return not self.rules and not self.waivers and not self.fields


def diff_rules(before: Rules | None, after: Rules | None) -> RulesDiff:
    """Compare two states of one mapping; None is a file that is not there."""
    one = after or before
    if one is None:
        raise ValueError("there is no mapping on either side")
    old = {rule.id: rule for rule in before.rules} if before else {}
    new = {rule.id: rule for rule in after.rules} if after else {}
    changes = [change for id, rule in new.items() if (change := _change(old.get(id), rule)) is not None]
    changes += [RuleChange(kind="removed", id=id, before=rule) for id, rule in old.items() if id not in new]
    was = {waiver.id: waiver.reason for waiver in before.waivers} if before else {}
    now = {waiver.id: waiver.reason for waiver in after.waivers} if after else {}
    waivers = [
        Part(what=id, before=was.get(id, ""), after=now.get(id, ""))
        for id in dict.fromkeys([*now, *was])
        if was.get(id) != now.get(id)
    ]
    return RulesDiff(stream=one.stream, file=one.file, rules=tuple(changes), waivers=tuple(waivers))


def _change(before: Rule | None, after: Rule) -> RuleChange | None:
    if before is None:
        return RuleChange(kind="added", id=after.id, after=after)
    parts = tuple(_parts(before, after))
    return RuleChange(kind="changed", id=after.id, before=before, after=after, parts=parts) if parts else None


def _parts(before: Rule, after: Rule) -> Iterator[Part]:
    was, now = rule_form(before), rule_form(after)
    for key, what in _KEYS.items():
        if was.get(key) != now.get(key):
            yield Part(what=what, before=_shown(key, was.get(key)), after=_shown(key, now.get(key)))
    yield from _table_parts("with", before.options, after.options)
    yield from _table_parts("waiver of", before.waive, after.waive)


def _table_parts(what: str, was: object, now: object) -> Iterator[Part]:
    assert isinstance(was, dict)
    assert isinstance(now, dict)
    for key in dict.fromkeys([*now, *was]):
        if key not in was or key not in now or was[key] != now[key]:
            if isinstance(was.get(key), dict) and isinstance(now.get(key), dict):
                yield from _table_parts(f"{what} {key}", was[key], now[key])
            else:
                yield Part(
                    what=f"{what} {key}",
                    before=literal(was[key]) if key in was else "",
                    after=literal(now[key]) if key in now else "",
                )


def _shown(key: str, value: Json) -> str:
    if value is None:
        return {"on_missing": "omit (default)", "on_null": "keep (default)"}.get(key, "")
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return literal(value["value"]) if isinstance(value, dict) else str(value)


def summary(diff: RulesDiff) -> str:
    """`2 rules added, 1 changed, 1 waiver changed`."""
    counts = [(kind, sum(change.kind == kind for change in diff.rules)) for kind in ("added", "removed", "changed")]
    words: list[str] = []
    for kind, count in counts:
        if count:
            noun = f" rule{'s' if count > 1 else ''}" if not words else ""
            words.append(f"{count}{noun} {kind}")
    if diff.waivers:
        words.append(f"{len(diff.waivers)} waiver{'s' if len(diff.waivers) > 1 else ''} changed")
    for side, title in (("source", diff.source), ("destination", diff.destination)):
        count = sum(change.side == side for change in diff.fields)
        if count:
            words.append(f"{count} field{'s' if count > 1 else ''} of {title or side} changed")
    return ", ".join(words) or "nothing changed"
