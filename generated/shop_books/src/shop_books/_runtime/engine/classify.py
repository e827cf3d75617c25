"""What is known about a group of items → the fate of some and the requests that the others need."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from ..declare import Stream
from ..state.rows import Found, Link
from .items import Item, Why
from .requests import Request
from .versions import is_older

_NONE: Mapping[str, str] = {}
SAME_MATCH = "another source record has the same match value"
SEVERAL_MATCHES = "several destination records have its match value"


def drop_repeated(items: Sequence[Item]) -> None:
    """A record that stands twice in a group (pages that overlap) counts once: the newer, or else the later one."""
    newest: dict[str, Item] = {}
    for item in items:
        before = newest.get(item.source_id)
        if before is not None:
            older = item if is_older(item.version, before.version) else before
            older.fate, older.why = "skipped", Why("match", "repeated", "a newer state of it came in the same group")
            if older is item:
                continue
        newest[item.source_id] = item


def classify(
    stream: Stream[Any, Any],
    items: Sequence[Item],
    found: Found,
    unknown: Container[str],
    claimed: Mapping[str, str] = _NONE,
) -> dict[str, Link]:
    """Set the fate of items that need no request, and `is_create`, `destination_id` of the others.

    Repeatable: what it sets depends on its arguments alone.

    Args:
        unknown: Records whose last write has no known outcome.
        claimed: Match digest → the one of them that has it.

    Returns:
        Links whose record is unchanged but for a newer version, by source identity.
    """
    renewed: dict[str, Link] = {}
    in_group: dict[str, str] = dict(claimed)
    for item in items:
        if item.fate == "skipped" and item.why.failure == "repeated":
            continue
        item.fate = None
        link = found.links.get(item.source_id)
        item.link = link
        if item.source_id in unknown:
            item.fate, item.why = "unknown", Why("send", "unknown", "an earlier write of it has no known outcome")
        elif link is None or (link.gone_at is not None and _is_new_again(stream, item, link)):
            new_item(stream, item, found, in_group)
        elif link.hash == item.hash:
            item.fate = "unchanged"
            if item.version is not None and item.version != link.version and not is_older(item.version, link.version):
                renewed[item.source_id] = link
        elif is_older(item.version, link.version):
            item.fate, item.why = "skipped", Why("match", "older", "a newer state of it was written before")
        elif stream.mode == "append":
            item.is_create = True
        else:
            item.is_create = False
            item.destination_id = link.destination_id
            if stream.destination.update is None:
                item.fate = "dead"
                item.why = Why(
                    "match", "permanent_record", "it changed and the destination has no operation to update it"
                )
    return renewed


def _is_new_again(stream: Stream[Any, Any], item: Item, link: Link) -> bool:
    """Whether a record whose link was given up is there once more, and what it was linked to is not."""
    is_hard = stream.deletes is not None and stream.deletes.mode == "hard"
    return is_hard and not is_older(item.version, link.version)


def new_item(stream: Stream[Any, Any], item: Item, found: Found, in_group: dict[str, str]) -> None:
    """A record without a link: a new one, an existing one by the index of match values, or one too many."""
    item.is_create = True
    item.destination_id = None
    if item.match is None or stream.mode == "append":
        return
    owner = found.owners.get(item.match) or in_group.setdefault(item.match, item.source_id)
    if owner != item.source_id:
        refuse_duplicate(stream, item, owner)
        return
    entry = found.index.get(item.match)
    if entry is None or (entry.is_linked and not entry.several):
        return  # what had the match value is another record's, and has one of its own by now
    if entry.several and (stream.duplicates == "dead" or entry.is_linked):
        item.fate, item.why = "dead", Why("match", "permanent_record", SEVERAL_MATCHES)
        return
    item.is_create = False
    item.destination_id = entry.destination_id
    if stream.destination.update is None:
        item.fate, item.why = (
            "skipped",
            Why("match", "exists", "it exists already and there is no operation to update it"),
        )


def refuse_duplicate(stream: Stream[Any, Any], item: Item, owner: str) -> None:
    """The second of two source records that are the same thing: dead, or left out, as the stream declares.

    Args:
        owner: The first one.
    """
    if stream.duplicates == "dead":
        item.fate, item.why = "dead", Why("match", "permanent_record", SAME_MATCH)
    else:
        item.fate, item.why = "skipped", Why("match", "duplicate", SAME_MATCH)
        item.follows = owner


def requests_for(
    stream: Stream[Any, Any], items: Sequence[Item], ids: Callable[[], str], batch_size: int
) -> list[Request]:
    """The requests for items whose fate is open: batches of new ones where the destination has them, else one each."""
    creates = [item for item in items if item.fate is None and item.is_create]
    updates = [item for item in items if item.fate is None and not item.is_create]
    requests: list[Request] = []
    batch = stream.destination.batch
    size = min(batch_size, batch.max) if batch is not None else 1
    for start in range(0, len(creates), size):
        chunk = creates[start : start + size]
        requests.append(Request(ids(), "batch" if len(chunk) > 1 else "create", chunk))
    if (many := stream.destination.batch_update) is not None and not stream.rollback:
        named = [item for item in updates if item.destination_id is not None]
        updates = [item for item in updates if item.destination_id is None]
        size = min(batch_size, many.max)
        for start in range(0, len(named), size):
            chunk = named[start : start + size]
            requests.append(Request(ids(), "batch_update" if len(chunk) > 1 else "update", chunk))
    requests.extend(Request(ids(), "update", [item]) for item in updates)
    return requests
