"""facts/<api>.yaml ⇄ ApiFacts: what is known about operations, in a form a person can read and overrule.

Reading is exact: an unknown kind or member is named. Writing keeps every line that says `by: person` and every comment; a fact
that is no longer inferred leaves, unless a person wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import Field, create_model

from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..forms import Form, check_form, form_schema, pointer, read_form
from .facts import ApiFacts, BatchResults, Fact, FactKind, Paging, RateLimit, Success, WebhookFact
from .facts_text import render_key, render_line, split_lines
from .model import Json
from .paths import PathSyntaxError, parse_path

KINDS: tuple[FactKind, ...] = get_args(FactKind)
_CLASSES: dict[str, type] = {
    "paging": Paging,
    "rate_limit": RateLimit,
    "success": Success,
    "batch": BatchResults,
    "webhooks": WebhookFact,
}
_PATHS = frozenset({"records", "record", "identity", "version"})
"""Kinds whose value is a field path."""
_STATUS_ONLY = "status 2xx"
"""How a success that asks for nothing but the status is written."""


def facts_file(api: str) -> str:
    """The name of an API's facts inside an integration's folder."""
    return f"facts/{api}.yaml"


def load_facts(folder: Path, api: str) -> ApiFacts:
    """Read the facts of one API; no file is no facts.

    Raises:
        DiagnosticError: V001 to V006 for what is not as the form asks, V302 for a fact that lacks what its kind needs.
    """
    name = facts_file(api)
    if not (folder / name).is_file():
        return ApiFacts(api=api)
    published = read_form(folder, name)
    if published is None:
        return ApiFacts(api=api)
    if not isinstance(published, dict):
        raise DiagnosticError(
            [Diagnostic(code="V005", message="the file is not an object", places=(Place(file=name),))]
        )
    found: list[Diagnostic] = []
    operations: dict[str, Mapping[FactKind, Fact]] = {}
    for operation, value in published.items():
        try:
            form = check_form(operation_form(), value, name)
        except DiagnosticError as error:
            found += [_below(diagnostic, operation) for diagnostic in error.diagnostics]
            continue
        facts = _facts(form, value)
        for fact in facts.values():
            found += _faults(fact, operation, name)
        operations[operation] = facts
    if found:
        raise DiagnosticError(found)
    return ApiFacts(api=api, operations=operations)


def write_facts(folder: Path, facts: ApiFacts) -> bool:
    """Write the facts of one API over the file that is there; returns whether a byte changed.

    Lines that a person wrote stay as they are, and win; comments stay above the line they stand above.
    """
    path = folder / facts_file(facts.api)
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    after = merge_text(before, facts)
    if after == before:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(after, encoding="utf-8", newline="\n")
    return True


def merge_text(before: str, facts: ApiFacts) -> str:
    """The text of a facts file after new facts were laid into it. A person's facts are taken over letter by letter."""
    head, blocks = split_lines(before)
    lines: list[str] = list(head)
    rest = dict(facts.operations)
    for block in blocks:
        inferred = rest.pop(block.name, {})
        kept = {part.name: part for part in block.parts}
        mine = [part for part in block.parts if part.by_person]
        if not inferred and not mine:
            lines += [*block.comments, *(line for part in block.parts for line in part.comments), *block.tail]
            continue
        lines += [*block.comments, block.head]
        for kind in sorted({*inferred, *(part.name for part in mine)}, key=_order):
            part = kept.get(kind)
            if part is not None and part.by_person:
                lines += [*part.comments, *part.lines]
            else:
                comments, after = (part.comments, part.remark) if part is not None else ([], "")
                lines += [*comments, render_line(kind, _written(inferred[kind])) + after]  # type: ignore[index]
        lines += block.tail
    for operation, inferred in rest.items():
        if inferred:
            lines.append(render_key(operation) + ":")
            lines += [render_line(kind, _written(inferred[kind])) for kind in sorted(inferred, key=_order)]
    return "".join(line + "\n" for line in lines)


def facts_schema() -> Mapping[str, Any]:
    """The JSON Schema of the form, for editors."""
    schema = form_schema(operation_form())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "facts/<api>.yaml",
        "type": "object",
        "additionalProperties": {key: value for key, value in schema.items() if key not in ("$defs", "title")},
        "$defs": schema.get("$defs", {}),
    }


# --- the form ---------------------------------------------------------------------------------------------------------


@cache
def operation_form() -> type[Form]:
    """The facts of one operation: each kind with its value, place, confidence and author."""
    members: dict[str, Any] = {kind: (_fact_form(kind) | None, None) for kind in KINDS}
    return create_model("OperationFacts", __base__=Form, **members)


def _fact_form(kind: FactKind) -> Any:
    members: dict[str, Any] = {
        "value": (_value_type(kind), ...),
        "at": (str, ""),
        "confidence": (Annotated[float, Field(ge=0, le=1)], 0.0),
        "by": (Literal["ingest", "person"], "ingest"),
    }
    return create_model(f"{_title(kind)}Fact", __base__=Form, **members)


