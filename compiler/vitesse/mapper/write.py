"""Proposals → the two files of a stream: blocks appended to the person's mapping, and the machine's proposal beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..diagnostics import InternalError
from ..rules.load import load_rules, mapping_file
from ..rules.model import End, Reached, Rule, Rules
from ..rules.review import load_review, write_text
from ..rules.shapes import position_of, reach
from .append import Position, append_rules, new_mapping
from .llm.records import RecordedForm
from .model import Complexity, Proposal, StreamProposal
from .proposal_file import load_proposal, proposal_file, proposal_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What `write_proposal` did."""

    mapping: str
    proposal: str
    """Files, relative to the folder."""
    added: tuple[str, ...]
    """Rules that were appended."""


def existing_rules(folder: Path, stream: str) -> Rules | None:
    """The stream's mapping; None when there is none yet.

    Raises:
        DiagnosticError: As `load_rules`.
    """
    return load_rules(folder, stream) if (folder / mapping_file(stream)).exists() else None


def write_proposal(
    folder: Path,
    proposal: StreamProposal,
    destination: End,
    recorded: RecordedForm | None = None,
    again: Sequence[Proposal] = (),
) -> Written:
    """Append the proposals to the mapping and write the proposal file.

    Args:
        recorded: What models said of the stream, to be kept beside the proposals.
        again: What a model makes of rules that are in the mapping already; the mapping is left as it is.

    Raises:
        DiagnosticError: V433 when the mapping's form leaves no place between its rules.
    """
    file = mapping_file(proposal.stream)
    path = folder / file
    before = existing_rules(folder, proposal.stream)
    text = path.read_bytes().decode("utf-8-sig") if before is not None else new_mapping(proposal.stream)
    rules: Sequence[Rule] = before.rules if before is not None else ()
    positions = _positions([*rules, *(one.rule for one in proposal.proposals)], destination)
    after = append_rules(text, proposal.proposals, positions, file)
    earlier = load_proposal(folder, proposal.stream)
    if before is None or after != text:
        write_text(path, after)
    written = load_rules(folder, proposal.stream)
    _check(before, proposal.proposals, written)
    entries = load_review(folder, proposal.stream).rules
    rejected = frozenset(id for id, entry in entries.items() if entry.state == "rejected")
    told = proposal_text(proposal, earlier, written, recorded, rejected, again)
    write_text(folder / proposal_file(proposal.stream), told)
    return Written(
        mapping=file, proposal=proposal_file(proposal.stream), added=tuple(one.id for one in proposal.proposals)
    )


def keep_recorded(folder: Path, stream: str, recorded: RecordedForm) -> None:
    """Write down what models said of a stream whose proposal did not come about."""
    earlier = load_proposal(folder, stream)
    rules = existing_rules(folder, stream)
    nothing = StreamProposal(stream=stream, proposals=(), unfilled=(), complexity=Complexity(score=1))
    if earlier is None:
        write_text(folder / proposal_file(stream), proposal_text(nothing, None, rules, recorded))
        return
    form = json.loads((folder / proposal_file(stream)).read_text(encoding="utf-8"))
    form["recorded"] = recorded.model_dump(mode="json", exclude_defaults=True)
    write_text(folder / proposal_file(stream), json.dumps(form, indent=2, ensure_ascii=False) + "\n")


def _positions(rules: Sequence[Rule], destination: End) -> dict[str, Position]:
    found = {}
    for rule in rules:
        reached = reach(destination.type, destination.types, rule.destination)
        if isinstance(reached, Reached):
            found[rule.id] = position_of(destination.type, destination.types, reached)
    return found


def _check(before: Rules | None, proposals: Sequence[Proposal], after: Rules) -> None:
    """What was there is as it was, and what was added reads back as it was meant."""
    wanted = {one.id: one.rule for one in proposals}
    known = {rule.id: rule for rule in before.rules} if before is not None else {}
    for rule in after.rules:
        meant = wanted.get(rule.id) or known.get(rule.id)
        if meant is None or _meaning(meant) != _meaning(rule):
            raise InternalError(f"the rule `{rule.id}` does not read back as it was written")
    if len(after.rules) != len(wanted) + len(known):
        raise InternalError("the mapping does not hold the rules that were written")


def _meaning(rule: Rule) -> tuple[object, ...]:
    return (rule.sources, rule.transform, dict(rule.options), rule.on_missing, rule.on_null, dict(rule.waive))
