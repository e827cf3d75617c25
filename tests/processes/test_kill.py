"""`kill -9` at every step of the delivery rules, then a restart: nothing lost, nothing twice, nothing sent again needlessly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runtime.engine.requests import read_back
from runtime.state import State
from tests.faults.rows import fault
from tests.processes.app import SHAPES
from tests.processes.failpoints import NAMES
from tests.processes.world import KILLED, World

WHILE_RUNNING = [name for name in NAMES if name not in ("in-migration", "in-dead-letter")]
CUSTOMERS = 300


def recorded(url: str) -> tuple[set[str], set[str]]:
    """Source identities whose outcome is on record, and those that are only intended."""
    state = State(url, name="shopify-credo")
    try:
        links = {
            link.source_id for link in state.store.links_of("customers", [str(n) for n in range(1, CUSTOMERS + 1)])
        }
        rows = state.store.intents("customers")
        return links, {item.source_id for row in rows for each in read_back(row) for item in each.items}
    finally:
        state.close()


@pytest.mark.slow
@fault("kill9-each-step")
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("failpoint", WHILE_RUNNING)
def test_kill9_each_step_restart_converges(
    world_of: Callable[..., World], database: str, failpoint: str, times: int
) -> None:
    """With an idempotency key and batches. What was recorded is not sent again; what was in flight goes under its old key."""
    world = world_of(database, customers=CUSTOMERS)
    code = world.run("sync", FAILPOINT=f"{failpoint}:{times}")
    assert code == KILLED, world.said()
    links, intended = recorded(database)
    before = world.effects()
    keys = {line["key"] for line in before if line["kind"] == "request"}
    world.end_lease()
    [report] = world.sync()
    assert report["state"] == "done"
    world.assert_converged(customers=CUSTOMERS)
    after = [line for line in world.effects()[len(before) :] if line["kind"] == "request"]
    again = {email.lower() for line in after for email in line["emails"]}
    assert not {f"person{source_id}@example.com" for source_id in links} & again
    for line in after:
        if line["key"] not in keys:
            continue
        # Sent before and again under its key: all of it was written down without an outcome.
        numbers = {email.lower().removeprefix("person").partition("@")[0] for email in line["emails"]}
        assert numbers <= intended
    assert world.sync()[0]["written"] == 0
    assert len(world.made()) == CUSTOMERS


@pytest.mark.slow
@fault("kill9-each-step")
@pytest.mark.parametrize("shape", [name for name in SHAPES if name not in ("batch", "neither")])
@pytest.mark.parametrize("failpoint", ["before-send", "after-send", "in-checkpoint"])
def test_kill9_each_step_with_other_ways_of_knowing_restart_converges(
    world_of: Callable[..., World], failpoint: str, shape: str
) -> None:
    """A key without batches, a find without a key: the destination does not keep addresses apart and yet has each once."""
    world = world_of(customers=60)
    world.set(unique=False)
    for times in (2, 5):
        assert world.run("sync", FAILPOINT=f"{failpoint}:{times}", SHAPE=shape) in (KILLED, 0)
        world.end_lease()
    assert world.sync(SHAPE=shape)[0]["state"] == "done"
    world.assert_converged(customers=60)


@pytest.mark.slow
@fault("kill9-each-step")
def test_kill9_each_step_with_no_way_of_knowing_nothing_is_sent_twice(world_of: Callable[..., World]) -> None:
    """Neither key nor find: what was in flight stays unknown, is counted and told, and is never sent blindly."""
    world = world_of(customers=60)
    world.set(unique=False)
    assert world.run("sync", FAILPOINT="after-send:5", SHAPE="neither") == KILLED
    world.end_lease()
    [report] = world.sync(SHAPE="neither")
    assert report["state"] == "partial"
    assert 0 < report["unknown"] <= 50
    world.assert_made_once()
    assert len(world.made()) + report["unknown"] >= 60


@pytest.mark.slow
@fault("kill9-each-step")
def test_kill9_each_step_in_a_dead_letter_restart_writes_it_once(world_of: Callable[..., World], database: str) -> None:
    """Records without an address that the destination refuses die once, whenever the process does."""
    world = world_of(database, customers=60)
    world.set(put={str(number): {"total_spent": "a lot"} for number in (7, 31)})
    assert world.run("sync", FAILPOINT="in-dead-letter:1") == KILLED, world.said()
    world.end_lease()
    [report] = world.sync()
    assert (report["state"], report["dead"]) == ("partial", 2)
    state = State(database, name="shopify-credo")
    assert sorted(letter["source_id"] for letter in state.dead_letters.latest()) == ["31", "7"]
    state.close()
    world.assert_made_once()


@pytest.mark.slow
@fault("kill9-loop")
def test_kill9_loop_the_record_becomes_a_dead_letter(world_of: Callable[..., World]) -> None:
    """After some ends in a row records are read one by one, and the one that ends the process is not read again."""
    world = world_of(customers=60)
    ends = 0
    while (code := world.run("sync", POISON="17")) == KILLED:
        ends += 1
        assert ends < 10
        world.end_lease()
    assert code == 3, world.said()
    assert ends == 5
    assert len(world.made()) == 59
    assert world.run("sync", "--resync", POISON="17") == 3  # a later complete pass leaves it alone at once
    world.assert_made_once()
