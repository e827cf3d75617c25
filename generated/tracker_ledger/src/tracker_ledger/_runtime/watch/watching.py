"""What metrics, traces and alerts are told of what happens.

A watcher is added to an engine and its sessions by `watch`; without one, a request pays for a check of `None` and a run for a
check of an empty list. A watcher raises nothing and waits for nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx

from ..declare import Operation

if TYPE_CHECKING:
    from ..engine.engine import Engine
    from ..engine.pages import Page
    from ..engine.report import RunReport
    from ..http.sender import Sender

Exchange: TypeAlias = Callable[[httpx.Request, Operation], Awaitable[httpx.Response]]
Group: TypeAlias = "Callable[[Sequence[Any], Page | None], Awaitable[None]]"


class Watcher:
    """Sees everything pass and changes nothing. Subclasses take what they need."""

    async def exchange(self, send: Exchange, request: httpx.Request, operation: Operation, api: str) -> httpx.Response:
        """Around one attempt of one request."""
        return await send(request, operation)

    def run(self, stream: str, run_id: str, trigger: str) -> AbstractContextManager[Any]:
        """Around one run."""
        return nullcontext()

    def ended(self, report: RunReport) -> None:
        """A run came to an end, whatever that was."""

    def pages(self, stream: str, pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
        """The pages of one run, as they are read."""
        return pages

    def group(self, work: Group) -> Group:
        """The work on one group of records."""
        return work


def watch(engine: Engine, sessions: Sequence[Sender], watcher: Watcher) -> None:
    """Let a watcher see the runs of an engine and the requests of its sessions."""
    engine.watchers.append(watcher)
    for session in sessions:
        session.watched = _watched(session, session.watched or _plain(session), watcher)


def _plain(session: Sender) -> Exchange:
    async def exchange(request: httpx.Request, operation: Operation) -> httpx.Response:
        return await session._exchange(request)

    return exchange


def _watched(session: Sender, inner: Exchange, watcher: Watcher) -> Exchange:
    api = session.api.name

    async def exchange(request: httpx.Request, operation: Operation) -> httpx.Response:
        return await watcher.exchange(inner, request, operation, api)

    return exchange


def watched_pages(watchers: Sequence[Watcher], stream: str, pages: AsyncIterator[Page]) -> AsyncIterator[Page]:
    """Pages as all watchers see them."""
    for watcher in watchers:
        pages = watcher.pages(stream, pages)
    return pages


def watched_group(watchers: Sequence[Watcher], work: Group) -> Group:
    """The work on a group as all watchers see it."""
    for watcher in watchers:
        work = watcher.group(work)
    return work
