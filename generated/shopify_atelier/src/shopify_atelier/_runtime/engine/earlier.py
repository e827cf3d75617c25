"""What earlier runs left open → settled, before a run sends anything new."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import IntegrationError
from ..state.rows import IntentRow
from .recover import Recovery, Unresolved, answered, unresolved
from .requests import Request, open_requests, read_back
from .tools import Tools


class EarlierRuns:
    """Carries out what `Recovery` decides about the requests whose outcome nobody knows."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.in_doubt = 0
        """Records that this run sent again, and of which it does not know whether they were written."""

    async def settle(self) -> None:
        """Find out what became of them. What cannot be found out is remembered: the run leaves those records alone."""
        tools = self._tools
        stream, store, call, lease = tools.stream, tools.state.store, tools.state.call, tools.lease
        part = tools.part.key if tools.part is not None else ""
        rows = await call(lambda: store.take_intents(lease, stream.name, part))
        if not rows:
            return
        tools.journal.not_before = rows[-1].made_at + 0.001
        opened = [(row, read_back(row)) for row in rows]
        named = list({item.source_id for _, requests in opened for request in requests for item in request.items})
        if tools.merger is not None:
            by_name = await tools.merger.links_of(named)
        else:
            links = await call(lambda: store.links_of(stream.name, named))
            by_name = {link.source_id: link for link in links}
        found = unresolved(opened, by_name)
        request = tools.request
        entries = answered(found, not_there=request.not_there, settled=request.settled)
        clock, lag_s = tools.around.clock, tools.around.settings.options.destination_lag_s
        recovery = Recovery(
            stream,
            tools.adopter,
            ids=tools.around.ids,
            now=clock.now(),
            wait=lambda: clock.sleep(lag_s),
            merges=tools.merger is not None,
        )
        repeated: list[Request] = []
        fresh: list[Request] = []
        try:
            for entry in entries:
                again, anew = await recovery.requests(entry)
                repeated += again
                fresh += anew
        except IntegrationError:  # it could not be asked: that is no attempt
            await call(lambda: store.take_intents(lease, stream.name, part, attempts=-1))
            raise
        await tools.journal.note(fresh)
        tools.writer.repeated = {each.id for each in repeated}
        sent, stop = await tools.writer.send_all([*repeated, *fresh])
        items = [item for entry in found for item in entry.items]
        outcomes = tools.fates.outcomes(items)
        outcomes.finished += [row.id for row in rows]
        outcomes.unknown = self._still_unknown(entries, sent)
        given_up = [item for entry in entries if recovery.has_given_up(entry) for item in entry.items]
        outcomes.dead += [
            tools.letters.letter(item, letter_id=tools.around.ids(), now=clock.now())
            for item in given_up
            if item.fate == "unknown"
        ]
        tools.fates.lose(item for item in items if item.fate in (None, "unknown"))
        tools.tally.counts.resolved += len(items) - len(tools.fates.unknown)
        self.in_doubt = len({item.source_id for each in sent for item in each.items if item.fate == "unknown"})
        await tools.journal.write(outcomes)
        if stop is not None:
            raise stop

    def _still_unknown(self, entries: Sequence[Unresolved], sent: Sequence[Request]) -> list[IntentRow]:
        """What is open still: under its old row's age and attempts when it was not sent anew."""
        rows_of = {id(entry.request): entry.row for entry in entries}
        attempts_of = {id(item): entry.row.attempts for entry in entries for item in entry.items}
        by_age: dict[tuple[float, int], list[Request]] = {}
        for request in open_requests([*(entry.request for entry in entries), *sent], (None, "unknown")):
            row = rows_of.get(id(request))
            made_at = row.made_at if row is not None else self._tools.around.clock.now()
            attempts = max(attempts_of.get(id(item), 0) for item in request.items) + 1
            by_age.setdefault((made_at, attempts), []).append(request)
        return [
            self._tools.journal.row(requests, "unknown", attempts)._replace(made_at=made_at)
            for (made_at, attempts), requests in by_age.items()
        ]
