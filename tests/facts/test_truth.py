"""Inference beside what a person found in published descriptions: counts per kind, and nothing wrong that was sure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.shared import SHARED, needs_shared
from vitesse.api.facts import BatchResults, Fact, FactKind, Paging, RateLimit, Success, WebhookFact
from vitesse.ingest.infer import infer_facts
from vitesse.ingest.reading import Reading
from vitesse.openapi import build_api, read_document
from vitesse.yaml import read_yaml

HERE = Path(__file__).parent
SPECS = SHARED / "specs"
KINDS: tuple[FactKind, ...] = get_args(FactKind)
TRUTHS = ("truth", "second")


@dataclass
class Figures:
    """What became of one truth."""

    descriptions: int = 0
    operations: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)
    sure: list[str] = field(default_factory=list)
    """Wrong with a confidence over 0.9."""

    def table(self) -> str:
        kinds = [
            kind for kind in KINDS if any((kind, outcome) in self.counts for outcome in ("right", "wrong", "missing"))
        ]
        head = f"{'':12}{'right':>7}{'wrong':>7}{'missing':>9}"
        rows = [
            f"{kind:12}{self.counts[kind, 'right']:>7}{self.counts[kind, 'wrong']:>7}{self.counts[kind, 'missing']:>9}"
            for kind in kinds
        ]
        return "\n".join(
            [f"{self.operations} operations of {self.descriptions} published descriptions", head, *rows, *self.lines]
        )


def truth(name: str) -> dict[str, dict[str, dict[str, Any]]]:
    known: Any = read_yaml((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    return known


def judged(fact: Fact | None, expected: Any) -> str:
    """`right`, `wrong` or `missing`. Of values with members, those that a person wrote down are compared."""
    if isinstance(expected, list):
        outcomes = [judged(fact, one) for one in expected]
        return "right" if "right" in outcomes else outcomes[0]
    if fact is None:
        return "right" if expected is None else "missing"
    value = fact.value
    if isinstance(value, Success):
        return (
            "right"
            if expected == ("ok_2xx" if not value.path else {"path": value.path, "equals": value.equals})
            else "wrong"
        )
    if isinstance(value, WebhookFact) and isinstance(expected, dict):
        return "right" if set(expected["topics"]) <= set(value.topics) else "wrong"
    if isinstance(value, Paging | RateLimit | BatchResults) and isinstance(expected, dict):
        return "right" if all(getattr(value, name) == known for name, known in expected.items()) else "wrong"
    if isinstance(value, Mapping) and isinstance(expected, dict):
        return "right" if expected.items() <= value.items() else "wrong"
    return "right" if value == expected else "wrong"


def reading_of(file: str) -> Reading:
    top, _, below = file.partition("/")
    document = read_document(SPECS / file, folder=SPECS / top if below else None)
    return Reading(build_api(document).api, document)


def figures_of(name: str) -> Figures:
    found = Figures()
    for file, known in truth(name).items():
        reading = reading_of(file)
        found.descriptions += 1
        for id, expected in known.items():
            operation = reading.api.operation(id)
            assert operation is not None, (file, id)
            found.operations += 1
            facts = infer_facts(reading, operation)
            for kind in expected:
                fact = facts.get(kind)  # type: ignore[call-overload]
                outcome = judged(fact, expected[kind])
                found.counts[kind, outcome] += 1
                if outcome == "right":
                    continue
                said = f"{fact.value} ({fact.confidence})" if fact is not None else "nothing"
                found.lines.append(f"{file} {id}: {kind} {outcome}: {said}, not {expected[kind]}")
                if outcome == "wrong" and fact is not None and fact.confidence > 0.9:
                    found.sure.append(found.lines[-1])
    return found


@needs_shared
@pytest.mark.parametrize("name", TRUTHS)
def test_facts_are_those_a_person_found(name: str, capsys: pytest.CaptureFixture[str]):
    found = figures_of(name)
    with capsys.disabled():
        print(f"\n{name}: {found.table()}")
    assert found.operations >= 60
    assert found.descriptions >= 30
    assert found.sure == []
    for kind in ("records", "paging", "identity"):
        assert found.counts[kind, "wrong"] <= 3
        assert found.counts[kind, "missing"] <= 3


@pytest.mark.parametrize("name", TRUTHS)
def test_truth_names_kinds_that_there_are(name: str):
    """Runs without the published files: a misspelt kind would never be judged."""
    for known in truth(name).values():
        for expected in known.values():
            assert set(expected) <= set(KINDS)


def test_truths_have_every_kind():
    found = {
        kind for name in TRUTHS for known in truth(name).values() for expected in known.values() for kind in expected
    }
    assert found == set(KINDS)


def test_second_truth_has_no_operation_of_the_first_under_the_same_kind():
    """What a heuristic was made with proves nothing."""
    first, second = (truth(name) for name in TRUTHS)
    for file, known in second.items():
        for id, expected in known.items():
            assert not set(expected) & set(first.get(file, {}).get(id, {}))
