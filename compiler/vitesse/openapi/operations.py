"""The paths of a document → its operations: which there are, and each one with parameters, body and responses.

Listing reads names only. What Swagger 2.0 writes differently is in `swagger`; parameters and media types have their own modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..api.model import Body, Header, Object, Operation, Response
from . import media, parameters, pointers, swagger
from .keywords import as_list
from .reports import shown

if TYPE_CHECKING:
    from .build import Builder

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_TEXT_CHARACTERS = 4000


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation as it stands in the file, not read yet."""

    id: str
    method: str
    path: str
    value: Any
    file: str
    pointer: str
    shared: dict[str, Any]
    """The path item around it."""
    shared_file: str
    shared_pointer: str


def entries(builder: Builder) -> Iterator[Entry]:
    """All operations in the file's order; reports what stands where an operation should."""
    document = builder.document
    paths = document.value.get("paths")
    if paths is None:
        if not any(key in document.value for key in ("webhooks", "x-webhooks", "components")):
            builder.reports.error("V110", "the file has no `paths`", document.file, "#")
        return
    found = builder.refs.resolved(paths, document.file, "#/paths")
    if found is None:
        return
    paths, file, at = found
    if not isinstance(paths, dict):
        builder.reports.error("V110", "`paths` is not an object", file, at)
        return
    for path, item in paths.items():
        if path.startswith("x-"):
            continue
        pointer = pointers.join(at, path)
        if not path.startswith("/"):
            builder.reports.warn("V110", f"the path `{shown(path)}` does not start with a slash", file, pointer)
        yield from _of_path(builder, path, item, file, pointer)


def _of_path(builder: Builder, path: str, item: Any, file: str, pointer: str) -> Iterator[Entry]:
    found = builder.refs.resolved(item, file, pointer)
    if found is None:
        return
    shared, shared_file, shared_pointer = found
    if not isinstance(shared, dict):
        builder.reports.error("V110", f"what stands under the path `{shown(path)}` is not an object", file, pointer)
        return
    methods = [(method, shared[method], method) for method in METHODS if method in shared]
    extra = shared.get("additionalOperations")
    if isinstance(extra, dict):
        methods += [(name, value, f"additionalOperations/{pointers.step(name)}") for name, value in extra.items()]
    order = {key: index for index, key in enumerate(shared)}
    for method, value, below in sorted(methods, key=lambda one: order.get(one[0], len(order))):
        at = f"{shared_pointer}/{below}"
        found = builder.refs.resolved(value, shared_file, at)
        if found is None:
            continue
        resolved, op_file, op_pointer = found
        if not isinstance(resolved, dict):
            builder.reports.error("V110", f"the operation `{method}` is not an object", shared_file, at)
            continue
        if resolved is not value:  # an operation in a file of its own, with a name beside the reference
            resolved = resolved | {key: beside for key, beside in value.items() if key != "$ref"}
        yield Entry(
            f"{method.upper()} {path}",
            method.upper(),
            path,
            resolved,
            op_file,
            op_pointer,
            shared,
            shared_file,
            shared_pointer,
        )


def build(builder: Builder, entry: Entry) -> Operation:
    """One operation, all of it but the types behind references."""
    value, file, pointer = entry.value, entry.file, entry.pointer
    _name_unread(builder, entry)
    listed = parameters.listed(builder, entry)
    if builder.document.version == "2.0":
        body = swagger.body(builder, entry, listed)
        responses = swagger.responses(builder, entry)
    else:
        body = media.request_body(builder, value.get("requestBody"), file, f"{pointer}/requestBody")
        responses = _responses(builder, entry)
    if body is not None and entry.method in ("GET", "HEAD", "DELETE"):
        body = _unusual_body(builder, entry, body)
    return Operation(
        id=entry.id,
        method=entry.method,
        path=entry.path,
        operation_id=_text(value.get("operationId")) or None,
        summary=_text(value.get("summary")) or _text(entry.shared.get("summary")),
        description=_text(value.get("description")) or _text(entry.shared.get("description")),
        tags=tuple(tag for tag in as_list(value.get("tags")) if isinstance(tag, str)),
        parameters=parameters.read(builder, entry, listed),
        body=body,
        responses=responses,
        security=builder.security.of(value.get("security"), file, f"{pointer}/security"),
        server=builder.servers.of(entry),
        deprecated=value.get("deprecated") is True,
        place=builder.reports.place(file, pointer),
    )


