"""Propose rules for what is still open, append them to the mappings, and accept by policy where the manifest says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..api.paths import Path as FieldPath
from ..api.paths import PathSyntaxError, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import either, near
from ..manifest import ReviewPolicy, Stream
from ..mapper.lessons import Lessons
from ..mapper.model import Proposal, StreamProposal
from ..mapper.proposal_file import load_proposal, proposal_file
from ..mapper.propose import Asked, propose
from ..mapper.write import Written, existing_rules, keep_recorded, write_proposal
from ..pipeline import Integration, read_integration
from ..rules.digests import rule_digest
from ..rules.review import load_review
from .accept import accept_by_policy
from .learn import learn_from, way_back

if TYPE_CHECKING:
    from ..mapper.llm.adviser import ModelAdviser
    from ..mapper.llm.run import Estimate, ModelRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What one call proposed for one stream."""

    proposal: StreamProposal
    written: Written
    accepted: tuple[str, ...] = ()
    """Rules that the policy accepted: `stream.rule`."""
    again: tuple[Proposal, ...] = ()
    """What a model says of rules that stood in the mapping already, as they were proposed and not reviewed."""


def map_streams(
    folder: Path,
    streams: Sequence[str] = (),
    *,
    hints: Sequence[str] = (),
    on: str,
    model: ModelRun | None = None,
    learn: Sequence[Path] = (),
) -> tuple[Mapped, ...]:
    """Propose rules and write them down.

    Args:
        streams: Only these; all when empty.
        hints: `source=destination`, beside those of the manifest; they overrule what would be proposed.
        on: The day, for acceptances by policy.
        model: A language model to ask; what went wrong with it is in its `found`.
        learn: Reviewed integrations, or folders of them: what was accepted there is likelier, what was rejected less.

    Raises:
        DiagnosticError: V009 for a stream that is not there, V433 when a mapping's form leaves no place, V434 for a hint that is
            none, V439 for nothing to learn from, V460 to V466 for a model that cannot be asked so, and all that reading the
            integration finds.
    """
    integration = read_integration(folder)
    names = _chosen(integration, streams)
    given = _Given(hints=_hints(hints), lessons=learn_from(learn, integration.manifest))
    if model is not None:
        _check_model(integration, names, given, model)
    found = []
    for name in names:
        found.append(_map_stream(integration, name, given, model))
    policy = integration.manifest.review
    accepted = accept_by_policy(folder, policy, on=on).rules if isinstance(policy, ReviewPolicy) else []
    return tuple(
        Mapped(
            proposal=one.proposal,
            written=one.written,
            again=one.again,
            accepted=tuple(text for text in accepted if text.startswith(f"{one.proposal.stream}.")),
        )
        for one in found
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What the caller said beside the integration."""

    hints: Mapping[str, tuple[str, ...]]
    lessons: Lessons


def plan_model(
    folder: Path, streams: Sequence[str] = (), *, hints: Sequence[str] = (), model: ModelRun, learn: Sequence[Path] = ()
) -> Estimate:
    """What `map_streams` would ask the model; nothing is sent or written.

    Raises:
        DiagnosticError: As `map_streams`.
    """
    integration = read_integration(folder)
    given = _Given(hints=_hints(hints), lessons=learn_from(learn, integration.manifest))
    return _plan(integration, _chosen(integration, streams), given, model)


def _check_model(integration: Integration, names: Sequence[str], given: _Given, model: ModelRun) -> None:
    """Say what will be asked, or refuse it before anything is sent or written."""
    estimate = _plan(integration, names, given, model)
    model.check(estimate)
    model.announce(estimate)


def _plan(integration: Integration, names: Sequence[str], given: _Given, model: ModelRun) -> Estimate:
    from ..mapper.llm.adviser import Planner
    from ..mapper.llm.run import Estimate

    estimate = Estimate()
    for name in names:
        planner = Planner(_adviser(integration, name, model), estimate, name)
        source, destination = integration.ends(name)
        asked, _ = _with_open_rules(integration, name, _asked(integration, name, given))
        propose(name, source, destination, registry=integration.registry, asked=asked, adviser=planner)
    return estimate


def _adviser(integration: Integration, name: str, model: ModelRun) -> ModelAdviser:
    from ..mapper.llm.adviser import ModelAdviser
    from ..mapper.llm.questions import asking_for

    stream = integration.manifest.streams[name]
    source, destination = integration.ends(name)
    intent = stream.intent or integration.manifest.intent
    earlier = load_proposal(integration.folder, name)
    return ModelAdviser(
        model,
        asking_for(name, intent, source, destination, integration.registry),
        earlier.recorded if earlier is not None else None,
        proposal_file(name),
    )


def _map_stream(integration: Integration, name: str, given: _Given, model: ModelRun | None) -> Mapped:
    source, destination = integration.ends(name)
    adviser = _adviser(integration, name, model) if model is not None else None
    asked = _asked(integration, name, given)
    if adviser is None:
        proposal = propose(name, source, destination, registry=integration.registry, asked=asked)
        return Mapped(proposal=proposal, written=write_proposal(integration.folder, proposal, destination))
    asked, reopened = _with_open_rules(integration, name, asked)
    try:
        everything = propose(name, source, destination, registry=integration.registry, asked=asked, adviser=adviser)
    except BaseException:
        if adviser.has_news:  # answers that were paid for are kept, also when somebody stops the run
            keep_recorded(integration.folder, name, adviser.recorded)
        raise
    again = tuple(one for one in everything.proposals if one.id in reopened)
    proposal = replace(
        everything, proposals=tuple(one for one in everything.proposals if not _stands(one.rule.destination, reopened))
    )
    unfilled = tuple(one for one in proposal.unfilled if not _stands(one.destination, reopened))
    proposal = replace(proposal, unfilled=unfilled)
    written = write_proposal(integration.folder, proposal, destination, adviser.recorded, again)
    return Mapped(proposal=proposal, written=written, again=again)


def _with_open_rules(integration: Integration, name: str, asked: Asked) -> tuple[Asked, Mapping[str, FieldPath]]:
    """What a model is asked about: also the rules that stand as they were proposed and that nobody reviewed.

    Returns:
        The question without those rules, and their destinations.
    """
    earlier = load_proposal(integration.folder, name)
    if earlier is None or asked.rules is None or asked.review is None:
        return asked, {}
    reopened = {
        rule.id: rule.destination
        for rule in asked.rules.rules
        if (proposed := earlier.rules.get(rule.id)) is not None
        and proposed.digest == rule_digest(rule)
        and proposed.by != "hint"
        and rule.id not in asked.review.rules
    }
    kept = tuple(rule for rule in asked.rules.rules if rule.id not in reopened)
    return replace(asked, rules=replace(asked.rules, rules=kept)), reopened


def _stands(path: FieldPath, reopened: Mapping[str, FieldPath]) -> bool:
    """Whether a rule in the mapping fills the field, what it stands in, or something inside it."""
    return any(path[: len(one)] == one or one[: len(path)] == path for one in reopened.values())


def _asked(integration: Integration, name: str, given: _Given) -> Asked:
    stream = integration.manifest.streams[name]
    return Asked(
        hints={**_manifest_hints(stream), **given.hints},
        lessons=given.lessons.and_also(way_back(integration, name)),
        rules=existing_rules(integration.folder, name),
        review=load_review(integration.folder, name),
        also_required=frozenset(match.destination for match in stream.match),
        set_there=_identity_paths(integration, stream),
    )


def _identity_paths(integration: Integration, stream: Stream) -> frozenset[FieldPath]:
    """Where a written body would hold what the destination names a record by: beside the other fields, or in their envelope."""
    both = {"source": integration.source_facts, "destination": integration.destination_facts}
    facts, create = both[stream.side("destination")], stream.destination.create
    known = facts.get(create, "identity")
    identity = stream.destination.identity or (known.value if known is not None else None)
    if not isinstance(identity, str) or not identity:
        return frozenset()
    path, record = parse_path(identity), facts.get(create, "record")
    envelope = parse_path(record.value) if record is not None and isinstance(record.value, str) and record.value else ()
    return frozenset({path, (*envelope, *path)})


def _manifest_hints(stream: Stream) -> dict[str, tuple[str, ...]]:
    """Destination → sources, from the manifest's source → destination(s)."""
    found: dict[str, tuple[str, ...]] = {}
    for source, destinations in stream.mapping_hints.items():
        for destination in (destinations,) if isinstance(destinations, str) else destinations:
            found[destination] = (*found.get(destination, ()), source)
    return found


def _hints(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        source, equals, destination = text.partition("=")
        try:
            fine = bool(equals) and bool(parse_path(source)) and bool(parse_path(destination))
        except PathSyntaxError:
            fine = False
        if not fine:
            raise DiagnosticError(
                [
                    Diagnostic(
                        code="V434",
                        message=f"`{text}` is no hint",
                        places=(Place(file="integration.yaml"),),
                        help="write a source field path, `=`, and a destination field path: `total_spent=lifetime_value`",
                    )
                ]
            )
        found[destination] = (*found.get(destination, ()), source)
    return found


def _chosen(integration: Integration, streams: Sequence[str]) -> list[str]:
    known = list(integration.manifest.streams)
    unknown = [name for name in streams if name not in known]
    if unknown:
        close = near(unknown[0], known)
        raise DiagnosticError(
            [
                Diagnostic(
                    code="V009",
                    message=f"`{unknown[0]}` names nothing: there is no such stream",
                    places=(Place(file="integration.yaml", pointer="#/streams"),),
                    help=f"write {either(close or known)}",
                )
            ]
        )
    return list(streams) or known
