"""The grammar of `clients/`, `app.py` and `settings.py`: constants built by keyword calls, and a client's methods."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .constants import check_constant, is_docstring
from .model import Expectations

_DECLARED = frozenset(
    (
        "Api ApiKey Basic Batch Bearer Deletes Destination Env Find Fixed Integration Match Merge MergeField OAuth2 Operation Paging"
        " Parameter Partition RateLimit Registration Retention SignatureScheme Since Source Stream Success Webhook"
    ).split()
)
_CALLS = {
    "app": _DECLARED,
    "settings": frozenset({"Env"}),
    "client": frozenset("Api ApiKey Basic Bearer Env OAuth2 Operation Paging Parameter RateLimit Success".split()),
}
_LIBRARY = {
    "typing": {"Any"},
    "collections.abc": {"AsyncIterator"},
    "datetime": {"date", "datetime"},
    "decimal": {"Decimal"},
}
_BUILTIN = ("str", "int", "bool", "float", "bytes")
_CLIENT = {
    "_runtime.client": {"ApiClient", "Page", "Reply"},
    "_runtime.declare": {"Json"},
    "_runtime.records": {"MISSING"},
}


class Declarations:
    """Constants built by keyword calls of declared classes: `clients/`, `app.py`, `settings.py`."""

    def __init__(self, kind: str, expectations: Expectations) -> None:
        self._kind = kind
        self._calls = _CALLS[kind]
        self._plan = expectations
        self._imported: set[str] = set()
        self._modules: set[str] = set()

    def check(self, tree: ast.Module) -> Iterator[tuple[int, str]]:
        body = tree.body
        if not body or not is_docstring(body[0]):
            yield 1, "no docstring"
        for node in body[1:]:
            match node:
                case ast.ImportFrom():
                    yield from self._import(node)
                case ast.Assign(targets=[ast.Name(id=target)], value=value):
                    if target not in self._plan.names and target not in ("INTEGRATION", "SETTINGS"):
                        yield node.lineno, f"a name of its own, `{target}`"
                    self._imported.add(target)
                    yield from self._value(value)
                case ast.ClassDef(bases=[ast.Name(id="ApiClient")], keywords=[], decorator_list=[]) if (
                    self._kind == "client"
                ):
                    yield from self._client(node)
                case _:
                    yield node.lineno, f"a {type(node).__name__}"

    def _import(self, node: ast.ImportFrom) -> Iterator[tuple[int, str]]:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            local = alias.asname or alias.name
            if alias.asname is not None and alias.asname.rpartition("_")[0] != alias.name:
                yield node.lineno, f"`{alias.name}` under the name `{alias.asname}`"
            if not self._may_import(node.level, node.module or "", alias.name):
                yield node.lineno, f"an import of `{alias.name}` from `{module}`"
            if node.module in ("clients", "mappers"):
                self._modules.add(local)
            self._imported.add(local)

    def _may_import(self, level: int, module: str, name: str) -> bool:
        if level == 0:
            return (module, name) == ("__future__", "annotations") or name in _LIBRARY.get(module, ())
        if module == "_runtime.declare" and name in self._calls:
            return True
        if name in _CLIENT.get(module, ()):
            return self._kind == "client"
        if module == "settings":
            return name == "SETTINGS"
        if module in ("clients", "mappers"):
            return name in self._plan.names
        return module.startswith("models.") and name in self._plan.names

    def _value(self, node: ast.expr) -> Iterator[tuple[int, str]]:
        match node:
            case ast.Constant():
                yield from check_constant(node, self._plan)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
                pass
            case ast.Tuple(elts=items):
                for item in items:
                    yield from self._value(item)
            case ast.Name(id=name):
                if name not in self._imported:
                    yield node.lineno, f"the name `{name}`"
            case ast.Attribute(value=ast.Name(id=module), attr=attribute):
                if module not in self._modules or attribute not in self._plan.names:
                    yield node.lineno, f"the attribute `{module}.{attribute}`"
            case ast.Call(func=ast.Name(id=callee), args=args, keywords=keywords):
                if callee not in self._calls or callee not in self._imported:
                    yield node.lineno, f"a call of `{callee}`"
                if args and callee != "Env":
                    yield node.lineno, f"a call of `{callee}` by position"
                for value in (*args, *(keyword.value for keyword in keywords)):
                    yield from self._value(value)
                if any(keyword.arg is None for keyword in keywords):
                    yield node.lineno, f"a call of `{callee}` with **"
            case _:
                yield node.lineno, f"a {type(node).__name__}"

    def _client(self, node: ast.ClassDef) -> Iterator[tuple[int, str]]:
        """A class with a docstring and methods that do nothing but ask the runtime for one operation."""
        if node.name not in self._plan.names or not node.body or not is_docstring(node.body[0]):
            yield node.lineno, f"a class `{node.name}`"
        for method in node.body[1:]:
            match method:
                case (
                    ast.FunctionDef(decorator_list=[], body=[doc, ast.Return(value=ast.Call() as call)])
                    | ast.AsyncFunctionDef(
                        decorator_list=[],
                        body=[
                            doc,
                            ast.Return(value=ast.Await(value=ast.Call() as call))
                            | ast.Expr(value=ast.Await(value=ast.Call() as call)),
                        ],
                    )
                ) if is_docstring(doc):
                    yield from self._method(method, call)
                case _:
                    yield method.lineno, f"a {type(method).__name__} in a client"

    def _method(self, node: ast.FunctionDef | ast.AsyncFunctionDef, call: ast.Call) -> Iterator[tuple[int, str]]:
        arguments = node.args
        if arguments.vararg or arguments.kwarg or arguments.posonlyargs or arguments.defaults:
            yield node.lineno, f"another signature of `{node.name}`"
        own = {argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)}
        annotations = [argument.annotation for argument in (*arguments.args[1:], *arguments.kwonlyargs)]
        for annotation in (*annotations, node.returns):
            yield from self._annotation(node.lineno, annotation)
        for default in arguments.kw_defaults:
            if default is not None and ast.unparse(default) not in ("MISSING", "None"):
                yield node.lineno, f"a default in `{node.name}`"
        match call.func:
            case ast.Attribute(value=ast.Name(id="self"), attr="one" | "page" | "records" | "request"):
                pass
            case _:
                yield node.lineno, f"a call in `{node.name}`"
        for value in (*call.args, *(keyword.value for keyword in call.keywords)):
            yield from self._passed(value, own)

    def _passed(self, node: ast.expr, own: set[str]) -> Iterator[tuple[int, str]]:
        """An argument of the method, a constant or model of the module, or the dictionary of arguments."""
        match node:
            case ast.Name(id=name) if name in own - {"self"} or name in self._imported or name in ("dict", *_BUILTIN):
                pass
            case ast.Subscript(value=ast.Name(id="list" | "dict")):
                yield from self._annotation(node.lineno, node)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if not isinstance(key, ast.Constant):
                        yield node.lineno, "a display with **"
                    else:
                        yield from check_constant(key, self._plan)
                    yield from self._passed(value, own)
            case _:
                yield node.lineno, f"a {type(node).__name__} in a call"

    def _annotation(self, line: int, node: ast.expr | None) -> Iterator[tuple[int, str]]:
        match node:
            case ast.Name(id=name) if name in self._imported or name in _BUILTIN:
                pass
            case ast.Constant(value=None):
                pass
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                yield from self._annotation(line, left)
                yield from self._annotation(line, right)
            case ast.Subscript(value=ast.Name(id="list" | "dict" | "AsyncIterator" | "Page"), slice=inner):
                for part in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
                    yield from self._annotation(line, part)
            case _:
                yield line, "an annotation"
