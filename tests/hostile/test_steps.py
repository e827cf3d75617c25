"""The commands, one after the other, on a few of our own hostile documents: files they write can be read, terminals obey nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from .corpus import read_corpus
from .judge import ENVIRON
from .steps import try_steps
from .test_own import CORPUS

IDS = frozenset({"str-field-quotes", "doc-description-of-document", "idn-opid-lines"})


@pytest.mark.slow
def test_commands_write_what_can_be_read_and_print_what_no_terminal_obeys(tmp_path: Path) -> None:
    """inspect, create, ingest, map, accept, build, check: no traceback, no call, no file elsewhere, each key once."""
    for case in read_corpus(CORPUS, tmp_path, IDS):
        (tmp_path / case.id).mkdir()
        assert try_steps(case, tmp_path / case.id, ENVIRON) == [], case.id
