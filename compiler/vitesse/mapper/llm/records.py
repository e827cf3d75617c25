"""A model's recorded answers: a part of `mappings/<stream>.proposal.json`, enough to make the same proposal without a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import Field

from ...forms import Form

MOST = 400
"""Recorded answers of one stream; the oldest leave first."""


class UsageForm(Form):
    """Tokens."""

    input: int
    output: int


class AnsweredForm(Form):
    """One reply of a model, as it came."""

    model: str
    prompt: str
    """Digest of the request."""
    questions: dict[str, str]
    """Destination field → digest of everything that was asked about it. An answer holds as long as that is the same."""
    reply: str
    usage: UsageForm


class NearestForm(Form):
    """What embeddings found near what."""

    model: str
    texts: str
    """Digest of all texts that were embedded."""
    fields: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Destination field → source fields near it, with their likeness."""
    tokens: int = 0


class RecordedForm(Form):
    """All that models said about one stream."""

    answers: tuple[AnsweredForm, ...] = ()
    nearest: tuple[NearestForm, ...] = ()


def by_question(recorded: Iterable[AnsweredForm]) -> Mapping[str, AnsweredForm]:
    """Question's digest → the newest reply to it."""
    return {digest: one for one in recorded for digest in one.questions.values()}
