"""Streams that share their links: one goes from the integration's source to its destination, the other comes back.

Both are streams like any other, with a mapping, a checkpoint and runs of their own. What they share is one row for each pair of
records, so they take turns, and neither goes on before the writes of the other have known outcomes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ..declare import Integration, Stream


@dataclass(frozen=True, slots=True)
class Links:
    """The streams that work on one set of links."""

    forward: Stream[Any, Any]
    backward: Stream[Any, Any] | None = None

    def partner(self, stream: Stream[Any, Any]) -> Stream[Any, Any] | None:
        """The other direction."""
        return self.backward if stream.name == self.forward.name else self.forward


def lease_name(stream: Stream[Any, Any]) -> str:
    """What a run of the stream holds; both directions hold one."""
    return f"stream:{stream.reverse_of or stream.name}"


def merging(integration: Integration) -> dict[str, Links]:
    """Streams that merge, by name."""
    by_name = {stream.name: stream for stream in integration.streams}
    found: dict[str, Links] = {}
    for stream in integration.streams:
        if stream.reverse_of is not None:
            forward = by_name[stream.reverse_of]
            found[forward.name] = found[stream.name] = Links(forward, stream)
    for stream in integration.streams:
        if stream.merge is not None:
            found.setdefault(stream.name, Links(stream))
    return found


class Turns:
    """Runs of both directions in one process, one after the other."""

    def __init__(self, links: Sequence[Links]) -> None:
        self._locks = {each.forward.name: asyncio.Lock() for each in links}
        self._holders: dict[str, str] = {}

    @asynccontextmanager
    async def turn(self, links: Links, stream: str) -> AsyncIterator[None]:
        """Wait for the other direction. A second run of the same stream does not wait: its lease is held, and it is told so."""
        name = links.forward.name
        if self._holders.get(name) == stream:
            yield
            return
        async with self._locks[name]:
            self._holders[name] = stream
            try:
                yield
            finally:
                del self._holders[name]
