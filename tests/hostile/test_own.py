"""Our own hostile documents: each is refused with a reason, or becomes a package in which its text is data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from . import quick, structure
from .corpus import Case, read_corpus
from .integration import Role
from .judge import baseline_files, judge

CORPUS = Path(__file__).parent / "own" / "cases.json"
IDS: list[str] = [entry["id"] for entry in json.loads(CORPUS.read_text("utf-8"))]
RUN_FOR_REAL = ("str-field-quotes", "str-enum-mean", "str-query-mean", "md-title-shell", "ref-file", "raw-yaml-bomb")
"""Compiled by the command line in a child, imported, called against a recorder and synced."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def cases(place: Path) -> Mapping[str, Case]:
    return {case.id: case for case in read_corpus(CORPUS, place)}


@pytest.fixture(scope="module")
def baselines(cases: Mapping[str, Case], place: Path) -> dict[Role, structure.Files]:
    return quick.baseline_files(cases[IDS[0]], place / "baseline")


@pytest.mark.parametrize(
    "id", [pytest.param(id, marks=pytest.mark.slow if id.startswith("res-") else ()) for id in IDS]
)
def test_hostile_document_is_refused_with_a_reason_or_stays_data(
    id: str, cases: Mapping[str, Case], baselines: dict[Role, structure.Files], place: Path
) -> None:
    """No name, call, file, structure or invisible character comes from a document; what must be refused is."""
    assert quick.faults_of(cases[id], place / id, baselines) == []


@pytest.mark.slow
def test_hostile_document_does_nothing_when_its_package_runs(cases: Mapping[str, Case], tmp_path: Path) -> None:
    """The whole acceptance rule: limits, no network, no file elsewhere, and the wire text byte for byte."""
    real = baseline_files(cases[IDS[0]], tmp_path)
    failed = {
        id: found.faults for id in RUN_FOR_REAL if (found := judge(cases[id], tmp_path, real)).outcome == "failed"
    }
    assert failed == {}


def test_case_that_the_builder_does_not_know_is_named(tmp_path: Path) -> None:
    """A corpus that needs a newer builder is no corpus without failures."""
    (tmp_path / "build.py").write_bytes(CORPUS.with_name("build.py").read_bytes())
    entries = [{"id": "res-new", "slot": "/components", "payload": {"make": "new", "n": 1}, "expected": "error"}]
    (tmp_path / "more.json").write_text(json.dumps([json.loads(CORPUS.read_text("utf-8"))[0], *entries]))
    with pytest.raises(SystemExit, match="res-new"):
        read_corpus(tmp_path / "more.json", tmp_path / "work")
