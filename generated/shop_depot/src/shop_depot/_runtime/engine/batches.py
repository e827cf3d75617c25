"""Many records with one request: the body, and which of the results that come back is whose.

A result is its item's by the position it names, or by the record it names; by its own position only where nothing contradicts
that. What cannot be told apart stays unknown: a record must never get another one's identity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..declare import Batch, Path
from ..hashing import decode_exact, encode_json
from ..json_paths import at, getter, overlaid, wrapped
from ..matching import optional_text
from .items import Item

UNTOLD: Any = object()
"""In place of a result: the reply says nothing about the item."""


def wrapper(path: Path) -> Callable[[Sequence[bytes]], bytes]:
    """How the bodies of some items become the body of one batch, without decoding them."""
    head, _, tail = encode_json(wrapped(path, "\0")).partition(b'"\\u0000"')

    def wrap(bodies: Sequence[bytes]) -> bytes:
        return b"".join((head, b"[", b",".join(bodies), b"]", tail))

    return wrap


def with_key(batch: Batch, item: Item) -> bytes:
    """The body of an update as an item of a batch: with the name of its record in it."""
    identity = item.destination_id
    assert identity is not None
    key: str | int = int(identity) if batch.key_kind == "integer" and identity.lstrip("-").isdigit() else identity
    body, laid = decode_exact(item.body), wrapped(batch.key, key)
    return encode_json(overlaid(body, laid) if isinstance(body, dict) and isinstance(laid, dict) else body)


class Results:
    """How the results of one kind of batch are read."""

    __slots__ = ("_batch", "_digest", "_identity", "_index", "_of_updates", "_ok", "_prefix", "error", "operation", "status")  # fmt: skip

    def __init__(
        self, batch: Batch, identity: Path, digest: Callable[[Any], str | None], *, of_updates: bool = False
    ) -> None:
        self.operation = batch.operation.id
        self._batch = batch
        self._digest = digest
        self._of_updates = of_updates
        self._index = None if batch.index is None else getter(batch.index)
        self.status = _nothing if batch.status is None else getter(batch.status)
        self._identity = _nothing if batch.identity is None else getter(batch.identity)
        self.error = _nothing if batch.error is None else getter(batch.error)
        length, given = len(identity), batch.identity or ()
        self._prefix = given[:-length] if length and given[-length:] == identity else None
        """Where a result holds the record."""
        # Types count (true is not 1), but a number may come as text.
        good = {(type(each), each) for each in batch.ok}
        good |= {(str, str(each)) for each in batch.ok if not isinstance(each, bool)}
        self._ok = good if batch.status is not None else None

    def in_order(self, items: Sequence[Item], reply: bytes) -> list[Any]:
        """The result of each item, `UNTOLD` where there is none."""
        assert self._batch.results is not None
        try:
            results = at(decode_exact(reply), self._batch.results)
        except ValueError:
            results = None
        told = [UNTOLD] * len(items)
        if not isinstance(results, list):
            return told
        places = self._by_index(results) if self._index is not None else self._by_name(items, results)
        if places == list(range(len(items))):
            return results
        for place, result in zip(places, results, strict=True):
            if place is not None and 0 <= place < len(told) and told[place] is UNTOLD:
                told[place] = result
        return told

    def is_ok(self, result: Any) -> bool:
        """Whether the item was written."""
        if self._ok is None:
            return not self.error(result)
        status = self.status(result)
        try:
            return (type(status), status) in self._ok
        except TypeError:
            return False

    def identity(self, result: Any) -> str | None:
        """What the written record is called."""
        value = self._identity(result)
        if type(value) is str:
            return value
        return None if isinstance(value, dict | list) else optional_text(value)

    def _by_index(self, results: Sequence[Any]) -> list[int | None]:
        assert self._index is not None
        return [
            index if type(index) is int else int(index) if type(index) is str and _is_digits(index) else None
            for index in map(self._index, results)
        ]

    def _by_name(self, items: Sequence[Item], results: Sequence[Any]) -> list[int | None]:
        is_whole = len(results) == len(items)
        names = [item.destination_id if self._of_updates else item.match for item in items]
        known = {name: place for place, name in enumerate(names) if name is not None}
        named = [known.get(name) if (name := self._name(result)) is not None else None for result in results]
        if is_whole and all(place in (None, position) for position, place in enumerate(named)):
            return list(range(len(items)))
        left = set(range(len(items))) - {place for place in named if place is not None}
        if is_whole and len(left) == 1 and named.count(None) == 1:
            [last] = left
            return [last if place is None else place for place in named]
        return named

    def _name(self, result: Any) -> str | None:
        if self._of_updates:
            return self.identity(result)
        record = None if self._prefix is None else at(result, self._prefix)
        return self._digest(record) if isinstance(record, dict) else None


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _nothing(result: Any) -> None:
    return None
