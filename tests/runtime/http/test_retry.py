"""The retry rules row by row, and what Retry-After means."""

from __future__ import annotations

import pytest

from runtime.errors import (
    ApiError,
    BodyTooLarge,
    ConnectFailed,
    DeadlineExceeded,
    DecodeError,
    IntegrationError,
    RedirectRefused,
    TlsFailed,
    TransportError,
    Truncated,
    kind_of,
)
from runtime.http.retry import RetryBudget, RetryPolicy, is_worth_retrying, may_have_acted, may_resend, retry_after_s

STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


def refused(status: int) -> ApiError:
    return kind_of(status)(status=status, operation="POST /x")


ROWS: list[tuple[IntegrationError, bool, bool]] = [
    # the error of a write, may it have been carried out, is another attempt worth it
    (ConnectFailed("x"), False, True),
    (TransportError("x", sent=False), False, True),
    (TransportError("x", sent=None), True, True),
    (TransportError("x", sent=True), True, True),
    (DeadlineExceeded("x", sent=None), True, True),
    (DeadlineExceeded("x", sent=False), False, True),
    (BodyTooLarge("x"), True, False),
    (TlsFailed("x"), False, False),
    (Truncated("x"), True, True),
    (DecodeError("x"), True, False),
    (RedirectRefused("x", status=302, location=""), False, False),
    (refused(400), False, False),
    (refused(401), False, False),
    (refused(404), False, False),
    (refused(408), False, True),
    (refused(409), False, False),
    (refused(422), False, False),
    (refused(425), False, True),
    (refused(429), False, True),
    (refused(500), True, True),
    (refused(501), False, False),
    (refused(502), True, True),
    (refused(503), True, True),
    (refused(504), True, True),
]


@pytest.mark.parametrize(("error", "acted", "worth"), ROWS, ids=lambda value: str(value)[:30] or None)
def test_rules_of_a_write(error: IntegrationError, acted: bool, worth: bool) -> None:
    """A write is sent again when that is worth it and it surely was not carried out, or doing it twice does no harm."""
    assert may_have_acted("POST", error) is acted
    assert is_worth_retrying(error, STATUSES) is worth
    assert may_resend("POST", error, repeatable=False) is not acted
    assert may_resend("POST", error, repeatable=True)


@pytest.mark.parametrize("error", [row[0] for row in ROWS])
def test_read_acts_on_nothing(error: IntegrationError) -> None:
    """A GET may always be sent again, and its failures are never unknown outcomes."""
    assert not may_have_acted("GET", error)
    assert may_resend("GET", error, repeatable=False)


DATE = "Tue, 14 Nov 2023 22:13:20 GMT"  # 1 700 000 000


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT", "date": "Tue, 14 Nov 2023 22:13:45 GMT"}, 5),
        ({"retry-after": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0),
        ({"retry-after": "Tue, 14 Nov 9999 22:00:00 GMT"}, 86_400),
        ({"retry-after": "1000000000000"}, 86_400),
        ({"retry-after": "1e99"}, 86_400),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "7 seconds"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "9" * 5000}, 86_400),
        ({}, None),
    ],
)
def test_retry_after_in_every_form(headers: dict[str, str], expected: float | None) -> None:
    """Seconds, dates against the server's own clock, garbage; never longer than a day."""
    assert retry_after_s(headers, 1_700_000_000.0) == expected


def test_backoff_doubles_has_full_jitter_and_a_cap() -> None:
    """Between nothing and base × 2^n, at most the cap."""
    policy = RetryPolicy(base_s=0.5, cap_s=30)
    assert [policy.backoff_s(n, 0.999999) for n in (1, 2, 3)] == pytest.approx([0.5, 1, 2], rel=1e-3)
    assert policy.backoff_s(1, 0.0) == 0
    assert policy.backoff_s(1000, 0.999999) <= 30


def test_backoff_never_undercuts_what_the_server_asked_for() -> None:
    """Retry-After is a floor, the jitter goes on top."""
    policy = RetryPolicy()
    assert policy.backoff_s(1, 0.0, at_least_s=7) == 7
    assert 7 < policy.backoff_s(5, 0.9, at_least_s=7) <= 8.7


def test_budget_lets_a_fifth_of_the_traffic_be_retries() -> None:
    """After the reserve, one retry for five requests."""
    budget = RetryBudget(0.2, 10)
    retries = 0
    for _ in range(1000):
        budget.deposit()
        retries += budget.withdraw()
    assert 200 <= retries <= 211
