"""One stream of the manifest × rules → its models, its mapper and its StreamPlan.

Two passes: `collect` makes the models and says which operations are used for what, `plan` writes the stream down once all
operations have their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from itertools import takewhile
from typing import Literal

from ..api.facts import ApiFacts, BatchResults
from ..api.model import Api, Field, Object, Operation, Scalar, Type
from ..api.paths import EACH, Path, format_path, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import pointer
from ..frozen import dataclass
from ..manifest import Batch, Stream, StreamDestination, StreamSource
from ..manifest import Since as ManifestSince
from ..rules.model import ReviewedRules
from .deletes import followed, plan_deletes
from .full import FullModels
from .history import plan_masks
from .mapping import BodyMaker
from .merges import plan_merge
from .mock_builder import StreamRecords
from .model import (
    ApiPlan,
    BatchPlan,
    Construct,
    DestinationPlan,
    Expression,
    FindPlan,
    FixedPlan,
    JsonPath,
    MapperModule,
    MatchPlan,
    MergePlan,
    ModelModule,
    PartitionPlan,
    PyType,
    Reader,
    SincePlan,
    SourcePlan,
    StreamPlan,
)
from .names import Scope, constant, pascal, singular, snake
from .operations import json_path, noun, path_parameters
from .parts import plan_partition
from .shape import ModelMaker, Shape, as_array, as_object, shape_of
from .systems import Names, Uses, setting
from .typed import Imports, Root, Typed, call, read
from .updates import Update, fit_update, unlike

MATCHING = "_runtime.matching"


@dataclass(frozen=True, slots=True, kw_only=True)
class SideNames:
    """One side of the stream: what it is called, what it offers, what is known of it."""

    names: Names
    api: Api
    facts: ApiFacts
    uses: Uses


@dataclass(slots=True, kw_only=True)
class StreamBuilder:
    """Builds one stream. `models` and `mapper` are there after `collect`."""

    name: str
    stream: Stream
    rules: ReviewedRules
    source: SideNames
    destination: SideNames
    full: bool = False
    """Models have every field, not only those that are used."""
    constants: Scope
    model_modules: Scope
    mapper_modules: Scope
    models: list[ModelModule] = field(default_factory=list)
    _mapper: MapperModule | None = None
    _identity: Path = ()
    _version: Path | None = None
    _since: SincePlan | None = None
    _partition: PartitionPlan | None = None
    _exact: bool = False
    _destination_identity: JsonPath = ()
    _envelope: JsonPath = ()
    _masks: tuple[tuple[JsonPath, ...], tuple[JsonPath, ...]] = ((), ())
    _matches: list[MatchPlan] = field(default_factory=list)
    _lookups: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    """All streams of the integration."""
    back: ReviewedRules | None = None
    """Of the stream that goes the other way on this one's links."""

    @property
    def mapper(self) -> MapperModule:
        assert self._mapper is not None
        return self._mapper

    # --- first pass ---------------------------------------------------------------------------------------------------

    def collect(self) -> None:
        """Make models and mapper; record the use of each operation.

        Raises:
            DiagnosticError: V502 for an operation that is not there, V506 for a stream without an identity.
        """
        source, destination = self.stream.source, self.stream.destination
        self._lookups = followed(self.rules, self.streams)
        list_use = self.source.uses.use(source.list, "list", self._at("source", "list"))
        create_use = self.destination.uses.use(destination.create, "create", self._at("destination", "create"))
        self._identity = self._source_identity(list_use.operation)
        version = source.version or self._fact(self.source, source.list, "version")
        self._version = parse_path(version) if version else None
        self._since = self._planned_since(list_use.operation)
        if self._since is not None:
            list_use.parameters.add(self._since.parameter)
        self._partition = plan_partition(self.name, self.stream, list_use.operation, self.streams)
        if self._partition is not None:
            names = (self._partition.first, self._partition.last, self._partition.parameter)
            list_use.parameters.update(each for each in names if each is not None)

        source_noun, destination_noun = noun(list_use.operation), noun(create_use.operation)
        record_class = pascal(singular(source_noun), otherwise="SourceRecord")
        body_class = pascal(singular(destination_noun), otherwise="Body")
        if record_class == body_class:
            record_class = pascal(f"{self.source.names.module} {record_class}", otherwise="SourceRecord")
            body_class = pascal(f"{self.destination.names.module} {body_class}", otherwise="Body")

        shape, record_module = self._source_model(list_use.operation, record_class, source_noun)
        list_use.result = list_use.result or PyType(model=record_class, module=record_module)
        imports = Imports()
        root = Root(variable="src", shape=shape, type=PyType(model=record_class))
        body, body_module = self._destination_model(create_use.operation, body_class, destination_noun, root, imports)
        create_use.body = create_use.body or PyType(model=body_class, module=body_module)
        self._envelope = self._planned_envelope(create_use.operation)
        self._masks = plan_masks(self.name, self.stream, self.rules, self._envelope)
        readers = self._readers(root, imports)
        if source.get is not None:
            get_use = self.source.uses.use(source.get, "get", self._at("source", "get"))
            get_use.result = get_use.result or PyType(model=record_class, module=record_module)
            get_use.parameters.add(self._identity_argument(self.source, source.get, "source"))
        self._use_destination(create_use.operation, body_class, body_module, destination_noun)
        self._ask(source, self.source, self._read_paths())
        filled = [rule.rule.destination for rule in self.rules.rules]
        self._ask(
            destination, self.destination, [*filled, *(parse_path(match.destination) for match in self.stream.match)]
        )
        for wire_name in self._fixed("source"):
            for use in self.source.uses.by_id.values():
                use.fixed.add(wire_name)
        for wire_name in self._fixed("destination"):
            for use in self.destination.uses.by_id.values():
                use.fixed.add(wire_name)
        self._write_mapper(
            imports, record_class, record_module, body_class, body_module, body, destination_noun, readers
        )

    def _source_identity(self, operation: Operation) -> Path:
        identity = self.stream.source.identity or self._fact(self.source, operation.id, "identity")
        if identity:
            return parse_path(identity)
        raise DiagnosticError(
            [
                Diagnostic(
                    code="V506",
                    message=f"nothing says which field names a record of `{operation.id}`",
                    places=(Place(file="integration.yaml", pointer=self._at("source")),),
                    help="add `identity: <field>` to the stream's source",
                )
            ]
        )

    def _after(self) -> tuple[str, ...]:
        """The streams that come first: as the manifest says, and the one whose records have the lists that are read."""
        parent = self._partition.stream if self._partition is not None else None
        return tuple(dict.fromkeys((*self.stream.after, *([parent] if parent is not None else []))))

    def _planned_since(self, operation: Operation) -> SincePlan | None:
        given = self.stream.source.since
        if isinstance(given, ManifestSince):
            return SincePlan(parameter=given.parameter, format=given.format)
        name = given or self._fact(self.source, operation.id, "since")
        if not name or self._version is None:
            return None
        return SincePlan(parameter=name)

    def _source_model(self, operation: Operation, class_name: str, resource: str) -> tuple[Shape, str]:
        shape = shape_of(self._read_paths())
        full = self._full(self.source, class_name, reads=True)
        maker = ModelMaker(
            api=self.source.api,
            system=self.source.names.title,
            classes=full.classes,
            others=full.type_of if self.full else None,
        )
        records = self._fact(self.source, operation.id, "records") or ""
        maker.record(record_type(self.source.api, operation, json_path(records), is_list=True), shape, class_name)
        full.finish()
        models = (*full.models, *maker.models)
        self._exact = any(_holds_decimal(field.type) for model in models for field in model.fields)
        module = self.model_modules.claim(
            snake(f"{self.source.names.module}_{singular(resource)}", otherwise="source_record")
        )
        doc = f"{class_name} ({self.source.names.title}), as it is read."
        self.models.append(ModelModule(module=module, doc=doc, reads=True, models=models))
        return shape, module

    def _read_paths(self) -> list[Path]:
        """What is read of a source record."""
        paths = [path for rule in self.rules.rules for path in rule.rule.sources]
        paths.append(self._identity)
        if self._version is not None:
            paths.append(self._version)
        return [*paths, *(parse_path(match.source) for match in self.stream.match)]

    def _ask(self, given: StreamSource | StreamDestination, side: SideNames, paths: list[Path]) -> None:
        """Have the operations that give records ask for the listed fields that are used.

        Raises:
            DiagnosticError: V512 when none of them has the parameter.
        """
        for at, bag in given.fields.items():
            base = parse_path(at)
            depth = len(base)
            names = dict.fromkeys(
                str(path[depth])
                for path in paths
                if path[:depth] == base and len(path) > depth and path[depth] is not EACH
            )
            if bag.ask is None:
                continue
            asking = [
                use
                for use in side.uses.by_id.values()
                if any(one.location == "query" and one.name == bag.ask for one in use.operation.parameters)
            ]
            if not asking:
                raise DiagnosticError([_nobody_asks(self._at(side.names.side, "fields", at, "ask"), bag.ask, side)])
            for use in asking if names else ():
                use.asks.setdefault(bag.ask, {}).update(names)

    def _destination_model(
        self, operation: Operation, class_name: str, resource: str, root: Root, imports: Imports
    ) -> tuple[Construct, str]:
        full = self._full(self.destination, class_name, reads=False)
        maker = BodyMaker(
            api=self.destination.api,
            system=self.destination.names.title,
            classes=full.classes,
            imports=imports,
            others=full.type_of if self.full else None,
        )
        body_type = operation.body.type if operation.body is not None else None
        body = maker.body(body_type, self.rules.rules, root, class_name)
        module = self.model_modules.claim(
            snake(f"{self.destination.names.module}_{singular(resource)}", otherwise="body")
        )
        doc = f"{class_name} ({self.destination.names.title}), as it is written."
        full.finish()
        models = (*full.models, *maker.models)
        self.models.append(ModelModule(module=module, doc=doc, reads=False, models=models))
        for model in maker.models[:-1]:
            imports.use(f"models.{module}", model.name)
        return body, module

    def _readers(self, root: Root, imports: Imports) -> tuple[Reader, ...]:
        title = self.source.names.title
        identity = call(imports, MATCHING, "identity_text", read(root, self._identity, imports).expression)
        readers = [Reader(name="source_identity", doc=f"Name the record in {title}.", returns="str", value=identity)]
        if self._version is not None:
            version = _text(read(root, self._version, imports), imports)
            readers.append(
                Reader(
                    name="source_version", doc="Order the states of the record.", returns="str | None", value=version
                )
            )
        names = Scope(("source_identity", "source_version"))
        for match in self.stream.match:
            name = names.claim(snake(f"match_{match.destination}", otherwise="match"))
            value = _text(read(root, parse_path(match.source), imports), imports)
            doc = "Tell which destination record is the same thing."
            readers.append(Reader(name=name, doc=doc, returns="str | None", value=value))
            self._matches.append(
                MatchPlan(
                    source=name,
                    destination=self._in_record(_keys(parse_path(match.destination))),
                    compare=match.compare,
                )
            )
        return tuple(readers)

    def _use_destination(self, create: Operation, body_class: str, body_module: str, resource: str) -> None:
        destination, uses, facts = self.stream.destination, self.destination.uses, self.destination
        identity = (
            destination.identity
            or self._fact(facts, create.id, "identity")
            or (self._fact(facts, destination.get, "identity") if destination.get else None)
            or "id"
        )
        self._destination_identity = json_path(identity)
        result = self._result_model(create, body_class, resource, identity)
        create_use = uses.by_id[create.id]
        create_use.result = create_use.result or result
        if destination.update is not None:
            use = uses.use(destination.update, "update", self._at("destination", "update"))
            use.body, use.result = use.body or PyType(model=body_class, module=body_module), use.result or result
            use.parameters.add(self._identity_argument(facts, destination.update, "destination"))
            if destination.update != destination.create:
                use.update = self._planned_update(use.operation)
            if self._merges():
                use.parameters.update(_preconditions(use.operation))
        if destination.get is not None:
            use = uses.use(destination.get, "get", self._at("destination", "get"))
            use.result = use.result or result
            use.parameters.add(self._identity_argument(facts, destination.get, "destination"))
        if destination.list is not None:
            use = uses.use(destination.list, "list", self._at("destination", "list"))
            use.result = use.result or result
        if destination.find is not None:
            use = uses.use(destination.find.operation, "find", self._at("destination", "find", "operation"))
            use.parameters.update(text.removeprefix("query.") for text in destination.find.by.values())
            use.result = use.result or result
        if destination.delete is not None:
            use = uses.use(destination.delete, "delete", self._at("destination", "delete"))
            use.parameters.add(self._identity_argument(facts, destination.delete, "destination"))
        for key, batch in (("batch", destination.batch), ("batch_update", destination.batch_update)):
            if batch is not None:
                operation = batch.operation if isinstance(batch, Batch) else batch
                uses.use(operation, key, self._at("destination", key))

    def _planned_update(self, update: Operation) -> Update:
        """Fit the body to the update. Raises V508 for what the update requires and nothing fills."""
        fitted = fit_update(
            self.destination.api,
            update,
            [rule.rule.destination for rule in self.rules.rules],
            waived=[waiver.destination for waiver in self.rules.waivers],
            identity=(*self._envelope, *self._destination_identity),
            argument=self._identity_argument(self.destination, update.id, "destination"),
            replaces=self._update_is() == "replace",
        )
        if fitted.unfilled:
            raise DiagnosticError([_unfilled_in_update(update, known) for known in fitted.unfilled])
        return fitted

    def _result_model(self, create: Operation, body_class: str, resource: str, identity: str) -> PyType:
        """The record as the destination gives it back: what names it and what it is matched by."""
        paths = [json_path(identity)]
        paths.extend(match.destination for match in self._matches)
        class_name = f"{body_class}Record"
        full = self._full(self.destination, class_name, reads=True)
        maker = ModelMaker(
            api=self.destination.api,
            system=self.destination.names.title,
            classes=full.classes,
            others=full.type_of if self.full else None,
        )
        record = self._fact(self.destination, create.id, "record") or ""
        type = record_type(self.destination.api, create, json_path(record), is_list=False)
        shape = shape_of(_without_positions(paths))
        maker.record(type, shape, class_name)
        models = tuple(
            replace(
                model, fields=tuple(replace(field, type=replace(field.type, may_miss=True)) for field in model.fields)
            )
            for model in maker.models
        )
        full.finish()
        models = (*full.models, *models)
        module = self.model_modules.claim(
            snake(f"{self.destination.names.module}_{singular(resource)}_record", otherwise="record")
        )
        doc = f"{class_name} ({self.destination.names.title}), as it comes back."
        self.models.append(ModelModule(module=module, doc=doc, reads=True, models=models))
        return PyType(model=class_name, module=module)

    def _full(self, side: SideNames, class_name: str, *, reads: bool) -> FullModels:
        """What types the fields that nothing uses. In replies none of them is counted on."""
        return FullModels(
            api=side.api, system=side.names.title, classes=Scope((class_name,)), reads=reads, required=not reads
        )

    def _write_mapper(
        self,
        imports: Imports,
        record_class: str,
        record_module: str,
        body_class: str,
        body_module: str,
        body: Construct,
        resource: str,
        readers: tuple[Reader, ...],
    ) -> None:
        imports.use(f"models.{record_module}", record_class)
        imports.use(f"models.{body_module}", body_class)
        source, destination = self.source.names.title, self.destination.names.title
        self._mapper = MapperModule(
            module=self.mapper_modules.claim(snake(self.name, otherwise="stream")),
            doc=f"{record_class} ({source}) → {body_class} ({destination}).",
            imports=imports.sorted(),
            function=snake(f"to_{singular(resource)}", otherwise="to_body"),
            source_model=record_class,
            destination_model=body_class,
            body=body,
            readers=readers,
        )

    def records(self) -> StreamRecords:
        """What the mocks need to know of the stream beside its plan."""
        return StreamRecords(
            identity=self._identity,
            version=self._version,
            match=tuple(parse_path(match.source) for match in self.stream.match),
            rules=tuple(rule.rule for rule in self.rules.rules),
            waived=tuple(waiver.destination for waiver in self.rules.waivers),
        )

    # --- second pass --------------------------------------------------------------------------------------------------

    def plan(self, source: ApiPlan, destination: ApiPlan) -> StreamPlan:
        """The stream, now that its operations have names."""
        constants = {operation.id: operation.constant for operation in (*source.operations,)}
        theirs = {operation.id: operation.constant for operation in (*destination.operations,)}
        stream, given = self.stream, self.stream.source
        record_model, body_model = self.mapper.source_model, self.mapper.destination_model
        sorted_by = self._fact(self.source, given.list, "sorted_by")
        return StreamPlan(
            name=self.name,
            constant=self.constants.claim(constant(self.name, otherwise="STREAM")),
            mapper_module=self.mapper.module,
            mapper_function=self.mapper.function,
            mode=stream.mode,
            source=SourcePlan(
                list=constants[given.list],
                get=constants[given.get] if given.get else None,
                get_argument=self._identity_argument(self.source, given.get, "source"),
                model=record_model,
                model_module=self.models[0].module,
                identity="source_identity",
                version="source_version" if self._version is not None else None,
                since=self._since,
                partition=self._partition,
                sorted_by_version=self._version is not None and sorted_by == format_path(self._version),
                parameters=self._fixed_plans("source"),
                exact_numbers=self._exact,
            ),
            destination=self._planned_destination(theirs, body_model),
            match=tuple(self._matches),
            adopt=self._adopt(),
            duplicates=stream.duplicates,
            conflicts=stream.rules_of_conflict.strategy,
            merge=self._planned_merge(),
            reverse_of=stream.reverse_of,
            schedule=stream.schedule,
            overlap_s=stream.overlap_s,
            max_dead_share=stream.max_dead_share,
            rollback=stream.rollback,
            mask=self._masks[0],
            mask_destination=self._masks[1],
            mapping_digest=self.rules.digest,
            deletes=plan_deletes(
                self.name, stream, self.source.api, self.destination.api, self._ends(), self._identity
            ),
            after=self._after(),
            lookups=self._lookups,
            parents=stream.parents,
        )

    @property
    def _is_pair(self) -> bool:
        return self.back is not None or self.stream.reverse_of is not None

    def _adopt(self) -> Literal["never", "on_conflict", "prefetch", "lookup"]:
        """A pair always looks before it makes a record: the other direction may have made it."""
        if not self._is_pair or "adopt" in self.stream.model_fields_set:
            return self.stream.adopt
        return "lookup" if self.stream.destination.find is not None else "prefetch"

    def _merges(self) -> bool:
        """Whether writes look at what the other side has."""
        return self._is_pair or not self.stream.rules_of_conflict.is_plain

    def _planned_merge(self) -> MergePlan | None:
        if self.stream.reverse_of is not None or not self._merges():
            return None
        rules = self.stream.rules_of_conflict
        filled = [self._in_record(_keys(rule.rule.destination)) for rule in self.rules.rules]
        read = [path for rule in self.back.rules for path in rule.rule.sources] if self.back is not None else []
        given, api = self.stream.destination, self.destination.api
        reads = api.operation(given.get or given.create)
        record = self._fact(self.destination, given.get or given.create, "record") or ""
        return plan_merge(
            self.name,
            rules,
            filled=filled,
            read_back=[_keys(path) for path in read],
            api=api,
            record=record_type(api, reads, json_path(record), is_list=False) if reads is not None else None,
            has_version=self._version is not None,
        )

    def _ends(self) -> tuple[Type | None, Type | None]:
        """The types of a source record and of a written body."""
        listing = self.source.api.operation(self.stream.source.list)
        create = self.destination.api.operation(self.stream.destination.create)
        assert listing is not None
        assert create is not None
        records = json_path(self._fact(self.source, listing.id, "records") or "")
        return (
            record_type(self.source.api, listing, records, is_list=True),
            create.body.type if create.body is not None else None,
        )

    def _planned_destination(self, constants: Mapping[str, str], body_model: str) -> DestinationPlan:
        given = self.stream.destination
        get = given.get
        return DestinationPlan(
            model=body_model,
            model_module=self.models[1].module,
            create=constants[given.create],
            update=constants[given.update] if given.update else None,
            update_argument=self._identity_argument(self.destination, given.update, "destination"),
            update_is=self._update_is(),
            get=constants[get] if get else None,
            get_argument=self._identity_argument(self.destination, get, "destination"),
            list=constants[given.list] if given.list else None,
            delete=constants[given.delete] if given.delete else None,
            delete_argument=self._identity_argument(self.destination, given.delete, "destination"),
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
            identity=self._destination_identity,
            envelope=self._envelope,
            never_sent=self._never_sent(),
            parameters=self._fixed_plans("destination"),
        )

    def _update_is(self) -> Literal["replace", "merge"]:
        given = self.stream.destination
        if given.update_is is not None:
            return given.update_is
        fact = self._fact(self.destination, given.update, "update_is") if given.update else None
        puts = given.update is not None and given.update.startswith("PUT ")
        return "replace" if fact == "replace" or (puts and fact != "merge") else "merge"

    def _planned_updates(self, constants: Mapping[str, str]) -> BatchPlan | None:
        """A batch of updates. Raises V515 where the stream replaces records, or an item has no place for its record's name."""
        given = self.stream.destination.batch_update
        plan = self._planned_batch(constants, given, "batch_update")
        if plan is None or given is None:
            return None
        operation_id = given.operation if isinstance(given, Batch) else given
        if self._update_is() == "replace":
            help = "remove `batch_update`, or say `update_is: merge` when the update leaves alone what it does not name"
            raise DiagnosticError([self._no_updates(f"`{operation_id}` cannot replace records one by one", help)])
        operation = self.destination.api.operation(operation_id)
        key = self._destination_identity
        body = operation.body.type if operation is not None and operation.body is not None else None
        item = _below(self.destination.api, body, (*plan.items, 0, *key)) if body is not None else None
        if item is None and body is not None:
            help = "use an operation whose items carry it, or remove `batch_update`"
            where = format_path(tuple(str(step) for step in key))
            raise DiagnosticError([self._no_updates(f"an item of `{operation_id}` has no `{where}`", help)])
        resolved = self.destination.api.resolve(item) if item is not None else None
        is_number = isinstance(resolved, Scalar) and resolved.kind == "integer"
        return replace(plan, key=key, key_kind="integer" if is_number else "string")

    def _no_updates(self, message: str, help: str) -> Diagnostic:
        place = Place(file="integration.yaml", pointer=self._at("destination", "batch_update"))
        return Diagnostic(code="V515", message=message, places=(place,), help=help)

    def _planned_batch(self, constants: Mapping[str, str], given: Batch | str | None, key: str) -> BatchPlan | None:
        if given is None:
            return None
        operation, most = (given.operation, given.max) if isinstance(given, Batch) else (given, None)
        fact = self.destination.facts.get(operation, "batch")
        if fact is None or not isinstance(fact.value, BatchResults):
            raise DiagnosticError(
                [
                    Diagnostic(
                        code="V507",
                        message=f"no fact says how `{operation}` takes many records and tells the fate of each",
                        places=(Place(file="integration.yaml", pointer=self._at("destination", key)),),
                        help=f"add a `batch` line for it to `facts/{self.destination.names.name}.yaml`, or remove `{key}`",
                    )
                ]
            )
        value = fact.value
        return BatchPlan(
            operation=constants[operation],
            items=json_path(value.items),
            max=min(most or value.max, value.max),
            results=_optional(value.results),
            index=_optional(value.index),
            status=_optional(value.status),
            ok=tuple(word for word in value.ok if isinstance(word, str | int)),
            identity=_optional(value.identity),
            error=_optional(value.error),
        )

    def _never_sent(self) -> tuple[JsonPath, ...]:
        """Fields of a record that an update does not take: what only the server sets, what the body's schema lacks, what is
        of another type there."""
        given, api = self.stream.destination, self.destination.api
        update = api.operation(given.update) if given.update else None
        if update is None or update.body is None or self._update_is() != "replace":
            return ()
        reads = api.operation(given.get) if given.get else update
        if reads is None:
            return ()
        record = self._fact(self.destination, reads.id, "record") or ""
        known = as_object(api, record_type(api, reads, json_path(record), is_list=False))
        taken = as_object(api, _below(api, update.body.type, json_path(record)) or update.body.type)
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

    def _planned_envelope(self, create: Operation) -> JsonPath:
        """Replies hold the record at a path; when bodies do too, and the rules fill it there, that is the envelope."""
        record = json_path(self._fact(self.destination, create.id, "record") or "")
        if not record or create.body is None:
            return ()
        filled = any(_keys(rule.rule.destination)[: len(record)] == record for rule in self.rules.rules)
        return record if filled else ()

    def _in_record(self, path: JsonPath) -> JsonPath:
        """A path of a written body as a path of the record in it."""
        length = len(self._envelope)
        return path[length:] if length and path[:length] == self._envelope else path

    def _record_path(self, text: str) -> str:
        path = self._in_record(_keys(parse_path(text)))
        return format_path(tuple(EACH if step == 0 else str(step) for step in path))

    # --- small things -------------------------------------------------------------------------------------------------

    def _identity_argument(self, side: SideNames, operation_id: str | None, prefix: str) -> str:
        """The path parameter that takes the identity: the last one that the manifest does not fix."""
        if operation_id is None:
            return "id"
        operation = side.api.operation(operation_id)
        fixed = self._fixed(prefix)
        names = [name for name in path_parameters(operation) if name not in fixed] if operation is not None else []
        return names[-1] if names else "id"

    def _fixed(self, side: str) -> dict[str, object]:
        prefix = f"{side}."
        return {
            name.removeprefix(prefix): value
            for name, value in self.stream.parameters.items()
            if name.startswith(prefix)
        }

    def _fixed_plans(self, side: str) -> tuple[FixedPlan, ...]:
        return tuple(
            FixedPlan(name=name, value=setting(value))  # type: ignore[arg-type]
            for name, value in sorted(self._fixed(side).items())
        )

    def _fact(self, side: SideNames, operation: str | None, kind: str) -> str | None:
        fact = side.facts.get(operation, kind) if operation is not None else None  # type: ignore[arg-type]
        return fact.value if fact is not None and isinstance(fact.value, str) else None

    def _at(self, *steps: str) -> str:
        return pointer("streams", self.name, *steps)


