"""What was written a moment ago may not be shown yet: how long to wait before it counts as not there."""

from __future__ import annotations

from ..clock import Clock


class Lag:
    """A destination that shows what was written after `seconds` at the latest."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self.seconds = seconds

    def now(self) -> float:
        """As the machine believes it, like the times at which links were written."""
        return self._clock.now()

    async def wait(self, written_at: float) -> bool:
        """Wait until what was written then is shown. False: it has been for long.

        What seems to have been written in the future, because a clock was set back, is waited for as if it had been just now.
        """
        left_s = min(written_at + self.seconds - self.now(), self.seconds)
        if left_s <= 0:
            return False
        await self._clock.sleep(left_s)
        return True
