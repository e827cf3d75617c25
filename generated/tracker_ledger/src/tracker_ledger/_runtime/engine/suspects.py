"""Records that end the process when they are read: found by reading one by one, then left out as dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from ..http.paging import Picked
from ..state import State
from ..state.rows import Outcomes
from .items import Bad, Why
from .journal import Journal
from .letters import unnamed
from .passes import Pass

CRASHES = 3
"""Starts in a row that ended without a word, after which records are read one by one."""
SUSPECTED = 2
"""So often the process must end at one record, while records are read one by one, before that record is the cause."""
DEADLY = "reading it ended the process"
"""How the reason of such a dead letter begins: its record is not read again, unless somebody asks for it."""


def is_suspicious(progress: Pass) -> bool:
    """Whether so many starts ended without a word that a record may be the cause."""
    return progress.crashes >= CRASHES


class Suspects:
    """Counts the starts of one run's stream, and looks for the record that ends them."""

    def __init__(self, stream: str, progress: Pass, journal: Journal, state: State) -> None:
        self._stream = stream
        self._progress = progress
        self._journal = journal
        self._state = state
        self._suspect: str | None = None
        self._deadly: set[str] = set()
        """Names of the dead letters of records that ended the process when they were read."""
        self.is_one_by_one = False

    async def look_back(self) -> None:
        """Learn which records are not to be read again."""
        self._deadly = await self._state.call(lambda: self._state.dead_letters.named_for(self._stream, DEADLY))

    async def begin(self) -> None:
        """Count this start; read carefully when the ones before ended without a word."""
        if is_suspicious(self._progress):
            self._suspect = self._progress.suspect
            self.is_one_by_one = True
        is_new_pass = self._progress.is_reconciling and not self._progress.is_resumed
        await self._journal.write(
            Outcomes(stream=self._stream, checkpoint=self._progress.begun(), is_new_pass=is_new_pass)
        )

    async def passed(self) -> None:
        """A page is behind us. The next one is read in the old way: should it end the process, the next run begins there."""
        if self._progress.goes_on and self.is_one_by_one:
            await self._journal.flush()
            self.is_one_by_one = False

    async def left_out(self, raws: Sequence[bytes | Picked]) -> tuple[Sequence[bytes | Picked], list[Bad]]:
        """Take out what is not to be read; returns the others, and the dead."""
        bad: list[Bad] = []
        if self._deadly:
            bad = [_bad(raw) for raw in raws if unnamed(bytes(raw)) in self._deadly]
            raws = [raw for raw in raws if unnamed(bytes(raw)) not in self._deadly]
        if self.is_one_by_one and (spoiled := await self._suspected(raws)) is not None:
            return (), [spoiled, *bad]
        return raws, bad

    async def _suspected(self, raws: Sequence[bytes | Picked]) -> Bad | None:
        """Write down the name of the one record that is about to be read. The one that ended the process is not read again."""
        for raw in raws:
            digest = sha256(bytes(raw)).hexdigest()
            before, _, ended = (self._suspect or "").partition(":")
            times = int(ended or 1) if digest == before else 0
            if times >= SUSPECTED:
                return _bad(raw)
            await self._journal.flush()
            suspect = self._progress.suspecting(f"{digest}:{times + 1}")
            await self._journal.write(Outcomes(stream=self._stream, checkpoint=suspect))
        return None


def _bad(raw: bytes | Picked) -> Bad:
    reason = f"{DEADLY}, after {CRASHES + SUSPECTED} runs that did not end"
    return Bad(raw, None, None, Why("decode", "permanent_record", reason))
