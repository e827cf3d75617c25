"""How a stream's pass is cut into parts, as far as its source allows it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from ..api.model import Array, Operation, Scalar, Type
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import pointer
from ..manifest import Stream
from .model import PartitionPlan

_Format: TypeAlias = Literal["iso8601", "unix_s", "unix_ms", "date"]


def plan_partition(name: str, stream: Stream, operation: Operation, streams: tuple[str, ...]) -> PartitionPlan | None:
    """The parts of a stream; None when it is read in one piece.

    Args:
        operation: The list that is read.
        streams: All streams of the integration.

    Raises:
        DiagnosticError: V530 for a parameter that the list does not take, a stream that is not there, and for deletes that
            only a pass in one piece can find.
    """
    given = stream.source.partition
    if given is None:
        return None
    faults: list[Diagnostic] = []
    known = {each.name: each for each in operation.parameters}

    def need(key: str, wanted: str | None) -> str | None:
        if wanted is None:
            faults.append(_fault(name, f"`by: {given.by}` needs `{key}`", f"add `{key}`", ()))
        elif wanted not in known:
            others = ", ".join(f"`{one}`" for one in list(known)[:8]) or "none"
            faults.append(
                _fault(
                    name,
                    f"`{operation.id}` takes no parameter `{wanted}`",
                    f"name one that it takes: {others}; without one the stream is read in one piece",
                    (key,),
                )
            )
        return wanted

    format: _Format = "iso8601"
    if given.by == "parent":
        need("parameter", given.parameter)
        if given.stream not in streams or given.stream == name:
            others = ", ".join(f"`{one}`" for one in streams if one != name) or "none"
            faults.append(
                _fault(name, f"there is no other stream `{given.stream}`", f"name one of them: {others}", ("stream",))
            )
    else:
        first = need("from", given.first)
        if given.last is not None:
            need("to", given.last)
        if given.size is None or given.start is None:
            faults.append(_fault(name, f"`by: {given.by}` needs `size` and `start`", "add both", ()))
        elif (given.by == "window") is (given.size_s is None):
            wanted = "a length of time such as `30 days`" if given.by == "window" else "a whole number"
            faults.append(_fault(name, f"`size: {given.size}` is no {given.by}'s", f"write {wanted}", ("size",)))
        if first in known:
            format = given.format or _format(known[first].type)
    if stream.removes is not None and stream.removes.by == "reconciliation":
        faults.append(
            _fault(
                name,
                "deletes are found by a pass that is in one piece",
                "leave `partition` out, or say `found_by: tombstone`",
                (),
            )
        )
    if stream.reverse_of is not None or stream.rules_of_conflict.strategy != "source_priority":
        faults.append(_fault(name, "a stream that merges is read in one piece", "leave `partition` out", ()))
    if faults:
        raise DiagnosticError(faults)
    return PartitionPlan(
        by=given.by,
        first=given.first,
        last=given.last,
        size=given.size_s if given.size_s is not None else int(given.size or 0),
        start=given.start,
        format=format,
        stream=given.stream,
        parameter=given.parameter,
    )


def _format(type: Type | None) -> _Format:
    """How a time is written for a parameter, by what the description says of it."""
    if isinstance(type, Array):
        type = type.items
    if isinstance(type, Scalar):
        if type.kind == "integer":
            return "unix_s"
        if type.format == "date":
            return "date"
    return "iso8601"


def _fault(name: str, message: str, help: str, steps: tuple[str, ...]) -> Diagnostic:
    place = Place(file="integration.yaml", pointer=pointer("streams", name, "source", "partition", *steps))
    return Diagnostic(code="V530", message=f"stream `{name}`: {message}", places=(place,), help=help)
