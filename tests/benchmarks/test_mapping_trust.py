"""The simulation of models: what a perfect one brings, that a useless one is seen, and that it moves chances as the product does."""

from __future__ import annotations

from benchmarks.mapping.cases import read_case
from benchmarks.mapping.trust import lines, measured, simulated, spoken
from tests.benchmarks.test_mapping_model import CASE
from vitesse.mapper.llm.rank import Trust, shipped_trust

FOUND = {(0, "email"): [(0.9, ["email"]), (0.05, ["remark"])], (0, "dossier"): [(0.1, ["email"]), (0.08, ["remark"])]}


def test_a_perfect_model_finds_what_names_do_not() -> None:
    cases = [read_case(CASE)]
    assert simulated(cases, FOUND, None, shipped_trust(), 1).form()["R"] == 0.5
    assert simulated(cases, FOUND, 1.0, shipped_trust(), 1).form()["F1"] == 1.0


def test_a_useless_model_does_not_take_away_what_names_find() -> None:
    """A sure pair stays; a wrong proposal is seen as wrong."""
    tally = simulated([read_case(CASE)], FOUND, 0.0, shipped_trust(), 1)
    assert (tally.right, tally.wanted) == (1, 2)


def test_spoken_moves_chances_by_the_shares() -> None:
    trust = Trust(picked=0.5, passed_over=0.7, nearest=0.2)
    ways = [(0.8, ["a"]), (0.2, ["b"])]
    assert [(round(chance, 3), one) for chance, one in spoken(ways, ["b"], trust)] == [(0.6, ["b"]), (0.56, ["a"])]
    assert spoken(ways, ["c"], trust)[0] == (0.8 * 0.7, ["a"])
    assert spoken(ways, None, trust)[0] == (0.8 * 0.7, ["a"])


def test_measured_has_a_row_for_each_accuracy() -> None:
    result = measured([read_case(CASE)], FOUND)
    assert sum(line.startswith(("| 0", "| 1")) for line in lines(result)) == 6 + len(result["others"])
