"""The scores are the fitted ones, come fast, and do not hang on the order of fields."""

from __future__ import annotations

import math
import time
from typing import Any

from tests.yardstick import slowness
from vitesse.mapper.fields import Described, Side, read_side
from vitesse.mapper.memory import Memory, leaf_key, memory_form, observe, read_memory, shipped_memory
from vitesse.mapper.scoring import feature_names, score, shipped_weights
from vitesse.mapper.trees import Trees

NOUNS = "order customer invoice ticket contact shipment product payment account project task lead".split()
KINDS = "id name status created_at updated_at total currency email phone city country owner note".split()


def side(names: list[str]) -> Side:
    return read_side([Described(path=name, kind="string") for name in names])


def test_shipped_weights_are_for_these_features() -> None:
    """A feature that moves without a new fit would make every number wrong."""
    weights = shipped_weights()
    for name, model in (("pair", weights.pair), ("context", weights.context), ("final", weights.final)):
        assert 0 <= model([0.0] * len(feature_names()[name])) <= 1


def walked(tree: Any, features: list[float]) -> float:
    while isinstance(tree, list):
        tree = tree[2] if features[tree[0]] <= tree[1] else tree[3]
    return float(tree)


def test_trees_find_the_leaves_that_walking_finds() -> None:
    """Also on a threshold, where a tree splits twice on one feature, and where several trees share one."""
    trees = [
        [0, 0.5, [1, 1.0, -1, [0, 0.25, 2, 3]], [0, 0.75, 0.5, [2, 0.0, 7, -7]]],
        [2, 0.0, 1.5, [0, 0.5, -2.5, 0.25]],
        0.125,
    ]
    values = (-1.0, 0.0, 0.25, 0.3, 0.5, 0.6, 0.75, 0.8, 1.0, 2.0)
    for features in ([a, b, c] for a in values for b in values for c in values):
        total = sum(walked(tree, features) for tree in trees)
        assert Trees(trees)(features) == 1 / (1 + math.exp(-total))


def test_trees_walk_to_the_leaf_that_the_features_say() -> None:
    """At most goes left."""
    trees = Trees([[0, 0.5, -40.0, [1, 2.0, 0.0, 40.0]]])
    assert trees([0.5, 9.0]) == 0.0
    assert trees([0.6, 2.0]) == 0.5
    assert trees([0.6, 2.1]) > 0.99


def test_score_of_the_same_name_beats_every_other() -> None:
    """The best of all is the same name."""
    names = [f"{noun}_{kind}" for noun in NOUNS for kind in KINDS]
    ways, _ = score(side(names), side(names[::-1]), shipped_weights(), shipped_memory())
    for view, row in zip(side(names[::-1]).views, ways, strict=True):
        assert [one.given.path for one in row[0].candidate.sources] == [view.given.path]
        assert row[0].chance > 0.8


def test_score_of_two_hundred_by_two_hundred_fields_stays_within_its_second() -> None:
    """A person waits for it. Measured in CPU time, three times over the aim for a loaded machine."""
    names = [f"{noun}_{kind}_{extra}" for noun in NOUNS for kind in KINDS for extra in ("a", "b")][:200]
    start = time.process_time()
    score(side(names), side([name.title() for name in names]), shipped_weights(), shipped_memory())
    assert time.process_time() - start < 3 * slowness()


def test_memory_counts_what_was_paired_and_what_could_have_been() -> None:
    """Names that stood together and were not paired speak against the pair."""
    sources, destinations = side(["note", "title"]), side(["body"])
    memory = Memory()
    (body,) = destinations.views
    memory.add(observe([(sources.views[0], body, True), (sources.views[1], body, False)]))
    memory.add(observe([(sources.views[0], body, False)]))
    assert memory.leaves[leaf_key(sources.views[0]), leaf_key(body)] == (1, 2)
    assert memory.leaves[leaf_key(sources.views[1]), leaf_key(body)] == (0, 1)
    assert read_memory(memory_form(memory)) == memory  # type: ignore[arg-type]


def test_shipped_memory_holds_only_what_two_providers_agree_on() -> None:
    """Numbers ship, cases do not."""
    assert all(paired >= 2 for paired, _ in shipped_memory().leaves.values())
