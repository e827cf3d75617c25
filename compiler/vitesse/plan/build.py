"""(Manifest, Apis, Facts, ReviewedRules) → Plan: every decision about the package, taken once and in one place.

Pure: same inputs, same plan. What is inferred was pinned in the facts; what a person says in the manifest wins over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from ..api.facts import ApiFacts
from ..api.model import Api
from ..api.paths import Path
from ..diagnostics import Diagnostic, DiagnosticError, Place, raise_errors
from ..forms import pointer
from ..frozen import dataclass
from ..manifest import Manifest, Registration, SignatureScheme
from ..rules.model import ReviewedRules
from .history import plan_retention
from .merges import check_pair
from .mock_builder import Side, positions
from .mocks import plan_mocks
from .model import (
    ApiPlan,
    CopiedFile,
    CorrectionRow,
    DeployPlan,
    MapperModule,
    ModelModule,
    PackageNames,
    Plan,
    RegistrationPlan,
    SettingValue,
    SignaturePlan,
    StreamPlan,
    StreamTable,
    WebhookPlan,
)
from .monitoring import plan_monitoring
from .names import Scope
from .operations import json_path, list_paths, path_parameters
from .order import in_order
from .sides import SideNames
from .streams import StreamBuilder
from .systems import plan_api, setting, side_names
from .tables import noted

CONTRACT = 2
"""The runtime contract that the derived code is written for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything a plan is made from."""

    manifest: Manifest
    source: Api
    destination: Api
    source_facts: ApiFacts
    destination_facts: ApiFacts
    rules: Mapping[str, ReviewedRules]
    """Stream → its reviewed rules."""
    copied: tuple[CopiedFile, ...] = ()
    schemes: Mapping[str, SignaturePlan] = field(default_factory=dict)
    """Signature scheme preset → its plan."""
    used_headers: Mapping[str, str] = field(default_factory=dict)
    """API → the header in which its vendor tells how much of the rate is used, where a plugin knows one."""
    tables: tuple[StreamTable, ...] = ()
    corrections: tuple[CorrectionRow, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)


def build_plan(inputs: Inputs) -> Plan:
    """Decide everything about the package.

    Raises:
        DiagnosticError: V501 and on, everything that cannot be planned, for all streams at once.
    """
    manifest = inputs.manifest
    modules = Scope(ignore_case=True)
    source_names = side_names(manifest.source, inputs.source, modules)
    destination_names = side_names(manifest.destination, inputs.destination, modules, "destination")
    builders, streams, found = [], [], list[Diagnostic]()
    constants = Scope(("INTEGRATION", "SETTINGS", source_names.constant, destination_names.constant))
    model_modules, mapper_modules = Scope(ignore_case=True), Scope(ignore_case=True)
    source_uses = source_names.uses(inputs.source)
    destination_uses = destination_names.uses(inputs.destination)
    sides = {
        "source": SideNames(names=source_names, api=inputs.source, facts=inputs.source_facts, uses=source_uses),
        "destination": SideNames(
            names=destination_names, api=inputs.destination, facts=inputs.destination_facts, uses=destination_uses
        ),
    }
    partners = {stream.reverse_of: name for name, stream in manifest.streams.items() if stream.reverse_of is not None}
    for name, stream in manifest.streams.items():
        partner = partners.get(name)
        builder = StreamBuilder(
            name=name,
            stream=stream,
            rules=inputs.rules[name],
            full=manifest.models == "full",
            source=sides[stream.side("source")].of(name, stream, "source"),
            destination=sides[stream.side("destination")].of(name, stream, "destination"),
            back=inputs.rules[partner] if partner is not None else None,
            constants=constants,
            model_modules=model_modules,
            mapper_modules=mapper_modules,
            streams=tuple(manifest.streams),
        )
        try:
            builder.collect()
            builders.append(builder)
        except DiagnosticError as error:
            found.extend(error.diagnostics)
    for position, webhook in enumerate(manifest.webhooks):
        if webhook.register_ is None:
            continue
        at = pointer("webhooks", position, "register")
        try:
            source_uses.use(webhook.register_.operation, "create", f"{at}/operation")
            if webhook.register_.list is not None:
                source_uses.use(webhook.register_.list, "list", f"{at}/list")
            if webhook.register_.delete is not None:
                use = source_uses.use(webhook.register_.delete, "delete", f"{at}/delete")
                use.parameters.update(path_parameters(use.operation))
        except DiagnosticError as error:
            found.extend(error.diagnostics)
    apis: list[ApiPlan] = []
    for system, names, api, facts, uses, header in (
        (manifest.source, source_names, inputs.source, inputs.source_facts, source_uses, manifest.source.api),
        (
            manifest.destination,
            destination_names,
            inputs.destination,
            inputs.destination_facts,
            destination_uses,
            manifest.destination.api,
        ),
    ):
        try:
            apis.append(plan_api(system, names, api, facts, uses, inputs.used_headers.get(header)))
        except DiagnosticError as error:
            found.extend(error.diagnostics)
    if found:
        raise DiagnosticError(found)
    source, destination = apis
    models: list[ModelModule] = []
    mappers: list[MapperModule] = []
    for builder in builders:
        both = {"source": source, "destination": destination}
        stream_plan = builder.plan(both[builder.stream.side("source")], both[builder.stream.side("destination")])
        streams.append(stream_plan)
        models.extend(builder.models)
        mappers.append(builder.mapper)
    records = {builder.name: builder.records() for builder in builders}
    for stream_plan in streams:
        if stream_plan.reverse_of is not None:
            check_pair(next(each for each in streams if each.name == stream_plan.reverse_of), stream_plan, records)
    streams = in_order(streams, manifest)
    webhooks = _webhooks(manifest, inputs.schemes, source)
    raise_errors(_named_by_records(webhooks, {name: each.identity for name, each in records.items()}))
    return Plan(
        names=PackageNames(
            distribution=manifest.name, module=manifest.module, version=manifest.version, python=manifest.python
        ),
        intent=manifest.intent,
        contract=CONTRACT,
        draft=tuple(f"{name}.{rule}" for name, rules in inputs.rules.items() for rule in rules.open),
        source=source,
        destination=destination,
        models=tuple(sorted(models, key=lambda module: module.module)),
        mappers=tuple(mappers),
        streams=tuple(streams),
        webhooks=webhooks,
        retention=plan_retention(manifest.retention),
        settings=_settings(source, destination, streams, webhooks),
        copied=inputs.copied,
        tables=_tables(inputs, builders),
        corrections=inputs.corrections,
        mocks=plan_mocks(
            source=Side(plan=source, api=inputs.source, facts=inputs.source_facts),
            destination=Side(plan=destination, api=inputs.destination, facts=inputs.destination_facts),
            streams=streams,
            records=records,
            webhooks=webhooks,
        ),
        monitoring=plan_monitoring(manifest.name),
        deploy=DeployPlan(
            target=manifest.deploy.target,
            replicas=manifest.deploy.replicas,
            memory_mb=manifest.deploy.memory_mb,
            cpu_cores=manifest.deploy.cpu_cores,
            auto_scale=manifest.deploy.auto_scale,
            port=manifest.deploy.port,
        ),
        inputs=dict(inputs.digests),
    )


def _tables(inputs: Inputs, builders: Sequence[StreamBuilder]) -> tuple[StreamTable, ...]:
    """The tables of the review, with what the operations say about single fields."""
    by_name = {builder.name: builder for builder in builders}
    return tuple(
        noted(table, builder.rules, builder.only_created, builder.stream.destination.update)
        if (builder := by_name.get(table.stream)) is not None
        else table
        for table in inputs.tables
    )


def _webhooks(manifest: Manifest, schemes: Mapping[str, SignaturePlan], source: ApiPlan) -> tuple[WebhookPlan, ...]:
    plans, found = [], []
    for position, webhook in enumerate(manifest.webhooks):
        if isinstance(webhook.scheme, str):
            scheme = schemes.get(webhook.scheme)
            if scheme is None:
                found.append(_unknown_scheme(position, webhook.scheme, schemes))
                continue
        else:
            scheme = _written_out(webhook.scheme)
        if webhook.handshake_secret is not None and scheme.handshake_word is None:
            found.append(_no_handshake(position))
        plans.append(
            WebhookPlan(
                topics=webhook.topics,
                scheme=scheme,
                secret=setting(webhook.secret, secret=True),
                secrets=tuple(setting(secret, secret=True) for secret in webhook.further_secrets),
                deleted_topics=webhook.deleted_topics,
                topic_path=json_path(webhook.topic_path) if webhook.topic_path is not None else None,
                stream=webhook.stream,
                record=json_path(webhook.record),
                events=list_paths(webhook.events) if webhook.events is not None else None,
                record_id=json_path(webhook.record_id) if webhook.record_id is not None else None,
                handshake_secret=(
                    setting(webhook.handshake_secret, secret=True) if webhook.handshake_secret is not None else None
                ),
                register=_registration(webhook.register_, source) if webhook.register_ is not None else None,
            )
        )
    if found:
        raise DiagnosticError(found)
    return tuple(plans)


def _registration(register: Registration, source: ApiPlan) -> RegistrationPlan:
    constants = {operation.id: operation.constant for operation in source.operations}
    ids = {
        operation.id: [each.name for each in operation.parameters if each.location == "path"]
        for operation in source.operations
    }
    return RegistrationPlan(
        operation=constants[register.operation],
        list=constants[register.list] if register.list is not None else None,
        body=tuple((json_path(path), value) for path, value in register.body.items()),
        records=json_path(register.records),
        topic=json_path(register.topic) if register.topic is not None else None,
        url=json_path(register.url) if register.url is not None else None,
        delete=constants[register.delete] if register.delete is not None else None,
        delete_argument=next(reversed(ids[register.delete]), "id") if register.delete is not None else "id",
        identity=json_path(register.identity),
    )


def _written_out(scheme: SignatureScheme) -> SignaturePlan:
    """A scheme of the manifest; its field paths become keys."""
    members = scheme.model_dump()
    paths = {name: json_path(value) for name, value in members.items() if name.endswith("_path") and value is not None}
    return SignaturePlan(**{**members, **paths})


def _settings(
    source: ApiPlan, destination: ApiPlan, streams: Sequence[StreamPlan], webhooks: Sequence[WebhookPlan]
) -> tuple[SettingValue, ...]:
    """Every environment variable once, by name; secret when one of its uses is."""
    values = [secret for webhook in webhooks for secret in webhook.all_secrets]
    for api in (source, destination):
        values.append(api.base_url)
        values.extend(value for _, value in (*api.variables, *api.headers))
        values.extend(value for _, value in (api.auth.values if api.auth is not None else ()))
        values.extend(value for operation in api.operations for _, value in operation.headers)
    for stream in streams:
        values.extend(fixed.value for fixed in (*stream.source.parameters, *stream.destination.parameters))
    named: dict[str, SettingValue] = {}
    for value in values:
        if value.env is not None:
            known = named.get(value.env)
            secret = value.secret or (known is not None and known.secret)
            named[value.env] = SettingValue(env=value.env, secret=secret, text=value.text)
    return tuple(named[name] for name in sorted(named))


def _named_by_records(webhooks: Sequence[WebhookPlan], identities: Mapping[str, Path]) -> Iterator[Diagnostic]:
    """A record's own name would make each of its later deliveries a repetition of the first."""
    for position, webhook in enumerate(webhooks):
        inner = webhook.scheme.id_path
        record = webhook.record_id or (*webhook.record, *positions(identities[webhook.stream]))
        if inner is None or inner != record:
            continue
        yield Diagnostic(
            code="V520",
            message=f"deliveries are named by `{'.'.join(map(str, inner))}`, which is their record of `{webhook.stream}`: "
            "each change after the first would count as a repetition",
            places=(Place(file="integration.yaml", pointer=pointer("webhooks", position)),),
            help="say where the record is in the body (`record: data.object`), or write a scheme without `id_path`",
        )


def _no_handshake(position: int) -> Diagnostic:
    return Diagnostic(
        code="V521",
        message="a webhook has the word of a handshake, and its scheme has no handshake by GET",
        places=(Place(file="integration.yaml", pointer=pointer("webhooks", position, "handshake_secret")),),
        help="leave `handshake_secret` out, or write the scheme out with `handshake_challenge` and `handshake_word`",
    )


def _unknown_scheme(position: int, name: str, schemes: Mapping[str, SignaturePlan]) -> Diagnostic:
    known = ", ".join(sorted(schemes)) or "none"
    return Diagnostic(
        code="V503",
        message=f"no plugin or preset knows the signature scheme `{name}`",
        places=(Place(file="integration.yaml", pointer=pointer("webhooks", position, "scheme")),),
        help=f"use a known one ({known}), add the plugin that brings it to `plugins`, or write the scheme out",
    )
