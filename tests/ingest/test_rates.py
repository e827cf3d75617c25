"""How fast an API may be asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingest.small import listing
from vitesse.api.facts import RateLimit

TEXT = {"schema": {"type": "string"}}


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("The rate limit is 2 requests per second with bursts of 40.", RateLimit(per_s=2, burst=40)),
        ("Rate limits: 600 requests are served per minute.", RateLimit(per_s=10)),
        ("API calls are limited to 150 requests per 5 seconds.", RateLimit(per_s=30)),
        ("Requests are throttled at 10 requests/second.", RateLimit(per_s=10)),
        ("Rate limits:<br>Burst: `10/s`<br>Steady: `150/m`", RateLimit(per_s=2.5, burst=10)),
        ("**Usage Plan:**\n\n| Rate (requests per second) | Burst |\n| ---- | ---- |\n| 0.5 | 30 |", RateLimit(per_s=0.5, burst=30)),
        ("You may create up to 100 things per day and 5 per page.", None),
        ("Too many requests are answered with 429.", None),
        ("Tokens expire in 30 minutes.", None),
    ],
)  # fmt: skip
def test_rate_in_prose_is_found(tmp_path: Path, text: str, limit: RateLimit | None):
    fact = listing(tmp_path, description=text).get("rate_limit")
    assert (fact.value if fact else None) == limit


def test_rate_of_the_whole_api_is_found(tmp_path: Path):
    info = {
        "title": "t",
        "version": "1",
        "description": "Hello.\n\n" + "x" * 5000 + "\n\nThe rate limit is 4 requests per second.",
    }
    fact = listing(tmp_path, info=info)["rate_limit"]
    assert (fact.value, fact.at) == (RateLimit(per_s=4), "#/info/description")


def test_two_rates_are_a_question(tmp_path: Path):
    fact = listing(
        tmp_path, description="Rate limits are 100 requests per second, or 10 requests per second in test mode."
    )
    assert (fact["rate_limit"].value, fact["rate_limit"].confidence < 0.8) == (RateLimit(per_s=10), True)


def test_headers_are_named_when_there_is_a_rate(tmp_path: Path):
    headers = {"X-RateLimit-Remaining": TEXT, "X-RateLimit-Reset": TEXT, "X-Shop-Api-Call-Limit": TEXT}
    fact = listing(tmp_path, description="Limit: 2 requests per second.", headers=headers)["rate_limit"]
    assert fact.value == RateLimit(
        per_s=2,
        used_header="X-Shop-Api-Call-Limit",
        remaining_header="X-RateLimit-Remaining",
        reset_header="X-RateLimit-Reset",
    )
    assert "rate_limit" not in listing(tmp_path, headers=headers)


def test_known_extensions_are_read_and_no_other(tmp_path: Path):
    known = {"x-klaviyo-ratelimit": {"burst": "75/s", "steady": "750/m"}}
    assert listing(tmp_path, **known)["rate_limit"].value == RateLimit(per_s=12.5, burst=75)
    assert listing(tmp_path, **{"x-ratelimit": {"requests": 30, "seconds": 60}})["rate_limit"].value == RateLimit(
        per_s=0.5
    )
    assert "rate_limit" not in listing(tmp_path, **{"x-my-limit": {"burst": "75/s"}})
