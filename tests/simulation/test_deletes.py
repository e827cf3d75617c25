"""Deletes under seeds of faults, and engines that delete too freely, which must be caught."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from runtime.engine import deletes as deletes_module
from runtime.engine.reconcile import Reconciler
from tests.simulation.deletes import FAULTS, play

SEEDS = 60
FOUND = (376, 937, 978)
"""Seeds in which a list hid tombstones from a stream that reads only changes."""


def test_nothing_is_deleted_that_is_there_and_never_many_by_mistake(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    found = {seed: violation for seed in range(1, SEEDS + 1) if (violation := play(seed, tmp_path, counts)) is not None}
    assert found == {}
    assert all(counts[fault] for fault in FAULTS)
    assert counts["deleted"] > 100
    assert counts["stopped by the brake"] > 10


def test_seeds_that_failed_once_are_played_again(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    assert {seed: violation for seed in FOUND if (violation := play(seed, tmp_path, counts)) is not None} == {}


def no_brake(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deletes_module.Brake, "_is_too_much", lambda self, count, linked: False)
    patch.setattr(deletes_module.Brake, "judge", lambda self, end: None)


def deletes_without_asking(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reconciler, "_confirm_and_remove", Reconciler.remove)


def forgets_what_came(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("runtime.engine.groups.seen_in", lambda *_: [])


def loses_a_tombstone(patch: pytest.MonkeyPatch) -> None:
    """A run over everything would make good for it: what no list hid has to be right before that."""
    remove = Reconciler.remove

    async def all_but_one(self: Reconciler, named: Sequence[str]) -> None:
        await remove(self, named[:-1] if self._progress.kind == "incremental" else named)

    patch.setattr(Reconciler, "remove", all_but_one)


@pytest.mark.parametrize(
    "mutant", [no_brake, deletes_without_asking, forgets_what_came, loses_a_tombstone], ids=lambda each: each.__name__
)
def test_engine_that_deletes_too_freely_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    mutant(monkeypatch)
    counts: Counter[str] = Counter()
    assert any(play(seed, tmp_path, counts) is not None for seed in range(1, SEEDS + 1))
