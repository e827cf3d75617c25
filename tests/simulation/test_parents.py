"""Streams that refer to each other under seeds of faults, and engines that get references wrong, which must be caught."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from runtime.engine.linking import Linker
from runtime.links import Links
from tests.simulation.parents import ParentSimulation
from tests.simulation.simulation import Result, Runner

SEEDS = range(1, 31)


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    made = Runner()
    yield made
    made.close()


def test_children_are_written_under_their_parents_or_wait_for_them(runner: Runner) -> None:
    found = {seed: result.violations for seed in SEEDS if (result := play(runner, seed)).violations}
    assert found == {}


def play(runner: Runner, seed: int) -> Result:
    return runner.play(seed, story=ParentSimulation)


def child_before_its_parent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Links, "of", lambda self, stream, identity: self.known.get((stream, identity), "0"))


def wrong_parent(patch: pytest.MonkeyPatch) -> None:
    plain = Links.of

    def of(self: Links, stream: str, identity: str) -> str:
        found = plain(self, stream, identity)
        return next(iter(self.known.values()), found) if found != "0" else found

    patch.setattr(Links, "of", of)


def never_learns_a_name(patch: pytest.MonkeyPatch) -> None:
    async def learn(self: Linker, items: object) -> None:
        return

    patch.setattr(Linker, "learn_names", learn)


@pytest.mark.parametrize(
    "mutant", [child_before_its_parent, wrong_parent, never_learns_a_name], ids=lambda each: str(each.__name__)
)
def test_engine_that_gets_references_wrong_is_caught(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    mutant(monkeypatch)
    assert any(play(runner, seed).violations for seed in SEEDS)
