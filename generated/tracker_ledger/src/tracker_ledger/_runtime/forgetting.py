"""`forget`: a person is erased from everything that the package keeps.

What the systems themselves hold is their own business: delete the record there first, or the next run reads it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .declare import Stream, Webhook
from .deliveries import name_of, record_of
from .engine import Engine
from .engine.deletes import Tombstones
from .engine.drift import Drift
from .engine.items import Reader
from .engine.reverse import lease_name
from .errors import RequestRefused

MOST = 1000
"""Records that one request erases."""


async def forget(
    engine: Engine, stream_name: str, source_ids: Sequence[str], *, compact: bool = True
) -> dict[str, Any]:
    """Erase records by their source identities, in both directions of a stream that goes both ways.

    Returns:
        How many rows of what were erased, and whether the files are clean too.

    Raises:
        LeaseHeld: the stream is being run; what a run has in its hands cannot be erased.
    """
    stream = engine.stream(stream_name)
    if not source_ids or len(source_ids) > MOST:
        raise RequestRefused(f"name records to forget, at most {MOST}")
    state = engine.state
    ttl_s = engine.around(stream).settings.options.lease_s
    erased: Counter[str] = Counter()
    lease = await state.call(lambda: state.leases.acquire(lease_name(stream), engine.holder, ttl_s))
    try:
        for source_id in dict.fromkeys(source_ids):
            for name, named in await _names(engine, stream, source_id):
                has_record = Deliveries(engine, engine.stream(name), named).has
                erased += await state.call(
                    lambda name=name, named=named, has=has_record: state.forgetting.erase(name, named, has)  # type: ignore[misc]
                )
            await state.call(lambda: state.leases.renew(lease))
        for name in {name for name, _ in await _names(engine, stream, source_ids[0])}:
            state.store.matches.forget(name)
    finally:
        await state.call(lambda: state.leases.release(lease))
    is_clean = await state.call(state.forgetting.compact) if compact else False
    return {"stream": stream_name, "records": len(set(source_ids)), "erased": dict(erased), "files_are_clean": is_clean}


async def _names(engine: Engine, stream: Stream[Any, Any], source_id: str) -> list[tuple[str, str]]:
    """What the record is called in each direction of its stream."""
    state, forgetting = engine.state, engine.state.forgetting
    links = engine.links.get(stream.name)
    partner = links.partner(stream) if links is not None else None
    if links is None or partner is None:
        return [(stream.name, source_id)]
    if stream.reverse_of is None:
        other = await state.call(lambda: forgetting.destination_of(stream.name, source_id))
    else:
        other = await state.call(lambda: forgetting.source_of(partner.name, source_id))
    return [(stream.name, source_id), *([(partner.name, other)] if other is not None else [])]


class Deliveries:
    """Tells whether a delivery is about a record."""

    def __init__(self, engine: Engine, stream: Stream[Any, Any], source_id: str) -> None:
        self._source_id = source_id
        self._reader: Reader[Any, Any] = Reader(stream, Drift(stream))
        self._tombstones = Tombstones(stream.deletes) if stream.deletes is not None else None
        self._webhooks: dict[str, Webhook] = {
            topic: webhook
            for webhook in engine.integration.webhooks
            if webhook.stream == stream.name
            for topic in (*webhook.topics, *webhook.deleted_topics)
        }

    def has(self, delivery: Mapping[str, Any]) -> bool:
        """Whether the delivery names it. One that cannot be read is looked through for the name."""
        body: bytes = delivery["body"]
        webhook = self._webhooks.get(delivery["topic"])
        name: str | None = None
        if webhook is not None and webhook.record_id is not None:
            name = name_of(body, webhook)
        elif webhook is not None and (raw := record_of(body, webhook)) is not None:
            name = self._identity(raw)
        return name == self._source_id if name is not None else self._source_id.encode() in body

    def _identity(self, raw: bytes) -> str | None:
        try:
            return self._reader.identity_of(raw)
        except Exception:  # whatever it holds, others are looked at too
            return self._tombstones.identity(raw) if self._tombstones is not None else None
