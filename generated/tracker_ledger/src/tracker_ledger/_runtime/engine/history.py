"""What a write leaves in the history: rows of the ledger, what it replaced, what both sides agree on since.

A first creation needs no row: its link tells of it. A stream that keeps no bases (`Stream.keeps_base`) pays one row for each
update and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic import ValidationError

from ..declare import Operation, Stream
from ..hashing import BodyCodec, content_hash, decode_exact, encode_json
from ..http.session import Reply
from ..json_paths import at, projected, without, wrapped
from ..state.rows import NewBase, NewChange
from ..values import MappingError
from .items import Item, Past


def changes_of(stream: Stream[Any, Any], items: Sequence[Item], *, run_id: str, now: float) -> list[NewChange]:
    """The rows of a group whose fates are known, under the names that their links have."""
    rows = []
    name, is_back = stream.reverse_of or stream.name, stream.reverse_of is not None
    for item in items:
        source_id, destination_id = item.source_id, item.destination_id
        if is_back:
            if destination_id is None:
                continue  # it has no link yet either
            source_id, destination_id = destination_id, source_id
        fate, past = item.fate, item.past
        if past is not None and past.kind is not None:
            kind = past.kind
        elif fate == "updated" or fate == "deleted" or fate == "restored":
            kind = fate
        elif fate == "created" and item.link is not None:
            kind = "created"  # again: it had gone, or the stream appends
        elif fate == "unchanged" and item.link is None:
            kind = "linked"  # it was there already, as it should be
        else:
            continue
        rows.append(
            NewChange(
                name,
                source_id,
                destination_id,
                run_id,
                kind,
                now,
                stream.mapping_digest,
                past.reason if past is not None else None,
                past.before if past is not None else None,
                past.loser if past is not None else None,
                int(stream.rollback),
            )
        )
    return rows


def bases_of(stream: Stream[Any, Any], items: Sequence[Item]) -> list[NewBase]:
    """What both sides agree on now, for items that were written or found equal."""
    rows = []
    for item in items:
        if item.fate not in ("created", "updated", "restored", "unchanged"):
            continue
        past = item.past
        if past is not None and past.agreed is not None:
            base = past.agreed
        elif item.fate == "unchanged" and item.destination_id is None:
            continue  # only its version is newer
        else:
            base = mapped_fields(stream, item)
        rows.append(
            NewBase(
                base,
                past.destination_hash if past is not None else None,
                past.destination_version if past is not None else None,
                stream.name,
                item.source_id,
            )
        )
    return rows


def mapped_fields(stream: Stream[Any, Any], item: Item) -> bytes:
    """The record in an item's body, without what stands around it, as canonical JSON."""
    envelope = stream.destination.envelope
    return item.body if not envelope else encode_json(at(decode_exact(item.body), envelope))


def seen_after(stream: Stream[Any, Any], item: Item, reply: Reply, operation: Operation) -> None:
    """Remember how the destination spells what was written, where its reply shows the record: `19.90` for `19.9`."""
    past = item.past = item.past or Past()
    past.destination_hash = None
    try:
        record = at(decode_exact(reply.body), operation.record)
        mapped = at(decode_exact(item.body), stream.destination.envelope)
    except msgspec.MsgspecError:
        return
    shown = projected(record, mapped)
    if isinstance(shown, dict) and isinstance(mapped, dict) and shown.keys() == mapped.keys():
        past.destination_hash = content_hash(shown)


def keep(stream: Stream[Any, Any], item: Item, record: Any) -> None:
    """Keep what the destination has where an item is about to write, unless it is kept already (a second try)."""
    past = item.past = item.past or Past()
    if past.before is None:
        past.before = before_of(stream, item, record)


def keep_whole(stream: Stream[Any, Any], item: Item, record: Any) -> None:
    """Keep what the destination has in all the fields that the stream may write, where the record is about to be deleted.

    A record that does not fit the model of what is written leaves what was written last, which the link remembers.
    """
    model, envelope = stream.destination.body, stream.destination.envelope
    for shown in (record, _without_nulls(record)):  # vendors show null for what they take only a value for
        try:
            body, _ = BodyCodec(model).encode(model.model_validate(wrapped(envelope, shown)))
        except (ValidationError, MappingError):
            continue
        past = item.past = item.past or Past()
        past.before = encode_json(at(decode_exact(body), envelope))
        return


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def before_of(stream: Stream[Any, Any], item: Item, record: Any) -> bytes:
    """What `record`, as the destination had it, says in the fields that an item's body is about to write."""
    mapped = at(decode_exact(item.body), stream.destination.envelope)
    for path in stream.destination.only_created:
        without(mapped, path)
    before = projected(record, mapped)
    if stream.merge is not None or stream.reverse_of is not None:
        before = _with_nulls(before, mapped)  # what was written, and was not there before
    return encode_json(before)


def _with_nulls(before: Any, written: Any) -> Any:
    if not isinstance(before, dict) or not isinstance(written, dict):
        return before
    return {key: _with_nulls(before[key], value) if key in before else None for key, value in written.items()}
