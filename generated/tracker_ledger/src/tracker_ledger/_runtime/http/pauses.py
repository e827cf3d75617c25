"""Schedules that wait because a sign-in was refused: asking every hour again would change nothing, and lock accounts.

A schedule goes on when the credential is another one (its file was replaced, somebody signed in), when a run that a person
started went well, and once after a restart. All of it is read from the state, so replicas agree.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..clock import Clock
from ..state import State
from .auth import Authenticator

log = logging.getLogger(__name__)


class AuthPause:
    """Which streams wait for a sign-in."""

    def __init__(self, state: State, clock: Clock, credentials: Sequence[tuple[str, Authenticator]]) -> None:
        self._state = state
        self._credentials = credentials
        self._started_at = clock.now()
        self._seen: dict[str, tuple[str, tuple[int, ...]]] = {}
        self.reasons: dict[str, str] = {}
        """Stream → why it waits."""

    async def holds(self, stream: str) -> bool:
        """Whether the schedule of a stream waits now. Cheap: asked at each due moment, and by metrics."""
        if await self._waits(stream):
            return True
        self.reasons.pop(stream, None)
        self._seen.pop(stream, None)
        return False

    async def _waits(self, stream: str) -> bool:
        runs = await self._state.call(lambda: self._state.runs.latest(stream, limit=5))
        run = next((each for each in runs if not each["dry_run"] and each["state"] != "running"), None)
        if run is None or run["failure"] != "auth" or run["started_at"] < self._started_at:
            return False
        for _, auth in self._credentials:
            auth.reload()
        now = tuple(auth.generation for _, auth in self._credentials)
        seen_id, before = self._seen.setdefault(stream, (run["id"], now))
        if seen_id != run["id"]:
            self._seen[stream] = run["id"], now
        elif before != now:
            return False
        for name, auth in self._credentials:
            if auth.is_fetched:
                row = await self._state.call(lambda name=name: self._state.tokens.get(name))  # type: ignore[misc]
                if not row.needs_sign_in and row.updated_at > (run["ended_at"] or 0.0):
                    return False
        if stream not in self.reasons:
            log.error("the schedule of %s waits for a sign-in: %s", stream, run["error"])
        self.reasons[stream] = run["error"] or "a credential was refused"
        return True
