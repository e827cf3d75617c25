"""What tests of several rooms share: published specs that are no part of the repository, and a package proving itself.

`VITESSE_SHARED` names the folder; without it, a folder `shared` beside the repository's. Tests that need it skip and say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("VITESSE_SHARED") or REPOSITORY.parent / "shared")

WIRE = {"WIRE": os.environ["TEST_WIRE"]} if os.environ.get("TEST_WIRE") else {}
"""For the environment of a package: `TEST_WIRE=fast pytest tests/faults` runs tests over the other wire."""

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason=f"published test data: no folder {SHARED.name!r} beside the repository or at VITESSE_SHARED",
)


def prove_by_its_own_tests(package: Path, tests: str = "tests") -> None:
    """Run the tests that were compiled into a package, where neither Vitesse nor the runtime's sources are on the path."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MYPYPATH")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests],
        cwd=package,
        env={**environment, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def put_first(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import a built package from here on, whatever another test has imported under its name."""
    [name] = [folder.name for folder in (package / "src").iterdir() if (folder / "__init__.py").exists()]
    for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.syspath_prepend(str(package / "src"))
