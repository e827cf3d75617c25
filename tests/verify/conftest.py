from __future__ import annotations

from pathlib import Path

import pytest

from tests.render.plans import plan
from vitesse.package import RenderedPackage
from vitesse.render import render_package
from vitesse.verify import Expectations, expect

TEMPLATE = Path(__file__).resolve().parents[2] / "runtime_template"


@pytest.fixture(scope="session")
def template() -> Path:
    return TEMPLATE


@pytest.fixture(scope="session")
def rendered() -> RenderedPackage:
    return render_package(plan(), TEMPLATE)


@pytest.fixture(scope="session")
def expectations() -> Expectations:
    return expect(plan(), TEMPLATE)
