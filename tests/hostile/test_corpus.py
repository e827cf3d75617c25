"""The corpus of hostile documents that lies with the shared test data: a seeded sample of it; all of it by `make hostile`."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from tests.shared import SHARED

from .corpus import read_corpus
from .judge import baseline_files, judge

CORPUS = SHARED / "security" / "malicious_specs.json"
SAMPLE = 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CORPUS.is_file(),
        reason="the corpus of hostile documents: no folder `shared` beside the repository or at VITESSE_SHARED",
    ),
]


def test_sample_of_the_corpus_stays_data_or_is_refused(tmp_path: Path) -> None:
    """By the acceptance rule, run for real. `HOSTILE_SEED` draws another sample."""
    seed = os.environ.get("HOSTILE_SEED", "1")
    ids = sorted(entry["id"] for entry in json.loads(CORPUS.read_text("utf-8")))
    drawn = frozenset(random.Random(seed).sample(ids, SAMPLE))
    cases = read_corpus(CORPUS, tmp_path, drawn)
    baselines = baseline_files(cases[0], tmp_path)
    failed = {
        case.id: found.faults for case in cases if (found := judge(case, tmp_path, baselines)).outcome == "failed"
    }
    assert failed == {}, f"seed {seed}"
