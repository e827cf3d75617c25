"""The transactions of one run.

One stands between two groups: it holds the fates of the one that is done and the look-up and intents of the next. The checkpoint
moves with the fates, so it never passes a record whose fate is not durable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..state import State
from ..state.rows import Commit, Found, IntentRow, Lease, Look, NewChange, Outcomes
from .drift import Drift
from .report import Counts
from .requests import Request, write_down


class Journal:
    """Writes what a run has to remember, each time under its lease."""

    def __init__(
        self,
        stream: str,
        *,
        run_id: str,
        lease: Lease,
        state: State,
        counts: Counts,
        drift: Drift,
        ids: Callable[[], str],
        now: Callable[[], float],
        cancel: Callable[[], None],
    ) -> None:
        """`cancel` is called when a commit finds that somebody has asked for the run to end."""
        self._stream = stream
        self._run_id = run_id
        self._lease = lease
        self._state = state
        self._counts = counts
        self._drift = drift
        self._ids = ids
        self._now = now
        self._cancel = cancel
        self._step = 0
        self.pending: Outcomes | None = None
        """Fates that the next transaction writes."""
        self.not_before = 0.0
        """Intents are dated no earlier: what follows from those of an earlier run is newer, also when the clock was set back."""
        self.losing: Callable[[Sequence[Request]], list[NewChange]] | None = None
        """What requests are about to take away, where streams merge."""
        self._open: list[str] = []
        """Rows that the group under way has written down."""

    def begin_group(self) -> None:
        """Another group: what it writes down is open until its fates are known."""
        self._open = []

    def take_open(self) -> list[str]:
        """The intents of the group under way, whose fates are known now."""
        finished, self._open = self._open, []
        return finished

    async def commit(
        self, *, look: Look | None = None, plan: Callable[[Found], Sequence[IntentRow]] | None = None
    ) -> Found:
        """One transaction: what is pending, then the look-up, then the intents that `plan` makes of what it found."""
        self._step += 1
        self._counts.drift = self._drift.total
        if self._drift.is_waiting:
            self.pending = self.pending or Outcomes(stream=self._stream)
            self.pending.drift += self._drift.take(self._now())
        self._counts.check()
        work = Commit(
            run_id=self._run_id,
            lease=self._lease,
            step=self._step,
            counts=self._counts.as_columns(),
            outcomes=self.pending,
            look=look,
            plan=plan,
        )
        found = await self._state.call(lambda: self._state.store.commit(work))
        self.pending = None
        if found.is_cancelled:
            self._cancel()
        return found

    async def flush(self) -> None:
        """Write what is pending, if anything is."""
        if self.pending is not None or self._drift.is_waiting:
            await self.commit()

    async def write(self, outcomes: Outcomes) -> None:
        """Write outcomes now."""
        self.pending = outcomes
        await self.flush()

    async def note(self, requests: Sequence[Request]) -> None:
        """Write down requests before they are sent, where no look-up comes before them."""
        if requests:
            if self.losing is not None and (rows := self.losing(requests)):
                self.pending = self.pending or Outcomes(stream=self._stream)
                self.pending.changes += rows
            await self.commit(plan=lambda _: self.written_down(requests))

    def written_down(self, requests: Sequence[Request]) -> Sequence[IntentRow]:
        """The intents of requests that are about to be sent."""
        if not requests:
            return ()
        row = self.row(requests, "sending")
        self._open.append(row.id)
        return (row,)

    def row(self, requests: Sequence[Request], state: str, attempts: int = 0) -> IntentRow:
        """Requests as they are kept."""
        now = max(self._now(), self.not_before)
        return write_down(
            requests,
            row_id=self._ids(),
            stream=self._stream,
            run_id=self._run_id,
            now=now,
            state=state,
            attempts=attempts,
        )
