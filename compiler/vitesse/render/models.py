"""ModelModule → the text of `models/<module>.py`.

datamodel-code-generator writes the classes from a JSON Schema that is made here, of names the plan decided: wire names stand in
it as stand-ins and docstrings not at all, so no outside text reaches the generator and nothing it knows of a key's meaning
comes into play. What it returns is parsed, compared with the plan and given its aliases, docstrings and sorted imports.
"""

from __future__ import annotations

import ast
from typing import Any

from ..diagnostics import InternalError
from ..plan.model import Model, ModelField, ModelModule, PyType
from . import imports, literals

_BASE = "_runtime.records.Record"
_STAND_IN = "-wire"
"""Follows the name of a field whose wire name differs; no name the plan makes has a hyphen."""

_SCALARS: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "Decimal": {"type": "number", "format": "decimal"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "Any": {},
}


def models_text(module: ModelModule) -> str:
    """The module's source, before black: header, docstring, imports, classes in the plan's order."""
    return assemble(module, _generated(module))


def schema(module: ModelModule) -> dict[str, Any]:
    """The JSON Schema the generator sees: one definition a class, properties in the plan's order."""
    return {"$defs": {model.name: _object(model) for model in module.models}}


def _object(model: Model) -> dict[str, Any]:
    properties = {_key(field): _schema(field.type) for field in model.fields}
    required = [_key(field) for field in model.fields if not field.type.may_miss]
    return {"type": "object", "properties": properties, "required": required}


def _key(field: ModelField) -> str:
    return field.name if field.name == field.wire_name else field.name + _STAND_IN


def _schema(type: PyType) -> dict[str, Any]:
    if type.model is not None:
        reference = {"$ref": f"#/$defs/{type.model}"}
        return {"anyOf": [reference, {"type": "null"}]} if type.nullable else reference
    if type.items is not None:
        described: dict[str, Any] = {"type": "array", "items": _schema(type.items)}
    elif type.values is not None:
        described = {"type": "object", "additionalProperties": _schema(type.values)}
    elif type.scalar is not None:
        described = dict(_SCALARS[type.scalar])
    else:
        raise InternalError("a type of the plan says nothing")
    if type.nullable and "type" in described:
        described["type"] = [described["type"], "null"]
    return described


def _generated(module: ModelModule) -> str:
    # Late: these two imports cost more than everything else here.
    from datamodel_code_generator import GenerateConfig, InputFileType, generate
    from datamodel_code_generator.enums import DataModelType, TargetPydanticVersion
    from datamodel_code_generator.format import DatetimeClassType, PythonVersion

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
        aliases={
            f"{model.name}.{_key(field)}": field.name
            for model in module.models
            for field in model.fields
            if field.name != field.wire_name
        },
    )
    text = generate(schema(module), config=config)
    if not isinstance(text, str):
        raise InternalError(f"the model generator returned a {type(text).__name__} for `{module.module}`")
    return text


def assemble(module: ModelModule, generated: str) -> str:
    """The generator's classes, checked against the plan, as a module of ours.

    Raises:
        InternalError: when a class, a base, a field or an import is not the one the plan says.
    """
    tree = ast.parse(generated)
    nodes = {getattr(node, "name", ""): node for node in tree.body if not _is_known_import(node)}
    if sorted(nodes) != sorted(model.name for model in module.models):
        raise InternalError(f"the model generator wrote other classes for `{module.module}` than the plan names")
    lines = generated.splitlines()
    classes = [_class(model, nodes[model.name], lines) for model in module.models]
    return imports.module_text(module.doc, "\n\n".join(classes), _OWN)


def _is_known_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and all((node.module, a.name, a.asname) in _KNOWN for a in node.names)


_OWN = {"MISSING": ".._runtime.records", "Record": ".._runtime.records"}
_KNOWN = {
    ("__future__", "annotations", None),
    ("_runtime.records", "Record", None),
    ("datetime", "date", None),
    ("datetime", "datetime", None),
    ("decimal", "Decimal", None),
    ("pydantic", "Field", None),
    ("pydantic", "MISSING", None),
    ("typing", "Annotated", None),
    ("typing", "Any", None),
}


def _class(model: Model, node: ast.stmt, lines: list[str]) -> str:
    if not isinstance(node, ast.ClassDef) or node.keywords or node.decorator_list:
        raise InternalError(f"the model generator wrote something else than the class `{model.name}`")
    statements = [statement for statement in node.body if not isinstance(statement, ast.Pass)]
    if [ast.unparse(base) for base in node.bases] != ["Record"] or len(statements) != len(model.fields):
        raise InternalError(f"the model generator wrote the class `{model.name}` otherwise than the plan")
    fields = [_field(model, *pair, lines) for pair in zip(model.fields, statements, strict=True)]
    head = f"class {literals.name(model.name)}(Record):\n    {literals.docstring(model.doc)}\n"
    return head + ("\n" + "".join(f"    {line}\n" for line in fields) if fields else "")


def _field(model: Model, field: ModelField, statement: ast.stmt, lines: list[str]) -> str:
    """The generator's line, with the wire name where its stand-in is."""
    where = f"`{model.name}.{field.name}`"
    line = lines[statement.lineno - 1].strip()
    is_whole = statement.end_lineno == statement.lineno and statement.end_col_offset == statement.col_offset + len(line)
    if not isinstance(statement, ast.AnnAssign) or not is_whole or not line.startswith(f"{field.name}: "):
        raise InternalError(f"the model generator wrote `{line}` for {where}")
    texts = [node.value for node in ast.walk(statement) if isinstance(node, ast.Constant) and node.value is not None]
    if field.name == field.wire_name:
        wanted, written = [], line
    else:
        wanted = [_key(field)]
        written = line.replace(f"'{_key(field)}'", literals.literal(field.wire_name))
    if texts != wanted:
        raise InternalError(f"the model generator wrote `{line}` for {where}")
    return written
