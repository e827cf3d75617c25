"""Two states of a mapping → the change in words, for a reviewer and for a changelog.

Compares what rules mean, not how their file is laid out. A rule that moved is no change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..api.model import Json
from .digests import rule_form
from .model import Rule, Rules
from .words import in_words, literal

Format: TypeAlias = Literal["text", "markdown", "github"]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesDiff:
    """What changed between two states of one stream's mapping."""

    stream: str
    file: str
    rules: tuple[RuleChange, ...] = ()
    """Added, removed and changed ones in the order of the newer file, removed ones last."""
    waivers: tuple[Part, ...] = ()
    """Destination fields whose waiver came, went, or has another reason."""

    @property
    def is_empty(self) -> bool:
        return not self.rules and not self.waivers


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


# --- in words ---------------------------------------------------------------------------------------------------------


def render_diff(diffs: Sequence[RulesDiff], format: Format = "text") -> str:
    """The changes of all streams.

    Args:
        format: `text` for a terminal, `markdown` for a pull request or a changelog, `github` for workflow annotations.

    Returns:
        Text that ends in a newline; nothing when nothing changed.
    """
    shown = [diff for diff in diffs if not diff.is_empty]
    if format == "github":
        return "".join(line + "\n" for diff in shown for line in _annotations(diff))
    blocks = ["\n".join(_markdown(diff) if format == "markdown" else _text(diff)) for diff in shown]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _text(diff: RulesDiff) -> Iterator[str]:
    yield f"{diff.stream}: {summary(diff)}"
    for change in diff.rules:
        yield f"  {_SIGNS[change.kind]} {change.id}{_told(change)}"
        for part in change.parts:
            yield f"      {part.what}: {_from_to(part)}"
    for part in diff.waivers:
        yield f"  {_sign(part)} waiver {part.what}: {_from_to(part)}"


def _markdown(diff: RulesDiff) -> Iterator[str]:
    yield f"### {diff.stream}"
    yield ""
    yield f"{summary(diff)[:1].upper()}{summary(diff)[1:]}."
    yield ""
    yield "| rule | change | before | after |"
    yield "| --- | --- | --- | --- |"
    for change in diff.rules:
        if change.kind == "changed":
            for part in change.parts:
                yield _row(f"`{change.id}`", part.what, part.before, part.after)
        else:
            before = "" if change.before is None else in_words(change.before)
            after = "" if change.after is None else in_words(change.after)
            yield _row(f"`{change.id}`", change.kind, before, after)
    for part in diff.waivers:
        yield _row(f"`{part.what}`", "waiver", part.before, part.after)


def _annotations(diff: RulesDiff) -> Iterator[str]:
    for change in diff.rules:
        told = "; ".join(f"{part.what}: {_from_to(part)}" for part in change.parts) or _told(change).strip(": ")
        text = f"{change.kind} {change.id}: {told}"
        yield f"::notice file={_escape(diff.file)},title=mapping of {_escape(diff.stream)}::{_escape_text(text)}"


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
    return ", ".join(words) or "nothing changed"


_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def _sign(part: Part) -> str:
    return "~" if part.before and part.after else "+" if part.after else "-"


def _told(change: RuleChange) -> str:
    rule = change.after if change.kind == "added" else change.before if change.kind == "removed" else None
    return "" if rule is None else f": {in_words(rule)}"


def _from_to(part: Part) -> str:
    if not part.before:
        return part.after
    return f"{part.before} → {part.after or '(removed)'}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    """Outside text in a table cell: it can neither end the cell nor become HTML; without code in it, no markup at all."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return flat if "`" in flat else "".join(f"\\{char}" if char in "*_[]#~" else char for char in flat)


def _escape(text: str) -> str:
    return _escape_text(text).replace(":", "%3A").replace(",", "%2C")


def _escape_text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
