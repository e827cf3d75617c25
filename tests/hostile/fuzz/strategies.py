"""Hypothesis strategies: odd texts, odd values, odd schemas, and documents with some of them in odd places."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

_BUILDER = Path(__file__).parents[1] / "own" / "build.py"

NASTY = (
    "", " ", ".", "..", "/", "#", "#/", "$ref", "a b", "a.b", "a[]", '"', "'", '"""', "'''", "\\", "\n", "\r\n", "\x00", "\x1b",
    "\u2028", "\u202e", "\ufeff", "\U0001f525", "{", "}", "{}", "{{", "{0.__class__}", "{% raw %}", "%s", "${x}", "$(x)", "`", "<b>",
    "__class__", "__init__", "class", "None", "self", "model_config", "true", "null", "1", "-0", "1e999", "200", "2XX", "default",
    "object", "array", "string", "integer", "application/json", "query", "header", "#/components/schemas/Book", "#/paths", "#/nowhere",
    "../../etc/passwd", "http://127.0.0.1/", "file:///etc/passwd", "GET", "get", "id", "x-x", "~0", "~1", "%2F", "%zz", "a" * 300,
)  # fmt: skip

texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=12), st.sampled_from(NASTY).map(lambda text: text * 2))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)

_TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
_REFS = st.sampled_from(
    [
        "#/components/schemas/Book",
        "#/components/schemas/Author",
        "#/components/schemas/Nobody",
        "#/components/schemas/Book/properties/author",
    ]
)


def _schema(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One schema with a few keywords, most of them with a value of the right kind."""
    listed = st.lists(inner, min_size=1, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(_TYPES, _TYPES, st.lists(_TYPES, max_size=3), values),
            "format": st.one_of(st.sampled_from(["date", "date-time", "int64", "uuid", "binary", "decimal"]), texts),
            "properties": st.one_of(st.dictionaries(texts, inner, max_size=4), values),
            "required": st.one_of(st.lists(texts, max_size=3), values),
            "items": st.one_of(inner, listed, values),
            "additionalProperties": st.one_of(st.booleans(), inner, values),
            "enum": st.one_of(st.lists(scalars, max_size=4), values),
            "const": values,
            "default": values,
            "example": values,
            "nullable": st.one_of(st.booleans(), values),
            "readOnly": st.one_of(st.booleans(), values),
            "allOf": st.one_of(listed, values),
            "oneOf": st.one_of(listed, values),
            "anyOf": st.one_of(listed, values),
            "discriminator": st.one_of(
                st.fixed_dictionaries(
                    {"propertyName": texts}, optional={"mapping": st.dictionaries(texts, _REFS, max_size=2)}
                ),
                values,
            ),
            "minimum": values,
            "maxLength": values,
            "pattern": values,
            "title": values,
            "description": values,
            "not": inner,
            "x-anything": values,
        },
    )


_REFERENCES = st.one_of(_REFS, texts).map(lambda target: {"$ref": target})
schemas: st.SearchStrategy[Any] = st.recursive(
    st.one_of(_REFERENCES, _TYPES.map(lambda kind: {"type": kind}), st.booleans()), _schema, max_leaves=6
)


def base_document() -> dict[str, Any]:
    """The document of our own corpus."""
    spec = importlib.util.spec_from_file_location("own_build", _BUILDER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    document: dict[str, Any] = module.base()
    return document


_BASE = base_document()


def _places(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    if isinstance(value, dict):
        return found + [place for key, inner in value.items() for place in _places(inner, (*at, key))]
    if isinstance(value, list):
        return found + [place for index, inner in enumerate(value) for place in _places(inner, (*at, index))]
    return found


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A sound document after a few changes: a value replaced, a key renamed or removed, a schema put in."""
    document = copy.deepcopy(_BASE)
    for _ in range(draw(st.integers(1, 4))):
        places = _places(document)
        if not places:
            break
        *steps, last = draw(st.sampled_from(places))
        holder: Any = document
        for step in steps:
            holder = holder[step]
        match draw(st.sampled_from(["value", "schema", "rename", "remove", "add"])):
            case "value":
                holder[last] = draw(values)
            case "schema":
                holder[last] = draw(schemas)
            case "rename" if isinstance(holder, dict):
                holder[draw(texts)] = holder.pop(last)
            case "add" if isinstance(holder[last], dict):
                holder[last][draw(texts)] = draw(st.one_of(values, schemas))
            case "add" if isinstance(holder[last], list):
                holder[last].append(draw(values))
            case _:
                del holder[last]
    return document
