"""Manifest + Apis + facts → the two ends of a stream: one source record's type, and the destination body's."""

from __future__ import annotations

from collections.abc import Mapping

from ..api.facts import ApiFacts
from ..api.model import Api, Array, Operation, Type
from ..api.paths import PathSyntaxError, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import either, near, pointer
from ..manifest import MANIFEST_FILE, Manifest, Stream, System
from .model import End
from .shapes import Unreached, reach, resolve, shape_of


def stream_ends(manifest: Manifest, name: str, source: Api, destination: Api, facts: ApiFacts) -> tuple[End, End]:
    """Find what one stream reads and writes.

    Args:
        source, destination: Of the stream: a stream that goes back reads from the integration's destination.
        facts: Of the source; `records` says where the list operation's records are.

    Raises:
        DiagnosticError: V405 for an operation that the spec has not, V406 for a list operation without records, V407 for a create
            operation without a body.
    """
    stream = manifest.streams[name]
    found: list[Diagnostic] = []
    systems = {"source": manifest.source, "destination": manifest.destination}
    at_source = _source(systems[stream.side("source")], name, stream, source, facts, found)
    at_destination = _destination(systems[stream.side("destination")], name, stream, destination, found)
    if at_source is None or at_destination is None:
        raise DiagnosticError(found)
    return at_source, at_destination


def _source(
    system: System, name: str, stream: Stream, api: Api, facts: ApiFacts, found: list[Diagnostic]
) -> End | None:
    at = ("streams", name, "source", "list")
    operation = _operation(api, stream.source.list, at, found)
    if operation is None:
        return None
    fact = facts.get(operation.id, "records")
    place = Place(file=MANIFEST_FILE, pointer=pointer(*at))
    if fact is None or not isinstance(fact.value, str):
        found.append(
            Diagnostic(
                code="V406",
                message=f"no fact says where the records of `{operation.id}` are",
                places=(place,),
                help=f"run `vitesse ingest`, or add `records` under `{operation.id}` in `facts/{system.api}.yaml`",
            )
        )
        return None
    response = operation.success()
    reply = None if response is None else response.type
    record = None if reply is None else _records(reply, fact.value, api.types)
    if record is None:
        found.append(
            Diagnostic(
                code="V406",
                message=f"the reply of `{operation.id}` has no list of records at `{fact.value or 'its top'}`",
                places=(place, Place.of(response.place if response is not None else operation.place)),
                help=f"correct `records` under `{operation.id}` in `facts/{system.api}.yaml`; a line with `by: person` stays",
            )
        )
        return None
    return End(api=system.api, title=system.title or api.title, operation=operation, type=record, types=api.types)


def _records(reply: Type, path: str, types: Mapping[str, Type]) -> Type | None:
    """The type of one record in the list at `path`; None when there is no list of objects."""
    try:
        parsed = parse_path(path)
    except PathSyntaxError:
        return None
    type = resolve(reply, types)
    if parsed:
        reached = reach(type, types, parsed)
        if isinstance(reached, Unreached):
            return None
        type = reached.type
    if not isinstance(type, Array):
        return None
    item = resolve(type.items, types)
    return item if shape_of(item, types).kind in ("object", "map", "any") else None


def _destination(system: System, name: str, stream: Stream, api: Api, found: list[Diagnostic]) -> End | None:
    at = ("streams", name, "destination", "create")
    operation = _operation(api, stream.destination.create, at, found)
    if operation is None:
        return None
    body = None if operation.body is None else resolve(operation.body.type, api.types)
    if body is None or shape_of(body, api.types).kind not in ("object", "map", "any"):
        found.append(
            Diagnostic(
                code="V407",
                message=f"`{operation.id}` takes no object that a record could be written as",
                places=(
                    Place(file=MANIFEST_FILE, pointer=pointer(*at)),
                    Place.of(operation.body.place if operation.body is not None else operation.place),
                ),
                help="name the operation that creates one record",
            )
        )
        return None
    update = api.operation(stream.destination.update) if stream.destination.update is not None else None
    return End(
        api=system.api,
        title=system.title or api.title,
        operation=operation,
        type=body,
        types=api.types,
        update=resolve(update.body.type, api.types) if update is not None and update.body is not None else None,
    )


def _operation(api: Api, id: str, at: tuple[str, ...], found: list[Diagnostic]) -> Operation | None:
    operation = api.operation(id)
    if operation is None:
        known = [one.id for one in api.operations]
        close = near(id, known)
        found.append(
            Diagnostic(
                code="V405",
                message=f"`{id}` is not an operation of {api.title or api.spec_file}",
                places=(Place(file=MANIFEST_FILE, pointer=pointer(*at)),),
                help=f"write {either(close)}"
                if close
                else f"run `vitesse inspect {api.spec_file}` to see its operations",
            )
        )
    return operation
