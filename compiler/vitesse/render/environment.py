"""Jinja for Python: every `{{ value }}` is written as a literal; only names and code of our own making stand bare.

`finalize` is `literals.literal`. What would run after it or around it is refused when a template is compiled: `{% filter %}`,
`{% set %}` blocks, `{% autoescape %}`, attributes that begin with an underscore. Autoescape stays off: `Markup` fails open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Environment, StrictUndefined
from jinja2.compiler import CodeGenerator, Frame, MacroRef
from jinja2.loaders import DictLoader
from jinja2.nodes import Getattr, Node
from jinja2.runtime import Macro

from ..diagnostics import InternalError
from . import literals

_FILTERS: Mapping[str, Callable[..., Any]] = {
    "args": literals.arguments,
    "docstring": literals.docstring,
    "dotted": literals.dotted,
    "length": len,
    "name": literals.name,
}


class _CodeMacro(Macro):
    """A macro that returns code: what it wrote was made of literals already."""

    def _invoke(self, arguments: list[Any], autoescape: bool) -> str:
        return literals.macro_result(super()._invoke(arguments, autoescape))


class _Generator(CodeGenerator):
    """Refuses what would undo quoting; makes macros return code."""

    def macro_def(self, macro_ref: MacroRef, frame: Frame) -> None:
        node = macro_ref.node
        names = tuple(argument.name for argument in node.args)
        self.write(
            f"environment.macro_class(environment, macro, {getattr(node, 'name', None)!r}, {names!r},"
            f" {macro_ref.accesses_kwargs!r}, {macro_ref.accesses_varargs!r},"
            f" {macro_ref.accesses_caller!r}, context.eval_ctx.autoescape)"
        )

    def _refuse(self, node: Node, frame: Frame) -> NoReturn:
        self.fail(f"{type(node).__name__} runs after or around quoting", node.lineno)

    visit_FilterBlock = _refuse
    visit_AssignBlock = _refuse
    visit_EvalContextModifier = _refuse
    visit_ScopedEvalContextModifier = _refuse
    visit_MarkSafe = _refuse
    visit_MarkSafeIfAutoescape = _refuse

    def visit_Getattr(self, node: Getattr, frame: Frame) -> None:
        if node.attr.startswith("_"):
            self.fail(f"the attribute {node.attr} is private", node.lineno)
        super().visit_Getattr(node, frame)


class PyEnvironment(Environment):
    """The environment of every derived Python file."""

    code_generator_class = _Generator
    macro_class = _CodeMacro

    def __init__(self, templates: Mapping[str, str], tests: Mapping[str, Callable[[Any], bool]] | None = None) -> None:
        super().__init__(
            loader=DictLoader(dict(templates)),
            undefined=StrictUndefined,
            finalize=literals.literal,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
            optimized=False,  # folding costs more than it saves: each template is rendered once or twice
        )
        self.filters = dict(_FILTERS)
        self.globals = {}
        self.tests = {"none": lambda value: value is None, **(tests or {})}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise InternalError(f"a template reads the private attribute {attribute}")
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        # Jinja falls back to attributes; a key stays a key here.
        return obj[argument]

    def text(self, template: str, **values: Any) -> str:
        """The template's text with these values."""
        return self.get_template(template).render(**values)


def load_modules(folder: Path) -> dict[str, str]:
    """Name → source of the Jinja templates in `runtime_template/modules/`."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.jinja"))
    }
