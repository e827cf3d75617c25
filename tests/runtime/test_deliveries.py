"""Promises of bodies with several events: each is taken out as it came, in its place, and too many are none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.declare import Path, SignatureScheme
from runtime.deliveries import MAX_EVENTS, Event, events_of, name_of, record_of
from runtime.webhooks import Delivery, Verifier
from tests.runtime.sample.app import INTEGRATION

WEBHOOK = INTEGRATION.webhooks[0]
ENTRIES: tuple[Path, ...] = (("entry",), ("changes",))


def split(value: Any, lists: tuple[Path, ...]) -> list[Event]:
    return events_of(json.dumps(value).encode(), value, lists)


def test_events_of_a_list_are_taken_out_in_their_order() -> None:
    """HubSpot's body is the list, Xero's has it under a name, Meta's has one in each entry."""
    one, two, three = {"a": 1}, {"b": [2]}, {"c": {"d": "é"}}
    for value, lists in (
        ([one, two, three], ((),)),
        ({"events": [one, two, three], "entropy": "x"}, (("events",),)),
        ({"object": "page", "entry": [{"changes": [one]}, {"changes": [two, three], "id": "1"}]}, ENTRIES),
        ([[one], [], [two, three]], ((), ())),
    ):
        assert [json.loads(event.raw) for event in split(value, lists)] == [one, two, three]
        assert {event.error for event in split(value, lists)} == {None}


def test_what_is_no_event_keeps_its_place_and_says_why() -> None:
    found = split([{"a": 1}, 5, None, [], {"b": 2}], ((),))
    assert [(event.error is None, event.raw) for event in found] == [
        (True, b'{"a": 1}'), (False, b"5"), (False, b"null"), (False, b"[]"), (True, b'{"b": 2}'),
    ]  # fmt: skip


@pytest.mark.parametrize("value", [{}, {"entry": None}, {"entry": {"0": {}}}, [], "text", 1])
def test_body_without_its_list_is_one_bad_event(value: Any) -> None:
    """Whoever wrote the path wrongly finds the body among the dead ones."""
    [event] = split(value, ENTRIES)
    assert (json.loads(event.raw), event.error) == (value, "there is no list of events in the delivery, at `entry`")


def test_entry_without_its_list_does_not_spoil_the_others() -> None:
    found = split({"entry": [{"messaging": []}, {"changes": [{"a": 1}]}]}, ENTRIES)
    assert [event.error for event in found] == ["there is no list of events in the delivery, at `changes`", None]


def test_empty_list_has_no_events() -> None:
    """Senders ask so whether somebody listens."""
    assert split({"events": []}, (("events",),)) == []


def test_too_many_events_are_none() -> None:
    """Items of lists around them count too: a body of empty lists is as much work."""
    assert len(split([{}] * MAX_EVENTS, ((),))) == MAX_EVENTS
    for value, lists in (
        ([{}] * (MAX_EVENTS + 1), ((),)),
        ({"entry": [{"changes": []}] * (MAX_EVENTS + 1)}, ENTRIES),
        ({"entry": [{"changes": [{}] * 100}] * (MAX_EVENTS // 100)}, ENTRIES),
    ):
        with pytest.raises(ValueError, match=str(MAX_EVENTS)):
            split(value, lists)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["entry", "changes", "a"]), inner),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.one_of(st.lists(_VALUES), st.fixed_dictionaries({"entry": st.lists(_VALUES)}), _VALUES),
    st.sampled_from([((),), (("entry",),), ENTRIES, ((), ("changes",)), ((), ())]),
    st.integers(0, 3),
)
def test_what_is_taken_out_is_what_a_plain_reading_finds(value: Any, lists: tuple[Path, ...], indent: int) -> None:
    """Whatever the body holds and however it is written: the same values, in the same order, none lost, none twice."""

    def plain(inner: Any, left: tuple[Path, ...]) -> list[Any]:
        if not left:
            return [inner]
        here = inner
        for step in left[0]:
            here = here.get(step) if isinstance(here, dict) else None
        if not isinstance(here, list):
            return [inner]
        return [each for item in here for each in plain(item, left[1:])]

    found = events_of(json.dumps(value, indent=indent).encode(), value, lists)
    assert [json.loads(event.raw) for event in found] == plain(value, lists)
    assert all(event.error is not None or event.value == json.loads(event.raw) for event in found)


@pytest.mark.parametrize(
    ("value", "name"),
    [("5", "5"), (5, "5"), (-5, "-5"), ("é ü", "é ü"), ("x" * 1000, "x" * 1000)]
    + [(bad, None) for bad in ("", "x" * 1001, "a\nb", "a\0b", 1.5, True, None, [5], {"id": 5})],
)
def test_record_is_named_by_a_text_or_a_number(value: Any, name: str | None) -> None:
    webhook = replace(WEBHOOK, record_id=("object", "id"))
    assert name_of(json.dumps({"object": {"id": value}}).encode(), webhook) == name
    assert name_of(b'{"object": 1}', webhook) is None
    assert name_of(b"", webhook) is None
    assert name_of(b'{"id": 5}', WEBHOOK) is None


def test_record_is_found_within_its_event() -> None:
    webhook = replace(WEBHOOK, record=("value",))
    assert record_of(b'{"value": {"id": 5}}', webhook) == b'{"id": 5}'
    assert record_of(b'{"id": 5}', webhook) is None
    assert record_of(b"{", webhook) is None


def test_events_are_named_by_themselves_or_by_their_body_and_place() -> None:
    """Two that are alike in one body are two; the same body again has the same names."""
    delivery = Delivery(body=b"[...]", headers={"x-name": ["d1"]})
    own = Verifier(SignatureScheme(header="X", id_path=("id",)), ["s"])
    assert own.event_ids(delivery, [{"id": "e1"}, {"id": 7}])[0] == "e1"
    assert own.event_ids(delivery, [{"id": "e1"}, {"id": 7}])[1] == "7"
    headed = Verifier(SignatureScheme(header="X", id_header="X-Name"), ["s"])
    assert headed.event_ids(delivery, [{"id": 1}, {"id": 1}]) == ["d1#0", "d1#1"]
    bare = Verifier(SignatureScheme(header="X"), ["s"])
    names = bare.event_ids(delivery, [{"id": 1}, {"id": 1}])
    assert len(set(names)) == 2
    assert names == bare.event_ids(Delivery(body=b"[...]", headers={}), [{"id": 1}, {"id": 1}])
    assert not set(names) & set(bare.event_ids(Delivery(body=b"[....]", headers={}), [{"id": 1}, {"id": 1}]))
