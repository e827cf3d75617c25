"""What a stream does about records that are gone, and which other streams it refers to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..api.model import Api, Scalar, Type
from ..api.paths import Path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import pointer
from ..manifest import Stream
from ..rules.model import ReviewedRules
from .model import DeletesPlan, JsonPath
from .operations import json_path
from .shape import as_object


def plan_deletes(
    name: str, stream: Stream, source: Api, destination: Api, ends: tuple[Type | None, Type | None], identity: Path
) -> DeletesPlan | None:
    """The deletes of a stream; None when it ignores them.

    Args:
        ends: The types of a source record and of a written body, where the descriptions say them.

    Raises:
        DiagnosticError: V514 for a field that is not there, or takes no such value.
    """
    deletes = stream.removes
    if deletes is None:
        return None
    faults: list[Diagnostic] = []
    record, body = ends
    if deletes.tombstone is not None and record is not None:
        path = json_path(deletes.tombstone)
        if _at(source, record, path) is None:
            faults.append(_fault(name, f"a record of the source has no `{deletes.tombstone}`", "tombstone"))
    update = destination.operation(stream.destination.update or "")
    if update is not None and update.body is not None:
        body = update.body.type
    for text, value in deletes.set.items():
        found = _at(destination, body, json_path(text)) if body is not None else None
        if body is not None and found is None:
            faults.append(_fault(name, f"the update of the destination takes no `{text}`", "set", text))
        elif isinstance(found, Scalar) and found.enum and value not in found.enum:
            known = ", ".join(f"`{one}`" for one in found.enum[:6])
            faults.append(_fault(name, f"`{text}` is one of {known}, and never `{value}`", "set", text))
    if deletes.mode == "soft" and body is not None and not stream.replaces:
        faults += [
            _fault(name, f"the update requires `{field}`, which a soft delete does not write", "set")
            for field in _required(destination, stream, [json_path(text) for text in deletes.set])
        ]
    if faults:
        raise DiagnosticError(faults)
    return DeletesPlan(
        mode="soft" if deletes.mode == "soft" else "hard",
        set=tuple((json_path(text), value) for text, value in deletes.set.items()),
        found_by=deletes.by,
        identity=tuple(str(step) for step in identity),
        tombstone=json_path(deletes.tombstone) if deletes.tombstone is not None else None,
        brake=deletes.brake,
        every_s=deletes.every_s,
    )


def followed(rules: ReviewedRules, streams: tuple[str, ...]) -> tuple[str, ...]:
    """The streams whose links the rules follow, in the order of the manifest. Raises V424 for one that is not there."""
    named: set[str] = set()
    faults = []
    for checked in rules.rules:
        rule = checked.rule
        if rule.transform != "lookup" and rule.options.get("transform") != "lookup":
            continue
        stream = str(rule.options["stream"])
        named.add(stream)
        if stream not in streams:
            place = rule.at("with", "stream")
            faults.append(
                Diagnostic(
                    code="V424",
                    message=f"the rule `{rule.id}` follows links of the stream `{stream}`, which is not there",
                    places=(Place.of(place),),
                    help=f"name one of the streams: {', '.join(streams)}",
                )
            )
    if faults:
        raise DiagnosticError(faults)
    return tuple(stream for stream in streams if stream in named)


def _required(api: Api, stream: Stream, paths: Sequence[JsonPath]) -> Iterator[str]:
    """Fields that the update's body asks for beside those that are written, at each place that something is written to."""
    update = api.operation(stream.destination.update or "")
    body = update.body.type if update is not None and update.body is not None else None
    for place in dict.fromkeys(path[:-1] for path in paths):
        found = as_object(api, _at(api, body, place)) if body is not None else None
        written = {str(path[len(place)]) for path in paths if path[: len(place)] == place}
        for field in found.fields if found is not None else ():
            is_repeated = update is not None and "{" + field.name + "}" in update.path
            if field.required and not (field.read_only or is_repeated or field.name in written):
                yield ".".join(str(step) for step in (*place, field.name))


def _at(api: Api, type: Type | None, path: JsonPath) -> Type | None:
    for step in path:
        found = as_object(api, type)
        field = found.field(str(step)) if found is not None else None
        type = field.type if field is not None else (found.extra if found is not None else None)
        if type is None:
            return None
    return api.resolve(type) if type is not None else None


def _fault(stream: str, message: str, *at: str) -> Diagnostic:
    return Diagnostic(
        code="V514",
        message=message,
        places=(Place(file="integration.yaml", pointer=pointer("streams", stream, "deletes", *at)),),
        help="name a field and a value that the description knows",
    )
