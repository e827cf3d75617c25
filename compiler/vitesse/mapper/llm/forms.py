"""The closed form of an answer: pydantic models for our own validation, and the JSON Schema that a server may enforce.

Nothing in it is code, an expression or a pattern of the model's own: paths, functions and values are looked up in what was asked,
everything else is a word of a list or a bounded number. `why` is the only free text; it is shown, never used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from ...api.model import Json

SEPARATORS = (", ", ",", " ", ";", "; ", "|", "/", "-", " - ", "\n", "")
TIME_FORMS = (
    "iso8601",
    "unix_s",
    "unix_ms",
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y%m%d",
    "%Y-%m-%d %H:%M:%S",
)
TIME_TARGETS = ("date", "datetime", *TIME_FORMS[1:])
LONGEST_WHY = 200


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NoneOf(_Part):
    """No candidate belongs there."""

    transform: Literal["none"]


class Plain(_Part):
    """Transforms without parameters."""

    transform: Literal["direct", "mapping", "stringify", "parse_bool", "coalesce", "first", "wrap"]


class Parse(_Part):
    transform: Literal["parse"]
    to: Literal["decimal", "integer", "number"]
    places: Annotated[int, Field(ge=0, le=12)] | None = None


class Separated(_Part):
    """`collect` of several fields or of a list takes no separator."""

    transform: Literal["collect", "join"]
    separator: Literal[SEPARATORS] | None = None  # type: ignore[valid-type]


class Split(_Part):
    transform: Literal["split"]
    separator: Literal[SEPARATORS[:-1]]  # type: ignore[valid-type]
    part: Annotated[int, Field(ge=-9, le=9)] | None = None
    rest: bool | None = None


class Time(_Part):
    transform: Literal["date"]
    to: Literal[TIME_TARGETS]  # type: ignore[valid-type]
    form: Literal[TIME_FORMS] | None = None  # type: ignore[valid-type]


class Text(_Part):
    transform: Literal["text"]
    trim: bool | None = None
    case: Literal["lower", "upper"] | None = None


class Pair(_Part):
    """One value of the source's closed set and its counterpart."""

    source: Annotated[str, Field(max_length=200)]
    destination: Annotated[str, Field(max_length=200)]


class Values(_Part):
    transform: Literal["enum"]
    map: Annotated[list[Pair], Field(max_length=200)]


class Custom(_Part):
    transform: Literal["custom"]
    function: Annotated[str, Field(max_length=200)]


Use: TypeAlias = Annotated[
    NoneOf | Plain | Parse | Separated | Split | Time | Text | Values | Custom, Field(discriminator="transform")
]


class AnswerForm(_Part):
    """What is said of one destination field."""

    destination: Annotated[str, Field(max_length=400)]
    sources: Annotated[list[Annotated[str, Field(max_length=400)]], Field(max_length=8)]
    use: Use
    why: Annotated[str, Field(max_length=4000)] = ""


def answer_schema(destinations: Sequence[str], sources: Iterable[str], functions: Iterable[str]) -> dict[str, Any]:
    """The JSON Schema of a reply, in what servers that enforce schemas accept: closed objects, all members required, `anyOf`."""
    functions = list(functions)
    schema = AnswerForm.model_json_schema()
    definitions: Mapping[str, Any] = schema.pop("$defs")
    one = _closed(schema, definitions)
    one["properties"]["destination"] = {"type": "string", "enum": list(destinations)}
    one["properties"]["sources"] = {"type": "array", "items": {"type": "string", "enum": list(sources)}}
    uses = one["properties"]["use"]["anyOf"]
    if functions:
        uses[-1]["properties"]["function"] = {"type": "string", "enum": functions}
    else:
        uses.pop()
    return {
        "type": "object",
        "properties": {"answers": {"type": "array", "items": one}},
        "required": ["answers"],
        "additionalProperties": False,
    }


_KEPT = frozenset({"type", "enum", "items", "anyOf", "properties", "description"})


def _closed(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        return _closed(definitions[node["$ref"].rsplit("/", 1)[1]], definitions)
    found: dict[str, Any] = {}
    if "const" in node:
        found = {"type": "string", "enum": [node["const"]]}
    for key, value in node.items():
        match key:
            case "oneOf" | "anyOf":
                found["anyOf"] = [_closed(one, definitions) for one in value]
            case "items":
                found["items"] = _closed(value, definitions)
            case "properties":
                found["properties"] = {name: _closed(one, definitions) for name, one in value.items()}
                found["required"] = list(value)
                found["additionalProperties"] = False
            case "description":
                pass
            case _ if key in _KEPT:
                found[key] = value
    return found


def options_of(use: Any, sources: Mapping[str, tuple[Json, ...]], values: Sequence[Json]) -> dict[str, Json]:
    """The rule's parameters, without those left open.

    Args:
        sources: Closed sets of the chosen source fields.
        values: The destination's closed set.
    """
    if isinstance(use, Values):
        of_key = {value_key(value): value for some in sources.values() for value in some}
        by_text = {value_key(value): value for value in values}
        table: dict[str, Json] = {}
        for pair in use.map:
            if pair.source in of_key and pair.destination in by_text:
                table[pair.source] = by_text[pair.destination]
        return {"map": table}
    found = use.model_dump(exclude_none=True, exclude={"transform"})
    return {name: value for name, value in found.items() if value is not False}


def value_key(value: Json) -> str:
    """A value as the key of an `enum` table."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
