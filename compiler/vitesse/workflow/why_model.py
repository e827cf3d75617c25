"""What stands behind one line of a package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from ..api.facts import Fact
from ..api.model import Operation
from ..diagnostics import Place
from ..mapper.proposal_file import ProposedForm
from ..rules.model import CheckedRule, End
from ..rules.review import Entry, Status
from ..rules.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTrace:
    """One rule behind a line."""

    stream: str
    what: Literal["fills", "reads", "calls"]
    """`fills`: the line writes the rule's field. `reads`: the rule reads the line's field. `calls`: it calls the line's function."""
    checked: CheckedRule
    status: Status
    entry: Entry | None
    proposed: ProposedForm | None
    is_as_proposed: bool
    sample: Sample | None
    source: End
    destination: End


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationTrace:
    """One operation behind a line of a client."""

    api: str
    title: str
    operation: Operation
    facts: tuple[Fact, ...]
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestTrace:
    """A line of the manifest behind a line: identity, version, match."""

    place: Place
    told: str


Trace: TypeAlias = "RuleTrace | OperationTrace | ManifestTrace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What stands behind one line."""

    file: str
    """Relative to the package."""
    line: int
    text: str
    folder: Path
    """The integration's."""
    origin: str
    """Of a copied file, where it was copied from; else empty."""
    traces: tuple[Trace, ...]
    notes: tuple[str, ...]
