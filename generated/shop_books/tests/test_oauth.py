"""Tokens that are fetched: expiry in the middle of a run, a refresh token that changes with each refresh, a sign-in taken back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import Bench
from tests.package import INTEGRATION

SIDES = [side for side in ("source", "destination") if type(getattr(INTEGRATION, side).auth).__name__ == "OAuth2"]
pytestmark = pytest.mark.skipif(not SIDES, reason="neither API signs in with OAuth2")


@pytest.fixture(params=SIDES or ["neither"])
def mock(request: pytest.FixtureRequest, bench: Bench) -> Any:
    return getattr(bench, request.param)


async def test_one_token_is_fetched_for_a_run_and_the_next_run_takes_it(bench: Bench, mock: Any) -> None:
    first = await bench.run()
    second = await bench.run()

    assert first.state in ("done", "partial")
    assert second.state in ("done", "partial")
    assert mock.tokens.asked == [200]


async def test_token_that_expires_in_a_run_is_refreshed_once_and_nothing_is_lost(bench: Bench, mock: Any) -> None:
    await bench.run()
    mock.tokens.expire()
    report = await bench.run(resync=True)

    assert report.state in ("done", "partial")
    assert report.counts.read == len(bench.source_records)
    assert mock.tokens.asked == [200, 200]
    assert mock.tokens.reused == 0


async def test_sign_in_that_was_taken_back_ends_the_run_and_is_not_asked_for_again(bench: Bench, mock: Any) -> None:
    await bench.run()
    mock.tokens.expire()
    mock.tokens.revoked = True
    effects = bench.effects
    for _ in range(3):
        report = await bench.run(resync=True)
        assert (report.state, report.failure, report.exit_code) == ("failed", "auth", 1)
        assert "invalid_grant" in report.error

    assert bench.effects == effects
    assert [status for status in mock.tokens.asked if status != 200] == [400]