def _unusual_body(builder: Builder, entry: Entry, body: Body) -> Body | None:
    """A body where HTTP expects none: kept when it says something, left out when it is an empty form."""
    if isinstance(body.type, Object) and not body.type.fields and not body.required:
        return None
    message = f"the {entry.method} has a body, which some servers and proxies ignore"
    builder.reports.note("V218", message, entry.file, f"{entry.pointer}/requestBody")
    return body


def _responses(builder: Builder, entry: Entry) -> tuple[Response, ...]:
    return tuple(
        response
        for status, value, file, pointer in statuses(builder, entry)
        if (response := _response(builder, status, value, file, pointer)) is not None
    )


def statuses(builder: Builder, entry: Entry) -> Iterator[tuple[str, dict[str, Any], str, str]]:
    """(status, response, file, pointer) of an operation's responses, references followed, `4xx` spelt `4XX`."""
    pointer = f"{entry.pointer}/responses"
    published = entry.value.get("responses")
    if published is None:
        builder.reports.note(
            "V209", "the operation has no responses; what a reply holds is not known", entry.file, pointer
        )
        return
    found = builder.refs.resolved(published, entry.file, pointer)
    if found is None:
        return
    published, file, pointer = found
    if not isinstance(published, dict):
        builder.reports.error("V110", "`responses` is not an object", file, pointer)
        return
    for key, value in published.items():
        if key.startswith("x-"):
            continue
        at = pointers.join(pointer, key)
        status = _status(key)
        if status is None:
            builder.reports.error(
                "V209", f"`{shown(key)}` is not a status code, a range like `4XX` or `default`", file, at
            )
            continue
        response = builder.refs.resolved(value, file, at)
        if response is None:
            continue
        if not isinstance(response[0], dict):
            builder.reports.error("V110", "a response is not an object", file, at)
            continue
        yield status, *response


def _status(key: str) -> str | None:
    upper = key.strip().upper()
    if upper == "DEFAULT":
        return upper
    if len(upper) == 3 and upper[0] in "12345" and (upper[1:] == "XX" or (upper.isascii() and upper.isdigit())):
        return upper
    return None


def _response(builder: Builder, status: str, value: dict[str, Any], file: str, pointer: str) -> Response | None:
    chosen = media.choose(builder, value.get("content"), file, f"{pointer}/content", sending=False)
    return Response(
        status=status,
        media_type=chosen.media_type if chosen else None,
        type=chosen.read(builder) if chosen and media.rank(chosen.media_type) < media.UNREAD else None,
        headers=_headers(builder, value.get("headers"), file, f"{pointer}/headers"),
        description=_text(value.get("description")),
        example=chosen.example(builder) if chosen else None,
        place=builder.reports.place(file, pointer),
    )


def _headers(builder: Builder, published: Any, file: str, pointer: str) -> tuple[Header, ...]:
    headers: list[Header] = []
    for name, value in published.items() if isinstance(published, dict) else ():
        at = pointers.join(pointer, name)
        found = builder.refs.resolved(value, file, at)
        if found is None or not isinstance(found[0], dict) or name.lower() == "content-type":
            continue
        header, header_file, header_at = found
        if not parameters.is_header_name(builder, name, file, at):
            continue
        schema = header.get("schema", header if builder.document.version == "2.0" else {})
        schema_at = f"{header_at}/schema" if "schema" in header else header_at
        headers.append(
            Header(
                name=name,
                type=builder.schemas.read(schema, header_file, schema_at),
                description=_text(header.get("description"))[:400],
                place=builder.reports.place(header_file, header_at),
            )
        )
    return tuple(headers)


def _name_unread(builder: Builder, entry: Entry) -> None:
    path = entry.path
    if "?" in path or "#" in path:
        message = "the path carries a query or a fragment; it is one of several operations on one real URL"
        builder.reports.note("V217", message, entry.file, entry.pointer)
    if any(ord(char) < 32 or ord(char) == 127 for char in path):
        builder.reports.error("V217", "the path holds a control character", entry.file, entry.pointer)
    if entry.method in ("TRACE", "CONNECT") or not entry.method.isascii() or not entry.method.isalpha():
        builder.reports.error("V217", f"the method `{shown(entry.method)}` is not sent", entry.file, entry.pointer)


def _text(value: Any) -> str:
    return value[:_TEXT_CHARACTERS] if isinstance(value, str) else ""


headers = _headers
text = _text
