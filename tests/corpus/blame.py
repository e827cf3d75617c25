"""Lines of derived modules → the operations that stand on them: a method by its docstring, a model by who names it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path


class Blame:
    """One written system: its client and its models."""

    def __init__(self, folder: Path, modules: Iterable[str]) -> None:
        self._trees = {module: ast.parse((folder / module).read_text(encoding="utf-8")) for module in modules}
        self._named: dict[str, set[str]] = {}
        """Class or method's operation → names in it."""
        self._ids: set[str] = set()
        for module, tree in self._trees.items():
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and module.startswith("models/"):
                    self._named[node.name] = _names(node)
        for module, method in self._methods():
            id = ast.get_docstring(method, clean=False) or ""
            self._ids.add(_operation(id))
            self._named.setdefault(_operation(id), set()).update(self._local(module, _names(method)))

    def operations(self, module: str, line: int) -> set[str]:
        """The docstring texts (method and path) of the operations that a line belongs to; all when it belongs to none."""
        for node in ast.walk(self._trees[module]):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _has(node, line):
                return {_operation(ast.get_docstring(node, clean=False) or "")}
        for node in self._trees[module].body:
            if isinstance(node, ast.ClassDef) and module.startswith("models/") and _has(node, line):
                return {id for id in self._ids if node.name in self._reached(id)}
        return set(self._ids)

    def _methods(self) -> Iterable[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for module, tree in self._trees.items():
            if module.startswith("clients/"):
                for node in ast.walk(tree):
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                        yield module, node

    def _local(self, module: str, names: set[str]) -> set[str]:
        """Names in a client, as they are called in the modules of models."""
        imported = {
            alias.asname or alias.name: alias.name
            for node in self._trees[module].body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        return {imported.get(name, name) for name in names}

    def _reached(self, start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += self._named.get(name, ())
        return seen


def _operation(docstring: str) -> str:
    return docstring.removesuffix(", the records of every page").removesuffix(", one page")


def _names(node: ast.AST) -> set[str]:
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}


def _has(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)
