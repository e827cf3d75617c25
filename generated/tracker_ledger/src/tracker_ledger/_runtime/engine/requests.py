"""Requests as they are written down before they are sent, so that none is ever sent twice without knowing.

One row of `intents` holds the requests of one group. A request's id is its idempotency key; its items keep their bodies until
the outcome is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from ..state.rows import IntentRow
from .items import Item

Kind: TypeAlias = Literal["create", "update", "batch", "batch_update", "delete", "retire"]
"""delete takes the destination record away, retire writes into it that it is over."""
REMOVALS = ("delete", "retire")
CREATES = ("create", "batch")


@dataclass(slots=True, eq=False)
class Request:
    """One request that writes: a single record, or a batch of new ones or of updates."""

    id: str
    kind: Kind
    items: list[Item]


SETTLED = b""
"""Stands for the hash of an item whose outcome is known, in a request that is kept for the others in it."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(
    list[
        tuple[
            str, Kind, list[tuple[str, str | None, bytes, str | None, tuple[str | None, ...], str | None, msgspec.Raw]]
        ]
    ]
).decode


def write_down(
    requests: Sequence[Request],
    *,
    row_id: str,
    stream: str,
    run_id: str,
    now: float,
    state: str = "sending",
    attempts: int = 0,
) -> IntentRow:
    """Requests → one row."""
    stored = [
        (
            request.id,
            request.kind,
            [
                (
                    item.source_id,
                    item.version,
                    item.hash if item.fate in (None, "unknown") else SETTLED,
                    item.match,
                    item.match_values,
                    item.destination_id,
                    msgspec.Raw(item.body),
                )
                for item in request.items
            ],
        )
        for request in requests
    ]
    return IntentRow(row_id, stream, run_id, state, _encode(stored), now, attempts)


def read_back(row: IntentRow) -> list[Request]:
    """One row → its requests, with the bytes that were, or were to be, sent."""
    requests = []
    for request_id, kind, stored in _decode(row.requests):
        items = []
        for source_id, version, digest, match, match_values, destination_id, body in stored:
            item = Item(
                source_id=source_id,
                version=version,
                body=bytes(body),
                hash=digest,
                match=match,
                match_values=match_values,
            )
            item.destination_id = destination_id
            item.is_create = kind in CREATES
            items.append(item)
        requests.append(Request(request_id, kind, items))
    return requests


def open_requests(requests: Sequence[Request], fates: Sequence[str | None]) -> list[Request]:
    """The requests that hold items with one of these fates; each item stays with the last request it was part of."""
    if {item.fate for request in requests for item in request.items}.isdisjoint(fates):
        return []
    seen: set[int] = set()
    kept: list[Request] = []
    for request in reversed(requests):
        last = [item for item in request.items if id(item) not in seen]
        seen.update(map(id, last))
        if any(item.fate in fates for item in last) and request not in kept:
            kept.append(request)
    return kept[::-1]
