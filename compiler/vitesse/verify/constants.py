"""What a constant in derived code may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .model import Expectations


def check_constant(node: ast.Constant, plan: Expectations) -> Iterator[tuple[int, str]]:
    """A constant is a text of the plan, a number, a truth value or nothing."""
    if isinstance(node.value, str):
        if node.value not in plan.texts:
            yield node.lineno, "a string that is not in the plan"
    elif node.value is not None and type(node.value) not in (bool, int, float):
        yield node.lineno, f"a {type(node.value).__name__}"


def is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
