"""Laws of merging: what one side changed is taken, what both changed alike is no conflict, and only the rest is decided."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.declare import Merge, MergeField, Strategy
from runtime.engine.merge import Answer, Base, alike, laid_in, merge, newer_side, view_of

NAMES = ("a", "b", "c", "d")
FIELDS = tuple(MergeField(name=name, path=(name,)) for name in NAMES)
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
VALUES = st.sampled_from(["x", "y", "z", 1, 2, True, ["p"], {"q": 1}])
VIEWS = st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES))
NEWER = st.sampled_from(["source", "destination", None])


def rule(**members: Any) -> Merge:
    return Merge(fields=FIELDS, **members)


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in NAMES if not alike(before[name], after[name])}


@settings(max_examples=300)
@given(VIEWS, VIEWS, st.sampled_from(STRATEGIES), NEWER)
def test_what_only_the_source_changed_is_taken_from_it(base: Any, source: Any, strategy: Strategy, newer: Any) -> None:
    found = merge(rule(), strategy, Base(base, base), source, base, newer=newer)
    assert found.view == {name: source[name] if name in changed(base, source) else base[name] for name in NAMES}
    assert found.to_destination == changed(base, source)
    assert (found.to_source, found.conflicts, found.lost) == (frozenset(), (), {})


@settings(max_examples=300)
@given(VIEWS, VIEWS, st.sampled_from(STRATEGIES), NEWER)
def test_what_only_the_destination_changed_is_taken_from_it(
    base: Any, destination: Any, strategy: Strategy, newer: Any
) -> None:
    found = merge(rule(), strategy, Base(base, base), base, destination, newer=newer)
    assert found.view == destination
    assert found.to_source == changed(base, destination)
    assert (found.to_destination, found.conflicts, found.lost) == (frozenset(), (), {})


@settings(max_examples=200)
@given(VIEWS, VIEWS, st.sampled_from(STRATEGIES))
def test_sides_that_changed_alike_are_no_conflict(base: Any, both: Any, strategy: Strategy) -> None:
    found = merge(rule(), strategy, Base(base, base), both, both)
    assert found.view == both
    assert (found.to_source, found.to_destination, found.conflicts, found.skipped) == (frozenset(), frozenset(), (), ())


@settings(max_examples=300)
@given(VIEWS, VIEWS, VIEWS)
def test_field_by_field_only_fields_that_both_changed_wait(base: Any, source: Any, destination: Any) -> None:
    """Exactly those, and nothing is written while they do."""
    found = merge(rule(otherwise="manual_review"), "merge_fields", Base(base, base), source, destination)
    expected = changed(base, source) & changed(base, destination) & changed(source, destination)
    assert set(found.conflicts) == expected
    if not expected:
        assert found.view == {
            name: source[name] if name in changed(base, source) else destination[name] for name in NAMES
        }


@settings(max_examples=300)
@given(VIEWS, VIEWS, VIEWS, st.sampled_from(["source_priority", "destination_priority"]), st.booleans())
def test_strategy_with_a_winner_leaves_nothing_open_and_keeps_what_lost(
    base: Any, source: Any, destination: Any, strategy: Strategy, by_field: bool
) -> None:
    found = (
        merge(rule(otherwise=strategy), "merge_fields", Base(base, base), source, destination)  # type: ignore[arg-type]
        if by_field
        else merge(rule(), strategy, Base(base, base), source, destination)
    )
    assert not found.conflicts
    both = changed(base, source) & changed(base, destination) & changed(source, destination)
    winner, loser = (source, destination) if strategy == "source_priority" else (destination, source)
    lost = found.lost.get("destination" if strategy == "source_priority" else "source", {})
    for name in both:
        assert alike(found.view[name], winner[name])
        assert lost[name] == loser[name]
    if by_field:
        assert set(lost) == both


@settings(max_examples=300)
@given(VIEWS, VIEWS, VIEWS, st.sampled_from(["source_priority", "destination_priority", "merge_fields"]))
def test_merging_what_was_merged_changes_nothing(base: Any, source: Any, destination: Any, strategy: Strategy) -> None:
    """Idempotence: both sides have it now, so nothing is to be done."""
    view = merge(rule(), strategy, Base(base, base), source, destination).view
    again = merge(rule(), strategy, Base(view, view), view, view)
    assert again.view == view
    assert (again.to_source, again.to_destination, again.conflicts) == (frozenset(), frozenset(), ())
    late = merge(rule(), strategy, Base(base, base), view, view)  # the same, had the base not been moved
    assert late.view == view
    assert (late.to_source, late.to_destination) == (frozenset(), frozenset())


@settings(max_examples=200)
@given(VIEWS, VIEWS, VIEWS)
def test_record_is_not_mixed_where_nobody_asked_for_it(base: Any, source: Any, destination: Any) -> None:
    """One conflict anywhere, and the winner's whole version counts."""
    found = merge(rule(), "source_priority", Base(base, base), source, destination)
    apart = changed(source, destination)
    if apart & changed(base, source) and apart & changed(base, destination):
        assert all(alike(found.view[name], source[name]) for name in NAMES)


