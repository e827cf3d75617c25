"""The figures of docs/mapping.md are those of the committed results, and the benchmark takes any folder of cases."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mapping import __main__ as command
from benchmarks.mapping.page import AIMS, PAGE, committed, figures, with_figures

CASE: dict[str, Any] = {
    "id": "made-up-contacts",
    "intent": "Sync people.",
    "source": {
        "name": "person",
        "fields": [
            {"path": "given_name"},
            {"path": "mail", "type": "string"},
            {"path": "created_at", "type": "string"},
        ],
    },
    "destination": {
        "name": "contact",
        "fields": [{"path": "first_name"}, {"path": "email", "type": "string"}, {"path": "x_17"}, {"path": "名前"}],
    },
    "mappings": [{"source": ["mail"], "destination": "email", "transform": "mapping"}],
}


def test_page_is_what_the_committed_results_give() -> None:
    """Changed results, or a figure typed by hand, need `python -m benchmarks.mapping.page`."""
    text = PAGE.read_text("utf-8")
    assert with_figures(text, committed()) == text


def test_every_aim_is_measured() -> None:
    """An aim without its figure would be a promise."""
    assert {name for _, name, _, _ in AIMS} <= set(committed())
    assert "not measured" not in figures(committed())


@pytest.mark.parametrize("fields", [CASE["source"]["fields"], []])
def test_command_writes_both_files_for_any_folder(
    fields: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a scorer, an origin or a domain, and with a side that has no fields."""
    (tmp_path / "cases").mkdir()
    case = {**CASE, "source": {"name": "person", "fields": fields}}
    (tmp_path / "cases" / "one.json").write_text(json.dumps(case))
    monkeypatch.setattr(sys, "argv", ["mapping", "--cases", str(tmp_path / "cases"), "--out", str(tmp_path / "out")])
    command.main()
    predictions = json.loads((tmp_path / "out" / "predictions.json").read_text())["made-up-contacts"]
    ranked = json.loads((tmp_path / "out" / "ranked.json").read_text())["made-up-contacts"]
    found = {one["destination"]: (one["source"], one["transform"]) for one in predictions}
    assert found == ({"first_name": (["given_name"], "mapping"), "email": (["mail"], "mapping")} if fields else {})
    assert all(0 <= one["confidence"] <= 1 for one in predictions)
    assert len(ranked) == len(fields) * 4
