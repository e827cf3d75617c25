"""What Swagger 2.0 writes differently: body and form parameters, collection formats, media types beside the operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..api.model import Body, Field, Object, ParameterStyle, Response
from . import media, operations
from .keywords import as_list
from .reports import shown

if TYPE_CHECKING:
    from .build import Builder
    from .operations import Entry
    from .parameters import Listed

_COLLECTIONS: dict[str, tuple[ParameterStyle, bool]] = {
    "csv": ("form", False),
    "ssv": ("spaceDelimited", False),
    "pipes": ("pipeDelimited", False),
    "multi": ("form", True),
}

_BYTES = "application/octet-stream"


def body(builder: Builder, entry: Entry, listed: list[Listed]) -> Body | None:
    """The body parameter, or the form parameters as one object."""
    bodies = [one for one in listed if one.location == "body"]
    fields = [one for one in listed if one.location == "formData"]
    consumes = _media_types(builder, entry, "consumes")
    if bodies:
        if len(bodies) > 1 or fields:
            message = "an operation has one body; the first body parameter is taken"
            builder.reports.error("V206", message, entry.file, f"{entry.pointer}/parameters")
        one = bodies[0]
        return Body(
            media_type=_best(builder, consumes, entry),
            type=builder.schemas.read(one.value.get("schema", {}), one.file, f"{one.pointer}/schema"),
            required=one.value.get("required") is True,
            place=builder.reports.place(one.file, one.pointer),
        )
    return _form(builder, entry, fields, consumes) if fields else None


def _form(builder: Builder, entry: Entry, fields: list[Listed], consumes: list[str]) -> Body:
    has_file = any(one.value.get("type") == "file" for one in fields)
    multipart = has_file or (consumes and all(media.rank(name) == 4 for name in consumes))
    kept: list[Field] = []
    encoding: list[tuple[str, ParameterStyle, bool]] = []
    for one in fields:
        schema, at, style, explode = parameter(builder, one)
        if (style, explode) != ("form", True) and one.value.get("type") == "array":
            encoding.append((one.name, style, explode))
        kept.append(
            Field(
                name=one.name,
                type=builder.schemas.read(schema, one.file, at),
                required=one.value.get("required") is True,
                description=str(one.value.get("description") or "")[:400],
                place=builder.reports.place(one.file, one.pointer),
            )
        )
    place = builder.reports.place(entry.file, f"{entry.pointer}/parameters")
    return Body(
        media_type="multipart/form-data" if multipart else media.FORM,
        type=Object(fields=tuple(kept), place=place),
        required=any(field.required for field in kept),
        encoding=tuple(encoding),
        place=place,
    )


def parameter(builder: Builder, one: Listed) -> tuple[Any, str, ParameterStyle, bool]:
    """(schema, its pointer, style, explode): a 2.0 parameter is its own schema."""
    schema = one.value["schema"] if isinstance(one.value.get("schema"), dict) and "type" not in one.value else one.value
    at = f"{one.pointer}/schema" if schema is not one.value else one.pointer
    if schema is one.value:
        schema = {
            key: value for key, value in schema.items() if key not in ("required", "in", "name", "collectionFormat")
        }
        if schema.get("type") == "file":
            schema = schema | {"type": "string", "format": "binary"}
    plain: ParameterStyle = "simple" if one.location in ("path", "header") else "form"
    if one.value.get("type") != "array":
        return schema, at, plain, plain == "form"
    collection = one.value.get("collectionFormat", "csv")
    if not isinstance(collection, str) or collection not in _COLLECTIONS or (collection != "csv" and plain == "simple"):
        message = (
            f"the collection format `{shown(collection)}` of `{shown(one.name)}` is not supported; commas are used"
        )
        builder.reports.warn("V220", message, one.file, one.pointer)
        collection = "csv"
    style, explode = _COLLECTIONS[collection]
    return schema, at, plain if style == "form" else style, explode


def responses(builder: Builder, entry: Entry) -> tuple[Response, ...]:
    """The responses with the best of the media types the operation produces."""
    produces = _media_types(builder, entry, "produces")
    found: list[Response] = []
    for status, value, file, pointer in operations.statuses(builder, entry):
        schema = value.get("schema")
        media_type: str | None = None
        type = None
        if isinstance(schema, dict) and schema.get("type") == "file":
            media_type = min(produces, key=media.rank, default=_BYTES)
            media_type = media_type if media.rank(media_type) >= media.UNREAD else _BYTES
        elif schema is not None:
            media_type = min(produces, key=media.rank, default="application/json")
            if media.rank(media_type) < media.UNREAD:
                type = builder.schemas.read(schema, file, f"{pointer}/schema")
        examples = value.get("examples")
        found.append(
            Response(
                status=status,
                media_type=media_type and media.published(media_type),
                type=type,
                headers=operations.headers(builder, value.get("headers"), file, f"{pointer}/headers"),
                description=operations.text(value.get("description")),
                example=examples.get(media_type) if isinstance(examples, dict) else None,
                place=builder.reports.place(file, pointer),
            )
        )
    return tuple(found)


def _media_types(builder: Builder, entry: Entry, key: str) -> list[str]:
    published = entry.value.get(key, builder.document.value.get(key))
    return [name for name in as_list(published) if isinstance(name, str) and _usable(builder, name, entry)]


def _usable(builder: Builder, name: str, entry: Entry) -> bool:
    if media.is_media_type(name):
        return True
    media.misplaced(builder, name, entry.file, entry.pointer)
    return False


def _best(builder: Builder, names: list[str], entry: Entry) -> str:
    best = min(names, key=media.rank, default="application/json")
    if media.rank(best) >= media.UNREAD:
        message = f"the media type `{shown(best)}` is not compiled; only its bytes are"
        builder.reports.warn("V208", message, entry.file, entry.pointer)
    return media.published(best)
