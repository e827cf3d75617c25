"""What the vendor sends: webhooks (3.1, and `x-webhooks` of older files) and the callbacks of the operations that are built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..api.model import Body, Webhook
from . import media, pointers
from .operations import METHODS, text
from .reports import shown

if TYPE_CHECKING:
    from .build import Builder
    from .operations import Entry

_METHODS = frozenset(METHODS)


def of_document(builder: Builder) -> Iterator[Webhook]:
    """The webhooks at the top of the file."""
    document = builder.document
    for key in ("webhooks", "x-webhooks"):
        found = builder.refs.resolved(document.value.get(key), document.file, f"#/{key}")
        if found is None or not isinstance(found[0], dict):
            continue
        published, file, at = found
        for topic, item in published.items():
            if topic.startswith("x-") and key == "x-webhooks":
                continue
            yield from _of_item(builder, topic, item, file, pointers.join(at, topic))


def of_operation(builder: Builder, entry: Entry) -> Iterator[Webhook]:
    """The callbacks that an operation announces."""
    published = entry.value.get("callbacks")
    for name, value in published.items() if isinstance(published, dict) else ():
        found = builder.refs.resolved(value, entry.file, pointers.join(entry.pointer, "callbacks", name))
        if found is None or not isinstance(found[0], dict):
            continue
        callback, file, at = found
        for expression, item in callback.items():
            if not expression.startswith("x-"):
                yield from _of_item(builder, name, item, file, pointers.join(at, expression))


def _of_item(builder: Builder, topic: str, item: Any, file: str, pointer: str) -> Iterator[Webhook]:
    found = builder.refs.resolved(item, file, pointer)
    if found is None:
        return
    value, file, pointer = found
    if isinstance(value, dict) and len(value) == 1 and not _METHODS & set(value):
        expression, inner = next(iter(value.items()))  # written as a callback: an address, then the request
        if isinstance(inner, dict) and _METHODS & set(inner):
            value, pointer = inner, pointers.join(pointer, expression)
    methods = [method for method in METHODS if isinstance(value, dict) and isinstance(value.get(method), dict)]
    if not methods:
        builder.reports.note("V221", f"the webhook `{shown(topic)}` has no request; it is left out", file, pointer)
    for method in methods[:1]:
        at = f"{pointer}/{method}"
        operation = value[method]
        yield Webhook(
            topic=topic,
            body=_body(builder, operation, file, at),
            description=text(operation.get("description")) or text(operation.get("summary")),
            place=builder.reports.place(file, at),
        )


def _body(builder: Builder, operation: dict[str, Any], file: str, pointer: str) -> Body | None:
    if "requestBody" in operation:
        return media.request_body(builder, operation["requestBody"], file, f"{pointer}/requestBody")
    for index, parameter in enumerate(operation.get("parameters") or ()):  # x-webhooks of Swagger 2.0
        if isinstance(parameter, dict) and parameter.get("in") == "body":
            at = f"{pointer}/parameters/{index}"
            return Body(
                media_type="application/json",
                type=builder.schemas.read(parameter.get("schema", {}), file, f"{at}/schema"),
                place=builder.reports.place(file, at),
            )
    return None
