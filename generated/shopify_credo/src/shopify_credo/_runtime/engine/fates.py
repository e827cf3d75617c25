"""The fates of a group → outcomes: links, dead letters, history, and what stays unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from ..declare import Stream
from ..state import State
from ..state.lifecycle import ALIAS
from ..state.rows import Checkpoint, Gone, Link, NewLink, Outcomes
from .conflicts import Merger
from .history import bases_of, changes_of
from .items import Bad, Item
from .journal import Journal
from .letters import Letters
from .requests import Request
from .versions import is_older

_link: Callable[[tuple[object, ...]], NewLink] = partial(tuple.__new__, NewLink)
"""A `NewLink` of its values in order, for a third of what calling it costs: there is one for each record."""


class Fates:
    """Makes the outcomes of one run's groups, and knows which records' outcomes are unknown."""

    def __init__(
        self,
        stream: Stream[Any, Any],
        *,
        run_id: str,
        state: State,
        journal: Journal,
        letters: Letters,
        merger: Merger | None,
        ids: Callable[[], str],
        now: Callable[[], float],
    ) -> None:
        self._stream = stream
        self._run_id = run_id
        self._state = state
        self._journal = journal
        self._letters = letters
        self._merger = merger
        self._ids = ids
        self._now = now
        self._has_dead = False
        self.unknown: set[str] = set()
        self.claimed: dict[str, str] = {}
        """Match digest → the record with it whose outcome is unknown: it may be there."""

    async def look_back(self) -> None:
        """Find out whether there are dead letters that a record may make good."""
        name = self._stream.name
        self._has_dead = await self._state.call(lambda: self._state.dead_letters.open_count(name)) > 0

    def outcomes(
        self,
        items: Sequence[Item],
        bad: Iterable[Bad] = (),
        *,
        renewed: dict[str, Link] | None = None,
        unknown: Sequence[Request] = (),
        checkpoint: Checkpoint | None = None,
    ) -> Outcomes:
        """What the state is to remember of a group.

        Args:
            renewed: Links of unchanged records that have a newer version.
            unknown: Requests that hold items whose outcome is unknown.
        """
        now, name = self._now(), self._stream.name
        outcomes = Outcomes(stream=name, checkpoint=checkpoint)
        dead: list[Item | Bad] = list(bad)
        changed = False
        run_id, has_matches = self._run_id, self._stream.mode != "append"
        for item in items:
            fate, destination_id = item.fate, item.destination_id
            rows = outcomes.links
            if fate == "dead":
                dead.append(item)
                continue
            if fate == "unchanged":
                rows = outcomes.kept  # nothing was written: who wrote it last, and when, stays
                if destination_id is None:
                    if renewed is None or (link := renewed.get(item.source_id)) is None:
                        continue
                    destination_id = link.destination_id
            elif fate == "deleted":
                outcomes.gone.append(Gone(now, b"", run_id, now, name, item.source_id))
                changed = True
                continue
            elif fate not in ("created", "updated", "restored"):
                changed = changed or (item.past is not None and item.past.kind is not None)
                continue
            known = item.link
            changed = changed or known is not None or fate != "created"
            source_id, match = item.source_id, item.match
            if match is not None and (known is None or known.match != match) and has_matches:
                outcomes.matches.append((match, source_id))
            rows.append(_link((name, source_id, destination_id, item.hash, item.version, match, run_id, now)))
        if self._merger is not None:
            self._merger.finish(items, outcomes)
        if changed:
            outcomes.changes = changes_of(self._stream, items, run_id=self._run_id, now=now)
        if self._merger is None and self._stream.keeps_base:
            outcomes.bases = bases_of(self._stream, items)
        if self._has_dead:
            outcomes.cleared = _cleared(items, dead)
        outcomes.dead = [self._letters.letter(entry, letter_id=self._ids(), now=now) for entry in dead]
        self._has_dead = self._has_dead or bool(dead)
        outcomes.finished = self._journal.take_open()
        if unknown:
            outcomes.unknown = [self._journal.row(unknown, "unknown")]
            self.lose(item for request in unknown for item in request.items if item.fate == "unknown")
        return outcomes

    def lose(self, items: Iterable[Item]) -> None:
        """Nobody knows what became of these; nothing is sent for them before that is found out."""
        for item in items:
            self.unknown.add(item.source_id)
            if item.match is not None:
                self.claimed[item.match] = item.source_id

    async def aliases(self, items: Sequence[Item]) -> list[NewLink]:
        """Records that are the same thing as another one: what refers to them is led to what that was written to."""
        twins = [item for item in items if item.follows is not None and item.fate == "skipped"]
        if not twins:
            return []
        name, lifecycle = self._stream.name, self._state.store.lifecycle
        led = {item.source_id: item.destination_id for item in items}
        wanted = [item.follows for item in twins if item.follows is not None and led.get(item.follows) is None]
        found = await self._state.call(lambda: lifecycle.parents({name: wanted}))
        led |= {source_id: identity for (_, source_id), identity in found.items()}
        return [
            NewLink(name + ALIAS, item.source_id, identity, b"", item.version, None, self._run_id, self._now())
            for item in twins
            if item.follows is not None and (identity := led.get(item.follows)) is not None
        ]


def _cleared(items: Sequence[Item], dead: Sequence[Item | Bad]) -> list[str]:
    """Records whose dead letters are over; not those that die in the same group, unless in an older state."""
    dying = {entry.source_id: entry.version for entry in dead}
    return [
        item.source_id
        for item in items
        if _is_well(item) and (item.source_id not in dying or is_older(dying[item.source_id], item.version))
    ]


def _is_well(item: Item) -> bool:
    """Whether what came shows that a dead letter of the record is over. An old state, read once more, does not."""
    if item.fate in ("unchanged", "held"):  # held: it waits in the queue of conflicts now
        return item.version is None or item.link is None or item.link.version != item.version
    return item.fate in ("created", "updated", "deleted") or (item.fate == "skipped" and item.why.failure != "older")
