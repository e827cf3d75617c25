from __future__ import annotations

from pathlib import Path

import pytest

from tests.render.plans import plan
from vitesse.plan.model import Plan
from vitesse.render import render_package
from vitesse.verify import VerifiedPackage, expect, verify_package

TEMPLATE = Path(__file__).resolve().parents[2] / "runtime_template"


def build(plan: Plan) -> VerifiedPackage:
    return verify_package(render_package(plan, TEMPLATE), expect(plan, TEMPLATE))


@pytest.fixture(scope="session")
def template() -> Path:
    return TEMPLATE


@pytest.fixture(scope="session")
def verified() -> VerifiedPackage:
    return build(plan())


@pytest.fixture(scope="session")
def smaller() -> VerifiedPackage:
    """The same integration after its custom file is gone and its intent was put otherwise."""
    from dataclasses import replace

    from vitesse.plan.model import Read

    before = plan()
    mapper = before.mappers[0]
    fields = (replace(mapper.body.fields[0], value=Read(variable="src", names=("email",))), *mapper.body.fields[1:])
    mapper = replace(
        mapper,
        imports=tuple(wanted for wanted in mapper.imports if wanted.module != "custom.dates"),
        body=replace(mapper.body, fields=fields),
    )
    return build(replace(before, copied=(), mappers=(mapper,), intent="Sync customers"))
