"""The syntax trees that `models/` and `__init__.py` must have, made without the renderer and the model generator."""

from __future__ import annotations

import ast
from functools import reduce

from ..plan.model import Model, ModelField, ModelModule, PyType
from .model import Expectations

_IMPORTS = (
    ("datetime", ("date", "datetime")),
    ("decimal", ("Decimal",)),
    ("typing", ("Annotated", "Any")),
    ("pydantic", ("Field",)),
)


def expected_models(module: ModelModule) -> ast.Module:
    """Docstring, imports in order, one class a model with one line a field."""
    classes: list[ast.stmt] = [_class(model, reads=module.reads) for model in module.models]
    used = {node.id for tree in classes for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imports: list[ast.stmt] = [ast.ImportFrom("__future__", [ast.alias("annotations")], 0)]
    for source, names in _IMPORTS:
        if wanted := [name for name in names if name in used]:
            imports.append(ast.ImportFrom(source, [ast.alias(name) for name in wanted], 0))
    own = [name for name in ("MISSING", "Record") if name in used]
    if own:
        imports.append(ast.ImportFrom("_runtime.records", [ast.alias(name) for name in own], 2))
    return _parsed([_docstring(module.doc), *imports, *classes])


def _parsed(body: list[ast.stmt]) -> ast.Module:
    """As the parser of this Python would make it: what a node has beside its parts differs between versions."""
    return ast.parse(ast.unparse(ast.fix_missing_locations(ast.Module(body, []))))


def _class(model: Model, *, reads: bool) -> ast.ClassDef:
    fields: list[ast.stmt] = [_field(field, reads=reads) for field in model.fields]
    return ast.ClassDef(model.name, [_load("Record")], [], [_docstring(model.doc), *fields], [])


def _docstring(text: str) -> ast.Expr:
    return ast.Expr(ast.Constant(" ".join(text.split())))


def _field(field: ModelField, *, reads: bool) -> ast.AnnAssign:
    annotation = _annotation(field.type)
    if field.wire_name != field.name:
        alias = ast.keyword("alias" if reads else "serialization_alias", ast.Constant(field.wire_name))
        call = ast.Call(_load("Field"), [], [alias])
        annotation = ast.Subscript(_load("Annotated"), ast.Tuple([annotation, call], ast.Load()), ast.Load())
    default = _load("MISSING") if field.type.may_miss else None
    return ast.AnnAssign(ast.Name(field.name, ast.Store()), annotation, default, 1)


def _annotation(type: PyType) -> ast.expr:
    if type.model is not None:
        inner: ast.expr = _load(type.model)
    elif type.items is not None:
        inner = ast.Subscript(_load("list"), _annotation(type.items), ast.Load())
    elif type.values is not None:
        key_and_value = ast.Tuple([_load("str"), _annotation(type.values)], ast.Load())
        inner = ast.Subscript(_load("dict"), key_and_value, ast.Load())
    elif type.union:
        inner = reduce(lambda left, right: ast.BinOp(left, ast.BitOr(), right), map(_annotation, type.union))
    else:
        inner = _load(type.scalar or "")
    if type.nullable and type.scalar != "Any":
        inner = ast.BinOp(inner, ast.BitOr(), ast.Constant(None))
    return ast.BinOp(inner, ast.BitOr(), _load("MISSING")) if type.may_miss else inner


def _load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


_LAZY_IMPORT = """
def __getattr__(name: str) -> object:
    '''Import what is asked for when it is asked for, so that `import` and `--help` stay quick.'''
    if (module := _LAZY.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module, __name__), name)
    globals()[name] = value
    return value
"""


def expected_package(expectations: Expectations) -> ast.Module:
    """The package's `__init__.py`: its public names, imported when they are asked for."""
    public = {"INTEGRATION": ".app"} | {client: f".clients.{module}" for module, client in expectations.clients}
    imports = "".join(f"    from {module} import {name}\n" for name, module in public.items())
    text = (
        f"{expectations.doc!r}\nfrom __future__ import annotations\nfrom importlib import import_module\n"
        f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n{imports}"
        f"__all__ = {list(public)!r}\n__version__ = {expectations.version!r}\n_LAZY = {public!r}\n{_LAZY_IMPORT}"
    )
    return ast.parse(text)
