"""Every rule with a value, a null and nothing at all: it maps, or it says why not; it never raises anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.exercise import exercise
from tests.mocks import Mock
from tests.mocks.form import RuleForm
from tests.mocks.schema import Checker, Problem, without_waived
from tests.package import STREAMS, Unmappable, destination_form, mapped, source_form, stream_named

_FORM = source_form()
RULES = [
    pytest.param(stream.name, rule, id=f"{stream.name}:{'.'.join(map(str, rule.destination))}")
    for stream in _FORM.streams
    for rule in stream.rules
]


@pytest.fixture(scope="module")
def mock() -> Mock:
    return Mock(_FORM, count=12)


@pytest.mark.parametrize(("stream", "rule"), RULES)
def test_rule_with_and_without_values(mock: Mock, stream: str, rule: RuleForm) -> None:
    """With values it fills its field; with a null or nothing it maps or refuses, and never makes a null of what is missing."""
    done = exercise(mock, stream, rule)

    assert done.problems == []
    assert (done.present, done.null, done.missing) == (True, True, True)


@pytest.mark.parametrize("stream", STREAMS)
def test_mapped_bodies_are_valid_at_the_destination(mock: Mock, stream: str) -> None:
    """By the full schema, not only by the fields that are mapped."""
    check = _checked(stream)
    collection = mock.store.collections[mock.form.stream(stream).collection]
    bodies = []
    for stored in collection:
        try:
            bodies.append(mapped(stream_named(stream), stored.record))
        except Unmappable:
            continue

    assert bodies, "the mapping takes none of the synthetic records"
    assert [problem for body in bodies for problem in check(body)] == []


def _checked(stream: str) -> Callable[[Any], list[Problem]]:
    form = destination_form()
    body = form.operation(stream_named(stream).destination.create.id).body
    assert body is not None
    check = Checker(form.defs, "request").check(body.schema)
    return lambda value: without_waived(check(value), body.waived)
