"""Functions are read from text: types by annotation, options by default."""

from __future__ import annotations

import ast

import pytest

from vitesse.hooks import Parameter
from vitesse.registry.signature import Signature, Unusable, imported_modules, read_signatures


def read(text: str) -> Signature | Unusable:
    (signature,) = read_signatures(ast.parse(text)).values()
    return signature


def test_a_parameter_without_a_default_is_a_source_field_and_others_are_options():
    found = read(
        "from decimal import Decimal\n"
        "def price(amount: Decimal, currency: str, places: int = 2, *, sign: bool = False, label: str) -> str:\n"
        '    """Write a price.\n\n    More.\n    """\n'
        "    return ''\n"
    )
    assert isinstance(found, Signature)
    assert [str(type) for type in found.inputs] == ["number", "string"]
    assert str(found.result) == "string"
    assert found.parameters == (
        Parameter(name="places", kinds=("int",), has_default=True, default=2),
        Parameter(name="sign", kinds=("bool",), has_default=True, default=False),
        Parameter(name="label", kinds=("str",)),
    )
    assert (found.line, found.description) == (2, "Write a price.")


@pytest.mark.parametrize(
    ("annotation", "written"),
    [
        ("str", "string"),
        ("int | str", "string | integer"),
        ("dt.date", "date"),
        ("day", "date"),
        ("datetime", "date-time"),
        ("list[str]", "list[string]"),
        ("Sequence[int | None]", "list[integer | null]"),
        ("Optional[bool]", "boolean"),
        ("Union[str, Decimal]", "string | number"),
        ("dict[str, str]", "object"),
        ("Any", "any"),
        ("'str'", "string"),
        ("Literal['a', 'b']", "string"),
        ("list", "list[any]"),
    ],
)
def test_annotations_are_resolved_through_the_files_imports(annotation: str, written: str):
    found = read(
        "import datetime as dt\nfrom datetime import date as day, datetime\nfrom decimal import Decimal\n"
        "from typing import Any, Literal, Optional, Union\nfrom collections.abc import Sequence\n"
        f"def f(value: {annotation}) -> str: ...\n"
    )
    assert isinstance(found, Signature)
    assert [str(type) for type in found.inputs] == [written]


def test_a_result_keeps_its_null_and_an_input_does_not():
    found = read("def f(value: str | None) -> str | None: ...")
    assert isinstance(found, Signature)
    assert (str(found.inputs[0]), str(found.result)) == ("string", "string | null")


def test_options_may_be_a_choice_a_negative_number_or_none():
    found = read(
        "from typing import Literal\n"
        "def f(v: str, how: Literal['up', 'down'] = 'up', by: int = -1, at: float | None = None) -> str: ..."
    )
    assert isinstance(found, Signature)
    assert found.parameters == (
        Parameter(name="how", choices=("up", "down"), has_default=True, default="up"),
        Parameter(name="by", kinds=("int",), has_default=True, default=-1),
        Parameter(name="at", kinds=("float", "None"), has_default=True, default=None),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("async def f(v: str) -> str: ...", "it is `async`"),
        ("@cache\ndef f(v: str) -> str: ...", "it has a decorator, which may change its signature"),
        ("def f(*v: str) -> str: ...", "it takes `*` or `**` parameters"),
        ("def f(v: str, **more: str) -> str: ...", "it takes `*` or `**` parameters"),
        ("def f(v: str = '') -> str: ...", "it takes no value: all its parameters have defaults"),
        ("def f(v: str): ...", "its result has no annotation"),
        ("def f(v) -> str: ...", "its parameter `v` has no annotation"),
        (
            "def f(v: float) -> str: ...",
            "its parameter `v` is a float, and decimals do not pass through float: use `Decimal`",
        ),
        ("def f(v: bytes) -> str: ...", "its parameter `v` has the annotation `bytes`, which no field has"),
        ("def f(v: date) -> str: ...", "its parameter `v` has the annotation `date`, which no field has"),
        ("def f(v: set[str]) -> str: ...", "its parameter `v` has an annotation of `set[…]`, which no field has"),
        ("def f(v: 'str |') -> str: ...", "its parameter `v` has an annotation that cannot be read"),
        ("def f(v: None) -> str: ...", "its parameter `v` is always None"),
        ("def f(v: str) -> None: ...", "its result is always None"),
        ("def f(v: str, o='a') -> str: ...", "its option `o` has no annotation"),
        ("def f(v: str, o: str = A) -> str: ...", "its option `o` has a default that is no literal"),
        ("def f(v: str, o: str = f'{v}') -> str: ...", "its option `o` has a default that is no literal"),
        (
            "def f(v: str, o: list[str] = 'a') -> str: ...",
            "its option `o` is no str, int, float, bool, None or `Literal` of texts",
        ),
        ("def f(v: str, o: str = 'a', /) -> str: ...", "an option is positional-only, and options are given by name"),
    ],
)
def test_a_function_that_no_rule_can_call_says_why(text: str, reason: str):
    found = read(text)
    assert isinstance(found, Unusable)
    assert found.reason == reason


def test_private_functions_methods_and_inner_functions_are_not_offered():
    text = (
        "def _f(v: str) -> str: ...\nclass A:\n    def g(self) -> str: ...\nif True:\n    def h(v: str) -> str: ...\n"
    )
    assert read_signatures(ast.parse(text)) == {}


def test_imports_are_found_wherever_they_stand():
    text = "import os.path\nfrom . import a\ndef f() -> None:\n    from .b import c\n    from ..d import e\n"
    assert list(imported_modules(ast.parse(text))) == [("os.path", 0, 1), ("a", 1, 2), ("b", 1, 4), ("d", 2, 5)]
