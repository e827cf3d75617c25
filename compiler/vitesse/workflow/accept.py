"""Record that a person (or the policy) stands behind rules and facts as they are now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import either, near
from ..manifest import ReviewPolicy
from ..pipeline import Integration, read_integration, stream_facts
from ..rules.check import check_rules
from ..rules.digests import rule_digest
from ..rules.load import load_rules
from ..rules.model import Rule, Rules
from ..rules.prove import prove_rule
from ..rules.review import Review, is_open, load_review, write_review

POLICY = "policy"
Reach: TypeAlias = Literal["named", "all", "new"]


@dataclass(slots=True, kw_only=True)
class Accepted:
    """What one call accepted: `stream.rule` and `stream: operation fact`."""

    rules: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    refused: list[Diagnostic] = field(default_factory=list)
    """What is wrong with rules that were meant and could not be accepted."""
    left: list[Diagnostic] = field(default_factory=list)
    """What else keeps the streams from being compiled: required fields without a rule, rules that nobody has accepted."""


def accept(
    folder: Path, selection: Sequence[str], *, everything: bool = False, above: float | None = None, by: str, on: str
) -> Accepted:
    """Accept open rules that hold, and the open facts of the streams that are accepted whole.

    Each rule is proved by itself: a field that is not filled yet, or a rule that does not hold, keeps no other from being accepted.

    Args:
        selection: `STREAM` or `STREAM.RULE`, as a rule's id stands in the mapping.
        everything: All streams, whole.
        above: Only rules that were proposed with at least this confidence; facts are left alone.
        by: Who accepts.
        on: The day, `2026-11-21`. The only place where a compiler's result depends on the date is the review.

    Raises:
        DiagnosticError: V009 for a selection that names nothing, and what is wrong with the form of a mapping.
    """
    integration = read_integration(folder)
    loaded = {name: load_rules(folder, name) for name in integration.manifest.streams}
    wanted = _wanted(loaded, selection, everything=everything or (above is not None and not selection))
    done = Accepted()
    for name, ids in wanted.items():
        review = changed = load_review(folder, name)
        confidence = proposed_confidence(folder, loaded[name]) if above is not None else {}
        for rule in loaded[name].rules:
            named = ids is not None and rule.id in ids
            if (ids is None or named) and (above is None or confidence.get(rule.id, 0.0) >= above):
                reach: Reach = "named" if named and above is None else "all" if above is None else "new"
                changed = _accept_rule(integration, name, rule, changed, done, reach=reach, by=by, on=on)
        if ids is None and above is None:
            changed = _accept_facts(integration, name, changed, done, by=by, on=on)
        if changed is not review:
            write_review(folder, changed)
    done.left = _left(integration, loaded, wanted, done.refused)
    return done


def _accept_rule(
    integration: Integration,
    name: str,
    rule: Rule,
    review: Review,
    done: Accepted,
    *,
    reach: Reach,
    by: str,
    on: str,
) -> Review:
    """Accept one rule when it holds.

    Args:
        reach: What a person meant. `named`: this rule, also one that was rejected. `all`: each that is not rejected. `new`: each that
            nobody has looked at; a confidence says nothing of a schema that changed after it was given.
    """
    source, destination = integration.ends(name)
    checked, found = prove_rule(rule, source=source, destination=destination, registry=integration.registry)
    if checked is None:
        done.refused += [one for one in found if one.is_error]
        return review
    status = review.status(rule.id, checked.rule_digest, checked.fields_digest)
    if status == "accepted" or (status == "rejected" and reach != "named") or (status != "open" and reach == "new"):
        return review
    if unsaid := [replace(one, severity="error") for one in found if one.code == "V430"]:
        done.refused += unsaid  # the reason is a part of the rule, so an acceptance before it would not hold
        return review
    done.rules.append(f"{name}.{rule.id}")
    return review.accepting(rule.id, rule=checked.rule_digest, fields=checked.fields_digest, by=by, on=on)


def _left(
    integration: Integration, loaded: Mapping[str, Rules], wanted: Iterable[str], said: Sequence[Diagnostic]
) -> list[Diagnostic]:
    left: list[Diagnostic] = []
    for name in wanted:
        source, destination = integration.ends(name)
        review = load_review(integration.folder, name)
        try:
            check_rules(
                loaded[name], source=source, destination=destination, registry=integration.registry, review=review
            )
        except DiagnosticError as error:
            left += [one for one in error.diagnostics if one.is_error and one not in said]
    return left


def accept_by_policy(folder: Path, policy: ReviewPolicy, *, on: str) -> Accepted:
    """Accept what the manifest's policy accepts."""
    return accept(folder, (), above=policy.accept_above, by=POLICY, on=on)


def proposed_confidence(folder: Path, rules: Rules) -> Mapping[str, float]:
    """Rule → the confidence it was proposed with; empty without a proposal file.

    A rule that is not as it was proposed any more, or in which a decision was left to a person, has none. What a model added to
    a rule's confidence does not count: that is for a person to judge.
    """
    file = f"mappings/{rules.stream}.proposal.json"
    try:
        proposed = json.loads((folder / file).read_text(encoding="utf-8"))["rules"]
        return {
            rule.id: min(float(one["confidence"]), float(one.get("without_model", 1.0)))
            for rule in rules.rules
            if (one := proposed.get(rule.id)) is not None
            and one["digest"] == rule_digest(rule)
            and not one.get("holes")
        }
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"the proposal of `{rules.stream}` cannot be read: {type(error).__name__}"
        raise DiagnosticError(
            [Diagnostic(code="V002", message=message, places=(Place(file=file),), help="run `vitesse map` again")]
        ) from None


def _accept_facts(integration: Integration, name: str, review: Review, done: Accepted, *, by: str, on: str) -> Review:
    for use in stream_facts(integration, name):
        if is_open(use, review):
            review = review.accepting_fact(use.operation, use.fact, by=by, on=on)
            done.facts.append(f"{name}: {use.operation} {use.fact.kind}")
    return review


def _wanted(loaded: Mapping[str, Rules], selection: Sequence[str], *, everything: bool) -> dict[str, set[str] | None]:
    """Stream → the rules that are meant; None means the stream whole."""
    if everything:
        return dict.fromkeys(loaded)
    wanted: dict[str, set[str] | None] = {}
    unknown: list[Diagnostic] = []
    for text in selection:
        name, _, rule = text.partition(".")
        if name not in loaded:
            unknown.append(_nothing(text, f"there is no stream `{name}`", list(loaded), name))
        elif not rule:
            wanted[name] = None
        elif rule not in (known := [one.id for one in loaded[name].rules]):
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
