"""Every rule of the mapping with a value, a null and nothing at all. Shared by the tests and the shadow calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.mocks import Mock
from tests.mocks.form import RuleForm
from tests.mocks.places import NOTHING, at, put
from tests.mocks.store import dumps, loads
from tests.mocks.synthesis import has_value, hole
from tests.package import Unmappable, mapped, stream_named


@dataclass(slots=True)
class Exercise:
    """What became of one rule. A case is True when the mapper did what it may: a body, or a refusal that says why."""

    stream: str
    destination: str
    present: bool = False
    null: bool = False
    missing: bool = False
    problems: list[str] = field(default_factory=list)


def exercise_rules(mock: Mock) -> Iterator[Exercise]:
    """Exercise each rule of each stream on synthetic records of the source."""
    for stream in mock.form.streams:
        for rule in stream.rules:
            yield exercise(mock, stream.name, rule)


def exercise(mock: Mock, stream: str, rule: RuleForm) -> Exercise:
    """Map one rule's sources present, null and missing."""
    done = Exercise(stream, _text(rule))
    try:
        whole = whole_record(mock, stream, rule)
    except LookupError as error:
        done.problems.append(str(error))
        return done
    body = mapped(stream_named(stream), whole)
    done.present = _is_filled(body, rule)
    if not done.present:
        done.problems.append("the field stays empty although every source of it has a value")
    for case, as_null in (("null", True), ("missing", False)):
        problem = _without_value(stream, rule, whole, as_null=as_null)
        setattr(done, case, problem is None)
        if problem is not None:
            done.problems.append(f"{case}: {problem}")
    return done


def whole_record(mock: Mock, stream: str, rule: RuleForm) -> Any:
    """A record that the mapping takes and in which every source of the rule has a value. Raises LookupError."""
    collection = mock.store.collections[mock.form.stream(stream).collection]
    synthesis = mock.store.synthesis
    for stored in collection:
        record = stored.record
        for path in rule.sources:
            if not has_value(record, path):
                schema = synthesis.schema_at(collection.form.record, path)
                record = put(loads(dumps(record)), path, synthesis.value(schema, str(path[-1])))
        try:
            body = mapped(stream_named(stream), record)
        except Unmappable:
            continue
        if _is_filled(body, rule):
            return record
    raise LookupError(f"none of {len(collection)} records with a value in every source fills the field")


def _is_filled(body: Any, rule: RuleForm) -> bool:
    """Whether the rule's field has a value; a constant may be an empty list."""
    return has_value(body, rule.destination) or (not rule.sources and at(body, rule.destination) is not NOTHING)


def _without_value(stream: str, rule: RuleForm, whole: Any, *, as_null: bool) -> str | None:
    """What is wrong with how the rule takes a null or a missing source; None when nothing is."""
    for record in [hole(whole, path, as_null=as_null) for path in rule.sources] or [whole]:
        try:
            body = mapped(stream_named(stream), record)
        except Unmappable as refusal:
            if not str(refusal):
                return "it is refused without a reason"
            continue
        except Exception as error:
            return f"{type(error).__name__}, which is no refusal"
        if not as_null and len(rule.sources) == 1 and at(body, rule.destination) is None:
            return "a missing field becomes a null, which clears the destination"
    return None


def _text(rule: RuleForm) -> str:
    """The rule's id as the mapping spells it: `labels[]`."""
    text = ""
    for key in rule.destination:
        text += "[]" if isinstance(key, int) else f".{key}" if text else key
    return text
