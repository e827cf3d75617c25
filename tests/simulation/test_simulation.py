"""Seeds of the simulator: a sample of them holds, the same seed is the same story, and what was found stays found."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import page
from tests.simulation.many import load_beyond, load_failed
from tests.simulation.mutants import MUTANTS, Mutant, hunt, load_known
from tests.simulation.simulation import Runner
from tests.simulation.world import FAULTS, STORIES, World, main_fault, story_of

DRAWN = {
    2: "46b5e6f234ec3c5b7ce59ce3e657a483e53b433eebce3fc14ba836f8d570b1c4",
    3: "9a916566f762c62bb423031b3a695144c92aaf38205380114c7ec4167991bb78",
}
"""Digests of what is drawn, by the way of drawing. The first one's lengths are logarithms, and machines differ in their last digit."""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    made = Runner()
    yield made
    made.close()


@pytest.mark.parametrize("start", range(1, 101, 20))
def test_seeds_keep_every_invariant(runner: Runner, start: int) -> None:
    """`.ci/run` plays more of them; these are quick enough for every run of the tests."""
    for seed in range(start, start + 20):
        result = runner.play(seed)
        assert result.is_well, f"seed {seed}: {result.violations}\n" + "\n".join(result.trace[-60:])


def test_same_seed_is_the_same_story_in_another_process(runner: Runner) -> None:
    """Whatever the hash seed of strings is: else a failing seed could not be played again."""
    here = runner.play(7, keep_trace=True).trace
    paths = os.pathsep.join((str(ROOT), str(ROOT / "runtime_template")))
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "1", "--start", "7", "--trace"]
    told = [
        subprocess.run(
            command,
            cwd=ROOT,
            env={"PYTHONPATH": paths, "PYTHONHASHSEED": number, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for number in ("1", "2")
    ]
    assert told[0][:-1] == told[1][:-1] == here


@pytest.mark.parametrize("kind", FAULTS)
def test_every_kind_of_fault_strikes_in_seeds_that_are_its_own(runner: Runner, kind: str) -> None:
    """A kind that never strikes tests nothing. Each is the main fault of some seeds in a row, whatever else is drawn, and once more
    in each round of all kinds. Of a few seeds none may come to it: a destination that lags strikes when somebody looks in time."""
    first, every = list(FAULTS).index(kind) * len(STORIES), len(FAULTS) * len(STORIES)
    rows = [range(begin, begin + len(STORIES)) for begin in (first, first + every)]
    own = [seed for row in rows for seed in row if story_of(seed) == "one"]
    assert {main_fault(seed) for seed in own} == {kind}
    assert any(runner.play(seed).injected[kind] for seed in own)


def test_the_same_seed_is_the_same_story_whatever_was_played_before(runner: Runner) -> None:
    """What one seed leaves in the process (pooled states, caches, counters) changes nothing in the next."""
    seeds = (3, 141, 277, 402)
    told = {seed: runner.play(seed, keep_trace=True).trace for seed in seeds}
    assert {seed: runner.play(seed, keep_trace=True).trace for seed in reversed(seeds)} == told
    alone = Runner()
    try:
        assert alone.play(seeds[0], keep_trace=True).trace == told[seeds[0]]
    finally:
        alone.close()


@pytest.mark.parametrize("draw", DRAWN)
def test_what_is_drawn_from_a_seed_is_the_same_on_every_machine(draw: int) -> None:
    """Shapes and faults of 1,000 seeds, as another machine and another Python drew them."""
    drawn, loop = sha256(), asyncio.new_event_loop()
    loop.close()
    for seed in range(1000):
        world = World(seed, loop, draw=draw)
        lengths = [world.pick(0.5, 900.0).hex() for _ in range(3)]
        drawn.update(f"{world.shape} {sorted(world.faults.items())} {lengths}\n".encode())
    assert drawn.hexdigest() == DRAWN[draw], "kept seeds tell another story: a change on purpose is a draw of its own"


@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.name)
def test_engine_with_one_rule_broken_is_caught(runner: Runner, one: Mutant) -> None:
    """By the seed that caught it when the page was written."""
    known = load_known()[one.name]
    caught = hunt(runner, one, [known["seed"]], draw=known["draw"])
    assert caught is not None
    assert caught.invariant == known["invariant"]


@pytest.mark.parametrize("failed", load_failed(), ids=lambda failed: f"{failed['seed']}-draw-{failed['draw']}")
def test_seed_that_failed_once_holds_now(runner: Runner, failed: dict[str, Any]) -> None:
    """What long runs found is mended."""
    result = runner.play(failed["seed"], draw=failed["draw"])
    assert result.is_well, f"{result.violations}\n" + "\n".join(result.trace[-60:])


@pytest.mark.parametrize("one", load_beyond()["open"], ids=lambda one: str(one["seed"]))
def test_seed_that_is_open_still_fails_as_the_page_says(runner: Runner, one: dict[str, Any]) -> None:
    """Once it holds it belongs to those that failed once."""
    result = runner.play(one["seed"], draw=load_beyond()["draw"])
    assert one["what"] in [str(violation) for violation in result.violations], result.violations


def test_page_is_what_the_results_say() -> None:
    """`python -m tests.simulation.page` writes it."""
    assert page.PAGE.read_text("utf-8") == page.render()
