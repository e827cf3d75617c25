"""Raw records → items: decoded, mapped, hashed, ready to be compared with what was written before.

Each record is decoded by itself: a bad one becomes a dead letter and spoils nothing around it, and its dead letter has the
bytes that came. Neither reasons nor logs hold values of the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec
from pydantic import ValidationError

from ..declare import Stream
from ..hashing import BodyCodec
from ..http.paging import Picked
from ..matching import digester
from ..records import Record
from ..state.rows import Link
from ..values import MappingError
from .decoding import record_decoder
from .drift import Drift

S = TypeVar("S", bound=Record)
D = TypeVar("D", bound=Record)


class Item:
    """One source record on its way."""

    __slots__ = (
        "_raw", "body", "destination_id", "fate", "follows", "hash", "is_create", "link", "match",
        "match_values", "may_be_ours", "past", "source_id",
        "version", "why",
    )  # fmt: skip

    def __init__(
        self,
        source_id: str,
        version: str | None,
        body: bytes,
        hash: bytes,
        match: str | None,
        match_values: tuple[str | None, ...],
        raw: bytes | Picked = b"",
    ) -> None:
        self.source_id = source_id
        self.version = version
        self.body = body
        self.hash = hash
        self.match = match
        self.match_values = match_values
        self._raw = raw
        self.destination_id: str | None = None
        self.is_create = True
        self.link: Link | None = None
        """As it was before this run."""
        self.follows: str | None = None
        """The source record that is the same thing and was there first."""
        self.may_be_ours = False
        """What was found in the destination may be what a lost answer was about."""
        self.fate: str | None = None
        """created, updated, deleted, unchanged, skipped, dead, unknown, held; None while it is open."""
        self.why = _NOTHING
        self.past: Past | None = None
        """What its write replaced; of streams that keep that."""

    @property
    def raw(self) -> bytes:
        """The record as it came."""
        return bytes(self._raw)


class Past:
    """What the history keeps of one write beside its time and its rules."""

    __slots__ = ("agreed", "before", "destination_hash", "destination_version", "kind", "loser", "reason")

    def __init__(self) -> None:
        self.kind: str | None = None
        """In the ledger; None: as the fate says."""
        self.reason: str | None = None
        self.before: bytes | None = None
        """The destination's mapped fields as they were, to put back."""
        self.loser: bytes | None = None
        """What lost a conflict."""
        self.agreed: bytes | None = None
        """The mapped fields that both sides have now; None: the body that was written."""
        self.destination_hash: bytes | None = None
        self.destination_version: str | None = None


class Why:
    """Why a record is dead, unknown or skipped: the stage, the class of the failure, a sentence without values."""

    __slots__ = ("failure", "reason", "stage")

    def __init__(self, stage: str, failure: str, reason: str) -> None:
        self.stage = stage
        self.failure = failure
        self.reason = reason


_NOTHING = Why("", "", "")


class Bad:
    """A record that could not be made an item."""

    __slots__ = ("raw", "source_id", "version", "why")

    def __init__(self, raw: bytes | Picked, source_id: str | None, version: str | None, why: Why) -> None:
        self.raw = bytes(raw)
        self.source_id = source_id
        self.version = version
        self.why = why


class Reader(Generic[S, D]):
    """Makes items of one stream."""

    def __init__(self, stream: Stream[S, D], drift: Drift) -> None:
        self._stream = stream
        self._drift = drift
        self._decode = record_decoder(stream.source.record, exact=stream.source.exact_numbers)
        self._check: Callable[..., S] = stream.source.record.__pydantic_validator__.validate_python
        to = stream.destination
        unhashed = [(*to.envelope, *path) for path in to.only_created]
        self._encode = BodyCodec(to.body, unhashed=unhashed).encode
        self._match_of = digester([match.source for match in stream.match], [match.compare for match in stream.match])

    def read(self, raws: Sequence[bytes | Picked]) -> tuple[list[Item], list[Bad]]:
        """Items in the order of the page, and the records that are none."""
        items: list[Item] = []
        bad: list[Bad] = []
        stream, source = self._stream, self._stream.source
        version_of = source.version
        decode, check, mapping, encode = self._decode, self._check, stream.map, self._encode
        identity_of, match_of = source.identity, self._match_of
        for raw in raws:
            identity: str | None = None
            version: str | None = None
            stage = "decode"
            try:
                if type(raw) is Picked and (members := raw.members) is not None:  # most are: no call in between
                    raw.members = None  # they are wanted once; the room serves the next record
                    record = check(members, by_alias=True, by_name=False)
                else:
                    record = decode(raw)
                stage = "map"
                identity = identity_of(record)
                version = version_of(record) if version_of is not None else None
                body, digest = encode(mapping(record))
                values, match = match_of(record)
            except Exception as error:
                if stage == "decode":
                    self._drift.record(error)
                bad.append(Bad(raw, identity, version, Why(stage, "permanent_record", reason_of(error))))
                continue
            items.append(Item(identity, version, body, digest, match, values, raw))
        return _storable(items, bad), bad

    def identity_of(self, raw: bytes) -> str:
        """The identity of one raw record. Raises what decoding raises."""
        return self._stream.source.identity(self._decode(raw))


def _storable(items: list[Item], bad: list[Bad]) -> list[Item]:
    """Items whose identity and version every database takes; the others become dead letters under a name of ours."""
    texts = [item.source_id for item in items]
    texts += [item.version for item in items if item.version is not None]
    if _takes("".join(texts)):
        return items
    why = Why("map", "permanent_record", "its identity or version holds a character that no database keeps")
    bad += [Bad(item.raw, None, None, why) for item in items if not _takes(item.source_id + (item.version or ""))]
    return [item for item in items if _takes(item.source_id + (item.version or ""))]


def _takes(text: str) -> bool:
    return "\0" not in text and (text.isascii() or _HALF.search(text) is None)


_HALF = re.compile("[\ud800-\udfff]")


def reason_of(error: Exception) -> str:
    """A sentence about an error that holds no value of the record."""
    match error:
        case ValidationError():
            places = [
                f"`{'.'.join(map(str, each['loc'])) or 'the record'}`: {_plain(each['type'])}"
                for each in error.errors(include_url=False, include_context=False, include_input=False)
            ]
            more = f" and {len(places) - 3} more" if len(places) > 3 else ""
            return "; ".join(places[:3]) + more
        case MappingError():
            return str(error)
        case msgspec.MsgspecError():
            return "not JSON"
        case _:
            return f"{type(error).__name__} while mapping"


def _plain(kind: str) -> str:
    return kind.replace("_", " ")
