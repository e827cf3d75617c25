"""Used operations × facts → OperationPlans.

Decides names, the parameters that are worth having, the body and what a reply is read as. Only parameters that the streams,
the paging or the vendor (required ones) need become arguments: an unused filter is no part of the package.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Literal, TypeAlias
from urllib.parse import quote

from ..api.facts import ApiFacts, Paging, Success
from ..api.fields import find_field
from ..api.model import Api, Array, Field, Object, Operation, Parameter, Scalar, Type, Union
from ..api.paths import EACH, PathSyntaxError, parse_path
from ..diagnostics import Diagnostic, DiagnosticError, Place
from ..frozen import dataclass
from .model import FieldStyle, JsonPath, OperationPlan, PagingPlan, ParameterPlan, PyType, SettingValue, SuccessPlan
from .names import Scope, constant, singular, snake, words
from .shape import as_array, as_object, leaf_type
from .updates import Update

Role: TypeAlias = Literal["list", "get", "create", "update", "find", "batch", "batch_update", "delete"]

_VERBS: Mapping[Role, str] = {
    "list": "list",
    "find": "list",
    "get": "get",
    "create": "create",
    "update": "update",
    "batch": "batch",
    "batch_update": "batch_update",
    "delete": "delete",
}
_NO_NOUN = frozenset(
    "json xml api rest v1 v2 v3 create update list get find search upsert batch bulk delete new".split()
)
_COMMA = re.compile(r"comma", re.IGNORECASE)
_PARAMETER = re.compile(r"\{([^{}]+)\}")
FRAMING = frozenset({"connection", "content-length", "host", "transfer-encoding"})
"""Header fields by which a message is delimited and delivered: whoever sends it sets them."""


@dataclass(slots=True, kw_only=True)
class Use:
    """How the streams use one operation. Filled by `plan.build` before any name is given."""

    operation: Operation
    roles: list[Role] = field(default_factory=list)
    parameters: set[str] = field(default_factory=set)
    """Wire names of parameters that something asks for: a since filter, a find, an identity."""
    fixed: set[str] = field(default_factory=set)
    """Wire names that the manifest gives a value for all requests of a stream."""
    asks: dict[str, dict[str, None]] = field(default_factory=dict)
    """Query parameter → names of fields that it asks for."""
    given: frozenset[tuple[str, str]] = frozenset()
    """(location, name) of what the sign-in and the system's own headers send; a header's name in small letters."""
    body: PyType | None = None
    """Of the typed body."""
    result: PyType | None = None
    """Of the record in the reply."""
    update: Update = field(default_factory=Update)
    """How a body is fitted to an update."""
    whole: Whole | None = None
    """Set when the operation is offered as it is, not as far as a stream needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What an operation is when it is offered as it is: every parameter an argument, its body sent whatever its role."""

    arguments: Mapping[tuple[str, str], PyType]
    """(location, wire name) → type."""
    result: Literal["records", "record", "reply", "nothing"]


def noun(operation: Operation) -> str:
    """The resource an operation is about, in snake case and as published: `/contacts/batch` → `contacts`."""
    for segment in reversed(operation.path.split("?")[0].split("#")[0].split("/")):
        if not segment or _PARAMETER.fullmatch(segment):
            continue
        kept = [word for word in words(_PARAMETER.sub("", segment)) if word not in _NO_NOUN]
        if kept:
            return "_".join(kept)
    return "record"


def plan_operation(side: str, api: Api, facts: ApiFacts, use: Use, constants: Scope, methods: Scope) -> OperationPlan:
    """Decide everything about one used operation. Raises DiagnosticError when it cannot be sent as described."""
    operation, role = use.operation, use.roles[0]
    resource = noun(operation)
    subject = resource if role in ("list", "find", "batch", "batch_update") else singular(resource)
    name = snake(f"{_VERBS[role]}_{subject}", otherwise="request")
    paging = _paging(facts, operation) if role in ("list", "find") else PagingPlan()
    wanted = use.parameters | {
        text for text in (paging.limit, paging.cursor, paging.page, paging.offset) if text is not None
    }
    idempotency = facts.get(operation.id, "idempotency")
    idempotency_header = str(idempotency.value) if idempotency and idempotency.value and role != "get" else None
    parameters, headers = _parameters(side, api, use, wanted, idempotency_header)
    success = facts.get(operation.id, "success")
    success_value = success.value if success else None
    records = facts.get(operation.id, "records") if role in ("list", "find") else None
    record = facts.get(operation.id, "record") if role in ("get", "create", "update") else None
    reply = operation.success()
    has_reply = reply is not None and reply.type is not None and reply.status not in ("204", "205")
    result: Literal["records", "record", "reply", "nothing"] = (
        use.whole.result
        if use.whole is not None
        else "records"
        if records is not None
        else "record"
        if role in ("get", "create", "update") and has_reply and use.result is not None
        else "reply"
        if has_reply
        else "nothing"
    )
    reads = role in ("list", "get", "find") and use.whole is None
    is_asked = (
        reads and role != "get" and operation.method not in ("GET", "HEAD") and body_kind(operation) in ("json", "form")
    )
    asked = _asked(side, api, use, wanted) if is_asked else ()
    body = None if reads and not is_asked else body_kind(operation)
    return OperationPlan(
        id=operation.id,
        constant=constants.claim(constant(name, otherwise="REQUEST")),
        method_name=methods.claim(name),
        method=operation.method,
        path=_path(operation, use.asks),
        parameters=parameters,
        body=body,
        media_type=_media_type(operation),
        encoding=_encoding(api, operation) if body in ("form", "multipart") else (),
        part_types=operation.body.part_types if operation.body is not None and body == "multipart" else (),
        body_type=use.body if role in ("create", "update") or use.whole is not None else None,
        result=result,
        result_type=use.result if result in ("records", "record") else None,
        records=json_path(str(records.value or "")) if records is not None and result == "records" else None,
        record=json_path(str(record.value or "")) if record is not None else (),
        paging=paging,
        success=SuccessPlan(path=json_path(success_value.path), equals=_plain(success_value.equals))
        if isinstance(success_value, Success) and success_value.path
        else None,
        idempotency_header=idempotency_header,
        headers=(*headers, *_accept(use)),
        not_taken=use.update.not_taken,
        repeats=use.update.repeats,
        asked=asked,
    )


_Kind: TypeAlias = Literal["string", "integer", "number", "boolean"]


def _asked(side: str, api: Api, use: Use, wanted: set[str]) -> tuple[tuple[str, JsonPath, _Kind], ...]:
    """Where in the body of a list stands what asks for a page, filters it or is fixed by the manifest.

    Raises:
        DiagnosticError: V501 for a field that the body requires and nothing gives a value.
    """
    body = use.operation.body
    assert body is not None
    declared = {parameter.name for parameter in use.operation.parameters}
    found: list[tuple[str, JsonPath, _Kind]] = []
    for name in sorted((wanted | use.fixed) - declared):
        try:
            field = find_field(api, body.type, name)
        except PathSyntaxError:
            continue
        if field is not None and isinstance(field.type, Scalar) and field.type.kind != "null":
            found.append((name, json_path(name), field.type.kind))
    filled = {path[0] for _, path, _ in found}
    known = as_object(api, body.type)
    missing = [one for one in known.fields if one.required and one.name not in filled] if known is not None else []
    if missing:
        raise DiagnosticError([_field_without_value(side, use.operation, one) for one in missing])
    return tuple(found)


def _field_without_value(side: str, operation: Operation, field: Field) -> Diagnostic:
    return Diagnostic(
        code="V501",
        message=f"`{operation.id}` needs `{field.name}` in its body and nothing gives it a value",
        places=(Place(file=field.place.file, pointer=field.place.pointer, label="required here"),),
        help=f'give it one in the stream: `parameters: {{"{side}.{field.name}": …}}` or `{{env: NAME}}`',
    )


def _path(operation: Operation, asks: Mapping[str, Iterable[str]]) -> str:
    """The path that is sent: without what tells operations on one URL apart, with its slash and the names of wanted fields.

    Names are joined by commas where the parameter is no list, or where its description says so whatever its style.
    """
    path = operation.path.partition("#")[0]
    path = path if path.startswith("/") else f"/{path}"
    for name, wanted in asks.items():
        known = next((one for one in operation.parameters if one.location == "query" and one.name == name), None)
        values = [quote(one, safe="") for one in wanted]
        repeats = known is not None and isinstance(known.type, Array) and known.explode
        texts = values if repeats and not _COMMA.search(known.description if known else "") else [",".join(values)]
        pairs = "&".join(f"{quote(name, safe='')}={text}" for text in texts)
        path = f"{path}{'&' if '?' in path else '?'}{pairs}"
    return path


def json_path(text: str) -> JsonPath:
    """A field path of the facts as keys and positions: `data[-1].id` → ("data", -1, "id"), the empty text → ()."""
    steps: list[str | int] = []
    for part in re.split(r"(\[-?\d+\])", text):
        if re.fullmatch(r"\[-?\d+\]", part):
            steps.append(int(part[1:-1]))
        elif part.strip("."):
            steps.extend(str(segment) for segment in parse_path(part.strip(".")) if segment is not EACH)
    return tuple(steps)


def list_paths(text: str) -> tuple[JsonPath, ...]:
    """Where a list is, as the way to each list around it and to itself: `entry[].changes` → (("entry",), ("changes",))."""
    steps = parse_path(text)
    lists: list[JsonPath] = [()]
    for step in steps[:-1] if steps[-1:] == (EACH,) else steps:
        if step is EACH:
            lists.append(())
        else:
            lists[-1] = (*lists[-1], str(step))
    return tuple(lists)


def _paging(facts: ApiFacts, operation: Operation) -> PagingPlan:
    fact = facts.get(operation.id, "paging")
    value = fact.value if fact is not None else None
    if not isinstance(value, Paging):
        return PagingPlan()
    return PagingPlan(
        style=value.style,
        limit=value.limit,
        max=value.max,
        cursor=value.cursor,
        page=value.page,
        first_page=value.first_page,
        offset=value.offset,
        next=json_path(value.next) if value.next is not None else None,
        has_more=json_path(value.has_more) if value.has_more is not None else None,
    )


def _parameters(
    side: str, api: Api, use: Use, wanted: set[str], idempotency_header: str | None
) -> tuple[tuple[ParameterPlan, ...], tuple[tuple[str, SettingValue], ...]]:
    arguments = Scope()
    plans: list[ParameterPlan] = []
    headers: list[tuple[str, SettingValue]] = []
    missing: list[Diagnostic] = []
    for parameter in use.operation.parameters:
        if parameter.location == "header" and idempotency_header and _same(parameter.name, idempotency_header):
            continue
        if parameter.location == "header" and parameter.name.lower() in FRAMING:
            continue
        if given_name(parameter.location, parameter.name) in use.given and parameter.name not in use.fixed:
            continue
        if parameter.location == "query" and parameter.name in use.asks:
            continue
        is_needed = (
            use.whole is not None
            or parameter.required
            or parameter.location == "path"
            or parameter.name in wanted | use.fixed
        )
        if not is_needed:
            continue
        only = _only_value(parameter)
        if parameter.location == "header" and only is not None and parameter.name not in wanted | use.fixed:
            headers.append((parameter.name, SettingValue(text=only)))
            continue
        if use.whole is None and parameter.required and parameter.name not in wanted | use.fixed and only is None:
            missing.append(_without_value(side, use, parameter))
        plans.append(
            ParameterPlan(
                argument=arguments.claim(snake(parameter.name, otherwise="parameter", inner=True)),
                name=parameter.name,
                location=parameter.location,
                style=parameter.style,
                explode=parameter.explode,
                reserved=parameter.allow_reserved and parameter.location == "query",
                required=parameter.required or parameter.location == "path",
                type=_argument_type(api, parameter, use.whole),
            )
        )
    if missing:
        raise DiagnosticError(missing)
    return tuple(plans), tuple(headers)


def _accept(use: Use) -> tuple[tuple[str, SettingValue], ...]:
    """The media type of a reply that is not plain JSON, which is what is asked for otherwise."""
    reply = use.operation.success()
    media_type = (reply.media_type if reply is not None else None) or "application/json"
    if media_type == "application/json" or ("header", "accept") in use.given:
        return ()
    return (("Accept", SettingValue(text=media_type)),)


def given_name(location: str, name: str) -> tuple[str, str]:
    """A parameter as `Use.given` holds it."""
    return location, name.lower() if location == "header" else name


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _only_value(parameter: Parameter) -> str | None:
    """The one value a required parameter can have without anyone saying so: its default, or its only enum value."""
    if not parameter.required:
        return None
    if isinstance(parameter.default, str | int) and not isinstance(parameter.default, bool):
        return str(parameter.default)
    type = parameter.type
    if isinstance(type, Scalar) and len(type.enum) == 1 and type.enum[0] is not None:
        return str(type.enum[0])
    return None


def _argument_type(api: Api, parameter: Parameter, whole: Whole | None) -> PyType:
    may_miss = not (parameter.required or parameter.location == "path")
    if whole is not None:
        return replace(whole.arguments[parameter.location, parameter.name], may_miss=may_miss)
    found = leaf_type(api, parameter.type)
    return PyType(scalar=found.scalar, items=found.items, may_miss=may_miss)


def _without_value(side: str, use: Use, parameter: Parameter) -> Diagnostic:
    return Diagnostic(
        code="V501",
        severity="error",
        message=f"`{use.operation.id}` needs the parameter `{parameter.name}` and nothing gives it a value",
        places=(Place(file=parameter.place.file, pointer=parameter.place.pointer, label="required here"),),
        help=f'give it one in the stream: `parameters: {{"{side}.{parameter.name}": …}}` or `{{env: NAME}}`',
    )


def body_kind(operation: Operation) -> Literal["json", "form", "multipart", "raw"] | None:
    """How the body is written: by its media type."""
    if operation.body is None:
        return None
    media_type = operation.body.media_type.partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        return "form"
    if media_type == "multipart/form-data":
        return "multipart"
    return "json" if is_json(media_type) else "raw"


def is_json(media_type: str | None) -> bool:
    """Whether what is sent or answered under a media type is JSON; nothing said means JSON."""
    bare = (media_type or "application/json").partition(";")[0].strip().lower()
    return bare.endswith("+json") or bare.rpartition("/")[2] in ("json", "x-json")


def _media_type(operation: Operation) -> str:
    """The media type that is sent: a range (`image/*`) is none."""
    media_type = operation.body.media_type if operation.body is not None else "application/json"
    return "application/octet-stream" if "*" in media_type.partition(";")[0] else media_type


def _encoding(api: Api, operation: Operation) -> tuple[tuple[str, FieldStyle, bool], ...]:
    """(field, style, explode) of a form's fields that are not written with brackets.

    Source:
        OpenAPI 3.0.4, Encoding Object: lists are repeated (`form`, exploded) and parts of a multipart form that are objects
        are JSON, unless it says otherwise.
    """
    body = operation.body
    known = as_object(api, body.type) if body is not None else None
    if body is None or known is None:
        return ()
    said = {name: (style, explode) for name, style, explode in body.encoding}
    kept: list[tuple[str, FieldStyle, bool]] = []
    for one in known.fields:
        array = as_array(api, one.type)
        style, explode = said.get(one.name, (None, True))
        if (
            style is None
            and body_kind(operation) == "multipart"
            and _has_parts(api, array.items if array else one.type)
        ):
            kept.append((one.name, "json", True))
        elif style is None and array is not None and not _has_parts(api, array.items):
            kept.append((one.name, "form", True))
        elif style in ("form", "spaceDelimited", "pipeDelimited"):
            kept.append((one.name, style, explode))
    return tuple(kept)


def _has_parts(api: Api, type: Type) -> bool:
    resolved = api.resolve(type)
    members = [api.resolve(member) for member in resolved.members] if isinstance(resolved, Union) else [resolved]
    return any(isinstance(member, Array | Object) for member in members)


def _plain(value: object) -> str | int | bool | None:
    return value if isinstance(value, str | int | bool) else None


def path_parameters(operation: Operation) -> Iterable[str]:
    """Wire names in the path, in its order."""
    return _PARAMETER.findall(operation.path)
