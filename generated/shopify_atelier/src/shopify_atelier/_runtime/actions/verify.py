"""Comparing both sides, as commands and routes ask for it."""

from __future__ import annotations

from ..declare import Integration
from ..engine.verify import Verified, verify
from .runs import working


async def verify_streams(integration: Integration, stream: str | None, *, repair: bool = False) -> list[Verified]:
    """Compare one stream, or all that have links of their own."""
    async with working(integration, target=stream or "all streams") as found:
        names = [stream] if stream is not None else own_links(integration)
        return [await verify(found.engine, name, repair=repair) for name in names]


def own_links(integration: Integration) -> list[str]:
    """Streams that do not work on another one's links."""
    return [stream.name for stream in integration.streams if stream.reverse_of is None]