def _preconditions(update: Operation) -> list[str]:
    """Header parameters by which an update changes nothing but the state that was read (RFC 9110, 13.1.1)."""
    return [each.name for each in update.parameters if each.location == "header" and each.name.lower() == "if-match"]


def _nobody_asks(at: str, parameter: str, side: SideNames) -> Diagnostic:
    return Diagnostic(
        code="V512",
        message=f"no operation of `{side.names.name}` that the stream uses has the query parameter `{parameter}`",
        places=(Place(file="integration.yaml", pointer=at),),
        help="name the parameter that asks for fields, or remove `ask` where the vendor gives all of them",
    )


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


def record_type(api: Api, operation: Operation, path: JsonPath, *, is_list: bool) -> Type | None:
    """The type of the records of a list reply, or of the one record of a single reply; None when the spec does not say."""
    reply = operation.success()
    found = _below(api, reply.type, path) if reply is not None and reply.type is not None else None
    if found is None or not is_list:
        return found
    array = as_array(api, found)
    return array.items if array is not None else None


def _below(api: Api, type: Type, path: JsonPath) -> Type | None:
    current: Type | None = type
    for step in path:
        if current is None:
            return None
        if isinstance(step, int):
            array = as_array(api, current)
            current = array.items if array is not None else None
            continue
        found: Object | None = as_object(api, current)
        known = found.field(step) if found is not None else None
        current = known.type if known is not None else (found.extra if found is not None else None)
    return current


def _text(value: Typed, imports: Imports) -> Expression:
    """A version or match value as text or None; a text that is no more than that is read as it is."""
    type = value.type
    if type.scalar == "str" and not type.may_miss:
        return value.expression
    return call(imports, MATCHING, "optional_text", value.expression)


def _keys(path: Path) -> JsonPath:
    return tuple(0 if segment is EACH else str(segment) for segment in path)


def _without_positions(paths: list[JsonPath]) -> list[Path]:
    """As far as names go: what is inside a list is read whole."""
    return [tuple(str(step) for step in takewhile(lambda step: isinstance(step, str), path)) for path in paths]


def _optional(text: str | None) -> JsonPath | None:
    return json_path(text) if text is not None else None


def _holds_decimal(type: PyType) -> bool:
    return type.scalar == "Decimal" or any(
        _holds_decimal(inner) for inner in (type.items, type.values) if inner is not None
    )
