"""`python -m tests.mocks` prints where the mocks are and what to set, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.waiting import PATIENCE_S

from .forms import crm, shop

TEMPLATE = Path(__file__).resolve().parents[2] / "runtime_template"


def test_main_serves_both_and_prints_one_line_of_json(tmp_path: Path) -> None:
    (tmp_path / "source.json").write_text(json.dumps(shop()))
    (tmp_path / "destination.json").write_text(json.dumps(crm()))
    command = [sys.executable, "-m", "mocks", "--count", "40"]
    command += ["--source", str(tmp_path / "source.json"), "--destination", str(tmp_path / "destination.json")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(TEMPLATE)}
    ) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            request = urllib.request.Request(said["source"] + "/customers.json", headers={"X-Token": "mock-shop-token"})
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                assert len(json.load(answer)["customers"]) == 40
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0

    assert said["environment"] == {
        "SHOP_TOKEN": "mock-shop-token",
        "CRM_KEY": "mock-crm-key",
        "SHOP_BASE_URL": said["source"],
        "CRM_BASE_URL": said["destination"],
    }


def test_file_of_another_form_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "source.json").write_text('{"form": 9}')
    command = [sys.executable, "-m", "mocks", "--source", str(tmp_path / "source.json")]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(TEMPLATE)}, timeout=PATIENCE_S
    )

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "form 1 is read, this is 9" in done.stderr
