"""`python -m benchmarks.mapping --llm` runs against any server of the protocol, keeps the answers and uses them again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mapping.__main__ import main
from tests.mapper.llm.server import picks, serving

CASE: dict[str, Any] = {
    "id": "made-shop-customer",
    "origin": "made",
    "domain": "crm",
    "source": {
        "name": "customer",
        "fields": [{"path": path, "type": "string"} for path in ("email", "colour", "remark", "shape", "taste")],
    },
    "destination": {
        "name": "person",
        "fields": [{"path": "email", "type": "string"}, {"path": "dossier", "type": "string"}],
    },
    "mappings": [
        {"source": ["email"], "destination": "email", "transform": "direct"},
        {"source": ["remark"], "destination": "dossier", "transform": "mapping"},
    ],
}


def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> dict[str, Any]:
    cases = tmp_path / "cases"
    cases.mkdir(exist_ok=True)
    (cases / "made-shop-customer.json").write_text(json.dumps(CASE))
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["mapping", "--cases", str(cases), "--out", str(out), *more])
    monkeypatch.setenv("VITESSE_LLM_API_KEY", "key")
    main()
    found = json.loads((out / "predictions.json").read_text())["made-shop-customer"]
    return {one["destination"]: one["source"] for one in found}


def test_mapping_with_a_model_uses_its_picks_and_then_their_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run sends nothing."""
    offline = ran(tmp_path, monkeypatch)
    assert offline["email"] == ["email"]
    with serving(lambda request: picks(request, {"email": "email", "dossier": "remark"})) as server:
        options = ("--llm", "--model", "m", "--llm-url", server.url)
        first = ran(tmp_path, monkeypatch, *options)
        assert len(server.requests) == 1
        again = ran(tmp_path, monkeypatch, *options)
        assert len(server.requests) == 1
    assert first == again == {**offline, "dossier": ["remark"]}


def test_mapping_with_an_estimate_sends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And scores without a model."""
    ran(tmp_path, monkeypatch, "--llm", "--model", "m", "--llm-url", "http://127.0.0.1:9/v1", "--estimate")
    assert "1 request to m about 2 fields" in capsys.readouterr().out
