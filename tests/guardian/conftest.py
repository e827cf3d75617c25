"""A package to examine: the example, built once for all tests of this folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.shared import REPOSITORY
from vitesse.guardian.environment import Environment
from vitesse.workflow.build import build_integration


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of examples/tracker_ledger, as a draft: it needs no plugin and has every kind of rule."""
    root = tmp_path_factory.mktemp("guardian")
    shutil.copytree(REPOSITORY / "examples" / "tracker_ledger", root / "tracker_ledger")
    build_integration(root / "tracker_ledger", root / "package", draft=True, discard=False)
    return root / "package"


@pytest.fixture
def package(built: Path, tmp_path: Path) -> Path:
    """A copy of it that may be changed."""
    return Path(shutil.copytree(built, tmp_path / "package"))


@pytest.fixture
def here() -> Environment:
    """This interpreter in place of a clean one: it has the packages' dependencies, and sees the compiler on no path."""
    return Environment(Path(sys.executable))
