"""Media types: which one of several an operation is read and written by, and what its schema says.

JSON first, also by its vendor names (`application/vnd.api+json`), then forms, then multipart, then text; a type that cannot be
compiled is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..api.model import Body, ParameterStyle, Type
from . import pointers
from .keywords import example_of
from .reports import shown

if TYPE_CHECKING:
    from .build import Builder

FORM = "application/x-www-form-urlencoded"
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA = re.compile(rf"{_TOKEN}/{_TOKEN}(?:[ \t]*;[ \t]*{_TOKEN}=(?:{_TOKEN}|\"[^\"\\\r\n]*\"))*[ \t]*;?\Z")
_STYLES = ("form", "spaceDelimited", "pipeDelimited", "deepObject")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One media type of a body or a response, with its schema not read yet."""

    media_type: str
    value: dict[str, Any]
    file: str
    pointer: str

    def read(self, builder: Builder) -> Type | None:
        if "schema" not in self.value:
            if "itemSchema" in self.value:
                message = "`itemSchema` describes a stream of items, which is not read"
                builder.reports.warn("V208", message, self.file, f"{self.pointer}/itemSchema")
            return None
        return builder.schemas.read(self.value["schema"], self.file, f"{self.pointer}/schema")

    def example(self, builder: Builder) -> Any:
        """`example`, the first of `examples`, or the schema's own."""
        if "example" in self.value:
            return self.value["example"]
        examples = self.value.get("examples")
        if isinstance(examples, dict) and examples:
            with builder.reports.muted():
                first = builder.refs.resolved(next(iter(examples.values())), self.file, self.pointer)
            if first is not None and isinstance(first[0], dict):
                return first[0].get("value", first[0].get("dataValue"))
        schema = self.value.get("schema")
        return example_of(schema) if isinstance(schema, dict) else None


def request_body(builder: Builder, published: Any, file: str, pointer: str) -> Body | None:
    """The body of an OpenAPI 3 operation, in the one media type it is sent as."""
    if published is None:
        return None
    found = builder.refs.resolved(published, file, pointer)
    if found is None:
        return None
    value, file, pointer = found
    if not isinstance(value, dict):
        builder.reports.error("V110", "`requestBody` is not an object", file, pointer)
        return None
    chosen = choose(builder, value.get("content"), file, f"{pointer}/content", sending=True)
    if chosen is None:
        return None
    type = chosen.read(builder)
    return Body(
        media_type=chosen.media_type,
        type=builder.schemas.anything(chosen.file, chosen.pointer) if type is None else type,
        required=value.get("required") is True,
        encoding=_encoding(builder, chosen),
        part_types=_part_types(builder, chosen),
        example=chosen.example(builder),
        place=builder.reports.place(file, pointer),
    )


def choose(builder: Builder, content: Any, file: str, pointer: str, *, sending: bool) -> Chosen | None:
    """The best media type of a `content` object; None, and a report where one is due, when none can be used."""
    if content is None or content == {}:
        return None
    found = builder.refs.resolved(content, file, pointer)
    if found is None:
        return None
    content, file, pointer = found
    if not isinstance(content, dict):
        builder.reports.error("V110", "`content` is not an object", file, pointer)
        return None
    ranked: list[tuple[int, int, Chosen]] = []
    for index, (name, value) in enumerate(content.items()):
        at = pointers.join(pointer, name)
        if name.startswith("x-") and "/" not in name:
            continue
        if not is_media_type(name):
            misplaced(builder, name, file, at)
            continue
        resolved = builder.refs.resolved(value, file, at)
        if resolved is not None and isinstance(resolved[0], dict):
            ranked.append((rank(name), index, Chosen(published(name), *resolved)))
    if not ranked:
        return None
    best, _, chosen = min(ranked, key=lambda one: one[:2])
    if best >= UNREAD:
        message = f"the media type `{shown(chosen.media_type)}` is not compiled; only its bytes are"
        if sending:
            builder.reports.warn("V208", message, chosen.file, chosen.pointer)
        else:
            builder.reports.note("V208", message, chosen.file, chosen.pointer)
    return chosen


