"""Reviewed rules → the table a person reads in MAPPING.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from ..api.paths import format_path
from ..rules.model import CheckedRule, Default, End, ReviewedRules
from ..rules.sample import sample_of
from .model import JsonPath, RuleRow, StreamTable
from .record_types import keys_of


def stream_table(rules: ReviewedRules) -> StreamTable:
    """One stream's rules, waivers and what is left out on both sides, in words."""
    return StreamTable(
        stream=rules.stream,
        source=rules.source.operation.id,
        source_api=rules.source.title,
        destination=rules.destination.operation.id,
        destination_api=rules.destination.title,
        rows=tuple(_row(rule, rules.source) for rule in rules.rules),
        waived=tuple((waiver.id, waiver.reason) for waiver in rules.waivers),
        unfilled=tuple(format_path(path) for path in rules.unfilled),
        unread=tuple(format_path(path) for path in rules.unread),
    )


def noted(
    table: StreamTable, rules: ReviewedRules, only_created: Sequence[JsonPath], update: str | None
) -> StreamTable:
    """The table, with a note at each rule whose field only creations write."""
    if not only_created:
        return table
    rows = []
    for row, rule in zip(table.rows, rules.rules, strict=True):
        keys = keys_of(rule.rule.destination)
        is_left_out = any(keys[: len(path)] == path for path in only_created)
        note = f"written when the record is created; {update} does not take it"
        rows.append(replace(row, notes=(*row.notes, note)) if is_left_out else row)
    return replace(table, rows=tuple(rows))


def _row(rule: CheckedRule, source: End) -> RuleRow:
    sample = sample_of(rule, source)
    return RuleRow(
        destination=rule.id,
        sources=tuple(format_path(path) for path in rule.rule.sources),
        transform=rule.rule.transform,
        detail=_detail(rule),
        destination_type=str(rule.shape),
        source_types=tuple(getattr(source.type, "kind", type(source.type).__name__.lower()) for source in rule.sources),
        state=f"accepted by {rule.accepted_by} on {rule.accepted_on}" if rule.accepted_by else "open (draft)",
        notes=tuple(f"{loss.code}: {loss.reason}" for loss in rule.losses if loss.reason),
        sample=str(sample) if sample is not None and sample.before else "",
    )


def _detail(rule: CheckedRule) -> str:
    parts = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in rule.rule.options.items()]
    if rule.may_be_missing:
        parts.append(f"missing: {_policy(rule.on_missing)}")
    if rule.may_be_null:
        parts.append(f"null: {_policy(rule.on_null)}")
    return ", ".join(parts)


def _policy(policy: object) -> str:
    return json.dumps(policy.value, ensure_ascii=False) if isinstance(policy, Default) else str(policy)
