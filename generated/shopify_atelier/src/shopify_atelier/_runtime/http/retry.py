"""Whether a request is sent again, and when.

Exponential backoff with full jitter; `Retry-After` is a floor; retries are at most a share of the traffic. Reads may always
be sent again. A write is sent again only when it surely was not carried out, or when it carries an idempotency key, or when
the caller says that doing it twice is doing it once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from ..errors import (
    ANSWERED_BEFORE_ACTING,
    ApiError,
    BodyTooLarge,
    DecodeError,
    IntegrationError,
    ServerError,
    TransportError,
)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_RETRY_AFTER_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How persistent to be with one request."""

    max_attempts: int = 5
    base_s: float = 0.5
    cap_s: float = 30.0
    max_wait_s: float = 120.0
    """A wait longer than this is not for a request to make: the run ends and comes back."""
    give_up_after_s: float = 600.0
    """From the first attempt on."""
    budget_share: float = 0.2
    budget_reserve: int = 20

    def backoff_s(self, attempt: int, chance: float, *, at_least_s: float = 0.0) -> float:
        """Seconds to wait after attempt number `attempt` (from 1) failed. `chance` is in [0, 1)."""
        jittered = min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 32)) * chance
        # With a floor the jitter goes on top of it, or the whole herd would wake at one moment.
        return at_least_s + min(jittered, 0.1 * at_least_s + 1.0) if at_least_s else jittered


class RetryBudget:
    """Retries are at most a share of the requests, with a reserve to begin with."""

    __slots__ = ("_most", "_share", "_tokens")

    def __init__(self, share: float, reserve: int) -> None:
        self._share = share
        self._most = float(max(reserve, 1))
        self._tokens = float(reserve)

    def deposit(self) -> None:
        """A request was sent for the first time."""
        tokens = self._tokens + self._share
        self._tokens = tokens if tokens < self._most else self._most

    def withdraw(self) -> bool:
        """Take one retry. False when there is none left."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def may_have_acted(method: str, error: IntegrationError) -> bool:
    """Whether a write that ended in `error` may have been carried out. Reads act on nothing."""
    if method in SAFE_METHODS:
        return False
    match error:
        case TransportError():
            return error.sent is not False
        case ServerError():
            return error.status not in ANSWERED_BEFORE_ACTING
        case _:
            return isinstance(error, DecodeError)


def may_resend(method: str, error: IntegrationError, *, repeatable: bool) -> bool:
    """Whether sending the same bytes again can do no harm. `repeatable`: it has an idempotency key or is idempotent."""
    return repeatable or method in SAFE_METHODS or not may_have_acted(method, error)


def is_worth_retrying(error: IntegrationError, retry_statuses: frozenset[int]) -> bool:
    """Whether another attempt may end differently."""
    if isinstance(error, ApiError):
        return error.status in retry_statuses
    if isinstance(error, BodyTooLarge):
        return False
    return error.plain_failure() == "transient"


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """What `Retry-After` says in seconds from now; None when it says nothing that can be meant.

    A date is measured against the server's own `Date`, so that differing clocks do not matter. What lies in the past is 0;
    what is further than a day is cut to a day.

    Source:
        RFC 9110 §10.2.3.
    """
    if (text := headers.get("retry-after")) is None:
        return None
    text = text.strip()
    if text[:1].isdigit():
        try:
            seconds = float(text)
        except ValueError:
            return None
    else:
        moment, server = http_date_s(text), http_date_s(headers.get("date"))
        if moment is None:
            return None
        seconds = moment - (server if server is not None else now_s)
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S) if seconds == seconds else None


def http_date_s(text: str | None) -> float | None:
    """An HTTP date as seconds since 1970, or None."""
    if not text or len(text) > 64:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