UNREAD = 6


def is_media_type(name: str) -> bool:
    """Whether the text is a media type by RFC 9110, or the star that some files put in its place."""
    return bool(_MEDIA.match(name)) or name == "*"


def misplaced(builder: Builder, name: str, file: str, pointer: str) -> None:
    """Report what stands where a media type should: an error when it could pass for one."""
    if "/" in name:
        builder.reports.error("V208", f"`{shown(name)}` is not a media type", file, pointer)
    else:
        builder.reports.warn("V208", f"`{shown(name)}` is not a media type; it is left out", file, pointer)


def rank(name: str) -> int:
    """How gladly a media type is used; from `UNREAD` on it is not compiled."""
    bare = name.partition(";")[0].strip().lower()
    if bare == "application/json":
        return 0
    if is_json(bare):
        return 1
    if bare in ("*/*", "application/*", "*"):
        return 2
    if bare == FORM:
        return 3
    if bare == "multipart/form-data":
        return 4
    if bare.startswith("text/") and bare not in ("text/xml", "text/event-stream"):
        return 5
    return UNREAD


def is_json(name: str) -> bool:
    """`application/json`, `text/json`, and the vendor types that end in `+json`; not the line-wise ones."""
    bare = name.partition(";")[0].strip().lower()
    return bare.endswith("+json") or bare in ("application/json", "text/json", "application/x-json", "text/x-json")


def published(name: str) -> str:
    """The media type as it is sent: wildcards stand for JSON."""
    bare = name.partition(";")[0].strip().lower()
    return "application/json" if bare in ("*/*", "application/*", "*") else name.strip()


def _encoding(builder: Builder, chosen: Chosen) -> tuple[tuple[str, ParameterStyle, bool], ...]:
    """(property, style, explode) of a form's `encoding`, as far as it differs from the default."""
    encoding = chosen.value.get("encoding")
    if not isinstance(encoding, dict) or rank(chosen.media_type) not in (3, 4):
        return ()
    kept: list[tuple[str, ParameterStyle, bool]] = []
    for name, value in encoding.items():
        if not isinstance(value, dict) or not {"style", "explode"} & set(value):
            continue
        style = value.get("style", "form")
        if style not in _STYLES:
            at = pointers.join(chosen.pointer, "encoding", name, "style")
            builder.reports.error(
                "V220", f"the style `{shown(style)}` is not known for a form's field", chosen.file, at
            )
            continue
        explode = value.get("explode", style == "form")
        kept.append((name, style, explode is True))
    return tuple(kept)


def _part_types(builder: Builder, chosen: Chosen) -> tuple[tuple[str, str], ...]:
    """(property, media type) of a multipart form's `encoding`, where it names one and not a choice of several."""
    encoding = chosen.value.get("encoding")
    if not isinstance(encoding, dict) or rank(chosen.media_type) != 4:
        return ()
    kept: list[tuple[str, str]] = []
    for name, value in encoding.items():
        if not isinstance(value, dict):
            continue
        at = pointers.join(chosen.pointer, "encoding", name)
        if value.get("headers"):
            message = f"the headers of the part `{shown(name)}` are not sent"
            builder.reports.note("V208", message, chosen.file, f"{at}/headers")
        if not isinstance(said := value.get("contentType"), str):
            continue
        if _is_one(said):
            kept.append((name, said.strip()))
        elif not all(is_media_type(one.strip().replace("*", "any")) for one in said.split(",")):
            message = f"the part `{shown(name)}` is sent as `{shown(said)}`, which is not a media type"
            builder.reports.error("V208", message, chosen.file, f"{at}/contentType")
    return tuple(kept)


def _is_one(media_type: str) -> bool:
    return "*" not in media_type and "," not in media_type and is_media_type(media_type.strip())
