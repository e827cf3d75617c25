"""What a mapper says of values that need nothing done: they are read as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vitesse.plan.model import Call, PyType, Read
from vitesse.plan.spelling import _plainest
from vitesse.plan.streams import _text
from vitesse.plan.typed import TRANSFORMS, Imports, Typed
from vitesse.registry import BUILT_IN
from vitesse.rules.model import Spelling

FIELD = Read(variable="src", names=("field",))


def typed(type: PyType) -> Typed:
    return Typed(expression=FIELD, type=type)


@pytest.mark.parametrize(
    ("type", "is_called"),
    [
        (PyType(scalar="str"), False),
        (PyType(scalar="str", nullable=True), False),
        (PyType(scalar="str", may_miss=True), True),
        (PyType(scalar="int"), True),
        (PyType(scalar="Any"), True),
        (PyType(items=PyType(scalar="str")), True),
    ],
)
def test_version_that_is_text_is_read_as_it_is(type: PyType, is_called: bool) -> None:
    """Only what is a text or null by its type: a missing one has to become none, a number a text."""
    value = _text(typed(type), Imports())
    assert isinstance(value, Call) is is_called
    assert is_called or value == FIELD


@pytest.mark.parametrize(
    ("module", "type", "function"),
    [
        (TRANSFORMS, PyType(scalar="str"), "parse_iso8601_to_date"),
        (TRANSFORMS, PyType(scalar="str", nullable=True), "apply"),
        (TRANSFORMS, PyType(scalar="str", may_miss=True), "apply"),
        ("custom.dates", PyType(scalar="str"), "apply"),
    ],
)
def test_own_transform_is_called_as_it_is_when_its_value_is_there(module: str, type: PyType, function: str) -> None:
    """`apply` passes by what is absent and puts other people's errors into words: neither is needed then."""
    callee = replace(BUILT_IN[0], module=module)
    spelling = Spelling(style="value", function="apply", callee=callee)
    assert _plainest(spelling, [typed(type)]).function == function
