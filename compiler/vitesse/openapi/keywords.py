"""The keywords of JSON Schema as OpenAPI uses it, and small questions to a raw schema."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..api.model import Type
from .scalars import KINDS

SHAPE = frozenset(
    {
        "$ref", "type", "properties", "items", "prefixItems", "additionalProperties", "patternProperties",
        "unevaluatedProperties", "required", "enum", "const", "allOf", "oneOf", "anyOf", "format", "if", "then", "else",
        "dependentSchemas", "maxLength",
    }
)  # fmt: skip
"""Keywords that say what a value looks like; all others describe or bound it."""

OBJECT = frozenset({"properties", "additionalProperties", "patternProperties", "unevaluatedProperties"})
SEVERAL = frozenset({"allOf", "oneOf", "anyOf", "if", "dependentSchemas"})
UNREAD = frozenset({"$dynamicRef", "$recursiveRef", "not", "if", "dependentSchemas", "prefixItems", "$id", "$anchor"})
SCALAR_KINDS = frozenset(KINDS)


def says_nullable(schema: dict[str, Any]) -> bool:
    """`nullable: true` of 3.0, and `x-nullable: true` as Swagger 2.0 files spell it."""
    return schema.get("nullable") is True or schema.get("x-nullable") is True


def as_nullable(type: Type) -> Type:
    """The same type, null admitted."""
    return type if type.nullable else replace(type, nullable=True)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def kind_of_value(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case None:
            return "null"
        case _:
            return "object"


def example_of(schema: dict[str, Any]) -> Any:
    """`example`, or the first of 3.1's `examples`."""
    if "example" in schema:
        return schema["example"]
    examples = schema.get("examples")
    return examples[0] if isinstance(examples, list) and examples else None


def is_null(schema: Any) -> bool:
    """A schema that admits null and nothing else."""
    if not isinstance(schema, dict):
        return False
    return (
        schema.get("type") in ("null", ["null"])
        or schema.get("enum") == [None]
        or ("const" in schema and schema["const"] is None)
    )


def shape_of(schema: dict[str, Any]) -> frozenset[str]:
    """The keywords of a schema that say what a value looks like."""
    return SHAPE.intersection(schema)