@settings(max_examples=200)
@given(VIEWS, VIEWS, VIEWS, st.sampled_from(["source", "destination"]))
def test_person_decides_everything(base: Any, source: Any, destination: Any, take: Any) -> None:
    answer = Answer(take=take, values={"a": "given"})
    found = merge(rule(), "manual_review", Base(base, base), source, destination, answer=answer)
    assert not found.conflicts
    assert found.view["a"] == "given"
    apart = changed(source, destination)
    if apart & changed(base, source) and apart & changed(base, destination):
        winner = source if take == "source" else destination
        assert all(alike(found.view[name], winner[name]) for name in ("b", "c", "d"))


def test_field_with_a_rule_of_its_own_is_decided_by_it() -> None:
    fields = (MergeField(name="price", path=("price",), strategy="source_priority"), *FIELDS[:1])
    base, source, destination = {"price": 1, "a": "x"}, {"price": 2, "a": "y"}, {"price": 3, "a": "z"}
    found = merge(Merge(fields=fields), "manual_review", Base(base, base), source, destination)
    assert found.conflicts == ("a",)
    found = merge(Merge(fields=fields), "destination_priority", Base(base, base), source, destination)
    assert found.view == {"price": 2, "a": "z"}
    assert found.strategies == ("source_priority", "destination_priority")


def test_skip_leaves_both_sides_as_they_are() -> None:
    fields = (MergeField(name="price", path=("price",), strategy="skip"), *FIELDS[:1])
    base, source, destination = {"price": 1, "a": "x"}, {"price": 2, "a": "y"}, {"price": 3, "a": "x"}
    found = merge(Merge(fields=fields), "merge_fields", Base(base, base), source, destination)
    assert (found.skipped, found.to_destination, found.to_source) == (("price",), {"a"}, frozenset())


@pytest.mark.parametrize(
    ("source", "destination", "newer"),
    [
        ("2026-01-01T00:00:06Z", "2026-01-01T00:00:00Z", "source"),
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:06+01:00", "destination"),
        ("2026-01-01T00:00:05Z", "2026-01-01T00:00:00Z", None),
        (None, "2026-01-01T00:00:00Z", None),
        ("7", "2026-01-01T00:00:00Z", None),
    ],
)
def test_times_closer_than_the_clocks_may_differ_decide_nothing(source: Any, destination: Any, newer: Any) -> None:
    assert newer_side(source, destination, skew_s=5) == newer
    base, a, b = {"a": "x"}, {"a": "y"}, {"a": "z"}
    rule_ = Merge(fields=FIELDS[:1], clock_skew_s=5)
    found = merge(rule_, "timestamp_based", Base(base, base), a, b, newer=newer)
    assert found.conflicts == (() if newer else ("a",))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (Decimal("19.90"), Decimal("19.9"), True),
        (Decimal("19.90"), "19.9", True),
        ("19.90", "19.9", False),
        (1, True, False),
        (None, "", False),
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
        ("2026-01-01T00:00:00", "2026-01-01T01:00:00+01:00", False),
        ([1, {"a": None}], [1, {}], True),
        ([1], [1, 2], False),
    ],
)
def test_values_are_alike_by_what_they_say(a: Any, b: Any, same: bool) -> None:
    assert alike(a, b) is same
    assert alike(b, a) is same


def test_source_that_says_nothing_about_a_field_changes_nothing() -> None:
    """Missing is not null: the mapping left it out."""
    base = Base({"a": "x", "b": "y"}, {"a": "x", "b": "y"})
    found = merge(Merge(fields=FIELDS[:2]), "source_priority", base, {"a": "new"}, {"a": "x", "b": "y"})
    assert found.view == {"a": "new", "b": "y"}
    assert found.to_destination == {"a"}


def test_lists_are_compared_by_the_parts_that_are_mapped() -> None:
    field = MergeField(name="lines", path=("lines",), inside=(("sku",), ("tax", "rate")))
    ours = {"lines": [{"sku": "A", "tax": {"rate": 1}}]}
    theirs = {"lines": [{"id": 7, "sku": "A", "tax": {"rate": 1, "name": "VAT"}}]}
    assert view_of(ours, [field]) == view_of(theirs, [field])
    laid = laid_in(theirs, {"lines": [{"sku": "B", "tax": {"rate": 1}}]}, [field], ["lines"])
    assert laid == {"lines": [{"id": 7, "sku": "B", "tax": {"rate": 1}}]}


@settings(max_examples=100)
@given(VIEWS, VIEWS)
def test_base_is_stored_and_read_back(source: Any, destination: Any) -> None:
    base = Base(source, destination, frozenset("a"), frozenset("b"))
    assert Base.decode(base.encode()) == base


def test_record_from_before_the_stream_merged_is_a_base() -> None:
    assert Base.decode(b'{"a":1,"other":2}', FIELDS) == Base({"a": 1}, {"a": 1})


@pytest.mark.parametrize("answer", [Answer(take="source", by="ana"), None], ids=["person", "strategy"])
def test_value_that_an_earlier_decision_left_to_a_side_is_kept_when_it_goes(answer: Answer | None) -> None:
    """Only that side ever had it (seed 25142)."""
    base = Base({"a": "old", "b": "ours"}, {"a": "old", "b": "theirs"})
    source, destination = {"a": "new", "b": "ours"}, {"a": "other", "b": "theirs"}
    found = merge(rule(), "timestamp_based", base, source, destination, newer="source", answer=answer)
    assert found.view == source
    assert found.lost == {"destination": {"a": "other", "b": "theirs"}}
