"""A stream's rules × its `conflicts` → what the package compares and merges.

Merges are made in the destination's fields, as the rules fill them. Of a pair that goes both ways they are also the fields that the
other direction reads, so that a change there is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..api.model import Api, Type
from ..api.paths import Path, format_path, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import pointer
from ..manifest import Conflicts
from .mock_builder import StreamRecords, positions
from .model import JsonPath, MergeFieldPlan, MergePlan, StreamPlan
from .operations import json_path
from .shape import as_object


def plan_merge(
    stream: str,
    rule: Conflicts,
    *,
    filled: Sequence[JsonPath],
    read_back: Sequence[JsonPath],
    api: Api,
    record: Type | None,
    has_version: bool,
) -> MergePlan:
    """The merge of a stream.

    Args:
        filled: Paths of a destination record that rules fill; 0 stands for the entries of a list.
        read_back: Paths of it that the other direction's rules read.
        record: The type of a destination record, where it is known.
        has_version: Whether the source says when a record changed.

    Raises:
        DiagnosticError: V516 for a rule about a field that nothing fills, or times that nobody tells.
    """
    fields = _fields((*filled, *read_back), {parse_path(text): how for text, how in rule.fields.items()})
    faults = []
    known = {field.path for field in fields}
    for text in rule.fields:
        if json_path(text) not in known:
            names = ", ".join(f"`{field.name}`" for field in fields)
            faults.append(
                _fault(stream, f"no rule fills `{text}` as a field of its own; there is {names}", "fields", text)
            )
    if rule.compares_times and not has_version:
        faults.append(_fault(stream, "the source's records do not say when they changed: no `version`", "version"))
    if rule.version is not None and record is not None and not _has(api, record, json_path(rule.version)):
        faults.append(_fault(stream, f"a record of the destination has no `{rule.version}`", "version"))
    if faults:
        raise DiagnosticError(faults)
    return MergePlan(
        fields=fields,
        otherwise=rule.otherwise,
        version=json_path(rule.version) if rule.version is not None else None,
        clock_skew_s=float(rule.clock_skew_s),
    )


def check_pair(forward: StreamPlan, back: StreamPlan, records: Mapping[str, StreamRecords]) -> None:
    """Both streams of a pair must find each other's records. Raises V516 where one matches by other fields than the other."""

    def matched(plan: StreamPlan) -> list[tuple[JsonPath, JsonPath, tuple[str, ...]]]:
        paths = records[plan.name].match
        return [
            (positions(path), match.destination, match.compare) for path, match in zip(paths, plan.match, strict=True)
        ]

    mirrored = [(there, here, compare) for here, there, compare in matched(forward)]
    if matched(back) == mirrored:
        return
    raise DiagnosticError(
        [
            Diagnostic(
                code="V516",
                message=f"the stream `{back.name}` matches by other fields than `{forward.name}`, on whose links it goes back",
                places=(Place(file="integration.yaml", pointer=pointer("streams", back.name, "match")),),
                help="write the same fields with source and destination exchanged, and the same `compare`",
            )
        ]
    )


def _fields(paths: Iterable[JsonPath], own: dict[Path, str]) -> tuple[MergeFieldPlan, ...]:
    """One field for each path up to its first list; a path below another one belongs to it."""
    inside: dict[JsonPath, list[JsonPath]] = {}
    for path in paths:
        end = path.index(0) if 0 in path else len(path)
        parts = inside.setdefault(path[:end], [])
        below = path[end + 1 :] if end < len(path) else None
        if below is None:
            parts.clear()
            parts.append(())
        elif () not in parts and below not in parts:
            parts.append(below)
    outer = [path for path in inside if not any(path[:size] in inside for size in range(len(path)))]
    return tuple(
        MergeFieldPlan(
            name=format_path(tuple(str(step) for step in path)),
            path=path,
            inside=() if () in inside[path] else tuple(inside[path]),
            strategy=own.get(tuple(str(step) for step in path)),  # type: ignore[arg-type]
        )
        for path in outer
    )


def _has(api: Api, type: Type | None, path: JsonPath) -> bool:
    for step in path:
        found = as_object(api, type) if type is not None else None
        if found is None:
            return type is None
        field = found.field(str(step))
        if field is None and found.extra is None:
            return False
        type = field.type if field is not None else found.extra
    return True


def _fault(stream: str, message: str, *at: str) -> Diagnostic:
    return Diagnostic(
        code="V516",
        message=message,
        places=(Place(file="integration.yaml", pointer=pointer("streams", stream, "conflicts", *at)),),
        help="name a destination field that a rule fills, and fields that hold the times of changes on both sides",
    )
