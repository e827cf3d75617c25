"""ModelModule → the text of `models/<module>.py`.

datamodel-code-generator writes the classes from a JSON Schema that is made here. Every name in it is a stand-in (`Kind1`,
`field_2`), so no outside text reaches the generator and no name means anything to it: it would rename `Address_2` or `Model`.
What it returns is parsed, compared with the plan, and given its names, aliases, docstrings and imports.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from ..diagnostics import InternalError
from ..plan.model import Model, ModelField, ModelModule, PyType
from . import imports, literals
from .memo import Memo

_BASE = "_runtime.records.Record"
_OPTIONS = "1"
"""Changes with the options in `_generated`, so that no kept answer to others is taken."""
_KIND = re.compile(r"\bKind([0-9]+)\b")

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


def models_text(module: ModelModule, memo: Memo | None = None) -> str:
    """The module's source, before black: header, docstring, imports, classes in the plan's order."""
    given = json.dumps([module.reads, _aliases(module), schema(module)])
    generated = (memo or Memo()).text("datamodel-code-generator", _OPTIONS, given, lambda: _generated(module))
    return assemble(module, generated)


def schema(module: ModelModule) -> dict[str, Any]:
    """The JSON Schema the generator sees: one definition a class, properties in the plan's order, stand-ins for all names."""
    kinds = {model.name: f"Kind{number}" for number, model in enumerate(module.models)}
    return {"$defs": {kinds[model.name]: _object(model, kinds) for model in module.models}}


def _object(model: Model, kinds: dict[str, str]) -> dict[str, Any]:
    keys = [_key(number, field) for number, field in enumerate(model.fields)]
    properties = {key: _schema(field.type, kinds) for key, field in zip(keys, model.fields, strict=True)}
    required = [key for key, field in zip(keys, model.fields, strict=True) if not field.type.may_miss]
    return {"type": "object", "properties": properties, "required": required}


def _key(number: int, field: ModelField) -> str:
    """The stand-in for a wire name; it differs from the field's own when the plan's names do."""
    return f"field_{number}" if field.name == field.wire_name else f"wire-{number}"


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
        raise InternalError("a type of the plan says nothing")
    # Never a list of types: the generator forgets the values of an object that may be null.
    return {"anyOf": [described, {"type": "null"}]} if type.nullable and type.scalar != "Any" else described


def _aliases(module: ModelModule) -> dict[str, str]:
    """Class and stand-in of a wire name → the field's own."""
    return {
        f"Kind{kind}.{_key(number, field)}": f"field_{number}"
        for kind, model in enumerate(module.models)
        for number, field in enumerate(model.fields)
        if field.name != field.wire_name
    }


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
        aliases=_aliases(module),
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
    kept = [node for node in tree.body if not _is_known_import(node) and not _is_rebuild(node)]
    nodes = {getattr(node, "name", ""): node for node in kept}
    wanted = [f"Kind{number}" for number in range(len(module.models))]
    if len(kept) != len(wanted) or set(nodes) != set(wanted):
        raise InternalError(f"the model generator wrote other classes for `{module.module}` than it was asked for")
    lines = generated.splitlines()
    names = [literals.name(model.name) for model in module.models]
    classes = [_class(model, nodes[kind], lines, names) for kind, model in zip(wanted, module.models, strict=True)]
    return imports.module_text(module.doc, "\n\n".join(classes), _OWN)


def _is_known_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and all((node.module, a.name, a.asname) in _KNOWN for a in node.names)


def _is_rebuild(node: ast.stmt) -> bool:
    """`Kind0.model_rebuild()` after a recursive class: pydantic does it itself when the class is first used."""
    return isinstance(node, ast.Expr) and re.fullmatch(r"Kind[0-9]+\.model_rebuild\(\)", ast.unparse(node)) is not None


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


def _class(model: Model, node: ast.stmt, lines: list[str], names: list[literals.Identifier]) -> str:
    if not isinstance(node, ast.ClassDef) or node.keywords or node.decorator_list:
        raise InternalError(f"the model generator wrote something else than the class `{model.name}`")
    statements = [statement for statement in node.body if not isinstance(statement, ast.Pass)]
    if [ast.unparse(base) for base in node.bases] != ["Record"] or len(statements) != len(model.fields):
        raise InternalError(f"the model generator wrote the class `{model.name}` otherwise than it was asked to")
    fields = [_field(number, model, statement, lines, names) for number, statement in enumerate(statements)]
    head = f"class {literals.name(model.name)}(Record):\n    {literals.docstring(model.doc)}\n"
    return head + ("\n" + "".join(f"    {line}\n" for line in fields) if fields else "")


def _field(number: int, model: Model, statement: ast.stmt, lines: list[str], names: list[literals.Identifier]) -> str:
    """The generator's line with the plan's names where their stand-ins are."""
    field = model.fields[number]
    line = lines[statement.lineno - 1].strip()
    target, _, rest = line.partition(": ")
    is_whole = statement.end_lineno == statement.lineno and statement.end_col_offset == statement.col_offset + len(line)
    texts = [node.value for node in ast.walk(statement) if isinstance(node, ast.Constant) and node.value is not None]
    key = _key(number, field)
    if (
        not isinstance(statement, ast.AnnAssign)
        or not is_whole
        or target != f"field_{number}"
        or texts != ([] if key == target else [key])
    ):
        raise InternalError(f"the model generator wrote `{line}` for `{model.name}.{field.name}`")
    named = _KIND.sub(lambda match: names[int(match[1])], rest)
    return f"{literals.name(field.name)}: {named.replace(repr(key), literals.literal(field.wire_name))}"
