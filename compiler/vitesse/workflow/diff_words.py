"""What changed → words: for a terminal, for a pull request, for the annotations of a CI service.

All that comes from outside (paths, values, reasons, facts) goes through an escape of the form it is written in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from ..api.paths import format_path
from ..diagnostics.positions import Sources
from ..diagnostics.terminal import visible
from ..render.outside import code_span, markdown
from ..rules.diff import FieldChange, Part, RuleChange, RulesDiff, summary
from ..rules.model import Rule
from ..rules.words import detail, in_words

Format: TypeAlias = Literal["text", "markdown", "github"]

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_MOST = 40
"""Fields that a list names before it only counts."""


def render_diff(
    diffs: Sequence[RulesDiff],
    format: Format = "text",
    *,
    facts: Sequence[tuple[str, str]] = (),
    root: Path | None = None,
    prefix: str = "",
) -> str:
    """The changes of all streams, and of facts.

    Args:
        format: `text` for a terminal, `markdown` for a pull request or a changelog, `github` for workflow annotations.
        facts: (api, what changed).
        root: The folder that files are relative to; lines of annotations are read from it.
        prefix: Path from the repository's top to that folder, `examples/shopify_credo/`.

    Returns:
        Text that ends in a newline; nothing when nothing changed.
    """
    shown = [diff for diff in diffs if not diff.is_empty]
    match format:
        case "github":
            sources = Sources(root)
            lines = [line for diff in shown for line in _annotations(diff, sources, prefix)]
            lines += [_annotation("notice", f"{prefix}facts/{api}.yaml", None, "fact", told) for api, told in facts]
            return "".join(line + "\n" for line in lines)
        case "markdown":
            blocks = ["\n".join(_markdown(diff)) for diff in shown]
            if facts:
                told_facts = [f"* {markdown(api)}: {code_span(told)}" for api, told in facts]
                blocks.append("\n".join(["### Facts", "", *told_facts]))
            return "\n\n".join(blocks) + "\n" if blocks else ""
        case "text":
            blocks = ["\n".join(map(visible, _text(diff))) for diff in shown]
            if facts:
                blocks.append("\n".join(["facts:", *(visible(f"  ~ {api}: {told}") for api, told in facts)]))
            return "\n\n".join(blocks) + "\n" if blocks else ""


# --- a terminal -------------------------------------------------------------------------------------------------------


def _text(diff: RulesDiff) -> Iterator[str]:
    yield f"{diff.stream}: {summary(diff)}"
    for change in diff.rules:
        yield f"  {_SIGNS[change.kind]} {change.id}{_told(change)}"
        for part in change.parts:
            yield f"      {part.what}: {_from_to(part)}"
        if change.sample_before or change.sample_after:
            yield from (f"      {line}" for line in _samples(change))
        if change.review:
            yield f"      review: {change.review}"
    for part in diff.waivers:
        yield f"  {_sign(part)} waiver {part.what}: {_from_to(part)}"
    for field in diff.fields:
        yield f"  {_SIGNS[_kind(field)]} {_title(diff, field)}: {field.path}{_was(field)} ({_use(field)})"
    for title, fields in _left(diff):
        yield f"  {title}: {_listed(fields, str)}"


def _samples(change: RuleChange) -> Iterator[str]:
    if change.sample_before == change.sample_after:
        yield f"sample, as before: {change.sample_after}"
        return
    if change.sample_before:
        yield f"sample before: {change.sample_before}"
    if change.sample_after:
        yield f"sample{' now' if change.sample_before else ''}: {change.sample_after}"


def _was(field: FieldChange) -> str:
    if field.before and field.after:
        return f": {field.before} → {field.after}"
    return f": {field.after or field.before}"


def _use(field: FieldChange) -> str:
    if field.rules:
        return f"used by {', '.join(field.rules[:6])}"
    return "not read" if field.side == "source" else "not filled"


def _left(diff: RulesDiff) -> Iterator[tuple[str, tuple[str, ...]]]:
    if diff.unfilled:
        yield f"not filled in {diff.destination or 'the destination'}", diff.unfilled
    if diff.unread:
        yield f"not read from {diff.source or 'the source'}", diff.unread


def _listed(fields: Sequence[str], spell: type[str] | object) -> str:
    write = code_span if spell is code_span else str
    shown = ", ".join(write(one) for one in fields[:_MOST])
    return shown + (f" and {len(fields) - _MOST} more" if len(fields) > _MOST else "")


# --- a pull request ---------------------------------------------------------------------------------------------------


def _markdown(diff: RulesDiff) -> Iterator[str]:
    told = summary(diff)
    yield f"### {markdown(diff.stream)}"
    yield ""
    yield markdown(f"{told[:1].upper()}{told[1:]}.")
    if diff.rules or diff.waivers:
        yield ""
        yield "| rule | change | before | after | review |"
        yield "| --- | --- | --- | --- | --- |"
        for change in diff.rules:
            yield from _rows(change)
        for part in diff.waivers:
            yield _row(code_span(part.what), "waiver", markdown(part.before), markdown(part.after), "")
    if diff.fields:
        yield ""
        yield "| spec | field | before | after | use |"
        yield "| --- | --- | --- | --- | --- |"
        for field in diff.fields:
            yield _row(
                markdown(_title(diff, field)),
                code_span(field.path),
                markdown(field.before),
                markdown(field.after),
                markdown(_use(field)),
            )
    for title, fields in _left(diff):
        yield ""
        yield f"{markdown(title[:1].upper() + title[1:])}: {_listed(fields, code_span)}."


def _rows(change: RuleChange) -> Iterator[str]:
    id, review = code_span(change.id), markdown(change.review)
    if change.kind != "changed":
        before = "" if change.before is None else _rule(change.before)
        after = "" if change.after is None else _rule(change.after)
        yield _row(id, change.kind, before, after, review)
    for index, part in enumerate(change.parts):
        yield _row(id, markdown(part.what), markdown(part.before), markdown(part.after), review if index == 0 else "")
    if change.sample_before or change.sample_after:
        samples = [code_span(one) if one else "" for one in (change.sample_before, change.sample_after)]
        yield _row(id, "sample", *samples, "")


def _rule(rule: Rule) -> str:
    what = code_span(rule.transform)
    if rule.sources:
        what += " of " + ", ".join(code_span(format_path(source)) for source in rule.sources)
    told = detail(rule)
    return f"{what} ({markdown(told)})" if told else what


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


# --- a CI service -----------------------------------------------------------------------------------------------------


def _annotations(diff: RulesDiff, sources: Sources, prefix: str) -> Iterator[str]:
    file, title = prefix + diff.file, f"mapping of {diff.stream}"
    for change in diff.rules:
        told = "; ".join(f"{part.what}: {_from_to(part)}" for part in change.parts) or _told(change).strip(": ")
        lines = [f"{change.kind} {change.id}: {told}"]
        if change.sample_before or change.sample_after:
            lines += _samples(change)
        if change.review:
            lines.append(f"review: {change.review}")
        pointer = change.after.place.pointer if change.after is not None else "#/rules"
        position = sources.position(diff.file, pointer)
        is_open = bool(change.review) and not change.review.startswith("accepted")
        yield _annotation("warning" if is_open else "notice", file, position.line if position else None, title, *lines)
    for part in diff.waivers:
        yield _annotation("notice", file, None, title, f"waiver {part.what}: {_from_to(part)}")
    for field in diff.fields:
        told = f"{_title(diff, field)}: {field.path}{_was(field)} ({_use(field)})"
        yield _annotation("notice", file, None, f"spec of {_title(diff, field)}", told)


def _annotation(kind: str, file: str, line: int | None, title: str, *lines: str) -> str:
    where = f"file={_property(file)}" + (f",line={line}" if line else "")
    return f"::{kind} {where},title={_property(title)}::{'%0A'.join(_data(one) for one in lines)}"


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _data(text: str) -> str:
    return visible(text).replace("%", "%25")


# --- parts of all -----------------------------------------------------------------------------------------------------


def _sign(part: Part) -> str:
    return "~" if part.before and part.after else "+" if part.after else "-"


def _kind(field: FieldChange) -> str:
    return "changed" if field.before and field.after else "added" if field.after else "removed"


def _title(diff: RulesDiff, field: FieldChange) -> str:
    return (diff.source if field.side == "source" else diff.destination) or field.side


def _told(change: RuleChange) -> str:
    rule = change.after if change.kind == "added" else change.before if change.kind == "removed" else None
    return "" if rule is None else f": {in_words(rule)}"


def _from_to(part: Part) -> str:
    if not part.before:
        return part.after
    return f"{part.before} → {part.after or '(removed)'}"
