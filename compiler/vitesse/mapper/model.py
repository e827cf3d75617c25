"""What the Mapper hands out: rules with how sure it is and why. Compiled only when a person, or a policy, accepts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..api.model import Json
from ..api.paths import Path
from ..rules.model import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Another way to fill the same field."""

    sources: tuple[str, ...]
    transform: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value before and after, made up from the schema's example or its format."""

    before: Json
    after: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """The way back: the transform that gives the source value again, or why there is none."""

    transform: str | None = None
    options: Mapping[str, Json] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One rule that the Mapper suggests."""

    rule: Rule
    confidence: float
    """The chance that a person accepts it as it is, from 0 to 1."""
    evidence: tuple[str, ...]
    """Why, in words: `same name`, `total and amount are words for one thing`."""
    alternatives: tuple[Alternative, ...] = ()
    sample: Sample | None = None
    losses: tuple[str, ...] = ()
    holes: tuple[str, ...] = ()
    """What only a person can decide, one sentence each."""
    back: Back | None = None
    """For records that go the other way; None for a constant."""
    by: str = "names"
    """What proposed it: `names`, `hint`, `schema` for the only value there can be, a model's name."""
    without_adviser: float | None = None
    """The confidence that names and types alone would give, when a model was asked; a policy counts no more than that."""

    @property
    def id(self) -> str:
        return self.rule.id

    @property
    def is_adviser_choice(self) -> bool:
        """Whether names and types alone would propose something else, or nothing."""
        return self.without_adviser is not None and self.by not in ("names", "hint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfilled:
    """A destination field for which nothing is proposed."""

    destination: Path
    is_required: bool
    why: str
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Complexity:
    """How much work a stream's mapping is, from 1 to 10, and what makes it so."""

    score: int
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamProposal:
    """All that is proposed for one stream."""

    stream: str
    proposals: tuple[Proposal, ...]
    """New ones, in the order of the destination's schema."""
    unfilled: tuple[Unfilled, ...]
    complexity: Complexity
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What it was made from, by digest."""
