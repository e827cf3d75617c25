"""Planned APIs and streams → the two JSON values that the package's mock APIs are driven by.

The form is documented where it is read, in `runtime_template/mocks/form.py`. A mock does what the plan declares (paging, since
filter, find, batch, limits, credential) and knows what the spec says beyond it (whole schemas, all parameters).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial

from ..api.model import Json, Object, Operation, Type
from ..api.paths import EACH, format_path
from .mock_builder import Form, MockBuilder, Side, StreamRecords, plain, positions, stamps
from .mock_hints import Rule, TypeAt
from .mock_schemas import type_at
from .model import (
    DestinationPlan,
    JsonPath,
    MockPlan,
    OperationPlan,
    RegistrationPlan,
    StreamPlan,
    WebhookPlan,
)
from .shape import as_object

_CREATED = re.compile(r"(created|inserted)(_?at|_?on|_?date|_?time)?|(date|time)_?(created|added)", re.IGNORECASE)
_CHANGED = re.compile(
    r"(last_?)?(updated|modified|changed)(_?at|_?on|_?date|_?time)?|(date|time)_?(last_?)?(updated|modified)",
    re.IGNORECASE,
)
_SHAPED = ("topic_path", "events", "record_id")
"""What a delivery looks like beside where its record is."""
_UPSERT = re.compile(r"upsert|create.?or.?update|create.?or.?replace", re.IGNORECASE)


def plan_mocks(
    *,
    source: Side,
    destination: Side,
    streams: Sequence[StreamPlan],
    records: Mapping[str, StreamRecords],
    webhooks: Sequence[WebhookPlan] = (),
) -> MockPlan:
    """Both mocks of a package.

    Args:
        records: Stream → the paths behind its readers, its rules and its waivers.
    """
    written = {**_written_types(destination, streams, back=False), **_written_types(source, streams, back=True)}
    return MockPlan(
        source=_SourceMock(source, streams, records).form(webhooks, written),
        destination=_DestinationMock(destination, streams, records).form(webhooks, written),
    )


class _Mock(MockBuilder):
    """One API: what streams read there, and what others write, where a stream goes back into the same records."""

    def form(self, webhooks: Sequence[WebhookPlan], written: Mapping[str, TypeAt]) -> Json:
        read = [plan for plan in self.streams if (plan.reverse_of is None) == (self.side == "source")]
        for plan in read:
            self._read(plan, written[plan.name])
        for plan in self.streams:
            if plan not in read:
                self._written(plan)
        names = {form["name"]: form["collection"] for form in self.stream_forms}
        own = {plan.name for plan in read}
        for webhook in webhooks if self.side == "source" else ():
            if webhook.register is not None:
                self._registrations(webhook.register)
        return self.whole(
            [self._webhook(webhook, names[webhook.stream]) for webhook in webhooks if webhook.stream in own]
        )

    def _registrations(self, register: RegistrationPlan) -> None:
        """The webhooks that this API was asked for: none at first, and none twice."""
        create_plan, create = self.operation(register.operation)
        envelope = list(_shared(path for path, _ in register.body))
        body_type = create.body.type if create.body is not None else None
        written = type_at(self.api, body_type, tuple(envelope))
        listed = None
        if register.list is not None:
            listed = type_at(self.api, self.reply_type(register.list, register.records), (EACH,))
        kept = listed or written
        record = self.api.resolve(kept) if kept is not None else None
        identity = register.identity if register.delete is not None else _named(record)
        collection = self.new_collection(create_plan.id, create, type=kept, identity=identity, version=None)
        if isinstance(record, Object):
            collection.created = collection.created or stamps(self.api, record, _CREATED)
        parts = [{"path": list(path), "compare": []} for path in (register.topic, register.url) if path is not None]
        if parts and parts not in collection.unique:
            collection.unique.append(parts)
        for path, _ in register.body:
            self.writer.follow(body_type, path)
        self.put(
            register.operation,
            "create",
            collection.name,
            body=self._body(create_plan, create, envelope, []),
        )
        if register.list is not None:
            self.put(register.list, "list", collection.name)
        if register.delete is not None:
            self.put(register.delete, "delete", collection.name, identity_parameter=register.delete_argument)

    def _key(self, plan: StreamPlan, *, reads: bool) -> str:
        """The operation that names a stream's records here: both streams of a pair have the same ones."""
        forward = next(each for each in self.streams if each.name == (plan.reverse_of or plan.name))
        is_back = plan.reverse_of is not None
        constant = forward.source.list if reads != is_back else forward.destination.create
        return self.operations[constant].id

    def _read(self, plan: StreamPlan, written: TypeAt) -> None:
        source, known = plan.source, self.records[plan.name]
        list_plan, listing = self.operation(source.list)
        records_type = type_at(self.api, self.reply_type(source.list, list_plan.records or ()), (EACH,))
        get_path = self.operations[source.get].record if source.get is not None else ()
        collection = self.new_collection(
            self._key(plan, reads=True),
            listing,
            type=records_type or self.reply_type(source.get, get_path),
            identity=positions(known.identity),
            version=positions(known.version) if known.version is not None else None,
        )
        collection.is_read = True
        record = self.api.resolve(collection.type) if collection.type is not None else None
        if isinstance(record, Object):
            collection.created = collection.created or stamps(self.api, record, _CREATED, but=collection.version)
        compares = [part.compare for part in plan.match]
        parts = [
            {"path": list(positions(path)), "compare": list(compare)}
            for path, compare in zip(known.match, compares, strict=False)
        ]
        if parts and parts not in collection.unique:
            collection.unique.append(parts)
        collection.examples = collection.examples or self._examples(listing, list_plan.records)
        for path in (
            known.identity,
            known.version or (),
            *known.match,
            *(path for rule in known.rules for path in rule.sources),
        ):
            self.writer.follow(collection.type, path)
        names = {form["name"]: form["collection"] for form in self.stream_forms}
        for rule in known.rules:
            if (of := looked_up(rule)) is not None:
                other = collection.name if of == plan.name else names[of]
                collection.references += [{"path": list(positions(path)), "collection": other} for path in rule.sources]
        if plan.deletes is not None and plan.deletes.tombstone is not None:
            self.writer.follow(collection.type, tuple(str(step) for step in plan.deletes.tombstone))
            collection.absent.append(list(plan.deletes.tombstone))
        for rule in known.rules:
            collection.hints.add(rule, lambda path: type_at(self.api, records_type, path), written)
        since = {"parameter": source.since.parameter, "format": source.since.format} if source.since else None
        order = "version" if source.sorted_by_version else None
        self.put(
            source.list,
            "list",
            collection.name,
            since=since,
            order=order,
            between=self._between(plan, known, records_type),
        )
        if source.get is not None:
            self.put(source.get, "get", collection.name, identity_parameter=source.get_argument)
        self.fixed(plan)
        used = [self.operations[constant].id for constant in (source.list, source.get) if constant is not None]
        self.stream_forms.append(
            {
                "name": plan.name,
                "collection": collection.name,
                "operations": list(dict.fromkeys(used)),
                "rules": [
                    {
                        "destination": list(positions(rule.destination)),
                        "sources": [list(positions(path)) for path in rule.sources],
                        "transform": rule.transform,
                    }
                    for rule in known.rules
                ],
            }
        )

    def _between(self, plan: StreamPlan, known: StreamRecords, record: Type | None) -> dict[str, Json] | None:
        """The bounds of a part, and the field of a record that they are about, as far as the parameter's name tells it."""
        partition = plan.source.partition
        if partition is None or partition.first is None:
            return None
        path: list[Json] | None = None
        if partition.by == "range":
            path = list(positions(known.identity))
        else:
            shape = as_object(self.api, record)
            words = re.sub(
                r"(_min|_from|_after|_since|_gte|\[gte\]|\[min\])$|^(min_|from_|since_)", "", partition.first
            )
            if shape is not None and shape.field(words) is not None:
                path = [words]
        return {"first": partition.first, "last": partition.last, "path": path}

    def _examples(self, operation: Operation, records: JsonPath | None) -> list[Json]:
        reply = operation.success()
        value: Json = reply.example if reply is not None else None
        for key in records or ():
            value = value.get(str(key)) if isinstance(value, dict) else None
        return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

    def _webhook(self, webhook: WebhookPlan, collection: str) -> Form:
        env = webhook.secret.env
        if env is not None and env not in self.environment:
            self.environment[env] = _secret(env, webhook.scheme.secret_encoding)
        if webhook.handshake_secret is not None:
            self._value(webhook.handshake_secret)
        return {
            "topics": list(webhook.topics),
            **({"deleted_topics": list(webhook.deleted_topics)} if webhook.deleted_topics else {}),
            "scheme": {name: _as_json(value) for name, value in asdict(webhook.scheme).items()},
            "secret": self._value(webhook.secret),
            "collection": collection,
            "record": list(webhook.record),
            **{name: _as_json(value) for name in _SHAPED if (value := getattr(webhook, name)) is not None},
            "stream": webhook.stream,
        }

    def _written(self, plan: StreamPlan) -> None:
        destination, known = plan.destination, self.records[plan.name]
        _, create = self.operation(destination.create)
        body_type = create.body.type if create.body is not None else None
        record = self._record_type(destination) or type_at(self.api, body_type, destination.envelope)
        resolved = self.api.resolve(record) if record is not None else None
        changed = stamps(self.api, resolved, _CHANGED) if isinstance(resolved, Object) else []
        collection = self.new_collection(
            self._key(plan, reads=False),
            create,
            type=record,
            identity=destination.identity,
            version=changed[0] if changed else None,
        )
        if isinstance(resolved, Object):
            collection.created = collection.created or stamps(self.api, resolved, _CREATED)
        parts = [{"path": list(part.destination), "compare": list(part.compare)} for part in plan.match]
        if parts and plan.mode == "upsert" and parts not in collection.unique:
            collection.unique.append(parts)
        for rule in known.rules:
            self.writer.follow(body_type, rule.destination)
        waived = [list(positions(path)) for path in known.waived]
        self._writes(destination, collection.name, waived)
        self._reads(plan, collection.name)
        self.fixed(plan)
        used = [destination.create, destination.update, destination.get, destination.list, destination.delete]
        used += [destination.find.operation] if destination.find is not None else []
        used += [each.operation for each in (destination.batch, destination.batch_update) if each is not None]
        operations = [self.operations[constant].id for constant in used if constant is not None]
        self.stream_forms.append(
            {
                "name": plan.name,
                "collection": collection.name,
                "operations": list(dict.fromkeys(operations)),
                "rules": [],
            }
        )

    def _record_type(self, destination: DestinationPlan) -> Type | None:
        """The fullest description of a stored record that a reply gives."""
        found = [
            self.reply_type(constant, self.operations[constant].record)
            for constant in (destination.get, destination.create, destination.update)
            if constant is not None
        ]
        for constant in (destination.list, destination.find.operation if destination.find else None):
            if constant is not None and (records := self.operations[constant].records) is not None:
                found.append(type_at(self.api, self.reply_type(constant, records), (EACH,)))
        objects = [one for one in found if isinstance(one, Object)]
        return max(objects, key=lambda one: len(one.fields), default=None)

    def _writes(self, destination: DestinationPlan, collection: str, waived: list[list[str | int]]) -> None:
        envelope = list(destination.envelope)
        create_plan, create = self.operation(destination.create)
        says_upsert = _UPSERT.search(f"{create.operation_id} {create.path} {create.summary}") is not None
        self.put(
            destination.create,
            "create",
            collection,
            body=self._body(create_plan, create, envelope, waived),
            upserts=says_upsert or destination.update == destination.create,
        )
        if destination.update is not None:
            update_plan, update = self.operation(destination.update)
            self.put(
                destination.update,
                "update",
                collection,
                identity_parameter=destination.update_argument,
                body=self._body(update_plan, update, envelope, waived),
                replaces=destination.update_is == "replace",
            )
        if destination.delete is not None:
            names = re.findall(r"\{([^{}]+)\}", self.operations[destination.delete].path)
            fixed = {each.name for each in destination.parameters}
            own = [name for name in names if name not in fixed]
            self.put(destination.delete, "delete", collection, identity_parameter=own[-1] if own else None)
        for many in (destination.batch, destination.batch_update):
            if many is None:
                continue
            batch_plan, batch = self.operation(many.operation)
            kept = ("operation", "key", "key_kind")
            members = {name: plain(value) for name, value in asdict(many).items() if name not in kept}
            depth = len(envelope)
            inner = [path[depth:] if depth and path[:depth] == envelope else path for path in waived]
            self.put(
                many.operation,
                "batch",
                collection,
                body=self._body(batch_plan, batch, [], inner),
                batch=members,
            )

    def _reads(self, plan: StreamPlan, collection: str) -> None:
        destination = plan.destination
        if destination.get is not None:
            self.put(destination.get, "get", collection, identity_parameter=destination.get_argument)
        if destination.list is not None:
            self.put(destination.list, "list", collection)
        if destination.find is not None:
            compares = {
                format_path(tuple(EACH if isinstance(step, int) else step for step in part.destination)): part
                for part in plan.match
            }
            filters = []
            for name, parameter in destination.find.parameters:
                part = compares.get(name)
                path = list(part.destination) if part is not None else name.split(".")
                filters.append(
                    {"parameter": parameter, "path": path, "compare": list(part.compare) if part is not None else []}
                )
            self.put(destination.find.operation, "list", collection, filters=filters)

    def _body(
        self, plan: OperationPlan, operation: Operation, envelope: list[str | int], waived: list[list[str | int]]
    ) -> Form | None:
        if plan.body is None or operation.body is None:
            return None
        return {
            "encoding": plan.body,
            "media_type": plan.media_type,
            "required": operation.body.required or operation.method in ("POST", "PUT", "PATCH"),
            "schema": self.writer.schema(operation.body.type),
            "record": envelope,
            "waived": waived,
        }