def _value_type(kind: FactKind) -> Any:
    match kind:
        case "paging" | "rate_limit" | "batch" | "webhooks":
            return _form_of(_CLASSES[kind]) | None
        case "success":
            return _form_of(Success) | Literal["status 2xx"] | None
        case "update_is":
            return Literal["replace", "merge"] | None
        case "find":
            return dict[str, str] | None
        case _:
            return str | None


def _form_of(kind: type) -> Any:
    """A closed form with the members of a dataclass."""
    hints = get_type_hints(kind, localns={"Json": Any})
    members: dict[str, Any] = {}
    for member in fields(kind):
        members[member.name] = (hints[member.name], ... if member.default is MISSING else member.default)
    return create_model(f"{kind.__name__}Form", __base__=Form, **members)


def _title(kind: str) -> str:
    return "".join(part.capitalize() for part in kind.split("_"))


def _facts(form: Form, published: Any) -> dict[FactKind, Fact]:
    facts: dict[FactKind, Fact] = {}
    for kind in KINDS:
        given = getattr(form, kind)
        if given is not None:
            value = _value(kind, given.value)
            facts[kind] = Fact(kind=kind, value=value, at=given.at, confidence=given.confidence, by=given.by)
    return facts


def _value(kind: FactKind, value: Any) -> Any:
    if value == _STATUS_ONLY and kind == "success":
        return Success()
    if isinstance(value, Form):
        return _CLASSES[kind](**{name: getattr(value, name) for name in type(value).model_fields})
    return value


# --- what a kind needs ------------------------------------------------------------------------------------------------

_NEEDED: dict[str, tuple[str, ...]] = {
    "cursor": ("cursor", "next"),
    "page": ("page",),
    "offset": ("offset",),
    "next_url": ("next",),
    "since_id": ("cursor",),
}


def _faults(fact: Fact, operation: str, file: str) -> list[Diagnostic]:
    faults: list[tuple[str, str]] = []
    for name, text in _path_texts(fact):
        try:
            parse_path(text)
        except PathSyntaxError as error:
            faults.append((f"`{text}` is not a field path: {error}", name))
    if isinstance(fact.value, Paging):
        for name in _NEEDED.get(fact.value.style, ()):
            if getattr(fact.value, name) is None:
                faults.append((f"paging by `{fact.value.style}` needs `{name}`", ""))
        if fact.value.max is not None and fact.value.max < 1:
            faults.append((f"a page of {fact.value.max} records is none", "max"))
    if isinstance(fact.value, RateLimit) and (fact.value.per_s <= 0 or fact.value.burst < 1):
        faults.append(("a rate limit lets something through", ""))
    if isinstance(fact.value, BatchResults) and fact.value.max < 1:
        faults.append((f"a batch of {fact.value.max} records is none", "max"))
    if fact.kind == "find" and isinstance(fact.value, Mapping):
        for field, target in fact.value.items():
            if not target.startswith("query.") or len(target) == len("query."):
                faults.append((f"`{field}` is found by `{target}`, which is not `query.<parameter>`", field))
    at = [operation, fact.kind, "value"]
    return [
        Diagnostic(
            code="V302",
            message=message,
            places=(Place(file=file, pointer=pointer(*at, *([name] if name else []))),),
            help="correct the line and add `by: person`, so that it stays",
        )
        for message, name in faults
    ]


def _path_texts(fact: Fact) -> list[tuple[str, str]]:
    """(member, text) of all field paths in a fact."""
    value = fact.value
    if fact.kind in _PATHS and isinstance(value, str):
        return [("", value)]
    if fact.kind == "sorted_by" and isinstance(value, str):
        return [("", value.removeprefix("-"))]
    names: Sequence[str] = ()
    if isinstance(value, Paging):
        names = ("has_more", "total")
    if isinstance(value, BatchResults):
        names = ("items", "results", "index", "status", "identity", "error")
    if isinstance(value, Success):
        names = ("path",)
    return [(name, text) for name in names if isinstance(text := getattr(value, name), str)]


# --- writing ----------------------------------------------------------------------------------------------------------


def _written(fact: Fact) -> dict[str, Json]:
    written: dict[str, Json] = {"value": _written_value(fact)}
    if fact.at:
        written["at"] = fact.at
    written["confidence"] = round(fact.confidence, 2)
    if fact.by == "person":
        written["by"] = fact.by
    return written


def _written_value(fact: Fact) -> Json:
    value = fact.value
    if isinstance(value, Success) and value.path is None:
        return _STATUS_ONLY
    if isinstance(value, Paging | RateLimit | Success | BatchResults | WebhookFact):
        said: dict[str, Json] = {}
        for member in fields(value):
            found = getattr(value, member.name)
            if member.default is MISSING or found != member.default:
                said[member.name] = list(found) if isinstance(found, tuple) else found
        return said
    if isinstance(value, Mapping):
        return dict(value)
    return value


def _order(kind: str) -> int:
    names: tuple[str, ...] = KINDS
    return names.index(kind) if kind in names else len(names)


def _below(diagnostic: Diagnostic, operation: str) -> Diagnostic:
    """The diagnostic of one operation's facts, its places inside the whole file."""
    at = pointer(operation)
    places = tuple(replace(place, pointer=at + place.pointer.removeprefix("#")) for place in diagnostic.places)
    return replace(diagnostic, places=places)
