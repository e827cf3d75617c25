"""Propose rules for what is still open, append them to the mappings, and accept by policy where the manifest says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..api.paths import PathSyntaxError, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import either, near
from ..manifest import ReviewPolicy, Stream
from ..mapper.model import StreamProposal
from ..mapper.propose import Asked, propose
from ..mapper.write import Written, existing_rules, write_proposal
from ..pipeline import Integration, read_integration
from ..rules.review import load_review
from .accept import accept_by_policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """What one call proposed for one stream."""

    proposal: StreamProposal
    written: Written
    accepted: tuple[str, ...] = ()
    """Rules that the policy accepted: `stream.rule`."""


def map_streams(folder: Path, streams: Sequence[str] = (), *, hints: Sequence[str] = (), on: str) -> tuple[Mapped, ...]:
    """Propose rules and write them down.

    Args:
        streams: Only these; all when empty.
        hints: `source=destination`, beside those of the manifest; they overrule what would be proposed.
        on: The day, for acceptances by policy.

    Raises:
        DiagnosticError: V009 for a stream that is not there, V434 for a hint that is none, V433 when a mapping's form leaves no
            place, and all that reading the integration finds.
    """
    integration = read_integration(folder)
    names = _chosen(integration, streams)
    given = _hints(hints)
    found = []
    for name in names:
        found.append(_map_stream(integration, name, given))
    policy = integration.manifest.review
    accepted = accept_by_policy(folder, policy, on=on).rules if isinstance(policy, ReviewPolicy) else []
    return tuple(
        Mapped(
            proposal=one.proposal,
            written=one.written,
            accepted=tuple(text for text in accepted if text.startswith(f"{one.proposal.stream}.")),
        )
        for one in found
    )


def _map_stream(integration: Integration, name: str, hints: Mapping[str, tuple[str, ...]]) -> Mapped:
    source, destination = integration.ends(name)
    stream = integration.manifest.streams[name]
    asked = Asked(
        hints={**_manifest_hints(stream), **hints},
        rules=existing_rules(integration.folder, name),
        review=load_review(integration.folder, name),
        also_required=frozenset(match.destination for match in stream.match),
    )
    proposal = propose(name, source, destination, registry=integration.registry, asked=asked)
    return Mapped(proposal=proposal, written=write_proposal(integration.folder, proposal, destination))


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
