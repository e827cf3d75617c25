"""One stream of the manifest × rules → its models, its mapper and its StreamPlan.

Two passes: `collect` makes the models and says which operations are used for what, `plan` writes the stream down once all
operations have their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Literal

from ..api.model import Operation, Type
from ..api.paths import EACH, Path, format_path, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..frozen import dataclass
from ..manifest import Since as ManifestSince
from ..manifest import Stream, StreamDestination, StreamSource
from ..rules.model import ReviewedRules
from .deletes import followed, plan_deletes
from .destination import DestinationBuilder
from .history import plan_masks
from .merges import plan_merge
from .mock_builder import StreamRecords
from .model import (
    ApiPlan,
    Construct,
    Expression,
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
from .operations import json_path, noun
from .parts import plan_partition
from .record_types import keys_of, record_type
from .sides import StreamSide
from .stream_models import StreamModels
from .typed import Imports, Root, Typed, call, read

MATCHING = "_runtime.matching"


@dataclass(slots=True, kw_only=True)
class StreamBuilder:
    """Builds one stream. `models` and `mapper` are there after `collect`."""

    name: str
    stream: Stream
    rules: ReviewedRules
    source: StreamSide
    destination: StreamSide
    full: bool = False
    """Models have every field, not only those that are used."""
    constants: Scope
    model_modules: Scope
    mapper_modules: Scope
    _mapper: MapperModule | None = None
    _identity: Path = ()
    _version: Path | None = None
    _since: SincePlan | None = None
    _partition: PartitionPlan | None = None
    _masks: tuple[tuple[JsonPath, ...], tuple[JsonPath, ...]] = ((), ())
    _matches: list[MatchPlan] = field(default_factory=list)
    _lookups: tuple[str, ...] = ()
    _written: DestinationBuilder = field(init=False)
    _models: StreamModels = field(init=False)
    streams: tuple[str, ...] = ()
    """All streams of the integration."""
    back: ReviewedRules | None = None
    """Of the stream that goes the other way on this one's links."""

    def __post_init__(self) -> None:
        self._written = DestinationBuilder(self.destination, self.rules, merges=self._merges())
        self._models = StreamModels(self.model_modules, is_full=self.full)

    @property
    def models(self) -> Sequence[ModelModule]:
        """The modules of its models: source, body, what comes back."""
        return self._models.modules

    @property
    def mapper(self) -> MapperModule:
        assert self._mapper is not None
        return self._mapper

    # --- first pass ---------------------------------------------------------------------------------------------------

    @property
    def only_created(self) -> tuple[JsonPath, ...]:
        """Fields of a written body that creations write and the update has no place for."""
        return self._written.only_created

    def collect(self) -> None:
        """Make models and mapper; record the use of each operation.

        Raises:
            DiagnosticError: V502 for an operation that is not there, V506 for a stream without an identity.
        """
        source, destination = self.stream.source, self.stream.destination
        self._lookups = followed(self.rules, self.streams)
        list_use = self.source.uses.use(source.list, "list", self.source.at("source", "list"))
        create_use = self.destination.uses.use(destination.create, "create", self.source.at("destination", "create"))
        create = create_use.operation
        self._identity = self._source_identity(list_use.operation)
        version = source.version or self.source.fact(source.list, "version")
        self._version = parse_path(version) if version else None
        self._since = self._planned_since(list_use.operation)
        if self._since is not None:
            list_use.parameters.add(self._since.parameter)
        self._partition = plan_partition(self.name, self.stream, list_use.operation, self.streams)
        if self._partition is not None:
            names = (self._partition.first, self._partition.last, self._partition.parameter)
            list_use.parameters.update(each for each in names if each is not None)

        source_noun, destination_noun = noun(list_use.operation), noun(create)
        record_class = pascal(singular(source_noun), otherwise="SourceRecord")
        body_class = pascal(singular(destination_noun), otherwise="Body")
        if record_class == body_class:
            record_class = pascal(f"{self.source.names.module} {record_class}", otherwise="SourceRecord")
            body_class = pascal(f"{self.destination.names.module} {body_class}", otherwise="Body")

        records = json_path(self.source.fact(list_use.operation.id, "records") or "")
        record = record_type(self.source.api, list_use.operation, records, is_list=True)
        shape, record_module = self._models.source(self.source, record, self._read_paths(), record_class, source_noun)
        list_use.result = list_use.result or PyType(model=record_class, module=record_module)
        imports = Imports()
        root = Root(variable="src", shape=shape, type=PyType(model=record_class))
        body, body_module = self._models.body(
            self.destination,
            create.body.type if create.body is not None else None,
            self.rules,
            root,
            body_class,
            destination_noun,
            imports,
        )
        create_use.body = create_use.body or PyType(model=body_class, module=body_module)
        self._written.find_envelope(create)
        self._masks = plan_masks(self.name, self.stream, self.rules, self._written.envelope)
        readers = self._readers(root, imports)
        if source.get is not None:
            get_use = self.source.uses.use(source.get, "get", self.source.at("source", "get"))
            get_use.result = get_use.result or PyType(model=record_class, module=record_module)
            get_use.parameters.add(self.source.identity_argument(source.get))
        paths = [json_path(self._written.find_identity(create)), *(match.destination for match in self._matches)]
        written = json_path(self.destination.fact(create.id, "record") or "")
        shown = record_type(self.destination.api, create, written, is_list=False)
        result = self._models.result(self.destination, shown, paths, f"{body_class}Record", destination_noun)
        self._written.use(create, PyType(model=body_class, module=body_module), result)
        self._ask(source, self.source, self._read_paths())
        filled = [rule.rule.destination for rule in self.rules.rules]
        self._ask(
            destination, self.destination, [*filled, *(parse_path(match.destination) for match in self.stream.match)]
        )
        for wire_name in self.source.fixed():
            for use in self.source.uses.by_id.values():
                use.fixed.add(wire_name)
        for wire_name in self.destination.fixed():
            for use in self.destination.uses.by_id.values():
                use.fixed.add(wire_name)
        self._write_mapper(
            imports, record_class, record_module, body_class, body_module, body, destination_noun, readers
        )

    def _source_identity(self, operation: Operation) -> Path:
        identity = self.stream.source.identity or self.source.fact(operation.id, "identity")
        if identity:
            return parse_path(identity)
        raise DiagnosticError(
            [
                Diagnostic(
                    code="V506",
                    message=f"nothing says which field names a record of `{operation.id}`",
                    places=(Place(file="integration.yaml", pointer=self.source.at("source")),),
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
        name = given or self.source.fact(operation.id, "since")
        if not name or self._version is None:
            return None
        return SincePlan(parameter=name)

    def _read_paths(self) -> list[Path]:
        """What is read of a source record."""
        paths = [path for rule in self.rules.rules for path in rule.rule.sources]
        paths.append(self._identity)
        if self._version is not None:
            paths.append(self._version)
        return [*paths, *(parse_path(match.source) for match in self.stream.match)]

    def _ask(self, given: StreamSource | StreamDestination, side: StreamSide, paths: list[Path]) -> None:
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
                raise DiagnosticError(
                    [_nobody_asks(self.source.at(side.names.side, "fields", at, "ask"), bag.ask, side)]
                )
            for use in asking if names else ():
                use.asks.setdefault(bag.ask, {}).update(names)

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
                    destination=self._written.in_record(keys_of(parse_path(match.destination))),
                    compare=match.compare,
                )
            )
        return tuple(readers)

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
        sorted_by = self.source.fact(given.list, "sorted_by")
        return StreamPlan(
            name=self.name,
            constant=self.constants.claim(constant(self.name, otherwise="STREAM")),
            mapper_module=self.mapper.module,
            mapper_function=self.mapper.function,
            mode=stream.mode,
            source=SourcePlan(
                list=constants[given.list],
                get=constants[given.get] if given.get else None,
                get_argument=self.source.identity_argument(given.get),
                model=record_model,
                model_module=self.models[0].module,
                identity="source_identity",
                version="source_version" if self._version is not None else None,
                since=self._since,
                partition=self._partition,
                sorted_by_version=self._version is not None and sorted_by == format_path(self._version),
                parameters=self.source.fixed_plans(),
                exact_numbers=self._models.is_exact,
            ),
            destination=self._written.plan(theirs, body_model, self.models[1].module),
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
        filled = [self._written.in_record(keys_of(rule.rule.destination)) for rule in self.rules.rules]
        read = [path for rule in self.back.rules for path in rule.rule.sources] if self.back is not None else []
        given, api = self.stream.destination, self.destination.api
        reads = api.operation(given.get or given.create)
        record = self.destination.fact(given.get or given.create, "record") or ""
        return plan_merge(
            self.name,
            rules,
            filled=filled,
            read_back=[keys_of(path) for path in read],
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
        records = json_path(self.source.fact(listing.id, "records") or "")
        return (
            record_type(self.source.api, listing, records, is_list=True),
            create.body.type if create.body is not None else None,
        )


def _nobody_asks(at: str, parameter: str, side: StreamSide) -> Diagnostic:
    return Diagnostic(
        code="V512",
        message=f"no operation of `{side.names.name}` that the stream uses has the query parameter `{parameter}`",
        places=(Place(file="integration.yaml", pointer=at),),
        help="name the parameter that asks for fields, or remove `ask` where the vendor gives all of them",
    )


def _text(value: Typed, imports: Imports) -> Expression:
    """A version or match value as text or None; a text that is no more than that is read as it is."""
    type = value.type
    if type.scalar == "str" and not type.may_miss:
        return value.expression
    return call(imports, MATCHING, "optional_text", value.expression)
