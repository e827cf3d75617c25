"""A second, small emitter of models, written without the generator: what `models_text` must amount to."""

from __future__ import annotations

from vitesse.plan.model import ModelField, ModelModule, PyType


def annotation(type: PyType) -> str:
    if type.model is not None:
        inner = type.model
    elif type.items is not None:
        inner = f"list[{annotation(type.items)}]"
    elif type.values is not None:
        inner = f"dict[str, {annotation(type.values)}]"
    elif type.union:
        inner = " | ".join(map(annotation, type.union))
    else:
        inner = type.scalar or "?"
    if type.nullable and inner != "Any":
        inner += " | None"
    return inner + " | MISSING" if type.may_miss else inner


def field_line(field: ModelField, *, reads: bool) -> str:
    text = annotation(field.type)
    if field.wire_name != field.name:
        keyword = "alias" if reads else "serialization_alias"
        text = f"Annotated[{text}, Field({keyword}={field.wire_name!r})]"
    return f"{field.name}: {text}" + (" = MISSING" if field.type.may_miss else "")


def classes(module: ModelModule) -> str:
    parts = []
    for model in module.models:
        parts.append(f"class {model.name}(Record):\n    {model.doc!r}\n")
        parts += [f"    {field_line(field, reads=module.reads)}\n" for field in model.fields]
    return "".join(parts)
