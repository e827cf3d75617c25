"""Parameters: path-level and operation-level merged, names checked for the place they go to, styles with their defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from ..api.model import Parameter, ParameterIn, ParameterStyle, Scalar
from . import pointers, swagger
from .keywords import as_list
from .media import is_json
from .reports import shown

if TYPE_CHECKING:
    from .build import Builder
    from .operations import Entry

_LOCATIONS: frozenset[str] = frozenset(get_args(ParameterIn))
_STYLES: dict[str, tuple[str, ...]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form", "cookie"),
}
"""Location → styles, the default first."""
_OWN_HEADERS = frozenset({"content-type", "accept", "authorization"})
"""Header parameters that OpenAPI says to ignore: bodies and security decide them."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.:\-]*\Z")


@dataclass(frozen=True, slots=True)
class Listed:
    """One parameter as it stands in the file, its reference followed."""

    name: str
    location: str
    value: dict[str, Any]
    file: str
    pointer: str


def listed(builder: Builder, entry: Entry) -> list[Listed]:
    """The path's parameters with the operation's own over them; bodies of Swagger 2.0 among them."""
    found: dict[tuple[str, str], Listed] = {}
    shared = _read_list(
        builder, entry.shared.get("parameters"), entry.shared_file, f"{entry.shared_pointer}/parameters"
    )
    own = _read_list(builder, entry.value.get("parameters"), entry.file, f"{entry.pointer}/parameters")
    for one in shared:
        found[one.name, one.location] = one
    for one in own:
        known = found.get((one.name, one.location))
        if known is not None and known.pointer.startswith(f"{entry.pointer}/"):
            builder.reports.warn("V206", f"the parameter `{shown(one.name)}` is listed twice", one.file, one.pointer)
        found[one.name, one.location] = one
    bound = builder.document.limits.parameters
    if len(found) > bound:
        message = f"the operation has {len(found)} parameters, and the limit `parameters` is {bound}"
        builder.reports.error("V105", message, entry.file, f"{entry.pointer}/parameters")
    return list(found.values())[:bound]


