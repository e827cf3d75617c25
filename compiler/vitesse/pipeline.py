"""The chain: an integration's folder → a proved package.

    integration.yaml ──load_manifest──▶ Manifest
    specs/*          ──read_document──▶ Document ──build_api──▶ Api
    facts/*          ──load_facts─────▶ ApiFacts
    mappings/*       ──load_rules─────▶ Rules ──check_rules──▶ ReviewedRules
    (Manifest, Apis, Facts, ReviewedRules) ──build_plan──▶ Plan
    (Plan, template) ──render_package──▶ RenderedPackage ──verify_package──▶ VerifiedPackage

Never guesses and never reaches the network: same inputs, same bytes, on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .api.facts import ApiFacts, FactKind
from .api.facts_file import load_facts
from .api.model import Api
from .diagnostics import Diagnostic, DiagnosticError, raise_errors
from .frozen import dataclass
from .inputs import file_digests, plugin_digests
from .manifest import Manifest, System, load_manifest
from .openapi import ApiBuild, build_api, read_document
from .plan.build import Inputs, build_plan
from .plan.model import CopiedFile, CorrectionRow, Plan, SignaturePlan
from .plan.tables import stream_table
from .registry import Registry, load_registry
from .render import render_package
from .rules.check import check_rules
from .rules.ends import stream_ends
from .rules.load import load_rules
from .rules.model import End, ReviewedRules
from .rules.review import FactUse, check_facts, fact_uses, load_review
from .specs import overlay_path, spec_limits, spec_path
from .templates import template_home
from .verify import VerifiedPackage, expect, verify_package


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """An integration's folder, read: what the manifest asks for, what the specs offer, what the facts say."""

    folder: Path
    manifest: Manifest
    registry: Registry
    source: Api
    destination: Api
    source_facts: ApiFacts
    destination_facts: ApiFacts
    warnings: tuple[Diagnostic, ...] = ()
    builds: tuple[ApiBuild, ...] = ()
    """Both Apis with what is found in their specs: types are read when they are looked at, and so are their faults."""

    @property
    def spec_diagnostics(self) -> tuple[Diagnostic, ...]:
        """What was found in both specs up to now."""
        return tuple(diagnostic for built in self.builds for diagnostic in built.diagnostics)

    @property
    def corrections(self) -> tuple[CorrectionRow, ...]:
        """What overlays correct in both specs."""
        sides = (self.manifest.source.api, self.manifest.destination.api)
        return tuple(
            CorrectionRow(api=api, target=one.target, reason=one.reason, removes=one.removes)
            for api, built in zip(sides, self.builds, strict=False)
            for one in built.document.corrections
            if one.matches
        )

    def ends(self, stream: str) -> tuple[End, End]:
        apis = {"source": self.source, "destination": self.destination}
        facts = {"source": self.source_facts, "destination": self.destination_facts}
        given = self.manifest.streams[stream]
        reads, writes = given.side("source"), given.side("destination")
        return stream_ends(self.manifest, stream, apis[reads], apis[writes], facts[reads])


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A proved package with the plan it was made from, and what should be said about it."""

    plan: Plan
    package: VerifiedPackage
    warnings: tuple[Diagnostic, ...] = ()


def read_integration(folder: Path, *, plugin_folders: Sequence[Path] = ()) -> Integration:
    """Read everything but the mappings. Raises DiagnosticError with all that was found in the first part that failed."""
    manifest = load_manifest(folder)
    registry = load_registry(manifest.plugins, folder, folders=plugin_folders)
    source = _api(folder, manifest.source, manifest.operations("source"))
    destination = _api(folder, manifest.destination, manifest.operations("destination"))
    source_facts, destination_facts = (load_facts(folder, side.api) for side in (manifest.source, manifest.destination))
    return Integration(
        folder=folder,
        manifest=manifest,
        registry=registry,
        source=_with_listed_fields(folder, manifest, "source", source.api, source_facts),
        destination=_with_listed_fields(folder, manifest, "destination", destination.api, destination_facts),
        source_facts=source_facts,
        destination_facts=destination_facts,
        warnings=tuple(registry.warnings),
        builds=(source, destination),
    )


def review_rules(integration: Integration, *, draft: bool = False) -> dict[str, ReviewedRules]:
    """Prove the rules of every stream and that people stand behind them; all that is wrong is said at once."""
    reviewed: dict[str, ReviewedRules] = {}
    found: list[Diagnostic] = []
    for name in integration.manifest.streams:
        try:
            source, destination = integration.ends(name)
            review = load_review(integration.folder, name)
            rules = load_rules(integration.folder, name)
            reviewed[name] = check_rules(
                rules, source=source, destination=destination, registry=integration.registry, review=review, draft=draft
            )
            found.extend(check_facts(stream_facts(integration, name), review, draft=draft))
        except DiagnosticError as error:
            found.extend(error.diagnostics)
    raise_errors(found)
    return reviewed


def plan_integration(integration: Integration, reviewed: Mapping[str, ReviewedRules]) -> Plan:
    """Decide the package."""
    registry, manifest = integration.registry, integration.manifest
    return build_plan(
        Inputs(
            manifest=manifest,
            source=integration.source,
            destination=integration.destination,
            source_facts=integration.source_facts,
            destination_facts=integration.destination_facts,
            rules=reviewed,
            copied=tuple(
                CopiedFile(path=file.path, content=file.content, origin=file.origin) for file in registry.files
            ),
            schemes={name: _scheme(preset) for name, preset in registry.signatures.items()},
            tables=tuple(stream_table(rules) for rules in reviewed.values()),
            corrections=integration.corrections,
            digests={**file_digests(integration.folder), **plugin_digests(manifest.plugins)},
        )
    )


def compile_integration(
    folder: Path, *, draft: bool = False, plugin_folders: Sequence[Path] = (), memo: Path | None = None
) -> Compiled:
    """The whole chain. Raises DiagnosticError; then nothing has been made.

    Args:
        memo: A folder to keep the answers of slow tools in; the package is the same without.
    """
    integration = read_integration(folder, plugin_folders=plugin_folders)
    try:
        reviewed = review_rules(integration, draft=draft)
        plan = plan_integration(integration, reviewed)
    except DiagnosticError as error:  # a fault in a spec may be the cause, so it is named beside what follows from it
        causes = (diagnostic for diagnostic in integration.spec_diagnostics if diagnostic.is_error)
        raise DiagnosticError([*error.diagnostics, *causes]) from None
    raise_errors(integration.spec_diagnostics)
    template = template_home()
    package = verify_package(render_package(plan, template, memo=memo), expect(plan, template))
    warnings = (
        *integration.warnings,
        *integration.spec_diagnostics,
        *(warning for rules in reviewed.values() for warning in rules.warnings),
    )
    return Compiled(plan=plan, package=package, warnings=warnings)


def stream_facts(integration: Integration, name: str) -> tuple[FactUse, ...]:
    """The facts that a stream stands on: what the manifest says itself is not asked of them."""
    stream = integration.manifest.streams[name]
    source, destination = stream.source, stream.destination
    listing: list[FactKind] = ["records", "paging", "rate_limit", "success"]
    if source.identity is None:
        listing.append("identity")
    if source.version is None:
        listing.append("version")
    if source.since is None:
        listing.append("since")
    if source.version is not None:
        listing.append("sorted_by")
    both = {"source": integration.source_facts, "destination": integration.destination_facts}
    read, facts = both[stream.side("source")], both[stream.side("destination")]
    uses = [*fact_uses(read, source.list, listing)]
    if source.get is not None:
        uses += fact_uses(read, source.get, ["record", "success"])
    written: list[FactKind] = ["record", "success", "idempotency", "rate_limit"]
    if destination.identity is None:
        written.append("identity")
    uses += fact_uses(facts, destination.create, written)
    if destination.update is not None:
        kinds: list[FactKind] = ["record", "success", "idempotency"]
        uses += fact_uses(facts, destination.update, kinds if destination.update_is else [*kinds, "update_is"])
    if destination.get is not None:
        uses += fact_uses(facts, destination.get, ["record", "success"])
    for id in (destination.list, destination.find.operation if destination.find is not None else None):
        if id is not None:
            uses += fact_uses(facts, id, ["records", "paging", "success"])
    for id in destination.batches:
        uses += fact_uses(facts, id, ["batch", "idempotency", "success"])
    return tuple(use for use in dict.fromkeys(uses) if use.fact.value is not None)


def _api(folder: Path, system: System, operations: Sequence[str]) -> ApiBuild:
    path, overlay = spec_path(folder, system), overlay_path(folder, system.api)
    document = read_document(path, limits=spec_limits(system), folder=folder / "specs", label="specs/", overlay=overlay)
    built = build_api(document, operations)
    raise_errors(built.diagnostics)
    return built


def _with_listed_fields(folder: Path, manifest: Manifest, side: str, api: Api, facts: ApiFacts) -> Api:
    if not any(stream.source.fields or stream.destination.fields for stream in manifest.streams.values()):
        return api
    from .listed import extended

    return extended(folder, manifest, side, api, facts)


def _scheme(preset: object) -> SignaturePlan:
    return SignaturePlan(**{name: getattr(preset, name) for name in SignaturePlan.__dataclass_fields__})
