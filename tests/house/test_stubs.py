"""Nothing is called done that is not: no notes to self, no functions without a body."""

from __future__ import annotations

import ast
import re

import pytest

from tests.house.tree import parsed, python_files, texts
from tests.shared import REPOSITORY

_NOTE = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "raise NotImplemented" + "Error")) + r")\b"
)
_PRODUCT = (
    "compiler/",
    "runtime_template/",
    "plugins/",
    "examples/",
    "scripts/",
    "benchmarks/",
    "tests/",
    "docs/",
    ".ci/",
)


def empty_functions(tree: ast.Module) -> list[str]:
    """Functions that do nothing, but for those whose nature it is: protocols, abstract methods, overloads."""
    found: list[str] = []

    def visit(node: ast.AST, in_protocol: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                visit(child, any("Protocol" in ast.unparse(base) for base in child.bases))
                continue
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                decorators = {ast.unparse(decorator).split(".")[-1] for decorator in child.decorator_list}
                if not in_protocol and not decorators & {"abstractmethod", "overload"} and _is_empty(child):
                    found.append(f"{child.name}, line {child.lineno}")
                visit(child, False)
            else:
                visit(child, in_protocol)

    visit(tree, False)
    return found


def _is_empty(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Only `pass` or `...`. A docstring alone is a body: it says why nothing is done."""
    return all(
        isinstance(line, ast.Pass)
        or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and line.value.value is ...)
        for line in (function.body[1:] or function.body if ast.get_docstring(function) else function.body)
    )


def test_files_hold_no_notes_to_self():
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts(*_PRODUCT)
        if name.endswith((".py", ".jinja", ".j2", ".sh", ".toml", ".md", "/run"))
        and name != "tests/house/test_stubs.py"
        for number, line in enumerate(text.splitlines(), 1)
        if _NOTE.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("folder", ["compiler", "runtime_template/runtime", "plugins", "examples", "benchmarks"])
def test_functions_have_bodies(folder: str):
    found = {
        path.relative_to(REPOSITORY).as_posix(): empty
        for path in python_files(REPOSITORY / folder)
        if (empty := empty_functions(parsed(path)))
    }
    assert found == {}


def test_empty_functions_are_found_and_protocols_spared():
    source = """
def a(): pass
def b(): ...
def c():
    '''Nothing to close.'''
def d():
    '''Says much.'''
    ...
class P(Protocol):
    def e(self): ...
class C:
    @abstractmethod
    def f(self): ...
    @property
    def g(self): ...
    def h(self): return 1
"""
    assert [name.split(",")[0] for name in empty_functions(ast.parse(source))] == ["a", "b", "d", "g"]
