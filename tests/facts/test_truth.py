"""Inference beside what a person found in published descriptions: counts per kind, and nothing wrong that was sure."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.shared import SHARED, needs_shared
from vitesse.api.facts import Fact, Paging
from vitesse.ingest.infer import infer_facts
from vitesse.ingest.reading import Reading
from vitesse.openapi import build_api, read_document
from vitesse.yaml import read_yaml

SPECS = SHARED / "specs"
KINDS = ("records", "paging", "identity", "version", "since")


def truth() -> dict[str, dict[str, dict[str, Any]]]:
    known: Any = read_yaml((Path(__file__).parent / "truth.yaml").read_text(encoding="utf-8"))
    return known


def judged(fact: Fact | None, expected: Any) -> str:
    """`right`, `wrong` or `missing`. Of paging, the members that a person wrote down are compared."""
    if fact is None:
        return "right" if expected is None else "missing"
    if isinstance(fact.value, Paging) and isinstance(expected, dict):
        return "right" if all(getattr(fact.value, name) == value for name, value in expected.items()) else "wrong"
    return "right" if fact.value == expected else "wrong"


def reading_of(file: str) -> Reading:
    top, _, below = file.partition("/")
    document = read_document(SPECS / file, folder=SPECS / top if below else None)
    return Reading(build_api(document).api, document)


@needs_shared
def test_facts_are_those_a_person_found(capsys: pytest.CaptureFixture[str]):
    counts: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    sure: list[str] = []
    operations = 0
    for file, known in truth().items():
        reading = reading_of(file)
        for id, expected in known.items():
            operation = reading.api.operation(id)
            assert operation is not None, (file, id)
            operations += 1
            found = infer_facts(reading, operation)
            for kind in KINDS:
                if kind not in expected:
                    continue
                fact = found.get(kind)  # type: ignore[call-overload]
                outcome = judged(fact, expected[kind])
                counts[kind, outcome] += 1
                if outcome != "right":
                    wrong.append(f"{file} {id}: {kind} {outcome}: {fact.value if fact else None}, not {expected[kind]}")
                if outcome == "wrong" and fact is not None and fact.confidence > 0.9:
                    sure.append(wrong[-1])
    with capsys.disabled():
        print(f"\n{operations} operations of {len(truth())} published descriptions")
        print(f"{'':10}{'right':>7}{'wrong':>7}{'missing':>9}")
        for kind in KINDS:
            print(
                f"{kind:10}"
                + "".join(
                    f"{counts[kind, outcome]:>{width}}"
                    for outcome, width in (("right", 7), ("wrong", 7), ("missing", 9))
                )
            )
        print("\n".join(wrong))
    assert operations >= 60
    assert len(truth()) >= 30
    assert sure == []
    for kind in ("records", "paging", "identity"):
        assert counts[kind, "wrong"] <= 3
        assert counts[kind, "missing"] <= 3


def test_truth_names_kinds_that_are_compared():
    """Runs without the published files: a misspelt kind would never be judged."""
    for known in truth().values():
        for expected in known.values():
            assert set(expected) <= set(KINDS)
