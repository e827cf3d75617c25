"""The grammar of `mappers/<stream>.py`: functions of one record that return one expression."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..plan.model import MapperModule
from .constants import check_constant, is_docstring
from .model import Expectations


class Mapper:
    """Functions of one record that return one expression."""

    def __init__(self, mapper: MapperModule, expectations: Expectations) -> None:
        self._mapper = mapper
        self._plan = expectations
        self._imports = {(wanted.module, wanted.name) for wanted in mapper.imports}
        self._callable = {wanted.name for wanted in mapper.imports}

    def check(self, tree: ast.Module) -> Iterator[tuple[int, str]]:
        body = tree.body
        if not body or not is_docstring(body[0]):
            yield 1, "no docstring"
        functions = [self._mapper.function, *(reader.name for reader in self._mapper.readers)]
        for node in body[1:]:
            match node:
                case ast.ImportFrom(level=2, module=str(module), names=names):
                    for alias in names:
                        if (module, alias.name) not in self._imports or alias.asname:
                            yield node.lineno, f"an import of `{alias.name}` from `..{module}`"
                case ast.ImportFrom(level=0, module=module, names=[ast.alias(name=name, asname=None)]) if (
                    module,
                    name,
                ) in (
                    ("__future__", "annotations"),
                    ("decimal", "Decimal"),
                ):
                    self._callable.add("Decimal") if name == "Decimal" else None
                case ast.FunctionDef(
                    name=name, decorator_list=[], body=[docstring, ast.Return(value=ast.expr() as value)]
                ):
                    if not functions or name != functions.pop(0):
                        yield node.lineno, f"a function `{name}`"
                    if not is_docstring(docstring) or not self._signature(node):
                        yield node.lineno, f"another signature of `{name}`"
                    yield from self._value(value, frozenset({"src"}))
                case _:
                    yield node.lineno, f"a {type(node).__name__}"
        if functions:
            yield 1, f"no function `{functions[0]}`"

    def _signature(self, node: ast.FunctionDef) -> bool:
        arguments = node.args
        if len(arguments.args) != 1 or arguments.defaults or arguments.vararg or arguments.kwarg:
            return False
        if arguments.posonlyargs or arguments.kwonlyargs or node.returns is None:
            return False
        argument = arguments.args[0]
        returns = ast.unparse(node.returns)
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        return (
            argument.arg == "src"
            and annotation == self._mapper.source_model
            and returns in (self._mapper.destination_model, "str", "str | None")
        )

    def _value(self, node: ast.expr, variables: frozenset[str]) -> Iterator[tuple[int, str]]:
        match node:
            case ast.Constant():
                yield from check_constant(node, self._plan)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
                pass
            case ast.Name(id=name):
                if name not in variables and name not in self._callable:
                    yield node.lineno, f"the name `{name}`"
            case ast.Attribute(value=inner, attr=attribute):
                if attribute.startswith("_") or attribute not in self._plan.names:
                    yield node.lineno, f"the attribute `{attribute}`"
                if not isinstance(inner, ast.Attribute) and not (isinstance(inner, ast.Name) and inner.id in variables):
                    yield node.lineno, "an attribute of something else than a record"
                yield from self._value(inner, variables)
            case ast.Call(func=ast.Name(id=callee), args=args, keywords=keywords):
                if callee not in self._callable:
                    yield node.lineno, f"a call of `{callee}`"
                if any(keyword.arg is None for keyword in keywords):
                    yield node.lineno, f"a call of `{callee}` with **"
                for value in (*args, *(keyword.value for keyword in keywords)):
                    yield from self._value(value, variables)
            case ast.Lambda(args=ast.arguments(posonlyargs=[], args=[argument], defaults=[], kwonlyargs=[]), body=body):
                yield from self._value(body, variables | {argument.arg})
            case ast.List(elts=items) | ast.Tuple(elts=items):
                for item in items:
                    yield from self._value(item, variables)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if key is None:
                        yield node.lineno, "a display with **"
                    else:
                        yield from self._value(key, variables)
                    yield from self._value(value, variables)
            case _:
                yield node.lineno, f"a {type(node).__name__}"
