"""mappings/<stream>.proposal.json: what was proposed, how sure, why, and what else it might have been. The machine's file.

Proposals of earlier runs stay in it as long as their rules are in the mapping, so that a rule can be traced to what proposed it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue

from ..api.paths import format_path
from ..forms import Form, check_form, form_schema, read_form
from ..rules.digests import rule_digest, rule_form
from ..rules.model import Rules
from .llm.records import RecordedForm
from .model import Alternative, Proposal, StreamProposal


class AlternativeForm(Form):
    """Another way to fill the field."""

    sources: tuple[str, ...] = Field(alias="from")
    transform: str
    confidence: float


class SampleForm(Form):
    """One made-up value before and after."""

    before: JsonValue
    after: JsonValue


class BackForm(Form):
    """The way back, for records that go the other way."""

    transform: str | None = None
    """The transform that gives the source value again; None where there is none."""
    with_: dict[str, JsonValue] = Field(default_factory=dict, alias="with")
    why: str = ""
    """Why there is none."""


class ProposedForm(Form):
    """One proposed rule."""

    rule: dict[str, JsonValue]
    """As it was appended to the mapping."""
    digest: str
    """Of the rule's text: an edited rule is not the proposed one."""
    confidence: float
    """The chance that a person accepts it as it is."""
    evidence: tuple[str, ...]
    alternatives: tuple[AlternativeForm, ...] = ()
    sample: SampleForm | None = None
    losses: tuple[str, ...] = ()
    holes: tuple[str, ...] = ()
    """What only a person can decide."""
    back: BackForm | None = None
    by: str
    without_model: float | None = None
    """The confidence without the model that was asked; `accept_above` counts the lower of the two."""

    @property
    def proposer(self) -> str:
        """What proposed it, as a person reads it: `names`, `gpt-5-mini; 0.12 without it`."""
        if self.without_model is None:
            return self.by
        return f"{self.by}; {self.without_model:.2f} without {'the model' if self.by == 'names' else 'it'}"


class UnfilledForm(Form):
    """A destination field for which nothing is proposed."""

    required: bool
    why: str
    alternatives: tuple[AlternativeForm, ...] = ()


class ComplexityForm(Form):
    """1 (copy and go) to 10 (a project), and what raises it."""

    score: int
    because: tuple[str, ...] = ()


class ProposalForm(Form):
    """The proposals of one stream. Written by `vitesse map`."""

    vitesse: Literal[1]
    stream: str
    complexity: ComplexityForm
    rules: dict[str, ProposedForm] = Field(default_factory=dict)
    unfilled: dict[str, UnfilledForm] = Field(default_factory=dict)
    recorded: RecordedForm | None = None
    """What models answered; used again as long as nothing changed that they were asked about."""


def proposal_file(stream: str) -> str:
    """`mappings/customers.proposal.json`."""
    return f"mappings/{stream}.proposal.json"


def load_proposal(folder: Path, stream: str) -> ProposalForm | None:
    """Read a stream's proposal; None when there is none.

    Raises:
        DiagnosticError: V001 to V006.
    """
    file = proposal_file(stream)
    return check_form(ProposalForm, read_form(folder, file), file) if (folder / file).exists() else None


def proposal_text(
    proposal: StreamProposal,
    earlier: ProposalForm | None = None,
    rules: Rules | None = None,
    recorded: RecordedForm | None = None,
    rejected: frozenset[str] = frozenset(),
    again: Sequence[Proposal] = (),
) -> str:
    """The file's text: new proposals, and earlier ones whose rules are still there.

    Args:
        rejected: Rules that somebody rejected: what was proposed stays told, so that others can learn from it.
        recorded: What models said; what the earlier file has of it when None.
        again: What a model makes of rules that stand in the mapping already, unchanged and not reviewed.
    """
    kept: dict[str, Any] = {}
    if earlier is not None and rules is not None:
        present = {rule.id for rule in rules.rules}
        kept = {
            id: json.loads(one.model_dump_json(by_alias=True, exclude_defaults=True))
            for id, one in earlier.rules.items()
            if id in present or id in rejected
        }
        for one in again:
            kept[one.id] = _looked_at_again(kept[one.id], one)
    form: dict[str, Any] = {
        "vitesse": 1,
        "stream": proposal.stream,
        "complexity": {"score": proposal.complexity.score, "because": list(proposal.complexity.because)},
        "rules": {**kept, **{one.id: _proposed(one) for one in proposal.proposals}},
        "unfilled": {
            format_path(one.destination): {
                "required": one.is_required,
                "why": one.why,
                "alternatives": [_alternative(other) for other in one.alternatives],
            }
            for one in proposal.unfilled
        },
    }
    if recorded is None and earlier is not None:
        recorded = earlier.recorded
    if recorded is not None and (recorded.answers or recorded.nearest):
        form["recorded"] = recorded.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(form, indent=2, ensure_ascii=False) + "\n"


def proposal_schema() -> Mapping[str, Any]:
    """The JSON Schema of the file."""
    schema = form_schema(ProposalForm)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mappings/<stream>.proposal.json",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def _looked_at_again(earlier: dict[str, Any], one: Proposal) -> dict[str, Any]:
    """The earlier proposal with what a model says of it: of the same rule, or in favour of another one."""
    if one.without_adviser is None:
        return earlier
    if earlier["digest"] == rule_digest(one.rule):
        return _proposed(one)
    if not one.is_adviser_choice:
        return earlier
    other = _alternative(
        Alternative(
            sources=tuple(format_path(source) for source in one.rule.sources),
            transform=one.rule.transform,
            confidence=one.confidence,
        )
    )
    rest = [had for had in earlier.get("alternatives", ()) if had["from"] != other["from"]]
    sentence = f"{one.evidence[0]} ({' + '.join(other['from'])}, {other['transform']})"
    return {
        **earlier,
        "evidence": list(dict.fromkeys([sentence, *earlier["evidence"]])),
        "alternatives": [other, *rest],
    }


def _proposed(one: Proposal) -> dict[str, Any]:
    form: dict[str, Any] = {
        "rule": rule_form(one.rule),
        "digest": rule_digest(one.rule),
        "confidence": one.confidence,
        "evidence": list(one.evidence),
        "alternatives": [_alternative(other) for other in one.alternatives],
    }
    if one.sample is not None:
        form["sample"] = {"before": one.sample.before, "after": one.sample.after}
    if one.losses:
        form["losses"] = list(one.losses)
    if one.holes:
        form["holes"] = list(one.holes)
    if one.back is not None:
        form["back"] = (
            {"transform": one.back.transform, **({"with": dict(one.back.options)} if one.back.options else {})}
            if one.back.transform
            else {"why": one.back.why}
        )
    form["by"] = one.by
    if one.without_adviser is not None:
        form["without_model"] = one.without_adviser
    return form


def _alternative(one: Alternative) -> dict[str, Any]:
    return {"from": list(one.sources), "transform": one.transform, "confidence": one.confidence}