def _read_list(builder: Builder, published: Any, file: str, pointer: str) -> list[Listed]:
    if published is not None and not isinstance(published, list):
        builder.reports.error("V110", "`parameters` is not a list", file, pointer)
    found: list[Listed] = []
    for index, value in enumerate(as_list(published)):
        resolved = builder.refs.resolved(value, file, f"{pointer}/{index}")
        if resolved is None:
            continue
        value, at_file, at = resolved
        name, location = (value.get("name"), value.get("in")) if isinstance(value, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(location, str):
            message = "a parameter is not an object with a `name` and an `in`"
            builder.reports.error("V206", message, file, f"{pointer}/{index}")
            continue
        found.append(Listed(name, location, value, at_file, at))
    return found


def read(builder: Builder, entry: Entry, given: list[Listed]) -> tuple[Parameter, ...]:
    """The parameters of an operation that are not its body, path parameters checked against the path."""
    names = template_names(entry.path.partition("#")[0])
    found: list[Parameter] = []
    for one in given:
        if one.location in ("body", "formData"):
            continue
        if one.location == "path" and one.name not in names:
            message = f"the path has no place for the path parameter `{shown(one.name)}`; it is left out"
            builder.reports.warn("V207", message, one.file, one.pointer)
            continue
        parameter = _parameter(builder, one)
        if parameter is not None:
            found.append(parameter)
    declared = {parameter.name for parameter in found if parameter.location == "path"}
    for name in names:
        if name not in declared:
            _undeclared(builder, entry, name, found)
    return tuple(found)


def _undeclared(builder: Builder, entry: Entry, name: str, found: list[Parameter]) -> None:
    if not _PLAIN.match(name) or "__" in name:
        message = f"`{{{shown(name)}}}` in the path is no declared parameter"
        builder.reports.error("V207", message, entry.file, entry.pointer)
        return
    builder.reports.warn(
        "V207", f"`{{{name}}}` in the path is not declared; it is taken as text", entry.file, entry.pointer
    )
    place = builder.reports.place(entry.file, entry.pointer)
    found.append(
        Parameter(
            name=name,
            location="path",
            type=Scalar(kind="string", place=place),
            required=True,
            style="simple",
            explode=False,
            place=place,
        )
    )


def _parameter(builder: Builder, one: Listed) -> Parameter | None:
    name, location, value = one.name, one.location, one.value
    if location not in _LOCATIONS:
        required = value.get("required") is True
        report = builder.reports.error if required else builder.reports.warn
        message = f"the parameter `{shown(name)}` goes into `{shown(location)}`, which is not supported"
        report("V206", message, one.file, one.pointer)
        return None
    if location == "header" and name.lower() in _OWN_HEADERS:
        return None
    if not _is_name(builder, one):
        return None
    if builder.document.version == "2.0":
        schema, at, style, explode = swagger.parameter(builder, one)
    else:
        schema, at = _schema(builder, one)
        style, explode = _style(builder, one)
    type = builder.schemas.read(schema, one.file, at)
    if style == "json" and isinstance(type, Scalar) and type.kind == "string":
        style = "simple" if location in ("path", "header") else "form"
        _note_text(builder, one, "application/json", at)
    default = schema.get("default") if isinstance(schema, dict) else None
    return Parameter(
        name=name,
        location=location,  # type: ignore[arg-type]  # one of _LOCATIONS
        type=type,
        required=value.get("required") is True or location == "path",
        style=style,
        explode=explode,
        allow_reserved=value.get("allowReserved") is True,
        default=default,
        description=str(value.get("description") or "")[:400],
        place=builder.reports.place(one.file, one.pointer),
    )


def _schema(builder: Builder, one: Listed) -> tuple[Any, str]:
    if "schema" in one.value:
        return one.value["schema"], f"{one.pointer}/schema"
    content = one.value.get("content")
    if isinstance(content, dict) and content:
        media, value = next(iter(content.items()))
        at = pointers.join(one.pointer, "content", media)
        if is_json(media):
            return (value.get("schema", {}) if isinstance(value, dict) else {}), f"{at}/schema"
        _note_text(builder, one, media, at)
        return {"type": "string"}, at
    if "type" in one.value:
        message = f"the parameter `{shown(one.name)}` has its type beside it, as in Swagger 2.0; it is read so"
        builder.reports.warn("V206", message, one.file, one.pointer)
        return one.value, one.pointer
    return {}, one.pointer


def _note_text(builder: Builder, one: Listed, media: str, pointer: str) -> None:
    message = f"the parameter `{shown(one.name)}` is a text in the form `{shown(media)}`; it is passed as that text"
    builder.reports.note("V220", message, one.file, pointer)


def _style(builder: Builder, one: Listed) -> tuple[ParameterStyle, bool]:
    content = one.value.get("content")
    if "schema" not in one.value and isinstance(content, dict) and content and is_json(next(iter(content))):
        return "json", False
    allowed = _STYLES[one.location]
    style = one.value.get("style", allowed[0])
    if style == "cookie":
        style = "form"
    if style not in allowed:
        message = f"the style `{shown(style)}` is not one for a parameter in {one.location}; `{allowed[0]}` is used"
        builder.reports.warn("V220", message, one.file, pointers.join(one.pointer, "style"))
        style = allowed[0]
    explode = one.value.get("explode")
    return style, explode if isinstance(explode, bool) else style in ("form", "deepObject")


def _is_name(builder: Builder, one: Listed) -> bool:
    bound = builder.document.limits.name_characters
    if len(one.name) > bound:
        message = (
            f"the name `{shown(one.name)}` has {len(one.name)} characters, and the limit `name_characters` is {bound}"
        )
        builder.reports.error("V105", message, one.file, one.pointer)
        return False
    if not one.name:
        builder.reports.error("V206", "a parameter has an empty name", one.file, one.pointer)
        return False
    if one.location == "header" and not is_header_name(builder, one.name, one.file, one.pointer):
        return False
    if one.location == "cookie" and _CONTROL.search(one.name):
        builder.reports.error(
            "V206", f"the cookie `{shown(one.name)}` holds a control character", one.file, one.pointer
        )
        return False
    if one.location in ("header", "cookie") and not is_token(one.name):
        required = one.value.get("required") is True
        report = builder.reports.error if required else builder.reports.warn
        message = f"`{shown(one.name)}` is no name HTTP allows for a {one.location}"
        report("V206", message if required else f"{message}; it is left out", one.file, one.pointer)
        return False
    return True


def is_token(name: str) -> bool:
    """Whether a header or a cookie can be sent under this name: RFC 9110 §5.6.2."""
    return _TOKEN.match(name) is not None


def is_header_name(builder: Builder, name: str, file: str, pointer: str) -> bool:
    """Whether a header of this name would leave the message whole; reports when it would not."""
    if not name:
        builder.reports.error("V206", "a header has an empty name", file, pointer)
        return False
    if _CONTROL.search(name):
        builder.reports.error("V206", f"the header `{shown(name)}` holds a control character", file, pointer)
        return False
    return True


def template_names(text: str) -> list[str]:
    """The names in braces, each once, in order."""
    return list(dict.fromkeys(_TEMPLATE.findall(text)))
