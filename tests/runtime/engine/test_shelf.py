"""What a comparison keeps of both sides: handed out once, and found without looking through all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runtime.engine.shelf import Shelf


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    made = Shelf()
    yield made
    made.close()


def steps(shelf: Shelf, count: int) -> int:
    """How many steps of SQLite's machine it takes to find each of `count` records by its match value, for one record."""
    seen = 0

    def step() -> int:
        nonlocal seen
        seen += 1
        return 0

    shelf.put([(f"{number:06}", f"match {number}", b"{}") for number in range(count)])
    shelf.is_full()
    shelf._file.set_progress_handler(step, 1)
    for number in range(count):
        assert shelf.by_match(f"match {number}")[0] == f"{number:06}"
    shelf._file.set_progress_handler(None, 1)
    return seen // count


def test_record_is_found_by_its_match_value_in_as_many_steps_however_many_there_are(shelf: Shelf) -> None:
    other = Shelf()
    try:
        assert steps(other, 400) < 2 * steps(shelf, 20)
    finally:
        other.close()


def test_records_of_one_match_value_are_named_together(shelf: Shelf) -> None:
    shelf.put([("1", "a", b"{}"), ("2", "b", b"{}"), ("3", None, b"{}"), ("4", "a", b"{}"), ("5", None, b"{}")])
    shelf.is_full()
    assert list(shelf.twins()) == [["1", "4"]]


def test_what_was_led_to_is_not_left_over(shelf: Shelf) -> None:
    shelf.put([("1", None, b'{"n":1}'), ("2", "b", b'{"n":2}'), ("3", None, b"{}")])
    assert shelf.take(["1", "7"]) == {"1": {"n": 1}}
    assert shelf.by_match("b") == ("2", {"n": 2})
    assert shelf.by_match("c") == (None, None)
    assert list(shelf.untouched(10)) == [["3"]]


def test_what_is_gone_is_handed_out_once_and_for_each_side_apart(shelf: Shelf) -> None:
    shelf.note_gone("1")
    shelf.note_gone("1", there=True)
    shelf.note_gone("2")
    assert (shelf.gone(1), shelf.gone(5), shelf.gone(5)) == (["1"], ["2"], [])
    assert shelf.gone(5, there=True) == ["1"]
