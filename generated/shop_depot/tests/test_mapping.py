"""Every rule with a value, a null and nothing at all: it maps, or it says why not; it never raises anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.exercise import exercise
from tests.mocks import Mock
from tests.mocks.form import RuleForm
from tests.mocks.schema import Checker, Problem, without_waived
from tests.package import STREAMS, Unmappable, destination_form, form_of, mapped, sides, source_form, stream_named

_FORMS = (source_form(), destination_form())
RULES = [
    pytest.param(stream.name, rule, id=f"{stream.name}:{'.'.join(map(str, rule.destination))}")
    for form in _FORMS
    for stream in form.streams
    for rule in stream.rules
]


@pytest.fixture(scope="module")
def mocks() -> dict[str, Mock]:
    return {form.side: Mock(form, count=12) for form in _FORMS}


@pytest.mark.parametrize(("stream", "rule"), RULES)
def test_rule_with_and_without_values(mocks: dict[str, Mock], stream: str, rule: RuleForm) -> None:
    """With values it fills its field; with a null or nothing it maps or refuses, and never makes a null of what is missing."""
    done = exercise(_read(mocks, stream), stream, rule)

    assert done.problems == []
    assert (done.present, done.null, done.missing) == (True, True, True)


@pytest.mark.parametrize("stream", STREAMS)
def test_mapped_bodies_are_valid_at_the_destination(mocks: dict[str, Mock], stream: str) -> None:
    """By the full schema, not only by the fields that are mapped."""
    check = _checked(stream)
    mock = _read(mocks, stream)
    collection = mock.store.collections[mock.form.stream(stream).collection]
    bodies = []
    for stored in collection:
        try:
            bodies.append(mapped(stream_named(stream), stored.record))
        except Unmappable:
            continue

    assert bodies, "the mapping takes none of the synthetic records"
    assert [problem for body in bodies for problem in check(body)] == []


def _read(mocks: dict[str, Mock], stream: str) -> Mock:
    """The one that the stream reads."""
    return mocks[sides(stream_named(stream))[0]]


def _checked(stream: str) -> Callable[[Any], list[Problem]]:
    form = form_of(sides(stream_named(stream))[1])
    body = form.operation(stream_named(stream).destination.create.id).body
    assert body is not None
    check = Checker(form.defs, "request").check(body.schema)
    return lambda value: without_waived(check(value), body.waived)