class _SourceMock(_Mock):
    side = "source"


class _DestinationMock(_Mock):
    side = "destination"


# --- small things -----------------------------------------------------------------------------------------------------


def looked_up(rule: Rule) -> str | None:
    """The stream whose links a rule follows."""
    if rule.transform == "lookup" or rule.options.get("transform") == "lookup":
        return str(rule.options["stream"])
    return None


def _shared(paths: Iterable[JsonPath]) -> JsonPath:
    """What all paths begin with, and none ends with."""
    first, *others = paths
    kept: list[str | int] = []
    for step, *rest in zip(first[:-1], *(path[:-1] for path in others), strict=False):
        if any(other != step for other in rest):
            break
        kept.append(step)
    return tuple(kept)


def _named(record: Type | None) -> JsonPath:
    """The field that names a webhook: `id`, else one that says so in its name."""
    names = [known.name for known in record.fields] if isinstance(record, Object) else []
    return (next((name for name in names if re.fullmatch(r"(?i)(.*_)?(id|uuid|uid|gid)", name)), "id"),)


def _as_json(value: object) -> object:
    """What JSON reads back: field paths are lists there."""
    return [_as_json(item) for item in value] if isinstance(value, tuple) else value


def _secret(env: str, encoding: str) -> str:
    """A webhook secret in the spelling that its scheme decodes."""
    text = f"mock-{env.lower().replace('_', '-')}"
    if encoding == "text":
        return text
    return ("whsec_" if encoding == "whsec_base64" else "") + b64encode(text.encode()).decode()


def _written_types(destination: Side, streams: Sequence[StreamPlan], *, back: bool) -> dict[str, TypeAt]:
    """Stream → the type of a field of its written body, for those that go on or those that go back."""
    ids = {operation.constant: operation.id for operation in destination.plan.operations}
    found: dict[str, TypeAt] = {}
    for plan in streams:
        if (plan.reverse_of is not None) != back:
            continue
        create = destination.api.operation(ids[plan.destination.create])
        body = create.body.type if create is not None and create.body is not None else None
        found[plan.name] = partial(type_at, destination.api, body)
    return found
