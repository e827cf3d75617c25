"""Promises of `doctor` about streams that go both ways."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from runtime.doctor import examine
from tests.runtime.two_way import Between


@pytest.mark.parametrize("is_turned", [False, True])
async def test_doctor_asks_each_side_by_what_lists_its_records(tmp_path: Path, is_turned: bool) -> None:
    """The destination of a pair is listed by the direction that goes back, whichever of the two is declared first."""
    world = Between(f"sqlite:///{tmp_path / 's.db'}")
    integration = replace(world.integration, streams=world.integration.streams[:: -1 if is_turned else 1])
    transports = httpx.MockTransport(world.shop), httpx.MockTransport(world.ledger)
    checks = await examine(integration, {"DATABASE_URL": world.url}, transports=transports)
    world.state.close()
    assert [(check.name, check.is_ok, check.text) for check in checks if check.name in ("Shop", "Ledger")] == [
        ("Shop", True, "answers to GET /items (0 records)"),
        ("Ledger", True, "answers to GET /items (0 records)"),
    ]
    assert world.shop.requests == world.ledger.requests == [("GET", "/items")]
