"""ModelModule → the text of `models/<module>.py`.

datamodel-code-generator writes the classes: its own models of a class, a field and a type are filled from the plan's and render
themselves. Every name in them is a stand-in (`Kind1`, `field_2`), so no outside text reaches the generator and no name means
anything to it. What it returns is parsed, compared with the plan, and given its names, aliases, docstrings and imports.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..diagnostics import InternalError
from ..plan.model import Model, ModelField, ModelModule, PyType
from . import imports, literals
from .memo import Memo

if TYPE_CHECKING:
    from datamodel_code_generator.reference import Reference
    from datamodel_code_generator.types import DataType

_BASE = "_runtime.records.Record"
_OPTIONS = "2"
"""Changes with what is asked of the generator, so that no kept answer to something else is taken."""
_KIND = re.compile(r"\bKind([0-9]+)\b")


def models_text(module: ModelModule, memo: Memo | None = None) -> str:
    """The module's source, before black: header, docstring, imports, classes in the plan's order."""
    kept = memo or Memo()
    generated = kept.text("datamodel-code-generator", _OPTIONS, repr(module), lambda: generated_classes(module))
    return assemble(module, generated)


def generated_classes(module: ModelModule) -> str:
    """What the generator writes: one class a model, in the plan's order, stand-ins for all names.

    Its front door, `generate`, would read a JSON Schema to make these same objects; that reading is three quarters of what the
    generator costs a build. The tests hold both ways to the same classes.
    """
    # Late: the import costs more than everything else here.
    from datamodel_code_generator.model.pydantic_v2 import BaseModel, DataModelField
    from datamodel_code_generator.reference import Reference

    kinds = {model.name: f"Kind{number}" for number, model in enumerate(module.models)}
    references = {name: Reference(path=kind, name=kind) for name, kind in kinds.items()}
    typed = _types(references)

    def field(number: int, given: ModelField) -> DataModelField:
        key = _key(number, given)
        alias = key if key != f"field_{number}" else None
        return DataModelField(
            name=f"field_{number}",
            data_type=typed(given.type),
            required=not given.type.may_miss,
            use_annotated=True,
            use_missing_sentinel=True,
            alias=alias if module.reads else None,
            serialization_alias=None if module.reads else alias,
        )

    classes = [
        BaseModel(
            reference=references[model.name],
            fields=[field(number, given) for number, given in enumerate(model.fields)],
            custom_base_class=_BASE,
        )
        for model in module.models
    ]
    return "\n\n\n".join(each.render() for each in classes) + "\n"


def _types(references: Mapping[str, Reference]) -> Callable[[PyType], DataType]:
    """The plan's types as the generator has them."""
    from datamodel_code_generator._format_types import DatetimeClassType, PythonVersion
    from datamodel_code_generator.model.pydantic_v2.types import DataTypeManager
    from datamodel_code_generator.types import Types

    manager = DataTypeManager(
        python_version=PythonVersion.PY_311,
        use_standard_collections=True,
        use_union_operator=True,
        target_datetime_class=DatetimeClassType.Datetime,
    )
    made = manager.data_type
    scalars = {
        "str": Types.string,
        "int": Types.integer,
        "Decimal": Types.decimal,
        "bool": Types.boolean,
        "date": Types.date,
        "datetime": Types.date_time,
        "bytes": Types.binary,
        "Any": Types.any,
    }

    def typed(given: PyType) -> DataType:
        if given.model is not None:
            plain = made(reference=references[given.model])
        elif given.items is not None:
            plain = made(data_types=[typed(given.items)], is_list=True)
        elif given.values is not None:
            plain = made(data_types=[typed(given.values)], is_dict=True)
        elif given.scalar is not None:
            plain = manager.get_data_type(scalars[given.scalar])
        elif given.union:
            plain = made(data_types=[typed(member) for member in given.union])
        else:
            raise InternalError("a type of the plan says nothing")
        if given.nullable and given.scalar != "Any":
            return made(data_types=[plain], is_optional=True)
        return plain

    return typed


def _key(number: int, field: ModelField) -> str:
    """The stand-in for a wire name; it differs from the field's own when the plan's names do."""
    return f"field_{number}" if field.name == field.wire_name else f"wire-{number}"


def assemble(module: ModelModule, generated: str) -> str:
    """The generator's classes, checked against the plan, as a module of ours.

    Raises:
        InternalError: when a class, a base or a field is not the one the plan says, or there is anything else.
    """
    tree = ast.parse(generated)
    nodes = {getattr(node, "name", ""): node for node in tree.body}
    wanted = [f"Kind{number}" for number in range(len(module.models))]
    if len(tree.body) != len(wanted) or set(nodes) != set(wanted):
        raise InternalError(f"the model generator wrote other classes for `{module.module}` than it was asked for")
    lines = generated.splitlines()
    names = [literals.name(model.name) for model in module.models]
    classes = [_class(model, nodes[kind], lines, names) for kind, model in zip(wanted, module.models, strict=True)]
    return imports.module_text(module.doc, "\n\n".join(classes), _OWN)


_OWN = {"MISSING": ".._runtime.records", "Record": ".._runtime.records"}


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
