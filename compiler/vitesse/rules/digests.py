"""What a review binds to: the rule's own text, and the schemas of the fields it touches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from ..api.model import Anything, Array, Json, Object, Ref, Scalar, Type, Union
from ..api.paths import format_path
from .model import Default, Reached, Rule


def canonical(value: object) -> str:
    """JSON in one spelling: sorted keys, no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON, `sha256:…`."""
    return "sha256:" + hashlib.sha256(canonical(value).encode()).hexdigest()


def rule_form(rule: Rule) -> dict[str, Json]:
    """The rule as its file has it, keys in the form's order, what is left out left out."""
    form: dict[str, Json] = {}
    if rule.sources:
        texts: list[Json] = [format_path(source) for source in rule.sources]
        form["from"] = texts[0] if len(texts) == 1 else texts
    form["transform"] = rule.transform
    if rule.options:
        form["with"] = dict(rule.options)
    for key, policy in (("on_missing", rule.on_missing), ("on_null", rule.on_null)):
        if policy is not None:
            form[key] = {"value": policy.value} if isinstance(policy, Default) else policy
    if rule.waive:
        form["waive"] = dict(rule.waive)
    return form


def rule_digest(rule: Rule) -> str:
    """Changes with every edit of the rule but those of layout and comments."""
    return digest([rule.id, rule_form(rule)])


def meaning_digest(rules: Iterable[Rule]) -> str:
    """Of what the rules do, in any order; reasons for waivers have no part in it."""
    forms = {rule.id: {key: value for key, value in rule_form(rule).items() if key != "waive"} for rule in rules}
    return digest(forms)


def fields_digest(fields: Iterable[Reached]) -> str:
    """Of the schemas of fields: type, format, enum, null, required and length of each and of what stands above it."""
    return digest([[field.text, [_step(step.type, step.required) for step in field.steps]] for field in fields])


def _step(type: Type, required: bool) -> list[Any]:
    return [_type(type), required]


def _type(type: Type, depth: int = 0) -> Any:
    match type:
        case Scalar():
            return ["scalar", type.kind, type.format, list(type.enum), type.nullable, type.max_length]
        case Array():
            return ["list", _type(type.items, depth + 1) if depth < 3 else None, type.nullable]
        case Object():
            return ["object", type.nullable, not type.fields]
        case Union():
            members = [_type(member, depth + 1) for member in type.members] if depth < 3 else []
            return ["union", sorted(members, key=canonical), type.nullable]
        case Anything():
            return ["any", type.nullable]
        case Ref():
            return ["ref", type.nullable]
