"""The two records of a link in one form: the destination's fields, as the forward mapping writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from ..declare import Merge, Stream
from ..hashing import decode_exact, encode_json
from ..json_paths import at
from ..matching import optional_text
from .decoding import record_decoder
from .drift import Drift
from .items import Bad, Item, Reader
from .merge import View, view_of

Direction: TypeAlias = Literal["forward", "backward"]


class Sides:
    """Makes comparable what a stream and its partner read.

    `forward` goes from the integration's source to its destination; `stream`, the one that runs, is that or `backward`.
    """

    def __init__(self, stream: Stream[Any, Any], forward: Stream[Any, Any], backward: Stream[Any, Any] | None) -> None:
        assert forward.merge is not None
        self.stream = stream
        self.forward = forward
        self.direction: Direction = "forward" if stream is forward else "backward"
        self.is_pair = backward is not None
        self.rule: Merge = forward.merge
        self.backward = backward
        self._reader: Reader[Any, Any] = Reader(stream, Drift(stream))
        self._forward_reader = self._reader if self.direction == "forward" else Reader(forward, Drift(forward))
        if backward is not None:
            self._decode_back = record_decoder(backward.source.record, exact=backward.source.exact_numbers)

    def view(self, record: Any) -> View:
        """The fields of a destination's record."""
        return view_of(record, self.rule.fields)

    def mapped_view(self, body: bytes) -> View:
        """The fields of a source's record, out of the body that the forward mapping made of it."""
        return view_of(at(decode_exact(body), self.forward.destination.envelope), self.rule.fields)

    def mapped_forward(self, record: dict[str, Any]) -> Item | None:
        """A source's record as the forward mapping writes it; None when it cannot be."""
        items, _ = self._forward_reader.read([encode_json(record)])
        return items[0] if items else None

    def mapped_here(self, raw: bytes) -> tuple[Sequence[Item], Sequence[Bad]]:
        """A record that the running stream reads, as it writes it; or why it cannot."""
        return self._reader.read([raw])

    def version_of(self, record: dict[str, Any]) -> str | None:
        """The version of a destination's record, as the other direction reads it."""
        if self.backward is None or self.backward.source.version is None:
            return self.stated_version(record)
        try:
            return self.backward.source.version(self._decode_back(encode_json(record)))
        except Exception:  # a reply that is less than a record says nothing about versions
            return None

    def stated_version(self, record: dict[str, Any]) -> str | None:
        """What a destination's record says in the field that is declared to hold its version."""
        value = at(record, self.rule.version) if self.rule.version is not None else None
        return None if isinstance(value, dict | list) else optional_text(value)
