"""Where records come from: all pages of a list, single records by identity, or records at hand; each as a stream of pages.

The next pages are read while the last ones are written, two ahead or a few small ones, so memory does not grow with the source.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from ..client import record_of
from ..declare import Fixed, Json, Operation, Setting
from ..errors import NotFound
from ..http.paging import Picked, Picks
from ..http.session import Session

Params = Mapping[str, object]
"""Wire name of a parameter → value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some records, and where to go on when they all have their fates."""

    records: Sequence[bytes | Picked]
    """Raw JSON each, or what was picked of it."""
    next: Json | None = None
    """Cursor of the page after this; None when it is the last or cannot be resumed."""
    date_s: float | None = None
    """The server's time of the reply."""
    missing: Sequence[str] = ()
    """Identities that were asked for and are not there."""


class Prefetch:
    """The pages of a source, read `ahead` of their use by a task of its own."""

    def __init__(self, pages: AsyncIterator[Page], ahead: int = 2) -> None:
        self._pages = pages
        self._queue: asyncio.Queue[Page | BaseException | None] = asyncio.Queue(maxsize=ahead)
        self._looked_at: list[Page | BaseException | None] = []
        """What stands at the head, when somebody has looked."""
        self._task = asyncio.create_task(self._fetch())

    @property
    def is_ready(self) -> bool:
        """Whether `next` would not wait."""
        return bool(self._looked_at) or not self._queue.empty()

    def more(self) -> Page | None:
        """The next page, when it is there. What else is next, the end or an error, is left to `next`."""
        if not self._looked_at and not self._queue.empty():
            self._looked_at.append(self._queue.get_nowait())
        page = self._looked_at[0] if self._looked_at else None
        if not isinstance(page, Page):
            return None
        self._looked_at.clear()
        return page

    async def next(self) -> Page | None:
        """The next page; None after the last. Raises what reading it raised."""
        page = self._looked_at.pop() if self._looked_at else await self._queue.get()
        if isinstance(page, BaseException):
            raise page
        return page

    async def close(self) -> None:
        """Stop reading ahead."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _fetch(self) -> None:
        try:
            async for page in self._pages:
                await self._queue.put(page)
            await self._queue.put(None)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancelled this task: what it waited for was another's, and ended. Whoever waits for pages must hear of it.
            lost = RuntimeError("what the next page waited for was cancelled elsewhere")
            lost.__cause__ = error
            await self._queue.put(lost)
        except Exception as error:
            await self._queue.put(error)


async def listed(
    session: Session, operation: Operation, params: Params, cursor: Json | None, picks: Picks | None = None
) -> AsyncIterator[Page]:
    """All pages of a list from `cursor` on."""
    async for page in session.pages(operation, params=params, cursor=cursor, picks=picks):
        yield Page(records=page.taken, next=page.next, date_s=page.server_date_s)


async def by_identity(
    session: Session, operation: Operation, argument: str, fixed: Params, identities: Sequence[str], *, together: int
) -> AsyncIterator[Page]:
    """Records that are named, `together` at a time; those that are not there are told by name."""
    taken = {parameter.name for parameter in operation.parameters}
    fixed = {name: value for name, value in fixed.items() if name in taken}  # the others are the list's own
    for start in range(0, len(identities), together):
        wanted = identities[start : start + together]
        found = await asyncio.gather(*(_one(session, operation, {**fixed, argument: each}) for each in wanted))
        yield Page(
            records=[record for record in found if record is not None],
            missing=[identity for identity, record in zip(wanted, found, strict=True) if record is None],
        )


async def _one(session: Session, operation: Operation, params: Params) -> bytes | None:
    try:
        return record_of(await session.request(operation, params=params))
    except NotFound:
        return None


async def at_hand(records: Sequence[bytes], *, together: int = 250) -> AsyncIterator[Page]:
    """Records that somebody else brought (webhooks, dead letters)."""
    for start in range(0, len(records), together):
        yield Page(records=records[start : start + together])


def fixed_params(fixed: Sequence[Fixed], text: Callable[[Setting], str]) -> dict[str, object]:
    """The parameters of a stream that never change, resolved."""
    return {each.name: text(each.value) for each in fixed}
