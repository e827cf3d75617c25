"""Schemas of single values: kinds, enums, defaults and the keywords that bound them.

Published files say `type: int`, list numbers under `type: string`, and give defaults of another type. What can be meant in one
way only is read that way, with a warning; the rest is an error with its place.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from ..api.model import JsonScalar, Scalar, ScalarKind
from . import pointers
from .reports import Reports, shown

KINDS: dict[str, ScalarKind] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}

MISSPELT: dict[str, tuple[str, str | None]] = {
    "str": ("string", None),
    "text": ("string", None),
    "date": ("string", "date"),
    "datetime": ("string", "date-time"),
    "date-time": ("string", "date-time"),
    "time": ("string", "time"),
    "timestamp": ("string", "date-time"),
    "uuid": ("string", "uuid"),
    "email": ("string", "email"),
    "url": ("string", "uri"),
    "uri": ("string", "uri"),
    "enum": ("string", None),
    "file": ("string", "binary"),
    "binary": ("string", "binary"),
    "int": ("integer", None),
    "int32": ("integer", "int32"),
    "int64": ("integer", "int64"),
    "long": ("integer", "int64"),
    "float": ("number", "float"),
    "double": ("number", "double"),
    "decimal": ("number", None),
    "bool": ("boolean", None),
    "list": ("array", None),
    "map": ("object", None),
    "dict": ("object", None),
    "json": ("object", None),
}
"""Names of other type systems that can be meant in one way only → type and format."""

_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
BOUNDS = frozenset((*_NUMBERS, *_COUNTS))
_UUID = re.compile(r"(?:urn:uuid:)?\{?[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}\}?\Z")
_NUMERIC = re.compile(r"\s*[-+]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][-+]?\d{1,3})?\s*\Z", re.ASCII)


def read_scalar(
    schema: dict[str, Any],
    kind: ScalarKind,
    *,
    format: str | None,
    nullable: bool,
    file: str,
    pointer: str,
    reports: Reports,
    enum_limit: int,
) -> Scalar:
    """One scalar of a known kind from a schema, its enum and bounds checked."""
    enum: tuple[JsonScalar, ...] = ()
    place = reports.place(file, pointer)
    if "enum" in schema or "const" in schema:
        enum, has_null = read_enum(schema, kind, file, pointer, reports, enum_limit)
        nullable = nullable or has_null
    if not BOUNDS.isdisjoint(schema):
        check_bounds(schema, file, pointer, reports)
    length = schema.get("maxLength")
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if kind == "string" and format is None and _is_binary(schema):
        format = "binary"
    return Scalar(
        kind=kind,
        format=format,
        nullable=nullable,
        enum=enum,
        max_length=length if type(length) is int and length >= 0 else None,
        minimum=lowest if type(lowest) in (int, float) else None,
        maximum=highest if type(highest) in (int, float) else None,
        place=place,
    )


def _is_binary(schema: dict[str, Any]) -> bool:
    """OpenAPI 3.1's ways to say what `format: binary` says in 3.0."""
    encoded, media = schema.get("contentEncoding"), schema.get("contentMediaType")
    return encoded == "binary" or (encoded is None and media == "application/octet-stream")


def read_enum(
    schema: dict[str, Any], kind: ScalarKind, file: str, pointer: str, reports: Reports, limit: int
) -> tuple[tuple[JsonScalar, ...], bool]:
    """The values of `enum` and `const` as the kind wants them, each once, and whether null is among them."""
    values = schema.get("enum")
    key = "enum"
    if "const" in schema:
        values, key = [schema["const"]], "const"
    if not isinstance(values, list):
        reports.error("V205", "`enum` is not a list", file, pointers.join(pointer, "enum"))
        return (), False
    if not values:
        reports.warn(
            "V205", "`enum` is empty and would admit no value; it is ignored", file, pointers.join(pointer, key)
        )
    if len(values) > limit:
        message = f"an enum has {len(values)} values, and the limit `enum_values` is {limit}"
        reports.error("V105", message, file, pointers.join(pointer, key))
        return (), False
    kept: dict[tuple[type, JsonScalar], JsonScalar] = {}
    has_null = False
    for value in values:
        if value is None:
            has_null = True
            continue
        fitted = fit(value, kind)
        if fitted is _NO_FIT:
            message = f"the value `{shown(value)}` of `{key}` is not of the type {kind}"
            reports.error("V205", message, file, pointers.join(pointer, key))
        else:
            kept.setdefault((type(fitted), fitted), fitted)
    return tuple(kept.values()), has_null


