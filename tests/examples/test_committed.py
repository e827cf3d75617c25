"""What is committed under `generated/` is what compiling the examples gives."""

from __future__ import annotations

import pytest

from tests.examples.conftest import EXAMPLES
from tests.shared import REPOSITORY
from vitesse.cli.group import run

ALL = sorted(path.parent.name for path in EXAMPLES.glob("*/integration.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_committed_package_is_what_compiling_gives(name: str) -> None:
    assert run(["check", str(EXAMPLES / name), "--out", str(REPOSITORY / "generated")]) == 0


def test_every_committed_package_has_its_example() -> None:
    packages = sorted(path.parent.name for path in (REPOSITORY / "generated").glob("*/vitesse.lock"))
    assert packages == ALL
