"""What stops the workers of a run, for how long, and what they still do then."""

from __future__ import annotations

import asyncio

import pytest

from runtime.engine.items import Item
from runtime.engine.workers import Unit, Workers
from runtime.errors import ConnectFailed, IntegrationError, RequestRefused


def workers(count: int = 2, *, most_dead: int = 10) -> Workers:
    dead = [0]

    def judge(more: int) -> IntegrationError | None:
        dead[0] += more
        return IntegrationError("too many dead letters") if dead[0] > most_dead else None

    return Workers(count, judge)


def unit(done: list[int], number: int, error: IntegrationError | None = None) -> Unit:
    async def work() -> None:
        done.append(number)
        if error is not None:
            raise error

    return work


def item() -> Item:
    return Item("1", None, b"{}", b"", None, ())


async def test_units_are_all_carried_out_and_no_more_at_a_time_than_there_are_workers() -> None:
    under_way, most, done = 0, 0, 0

    async def work() -> None:
        nonlocal under_way, most, done
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        done += 1

    await workers(3).carry_out([work] * 10)
    assert (most, done) == (3, 10)


async def test_error_of_a_unit_stops_the_run_until_work_begins_anew() -> None:
    found, done, error = workers(1), list[int](), ConnectFailed("it is down")
    found.begin()
    await found.carry_out([unit(done, 1), unit(done, 2, error), unit(done, 3)])
    assert found.stopped_by is error
    assert done == [1, 2]
    found.begin()
    await found.carry_out([unit(done, 3)])
    assert found.stopped_by is None
    assert done == [1, 2, 3]


async def test_halt_lasts_when_work_begins_anew_and_lets_what_is_under_way_end() -> None:
    found, done, error = workers(2), list[int](), ConnectFailed("the run is to end")
    may_end = asyncio.Event()

    async def slow() -> None:
        await may_end.wait()
        done.append(1)

    async def halting() -> None:
        found.halt(error)
        may_end.set()

    found.begin()
    await found.carry_out([slow, halting, unit(done, 2)])
    found.begin()
    await found.carry_out([unit(done, 3)])
    assert found.stopped_by is error
    assert done == [1]


async def test_first_reason_to_stop_counts() -> None:
    found, first = workers(), ConnectFailed("the first")
    found.begin()
    found.halt(first)
    found.halt(ConnectFailed("the second"))
    assert found.stopped_by is first


def test_dead_letters_stop_the_run_when_they_are_too_many() -> None:
    found, refused = workers(most_dead=1), RequestRefused("no name")
    one, other = item(), item()
    found.refused(one, refused)
    assert found.stopped_by is None
    found.refused(other, refused)
    assert str(found.stopped_by) == "too many dead letters"
    assert (one.fate, other.fate) == ("dead", "dead")
    assert one.why is not None
    assert one.why.reason == "no name"


def test_what_is_no_fault_of_the_record_makes_no_dead_letter() -> None:
    one = item()
    with pytest.raises(ConnectFailed):
        workers().refused(one, ConnectFailed("it is down"))
    assert one.fate is None
