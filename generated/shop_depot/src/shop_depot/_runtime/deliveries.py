"""The body of a delivery that was proved → what it brings: its events, and the record that each of them tells of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from .declare import Path, Webhook
from .http.paging import shown, value_at, walk
from .json_paths import at
from .matching import optional_text

MAX_EVENTS = 5000
"""In one body, the items of the lists around them counted in."""
_MAX_NAME = 1000

_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a body, as it came."""

    raw: bytes
    value: Any
    error: str | None = None
    """Why it is none."""


def events_of(body: bytes, value: Any, lists: Sequence[Path]) -> list[Event]:
    """The events of a body in their order; what is none stands among them with its reason.

    Args:
        value: The same body, decoded; no object of it has a name twice.
        lists: The way to each list, from the body or from the item of the list around it.

    Raises:
        ValueError: there are too many. Nothing was split.
    """
    if _count(value, lists, MAX_EVENTS) > MAX_EVENTS:
        raise ValueError(f"the body holds more than {MAX_EVENTS} events")
    return list(_events(body, value, lists))


def _events(raw: bytes | msgspec.Raw, value: Any, lists: Sequence[Path]) -> Iterator[Event]:
    if not lists:
        yield Event(bytes(raw), value, None if isinstance(value, dict) else "the event is no object")
        return
    inner = at(value, lists[0])
    if not isinstance(inner, list):
        yield Event(bytes(raw), None, f"there is no list of events in the delivery, at `{shown(lists[0])}`")
        return
    own = walk(raw, lists[0])
    assert own is not None
    for each, item in zip(_raw_list(own), inner, strict=True):
        yield from _events(each, item, lists[1:])


def _count(value: Any, lists: Sequence[Path], most: int) -> int:
    """Items of all lists on the way; it stops counting above `most`."""
    inner = at(value, lists[0])
    if not isinstance(inner, list):
        return 1
    found = len(inner)
    if len(lists) > 1 and found <= most:
        for item in inner:
            found += _count(item, lists[1:], most - found)
            if found > most:
                break
    return found


def record_of(body: bytes, webhook: Webhook) -> bytes | None:
    """The record that a stored delivery holds, as it came."""
    try:
        found = walk(bytes(body), webhook.record)
    except msgspec.MsgspecError:
        return None
    return None if found is None else bytes(found)


def name_of(body: bytes, webhook: Webhook) -> str | None:
    """What a stored delivery calls its record, where it names it and does not hold it."""
    if webhook.record_id is None:
        return None
    try:
        value = value_at(bytes(body), webhook.record_id)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = optional_text(value) or ""
    return text if text.isprintable() and 0 < len(text) <= _MAX_NAME else None