class _NoFit:
    pass


_NO_FIT: Any = _NoFit()


def fits(value: object, kind: ScalarKind) -> bool:
    """Whether the value can be read as this kind without guessing."""
    return fit(value, kind) is not _NO_FIT


def fit(value: Any, kind: ScalarKind) -> Any:
    """The value as this kind: a number written as text under a number, `true` under a string. `_NO_FIT` otherwise."""
    match kind:
        case "string":
            if isinstance(value, str):
                return value
            if isinstance(value, bool):
                return "true" if value else "false"
            return str(value) if isinstance(value, (int, float)) else _NO_FIT
        case "integer":
            if isinstance(value, float) and value.is_integer():
                return int(value)
            if isinstance(value, str) and _NUMERIC.match(value) and float(value).is_integer():
                return int(float(value)) if not value.strip().lstrip("+-").isdigit() else int(value)
            return value if type(value) is int else _NO_FIT
        case "number":
            if isinstance(value, str) and _NUMERIC.match(value):
                return float(value)
            return value if type(value) in (int, float) else _NO_FIT
        case "boolean":
            if isinstance(value, str) and value.strip().lower() in ("true", "false"):
                return value.strip().lower() == "true"
            return value if isinstance(value, bool) else _NO_FIT
        case "null":
            return _NO_FIT if value is not None else None


def check_bounds(schema: dict[str, Any], file: str, pointer: str, reports: Reports) -> None:
    """Bounds are numbers. They are not compiled, but a file that puts text there is not what it seems."""
    for key in BOUNDS.intersection(schema):
        value = schema[key]
        if type(value) in (int, float) or (type(value) is bool and key.startswith("exclusive")):
            continue
        if value is None or (isinstance(value, str) and _NUMERIC.match(value)):
            message = (
                f"`{key}` is {shown(value) if value is not None else 'null'}, written as something else than a number"
            )
            reports.note("V203", message, file, pointers.join(pointer, key))
        else:
            message = f"`{key}` is `{shown(value)}`, which is not a number"
            reports.error("V203", message, file, pointers.join(pointer, key))


def check_default(schema: dict[str, Any], type: Scalar, file: str, pointer: str, reports: Reports) -> None:
    """A default has the type, the format and, where there is an enum, one of the values of its schema."""
    value = schema["default"]
    if value is None:
        return
    at = pointers.join(pointer, "default")
    fitted = fit(value, type.kind)
    if fitted is _NO_FIT:
        if isinstance(value, str) and not value.strip():
            reports.note("V204", f"the default is an empty text under the type {type.kind}; it is ignored", file, at)
            return
        reports.error("V204", f"the default `{shown(value)}` is not of the type {type.kind}", file, at)
        return
    if fitted != value or fitted.__class__ is not value.__class__:
        message = f"the default `{shown(value)}` is written as another type than {type.kind}"
        reports.note("V204", message, file, at)
    if type.enum and fitted not in type.enum:
        folded = {str(member).casefold() for member in type.enum}
        if str(fitted).casefold() in folded or not str(fitted).strip():
            reports.note("V204", f"the default `{shown(value)}` is not spelt like any value of the enum", file, at)
        else:
            reports.error("V204", f"the default `{shown(value)}` is not one of the enum's values", file, at)
    elif isinstance(fitted, str) and fitted and not _has_format(fitted, type.format):
        reports.error("V204", f"the default `{shown(value)}` is not of the format {type.format}", file, at)


def _has_format(value: str, format: str | None) -> bool:
    try:
        match format:
            case "date":
                datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
            case "date-time":
                datetime.fromisoformat(value)
            case "uuid":
                return bool(_UUID.match(value))
    except ValueError:
        return False
    return True
