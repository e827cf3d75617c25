"""The declared rate limit, kept as the vendor would keep it: a bucket that refills, 429 when it is empty."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from .form import RateLimitForm

_JITTER_S = 0.1
"""Requests that were paced may still bunch up on their way by this much; a vendor that counts by the second does not see it."""


class Bucket:
    """`burst` requests at once, `per_s` a second after that.

    Args:
        form: None lets every request pass.
        now: Seconds on the clock that the bucket refills by.
    """

    def __init__(self, form: RateLimitForm | None, now: Callable[[], float] = time.monotonic) -> None:
        self.form = form
        self._now = now
        self._left = float(form.burst) if form else 0.0
        self._seen_s = now()

    def fill(self) -> None:
        """Let a full burst pass again."""
        self._left, self._seen_s = float(self.form.burst) if self.form else 0.0, self._now()

    def take(self) -> tuple[bool, dict[str, str]]:
        """Whether one more request may pass now, and the headers that say how it stands."""
        form = self.form
        if form is None:
            return True, {}
        now_s = self._now()
        self._left = min(float(form.burst), self._left + (now_s - self._seen_s) * form.per_s)
        self._seen_s = now_s
        passes = self._left >= 1 - form.per_s * _JITTER_S
        if passes:
            self._left -= 1
        headers = {}
        if form.used_header:
            headers[form.used_header] = f"{form.burst - math.floor(self._left)}/{form.burst}"
        if form.remaining_header:
            headers[form.remaining_header] = str(math.floor(self._left))
        wait_s = max(1, math.ceil((1 - self._left) / form.per_s))
        if form.reset_header:
            headers[form.reset_header] = str(wait_s)
        if not passes:
            headers["Retry-After"] = str(wait_s)
        return passes, headers
