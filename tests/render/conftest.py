from __future__ import annotations

from pathlib import Path

import pytest

from tests.render.plans import plan
from vitesse.package import RenderedPackage
from vitesse.render import render_package

TEMPLATE = Path(__file__).resolve().parents[2] / "runtime_template"


@pytest.fixture(scope="session")
def template() -> Path:
    return TEMPLATE


@pytest.fixture(scope="session")
def rendered() -> RenderedPackage:
    return render_package(plan(), TEMPLATE)


@pytest.fixture(scope="session")
def folder(rendered: RenderedPackage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package on disk."""
    root = tmp_path_factory.mktemp("package")
    for file in rendered.files:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    return root
