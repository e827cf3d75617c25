"""Faults on the way to a package: a model that proposes nonsense or is away, and surroundings that differ."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.faults.rows import fault
from tests.mapper.llm.conftest import nothing_from_this_machine
from tests.mapper.llm.server import serving
from tests.mapper.llm.test_failures import FAILURES, HOSTILE, codes, offline
from tests.mapper.llm.test_map_with_model import DAY, asking, files, folder
from tests.shared import REPOSITORY
from vitesse.workflow.map import map_streams

__all__ = ["folder", "nothing_from_this_machine"]

CODE = "__import__('os').system('touch planted')"
PROPOSALS = {
    **HOSTILE,
    "code as a transform": [{"destination": "email", "sources": ["email"], "use": {"transform": CODE}}],
    "code as a source": [{"destination": "email", "sources": [CODE], "use": {"transform": "mapping"}}],
    "a template that runs": [
        {
            "destination": "email",
            "sources": ["email"],
            "use": {"transform": "template", "template": "{{ 7 * 7 }}{email.__class__}"},
        }
    ],
    "a field that is not there": [{"destination": "no_such", "sources": ["email"], "use": {"transform": "mapping"}}],
}


@fault("llm-bad-mapping")
@pytest.mark.parametrize("name", PROPOSALS)
def test_llm_bad_mapping_is_refused_with_a_reason_and_never_run(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What does not fit the closed form is told, asked for again, then done without: the mapping is what names propose."""
    monkeypatch.chdir(tmp_path)
    expected = offline(folder)
    with serving(lambda request: json.dumps({"answers": PROPOSALS[name]})) as server:
        run = asking(server.url)
        map_streams(folder, on=DAY, model=run)
    run.close()
    assert files(folder)["customers.yaml"] == expected
    assert set(codes(run)) == {"V465"}
    assert not (tmp_path / "planted").exists()


@fault("llm-down")
@pytest.mark.parametrize("name", FAILURES)
def test_llm_down_leaves_the_matchers_own_proposal_and_says_so(folder: Path, name: str) -> None:
    """Slow, silent, broken, busy, no JSON: the same bytes as without a model, and a warning with a code."""
    behaviour, code, why = FAILURES[name]
    expected = offline(folder)
    with serving(behaviour) as server:
        run = asking(server.url, timeout_s=1.0 if name in ("slow", "dripping") else 30.0, attempts=2)
        map_streams(folder, on=DAY, model=run)
    run.close()
    assert files(folder)["customers.yaml"] == expected
    assert set(codes(run)) == {code}
    assert why in run.found[0].message


SURROUNDINGS = {
    "seed 0": {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
    "seed 1, ASCII, Tokyo": {"PYTHONHASHSEED": "1", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Tokyo"},
    "seed 2, Turkish, Kiritimati": {"PYTHONHASHSEED": "2", "LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati"},
}  # fmt: skip


@fault("gen-determinism")
@pytest.mark.slow
@pytest.mark.parametrize("example", ["shopify_credo", "tracker_ledger"])
def test_gen_determinism_in_other_surroundings_the_bytes_are_the_same(tmp_path: Path, example: str) -> None:
    """Another hash seed, locale, zone, folder and order of the files: what is committed, byte for byte."""
    digests = {}
    for number, (name, surroundings) in enumerate(SURROUNDINGS.items()):
        source = REPOSITORY / "examples" / example
        integration = tmp_path / f"in {number}" / example
        for path in sorted(source.rglob("*"), reverse=bool(number % 2)):  # the order in which a folder lists its files
            if path.is_file() and "__pycache__" not in path.parts:
                (integration / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, integration / path.relative_to(source))
        out = tmp_path / f"out{number}"
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}}
        done = subprocess.run(
            [sys.executable, "-m", "vitesse", "build", str(integration), "--out", str(out)],
            cwd=tmp_path, env={**kept, "PYTHONPATH": str(REPOSITORY / "compiler"), **surroundings}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        digests[name] = _digest(out)
    assert len(set(digests.values())) == 1, digests


def _digest(folder: Path) -> str:
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()
