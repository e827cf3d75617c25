"""Which integrations a command line means, and which part of them is one machine's."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from vitesse.workflow.folders import SameName, find_integrations, take_share


def made(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "integration.yaml").touch()
    return [folder / name for name in names]


def test_a_folder_of_integrations_means_them_by_name_and_nothing_deeper(tmp_path: Path):
    made(tmp_path, "b", "a", "c/inner", "a/inner")
    (tmp_path / "notes").mkdir()
    assert find_integrations([tmp_path]) == [tmp_path / "a", tmp_path / "b"]


def test_an_integration_means_itself_and_one_that_is_named_twice_counts_once(tmp_path: Path):
    first, second = made(tmp_path, "b", "a")
    assert find_integrations([first, tmp_path, second, first / ".." / "b"]) == [first, second]


def test_a_folder_without_any_integration_stays_for_others_to_complain_of(tmp_path: Path):
    assert find_integrations([tmp_path]) == [tmp_path]


def test_two_integrations_of_one_name_are_refused(tmp_path: Path):
    """They would be one package."""
    with pytest.raises(SameName, match="one/x"):
        find_integrations([*made(tmp_path / "one", "x"), *made(tmp_path / "two", "x")])


@pytest.mark.parametrize(("count", "of"), [(7, 3), (1, 1), (2, 5), (0, 2), (40, 8)])
def test_shares_cover_all_overlap_nowhere_and_are_even(tmp_path: Path, count: int, of: int):
    folders = [tmp_path / f"integration-{number}" for number in range(count)]
    shares = [take_share(folders, number, of) for number in range(1, of + 1)]
    assert sorted(folder for share in shares for folder in share) == sorted(folders)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_share_depends_on_names_alone(tmp_path: Path):
    """Not on the order, nor on where a machine keeps the folders."""
    names = [f"integration-{number}" for number in range(9)]
    shares = set()
    for seed, home in enumerate(("here", "there", "elsewhere")):
        given = [tmp_path / home / name for name in random.Random(seed).sample(names, len(names))]
        share = take_share(given, 2, 4)
        assert share == [folder for folder in given if folder in share]
        shares.add(frozenset(folder.name for folder in share))
    assert len(shares) == 1
