"""The destination of one stream: which operations it uses, how bodies lie in them, and its part of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from ..api.facts import BatchResults
from ..api.model import Field, Operation, Scalar
from ..api.paths import EACH, format_path, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..manifest import Batch
from ..rules.model import ReviewedRules
from .model import BatchPlan, DestinationPlan, FindPlan, JsonPath, PyType
from .operations import json_path
from .record_types import below, keys_of, optional_path, record_type
from .shape import as_object
from .sides import StreamSide
from .updates import Update, fit_update, not_taken_by, unlike


class DestinationBuilder:
    """Builds one stream's destination. `envelope` and `identity` are there once they were looked for."""

    def __init__(self, side: StreamSide, rules: ReviewedRules, *, merges: bool) -> None:
        """`merges`: whether writes look at what the other side has."""
        self._side = side
        self._given = side.stream.destination
        self._rules = rules
        self._merges = merges
        self.identity: JsonPath = ()
        self.envelope: JsonPath = ()

    def find_identity(self, create: Operation) -> str:
        """The field that names a written record."""
        given, side = self._given, self._side
        identity = (
            given.identity
            or side.fact(create.id, "identity")
            or (side.fact(given.get, "identity") if given.get else None)
            or "id"
        )
        self.identity = json_path(identity)
        return identity

    def use(self, create: Operation, body: PyType, result: PyType) -> None:
        """Record the use of each operation: it takes `body` and gives `result`."""
        destination, side, uses = self._given, self._side, self._side.uses
        create_use = uses.by_id[create.id]
        create_use.result = create_use.result or result
        if destination.update is not None:
            use = uses.use(destination.update, "update", side.at("destination", "update"))
            use.body, use.result = use.body or body, use.result or result
            use.parameters.add(side.identity_argument(destination.update))
            if destination.update != destination.create:
                use.update = self._planned_update(use.operation)
            if self._merges:
                use.parameters.update(_preconditions(use.operation))
        if destination.get is not None:
            use = uses.use(destination.get, "get", side.at("destination", "get"))
            use.result = use.result or result
            use.parameters.add(side.identity_argument(destination.get))
        if destination.list is not None:
            use = uses.use(destination.list, "list", side.at("destination", "list"))
            use.result = use.result or result
        if destination.find is not None:
            use = uses.use(destination.find.operation, "find", side.at("destination", "find", "operation"))
            use.parameters.update(text.removeprefix("query.") for text in destination.find.by.values())
            use.result = use.result or result
        if destination.delete is not None:
            use = uses.use(destination.delete, "delete", side.at("destination", "delete"))
            use.parameters.add(side.identity_argument(destination.delete))
        for key, batch in (("batch", destination.batch), ("batch_update", destination.batch_update)):
            if batch is not None:
                operation = batch.operation if isinstance(batch, Batch) else batch
                use = uses.use(operation, key, side.at("destination", key))
                if key == "batch_update":
                    use.update = self._fitted_items(use.operation)

    def _planned_update(self, update: Operation) -> Update:
        """Fit the body to the update. Raises V508 for what the update requires and nothing fills."""
        fitted = fit_update(
            self._side.api,
            update,
            [rule.rule.destination for rule in self._rules.rules],
            waived=[waiver.destination for waiver in self._rules.waivers],
            identity=(*self.envelope, *self.identity),
            argument=self._side.identity_argument(update.id),
            replaces=self._update_is() == "replace",
        )
        if fitted.unfilled:
            raise DiagnosticError([_unfilled_in_update(update, known) for known in fitted.unfilled])
        return fitted

    def _fitted_items(self, operation: Operation) -> Update:
        """What the items of a batch of updates have no place for."""
        fact, api = self._side.facts.get(operation.id, "batch"), self._side.api
        if operation.body is None or fact is None or not isinstance(fact.value, BatchResults):
            return Update()
        above = (*json_path(fact.value.items), 0)
        item = below(api, operation.body.type, above)
        if item is None or below(api, item, self.envelope) is None:
            return Update()
        filled = [rule.rule.destination for rule in self._rules.rules]
        return Update(not_taken=tuple((*above, *path) for path in not_taken_by(item, api.types, filled)))

    @property
    def only_created(self) -> tuple[JsonPath, ...]:
        """Fields of a written body that the update has no place for."""
        uses, update = self._side.uses.by_id, self._given.update
        return uses[update].update.not_taken if update is not None and update in uses else ()

    def plan(self, constants: Mapping[str, str], body_model: str, module: str) -> DestinationPlan:
        """The destination, now that its operations have names."""
        given = self._given
        get = given.get
        return DestinationPlan(
            model=body_model,
            model_module=module,
            create=constants[given.create],
            update=constants[given.update] if given.update else None,
            update_argument=self._side.identity_argument(given.update),
            update_is=self._update_is(),
            get=constants[get] if get else None,
            get_argument=self._side.identity_argument(get),
            list=constants[given.list] if given.list else None,
            delete=constants[given.delete] if given.delete else None,
            delete_argument=self._side.identity_argument(given.delete),
            find=FindPlan(
                operation=constants[given.find.operation],
                parameters=tuple(
                    (self._record_path(field), text.removeprefix("query.")) for field, text in given.find.by.items()
                ),
            )
            if given.find is not None
            else None,
            batch=self._planned_batch(constants, given.batch, "batch"),
            batch_update=self._planned_updates(constants),
            identity=self.identity,
            envelope=self.envelope,
            never_sent=self._never_sent(),
            parameters=self._side.fixed_plans(),
        )

    def _update_is(self) -> Literal["replace", "merge"]:
        given = self._given
        if given.update_is is not None:
            return given.update_is
        fact = self._side.fact(given.update, "update_is") if given.update else None
        puts = given.update is not None and given.update.startswith("PUT ")
        return "replace" if fact == "replace" or (puts and fact != "merge") else "merge"

    def _planned_updates(self, constants: Mapping[str, str]) -> BatchPlan | None:
        """A batch of updates. Raises V515 where the stream replaces records, or an item has no place for its record's name."""
        given = self._given.batch_update
        plan = self._planned_batch(constants, given, "batch_update")
        if plan is None or given is None:
            return None
        operation_id = given.operation if isinstance(given, Batch) else given
        if self._update_is() == "replace":
            help = "remove `batch_update`, or say `update_is: merge` when the update leaves alone what it does not name"
            raise DiagnosticError([self._no_updates(f"`{operation_id}` cannot replace records one by one", help)])
        operation = self._side.api.operation(operation_id)
        key = self.identity
        body = operation.body.type if operation is not None and operation.body is not None else None
        item = below(self._side.api, body, (*plan.items, 0, *key)) if body is not None else None
        if item is None and body is not None:
            help = "use an operation whose items carry it, or remove `batch_update`"
            where = format_path(tuple(str(step) for step in key))
            raise DiagnosticError([self._no_updates(f"an item of `{operation_id}` has no `{where}`", help)])
        resolved = self._side.api.resolve(item) if item is not None else None
        is_number = isinstance(resolved, Scalar) and resolved.kind == "integer"
        return replace(plan, key=key, key_kind="integer" if is_number else "string")

    def _no_updates(self, message: str, help: str) -> Diagnostic:
        place = Place(file="integration.yaml", pointer=self._side.at("destination", "batch_update"))
        return Diagnostic(code="V515", message=message, places=(place,), help=help)

    def _planned_batch(self, constants: Mapping[str, str], given: Batch | str | None, key: str) -> BatchPlan | None:
        if given is None:
            return None
        operation, most = (given.operation, given.max) if isinstance(given, Batch) else (given, None)
        fact = self._side.facts.get(operation, "batch")
        if fact is None or not isinstance(fact.value, BatchResults):
            raise DiagnosticError(
                [
                    Diagnostic(
                        code="V507",
                        message=f"no fact says how `{operation}` takes many records and tells the fate of each",
                        places=(Place(file="integration.yaml", pointer=self._side.at("destination", key)),),
                        help=f"add a `batch` line for it to `facts/{self._side.names.name}.yaml`, or remove `{key}`",
                    )
                ]
            )
        value = fact.value
        return BatchPlan(
            operation=constants[operation],
            items=json_path(value.items),
            max=min(most or value.max, value.max),
            results=optional_path(value.results),
            index=optional_path(value.index),
            status=optional_path(value.status),
            ok=tuple(word for word in value.ok if isinstance(word, str | int)),
            identity=optional_path(value.identity),
            error=optional_path(value.error),
        )

    def _never_sent(self) -> tuple[JsonPath, ...]:
        """Fields of a record that an update does not take: what only the server sets, what the body's schema lacks, what is
        of another type there."""
        given, api = self._given, self._side.api
        update = api.operation(given.update) if given.update else None
        if update is None or update.body is None or self._update_is() != "replace":
            return ()
        reads = api.operation(given.get) if given.get else update
        if reads is None:
            return ()
        record = self._side.fact(reads.id, "record") or ""
        known = as_object(api, record_type(api, reads, json_path(record), is_list=False))
        taken = as_object(api, below(api, update.body.type, json_path(record)) or update.body.type)
        if known is None:
            return ()
        never: list[JsonPath] = []
        for known_field in known.fields:
            accepted = taken.field(known_field.name) if taken is not None else known_field
            closed = taken is not None and taken.extra is None
            if known_field.read_only or (accepted is not None and accepted.read_only) or (accepted is None and closed):
                never.append((known_field.name,))
        if taken is not None:
            never += [path for path in unlike(known, taken, api.types) if path[:1] not in never]
        return tuple(never)

    def find_envelope(self, create: Operation) -> None:
        """Replies hold the record at a path; when bodies do too, and the rules fill it there, that is the envelope."""
        record = json_path(self._side.fact(create.id, "record") or "")
        if record and create.body is not None:
            filled = any(keys_of(rule.rule.destination)[: len(record)] == record for rule in self._rules.rules)
            self.envelope = record if filled else ()

    def in_record(self, path: JsonPath) -> JsonPath:
        """A path of a written body as a path of the record in it."""
        length = len(self.envelope)
        return path[length:] if length and path[:length] == self.envelope else path

    def _record_path(self, text: str) -> str:
        path = self.in_record(keys_of(parse_path(text)))
        return format_path(tuple(EACH if step == 0 else str(step) for step in path))


def _preconditions(update: Operation) -> list[str]:
    """Header parameters by which an update changes nothing but the state that was read (RFC 9110, 13.1.1)."""
    return [each.name for each in update.parameters if each.location == "header" and each.name.lower() == "if-match"]


def _unfilled_in_update(update: Operation, known: Field) -> Diagnostic:
    return Diagnostic(
        code="V508",
        message=f"`{update.id}` requires `{known.name}` in its body and nothing fills it",
        places=(
            Place(file=known.place.file, pointer=known.place.pointer, label="required here"),
            Place(file="integration.yaml", pointer="#/streams"),
        ),
        help="add a rule for it, list it under the mapping's `waive` with a reason, or set `mode: append` without `update`",
    )
