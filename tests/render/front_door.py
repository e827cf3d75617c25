"""The model generator's front door: `generate` on a JSON Schema. What `render.models` asks of its classes must amount to this."""

from __future__ import annotations

import ast
from typing import Any

from datamodel_code_generator import GenerateConfig, InputFileType, generate
from datamodel_code_generator.enums import DataModelType, TargetPydanticVersion
from datamodel_code_generator.format import DatetimeClassType, PythonVersion

from vitesse.plan.model import Model, ModelModule, PyType
from vitesse.render.models import _BASE, _key

_SCALARS: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "Decimal": {"type": "number", "format": "decimal"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "format": "binary"},
    "Any": {},
}


def schema(module: ModelModule) -> dict[str, Any]:
    """The JSON Schema the generator sees: one definition a class, properties in the plan's order, stand-ins for all names."""
    kinds = {model.name: f"Kind{number}" for number, model in enumerate(module.models)}
    return {"$defs": {kinds[model.name]: _object(model, kinds) for model in module.models}}


def _object(model: Model, kinds: dict[str, str]) -> dict[str, Any]:
    keys = [_key(number, field) for number, field in enumerate(model.fields)]
    properties = {key: _schema(field.type, kinds) for key, field in zip(keys, model.fields, strict=True)}
    required = [key for key, field in zip(keys, model.fields, strict=True) if not field.type.may_miss]
    return {"type": "object", "properties": properties, "required": required}


def _schema(type: PyType, kinds: dict[str, str]) -> dict[str, Any]:
    if type.model is not None:
        described: dict[str, Any] = {"$ref": f"#/$defs/{kinds[type.model]}"}
    elif type.items is not None:
        described = {"type": "array", "items": _schema(type.items, kinds)}
    elif type.values is not None:
        described = {"type": "object", "additionalProperties": _schema(type.values, kinds)}
    elif type.scalar is not None:
        described = _SCALARS[type.scalar]
    elif type.union:
        null = [{"type": "null"}] if type.nullable else []
        return {"anyOf": [*(_schema(member, kinds) for member in type.union), *null]}
    else:
        raise AssertionError(type)
    # Never a list of types: `generate` forgets the values of an object that may be null.
    return {"anyOf": [described, {"type": "null"}]} if type.nullable and type.scalar != "Any" else described


def _aliases(module: ModelModule) -> dict[str, str]:
    """Class and stand-in of a wire name → the field's own."""
    return {
        f"Kind{kind}.{_key(number, field)}": f"field_{number}"
        for kind, model in enumerate(module.models)
        for number, field in enumerate(model.fields)
        if field.name != field.wire_name
    }


def written(module: ModelModule) -> dict[str, str]:
    """Class → its text by `generate`, in the generator's order; imports and `model_rebuild()` left out."""
    config = GenerateConfig(
        input_file_type=InputFileType.JsonSchema,
        output_model_type=DataModelType.PydanticV2BaseModel,
        output_datetime_class=DatetimeClassType.Datetime,
        target_python_version=PythonVersion.PY_311,
        target_pydantic_version=TargetPydanticVersion.V2_14,
        base_class=_BASE,
        formatters=[],
        disable_timestamp=True,
        custom_file_header="# generated",
        use_annotated=True,
        use_union_operator=True,
        use_standard_collections=True,
        use_missing_sentinel=True,
        use_serialization_alias=not module.reads,
        skip_root_model=True,
        strict_nullable=True,
        aliases=_aliases(module),
    )
    text = generate(schema(module), config=config)
    assert isinstance(text, str)
    return {node.name: ast.unparse(node) for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
