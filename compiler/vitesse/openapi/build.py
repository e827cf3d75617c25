"""Document → Api: the operations that are asked for, and types that are built when somebody looks at them.

Only what is used is read. `Api.types` is a mapping that builds a component at its first look-up, so an operation of a large
description costs what its own schemas cost; whatever is found on the way is in `ApiBuild.diagnostics`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from ..api.model import Api, Array, Object, Operation, Ref, Type, Union, Webhook
from ..diagnostics import Diagnostic, ordered
from ..frozen import dataclass
from . import circles, operations, webhooks
from .document import Document
from .operations import Entry
from .refs import Refs
from .reports import API, Reports, shown
from .schemas import Schemas
from .security import Security
from .servers import Servers


class Builder:
    """What the modules of the front end share while one document is read."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.reports = Reports(document)
        self.refs = Refs(document, self.reports)
        self.schemas = Schemas(self.refs, self.reports, document.limits, document.version)
        self.security = Security(self)
        self.servers = Servers(self)


class Types(Mapping[str, Type]):
    """The components that references lead to, each built when it is looked up. Iteration builds all that can be reached."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._built: dict[str, Type] = {}
        self._named: dict[str, tuple[str, ...]] = {}

    def __getitem__(self, key: str) -> Type:
        if key not in self._built:
            self._built[key] = self._schemas.component(key)
        return self._built[key]

    def __contains__(self, key: object) -> bool:
        if key not in self._schemas.targets:
            self._complete()
        return key in self._schemas.targets

    def __iter__(self) -> Iterator[str]:
        self._complete()
        return iter(sorted(self._built))

    def __len__(self) -> int:
        self._complete()
        return len(self._built)

    def named_in(self, key: str) -> tuple[str, ...]:
        """The keys that a component names itself."""
        if key not in self._named:
            self._named[key] = _named_in(self[key])
        return self._named[key]

    def _complete(self) -> None:
        while len(self._built) < len(self._schemas.targets):
            for key in list(self._schemas.targets):
                self[key]


@dataclass(frozen=True, slots=True)
class ApiBuild:
    """An Api with what was found while it was built, and while its types were looked at since."""

    api: Api
    reports: Reports
    document: Document

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All that was found up to now, in the order it is shown."""
        return ordered([*self.document.diagnostics, *self.reports.all()])

    def diagnostics_of(self, operation: Operation) -> tuple[Diagnostic, ...]:
        """What was found in one operation and in every schema it reaches. Builds these schemas."""
        found = list(self.reports.found.get(("operation", operation.id), ()))
        for key in reached(self.api, operation):
            found += self.reports.found.get(("type", key), ())
        return ordered(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationEntry:
    """One line of the list of operations."""

    id: str
    method: str
    path: str
    operation_id: str | None
    summary: str
    deprecated: bool
    pointer: str


def list_operations(document: Document) -> tuple[OperationEntry, ...]:
    """All operations of a document by name, in the file's order; nothing behind them is read."""
    builder = _Names(document)
    return tuple(
        OperationEntry(
            id=entry.id,
            method=entry.method,
            path=entry.path,
            operation_id=operations.text(entry.value.get("operationId")) or None,
            summary=operations.text(entry.value.get("summary")),
            deprecated=entry.value.get("deprecated") is True,
            pointer=entry.pointer,
        )
        for entry in operations.entries(builder)
    )


class _Names(Builder):
    """A builder for listing only."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.reports = Reports(document)
        self.refs = Refs(document, self.reports)


def build_api(document: Document, operations_wanted: Collection[str] | None = None) -> ApiBuild:
    """Build the Api of a document.

    Args:
        operations_wanted: Ids such as `GET /customers.json`; None builds every operation.

    Returns:
        The Api with its diagnostics. An operation that is wanted and not there is an error among them (V219).
    """
    builder = Builder(document)
    wanted = None if operations_wanted is None else set(operations_wanted)
    built: list[Operation] = []
    circles.report(builder)
    announced: list[Webhook] = list(webhooks.of_document(builder))
    ids: list[str] = []
    for entry in _bounded(builder):
        ids.append(entry.id)
        if wanted is not None and entry.id not in wanted:
            continue
        with builder.reports.of(("operation", entry.id)):
            built.append(operations.build(builder, entry))
            announced += webhooks.of_operation(builder, entry)
    for missing in sorted((wanted or set()) - set(ids)):
        _name_missing(builder, missing, ids)
    info = document.value.get("info")
    info = info if isinstance(info, dict) else {}
    api = Api(
        title=str(info.get("title") or ""),
        version=str(info.get("version") or ""),
        description=operations.text(info.get("description")),
        spec_file=document.label + document.file,
        spec_version=document.version,
        servers=builder.servers.servers,
        security_schemes=builder.security.schemes,
        operations=tuple(built),
        webhooks=tuple(announced),
        types=Types(builder.schemas),
    )
    return ApiBuild(api, builder.reports, document)


def _bounded(builder: Builder) -> Iterator[Entry]:
    bound = builder.document.limits.operations
    for index, entry in enumerate(operations.entries(builder)):
        if index >= bound:
            message = f"there are more operations, and the limit `operations` is {bound}"
            builder.reports.error("V105", message, builder.document.file, "#/paths")
            return
        yield entry


def _name_missing(builder: Builder, missing: str, ids: list[str]) -> None:
    close = get_close_matches(missing, ids, n=3, cutoff=0.6)
    help = f"use one of {', '.join(f'`{shown(id)}`' for id in close)}" if close else "list them with `vitesse inspect`"
    message = f"there is no operation `{shown(missing)}`"
    with builder.reports.of(API):
        builder.reports.error("V219", message, builder.document.file, "#/paths", help=help)


def reached(api: Api, operation: Operation) -> tuple[str, ...]:
    """The keys of all components that an operation's parameters, body and responses lead to, in the order they are met."""
    types: list[Type] = [parameter.type for parameter in operation.parameters]
    if operation.body is not None:
        types.append(operation.body.type)
    for response in operation.responses:
        types += [header.type for header in response.headers]
        if response.type is not None:
            types.append(response.type)
    return reached_by(api, types)


def reached_by(api: Api, types: list[Type]) -> tuple[str, ...]:
    """The keys of all components that these types lead to."""
    seen: dict[str, None] = {}
    stack = [key for type in reversed(types) for key in reversed(_named_in(type))]
    while stack:
        key = stack.pop()
        if key not in seen:
            seen[key] = None
            inner = api.types.named_in(key) if isinstance(api.types, Types) else _named_in(api.types[key])
            stack += reversed(inner)
    return tuple(seen)


def _named_in(type: Type) -> tuple[str, ...]:
    """The keys that a type names itself, in order."""
    found: dict[str, None] = {}
    stack = [type]
    while stack:
        one = stack.pop()
        match one:
            case Ref():
                found[one.name] = None
            case Object():
                if one.extra is not None:
                    stack.append(one.extra)
                stack += [field.type for field in reversed(one.fields)]
            case Array():
                stack.append(one.items)
            case Union():
                stack += reversed(one.members)
            case _:
                pass
    return tuple(found)
