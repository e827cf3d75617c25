"""Record that a person (or the policy) stands behind rules and facts as they are now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import either, near
from ..manifest import ReviewPolicy
from ..pipeline import Integration, read_integration, review_rules, stream_facts
from ..rules.model import ReviewedRules
from ..rules.review import Review, is_open, load_review, write_review

POLICY = "policy"


@dataclass(slots=True, kw_only=True)
class Accepted:
    """What one call accepted: `stream.rule` and `stream: operation fact`."""

    rules: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)


def accept(
    folder: Path, selection: Sequence[str], *, everything: bool = False, above: float | None = None, by: str, on: str
) -> Accepted:
    """Accept open rules, and the open facts of the streams that are accepted whole.

    Args:
        selection: `STREAM` or `STREAM.RULE`, as a rule's id stands in the mapping.
        everything: All streams, whole.
        above: Only rules that were proposed with at least this confidence; facts are left alone.
        by: Who accepts.
        on: The day, `2026-11-21`. The only place where a compiler's result depends on the date is the review.

    Raises:
        DiagnosticError: V009 for a selection that names nothing, and all that `check_rules` finds wrong.
    """
    integration = read_integration(folder)
    reviewed = review_rules(integration, draft=True)
    wanted = _wanted(reviewed, selection, everything=everything or (above is not None and not selection))
    done = Accepted()
    for name, ids in wanted.items():
        review = load_review(folder, name)
        confidence = proposed_confidence(folder, reviewed[name]) if above is not None else {}
        changed = review
        for rule in reviewed[name].rules:
            if rule.accepted_by is not None or (ids is not None and rule.id not in ids):
                continue
            if above is not None and confidence.get(rule.id, 0.0) < above:
                continue
            changed = changed.accepting(rule.id, rule=rule.rule_digest, fields=rule.fields_digest, by=by, on=on)
            done.rules.append(f"{name}.{rule.id}")
        if ids is None and above is None:
            changed = _accept_facts(integration, name, changed, done, by=by, on=on)
        if changed is not review:
            write_review(folder, changed)
    return done


def accept_by_policy(folder: Path, policy: ReviewPolicy, *, on: str) -> Accepted:
    """Accept what the manifest's policy accepts."""
    return accept(folder, (), above=policy.accept_above, by=POLICY, on=on)


def proposed_confidence(folder: Path, reviewed: ReviewedRules) -> Mapping[str, float]:
    """Rule → the confidence it was proposed with; empty without a proposal file.

    A rule that is not as it was proposed any more, or in which a decision was left to a person, has none.
    """
    file = f"mappings/{reviewed.stream}.proposal.json"
    try:
        proposed = json.loads((folder / file).read_text(encoding="utf-8"))["rules"]
        return {
            rule.id: float(one["confidence"])
            for rule in reviewed.rules
            if (one := proposed.get(rule.id)) is not None and one["digest"] == rule.rule_digest and not one.get("holes")
        }
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"the proposal of `{reviewed.stream}` cannot be read: {type(error).__name__}"
        raise DiagnosticError(
            [Diagnostic(code="V002", message=message, places=(Place(file=file),), help="run `vitesse map` again")]
        ) from None


def _accept_facts(integration: Integration, name: str, review: Review, done: Accepted, *, by: str, on: str) -> Review:
    for use in stream_facts(integration, name):
        if is_open(use, review):
            review = review.accepting_fact(use.operation, use.fact, by=by, on=on)
            done.facts.append(f"{name}: {use.operation} {use.fact.kind}")
    return review


def _wanted(
    reviewed: Mapping[str, ReviewedRules], selection: Sequence[str], *, everything: bool
) -> dict[str, set[str] | None]:
    """Stream → the rules that are meant; None means the stream whole."""
    if everything:
        return dict.fromkeys(reviewed)
    wanted: dict[str, set[str] | None] = {}
    unknown: list[Diagnostic] = []
    for text in selection:
        name, _, rule = text.partition(".")
        if name not in reviewed:
            unknown.append(_nothing(text, f"there is no stream `{name}`", list(reviewed), name))
        elif not rule:
            wanted[name] = None
        elif rule not in (known := [one.id for one in reviewed[name].rules]):
            unknown.append(_nothing(text, f"the stream `{name}` has no rule `{rule}`", known, rule))
        elif (ids := wanted.setdefault(name, set())) is not None:
            ids.add(rule)
    if unknown:
        raise DiagnosticError(unknown)
    return wanted


def _nothing(text: str, why: str, known: list[str], asked: str) -> Diagnostic:
    close = near(asked, known)
    return Diagnostic(
        code="V009",
        message=f"`{text}` names nothing: {why}",
        places=(Place(file="mappings"),),
        help=f"write {either(close)}" if close else f"choose from {', '.join(known[:12])}",
    )
