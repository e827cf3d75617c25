"""The pieces of one run that writes, put together.

Each piece has one job and is told here what else it needs; what carries a run out (`run`, `groups`, `earlier`, `reconcile`,
`rollback`, `partitions`) takes them from here.
"""

from __future__ import annotations

from typing import Any

from ..declare import Stream
from ..mask import Mask
from ..state.rows import Checkpoint, Lease
from .adopt import Adopter, MatchIndex
from .conflicts import Merger
from .deletes import Remover, taker_away
from .drift import Drift
from .errors import Cancelled
from .fates import Fates
from .items import Reader
from .journal import Journal
from .letters import Letters
from .linking import Linker
from .pages import fixed_params
from .parents import ParentReader
from .parts import Part
from .passes import Pass, RunRequest
from .surroundings import Surroundings
from .tally import Tally
from .workers import Workers
from .write import Writer


class Tools:
    """What one run reads, writes, counts and remembers with."""

    def __init__(
        self,
        stream: Stream[Any, Any],
        request: RunRequest,
        point: Checkpoint,
        *,
        run_id: str,
        lease: Lease,
        around: Surroundings,
        forward: Stream[Any, Any] | None,
        backward: Stream[Any, Any] | None,
        part: Part | None,
        together: int,
    ) -> None:
        self.stream = stream
        self.request = request
        self.run_id = run_id
        self.lease = lease
        self.around = around
        self.state = around.state
        self.part = part
        self.together = together
        """Records that share one transaction."""
        self.is_cancelled = False
        self.progress = Pass(stream, point, request, now=around.clock.now())
        self.drift = Drift(stream, run_id=run_id)
        self.reader: Reader[Any, Any] = Reader(stream, self.drift)
        self.parents = ParentReader(stream, self.reader, around.state, around.fetch) if stream.lookups else None
        self.tally = Tally(stream.max_dead_share)
        self.letters = Letters(
            stream=stream.name,
            run_id=run_id,
            mapping=stream.mapping_digest,
            redactor=around.settings.redactor,
            mask=Mask(stream.mask),
        )
        self.journal = Journal(
            stream.name,
            run_id=run_id,
            lease=lease,
            state=around.state,
            counts=self.tally.counts,
            drift=self.drift,
            ids=around.ids,
            now=around.clock.now,
            cancel=self.cancel,
        )
        self._fixed = fixed_params(stream.destination.parameters, around.settings.text)
        self.index = MatchIndex(stream.name, around.state, lease, is_used=point.indexed_at is not None)
        self.adopter = Adopter(
            stream,
            around.destination,
            self._fixed,
            put_index=self.index.put,
            ask_index=self.index.ask,
            lag=around.lag,
        )
        self.merger = self._merging(forward, backward) if forward is not None else None
        if self.merger is not None:
            self.journal.losing = self.merger.losing
        self.fates = Fates(
            stream,
            run_id=run_id,
            state=around.state,
            journal=self.journal,
            letters=self.letters,
            merger=self.merger,
            ids=around.ids,
            now=around.clock.now,
        )
        options = around.settings.options
        self.workers = Workers(options.max_concurrent, self.tally.judge)
        self.linker = Linker(
            stream,
            around.destination,
            self._fixed,
            self.adopter,
            self.workers,
            owner_of=self._owner_of,
            written_at=self._written_at,
        )
        self.writer = Writer(
            stream,
            around.destination,
            self._fixed,
            self.adopter,
            self.linker,
            self.workers,
            ids=around.ids,
            note=self.journal.note,
            excerpt=around.settings.redactor.excerpt,
            drift=self.drift,
            batch_size=options.batch_size if backward is None else 1,  # a batch's reply does not show its records
            merger=self.merger,
        )
        self.remover = self.writer.remover = self._removing()

    def cancel(self) -> None:
        """End at the next safe place: nothing more is sent, what is under way is waited for and recorded."""
        if not self.is_cancelled:
            self.is_cancelled = True
            self.workers.halt(Cancelled())

    def _merging(self, forward: Stream[Any, Any], backward: Stream[Any, Any] | None) -> Merger:
        around = self.around
        return Merger(
            self.stream,
            forward,
            backward,
            session=around.destination,
            fixed=self._fixed,
            adopter=self.adopter,
            state=self.state,
            run_id=self.run_id,
            ids=around.ids,
            now=around.clock.now,
            workers=around.settings.options.max_concurrent,
            answers=self.request.answers,
        )

    def _removing(self) -> Remover | None:
        """What sends deletes: of a stream that deletes what is gone, or of one whose creations can be put back."""
        stream, writer = self.stream, self.writer
        if stream.deletes is not None:
            return Remover(
                stream,
                self.around.destination,
                self._fixed,
                locate=self.adopter.locate,
                replacement=writer.replacement,
                keep_before=writer.keep_before if stream.rollback else None,
                refused=self.workers.refused,
            )
        if stream.rollback and stream.destination.delete is not None:
            return taker_away(
                stream,
                self.around.destination,
                self._fixed,
                locate=self.adopter.locate,
                replacement=writer.replacement,
                refused=self.workers.refused,
            )
        return None

    async def _written_at(self, source_id: str) -> float | None:
        if self.merger is not None:
            return self.merger.written_at(source_id)
        return await self.state.call(lambda: self.state.store.written_at(self.stream.name, source_id))

    async def _owner_of(self, destination_id: str) -> str | None:
        if self.merger is not None:
            return await self.merger.owner_of(destination_id)
        return await self.state.call(lambda: self.state.store.owner_of(self.stream.name, destination_id))
