"""What a mock API holds: records by collection, unique values, a clock, a log of effects.

The clock stands still but for effects: each moves it on by one second and stamps the record with it. It starts after the
newest seeded record, and replies carry it as their `Date`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from .form import CollectionForm, Json, MockForm, OperationForm, Part, Path, Schema
from .places import NOTHING, at, merge, put, remove
from .synthesis import Synthesis, after_newest

Effect = Literal["create", "update", "delete"]


@dataclass(slots=True)
class Stored:
    """One record. `text` is its JSON, made when it is first listed."""

    record: Json
    position: int
    version: float | str = 0
    revision: int = 0
    text: str | None = None

    def as_text(self) -> str:
        if self.text is None:
            self.text = dumps(self.record)
        return self.text


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One effect on a record, in the order they happened."""

    number: int
    operation: str
    effect: Effect
    collection: str
    id: str
    at: str
    match: tuple[str, ...] = ()
    idempotency_key: str | None = None
    request: int = 0
    """The request's number in the mock's own count: the items of a batch share one."""


class Duplicate(Exception):
    """Another record already has this match value."""

    def __init__(self, id: str, fields: str) -> None:
        super().__init__(f"{fields} is taken by {id}")
        self.id = id
        self.fields = fields


@dataclass(slots=True)
class Clock:
    now: datetime

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class Collection:
    """The records of one resource, by the text of their identity, in the order they came."""

    def __init__(self, form: CollectionForm, synthesis: Synthesis, wanted: tuple[Path, ...], clock: Clock) -> None:
        self.form = form
        self._clock = clock
        self._synthetic = synthesis.records(form, wanted)
        self.parents: dict[str, Collection] = {}
        """Collections whose records those of this one refer to."""
        self._new_identity = synthesis.identity(form)
        self._least = synthesis.envelope(form.record)
        self._stamp_version = synthesis.stamp(form, form.version) if form.version else None
        self._stamp_created = [(path, synthesis.stamp(form, path)) for path in form.created]
        self.server_only = (*_read_only(form.record, synthesis), form.identity)
        """What only the server sets, unless an operation's body says otherwise."""
        self._records: dict[str, Stored] = {}
        self._taken: list[dict[tuple[str, ...], str]] = [{} for _ in form.unique]
        self._next = 0
        self.changes = 0
        """Counts every change; what is derived from the records is stale when it moved."""

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Stored]:
        return iter(self._records.values())

    def get(self, id: str) -> Stored | None:
        return self._records.get(id)

    def record(self, id: str) -> Json:
        """A record that is there."""
        return self._records[id].record

    def ids(self) -> list[str]:
        return list(self._records)

    def _make(self, position: int, revision: int) -> Json:
        """A synthetic record that refers to records that are there, and is not gone."""
        record = self._synthetic(position, revision)
        for path, name in self.form.references:
            parent = self.parents[name]
            other = parent._synthetic(position % max(len(parent), 1), 0)
            _refer(record, path, at(other, parent.form.identity))
        for path in self.form.absent:
            if (value := at(record, path)) is not NOTHING:
                record = put(record, path, False if isinstance(value, bool) else None)
        return record

    def seed(self, count: int) -> None:
        """Add `count` synthetic records."""
        for _ in range(count):
            record = self._make(self._next, 0)
            self._insert(record)

    def synthetic(self, position: int, revision: int = 0) -> Json:
        """The record that seeding makes at this position; nothing is stored."""
        return self._make(position, revision)

    def clear(self) -> None:
        self._records.clear()
        for taken in self._taken:
            taken.clear()
        self._next = 0
        self.changes += 1

    def create(self, body: Json, server_only: Sequence[Path] | None = None) -> tuple[str, Json]:
        """A new record from a body: the server's own fields, then what was sent. Raises `Duplicate`.

        Args:
            server_only: What the body may not set, when it is not the collection's own `server_only`.
        """
        record = merge(self._least, _without(body, self.server_only if server_only is None else server_only))
        record = put(record, self.form.identity, self._new_identity(self._next))
        now = self._clock.tick()
        for path, stamp in self._stamp_created:
            record = put(record, path, stamp(now))
        self._check_unique(record, None)
        id = self._insert(self._stamped(record, now))
        return id, record

    def update(
        self,
        id: str,
        body: Json,
        server_only: Sequence[Path] | None = None,
        *,
        replaces: bool,
        unsayable: Sequence[Path] = (),
    ) -> Json:
        """Lay a body over a record, or put it in the record's place: all but the fields that such a body cannot name.

        Raises `Duplicate` and `KeyError`.
        """
        stored = self._records[id]
        kept = self.server_only if server_only is None else server_only
        under = self._server_fields(stored.record, (*kept, *unsayable)) if replaces else stored.record
        record = merge(under, _without(body, kept))
        self._check_unique(record, id)
        return self._replace(stored, self._stamped(record, self._clock.tick()))

    def change(self, id: str, fields: Json) -> Json:
        """Change a record from outside the API (a person at the vendor's screen). No fields: revise it."""
        stored = self._records[id]
        if fields:
            record = merge(stored.record, fields)
        else:
            stored.revision += 1
            record = self._make(stored.position, stored.revision)
            for path, _ in self._stamp_created:
                record = put(record, path, at(stored.record, path))
        record = put(record, self.form.identity, at(stored.record, self.form.identity))
        return self._replace(stored, self._stamped(record, self._clock.tick()))

    def delete(self, id: str) -> None:
        stored = self._records.pop(id)
        self._forget(stored.record)
        self._clock.tick()
        self.changes += 1

    def add(self, record: Json) -> str:
        """Put a record in as it is (a test's own), but for its identity when it has none."""
        if at(record, self.form.identity) is NOTHING:
            record = put(record, self.form.identity, self._new_identity(self._next))
        return self._insert(record)

    def match(self, record: Json) -> tuple[str, ...]:
        """The record's values of the first match, made equal for comparison; empty when one is missing."""
        return (_key(record, self.form.unique[0]) or ()) if self.form.unique else ()

    def taken_by(self, record: Json) -> str | None:
        """The record that already has a match value of this one."""
        for parts, taken in zip(self.form.unique, self._taken, strict=True):
            if (key := _key(record, parts)) is not None and key in taken:
                return taken[key]
        return None

    def _insert(self, record: Json) -> str:
        id = str(at(record, self.form.identity))
        while id in self._records:
            self._next += 1
            record = put(record, self.form.identity, self._new_identity(self._next))
            id = str(at(record, self.form.identity))
        stored = Stored(record, self._next, self._version(record))
        self._records[id] = stored
        self._next += 1
        self._remember(record, id)
        self.changes += 1
        return id

    def _replace(self, stored: Stored, record: Json) -> Json:
        self._forget(stored.record)
        stored.record, stored.text, stored.version = record, None, self._version(record)
        self._remember(record, str(at(record, self.form.identity)))
        self.changes += 1
        return record

    def _stamped(self, record: Json, now: datetime) -> Json:
        if self.form.version and self._stamp_version:
            return put(record, self.form.version, self._stamp_version(now))
        return record

    def _version(self, record: Json) -> float | str:
        return comparable(at(record, self.form.version)) if self.form.version else 0

    def _server_fields(self, record: Json, server_only: Sequence[Path]) -> Json:
        kept: Json = deepcopy(self._least)
        for path in (*server_only, self.form.identity, *self.form.created):
            if (value := at(record, path)) is not NOTHING:
                kept = put(kept, path, value)
        return kept

    def _check_unique(self, record: Json, own: str | None) -> None:
        for parts, taken in zip(self.form.unique, self._taken, strict=True):
            key = _key(record, parts)
            if key is not None and (other := taken.get(key)) not in (None, own):
                raise Duplicate(str(other), " + ".join(".".join(map(str, part.path)) for part in parts))

    def _remember(self, record: Json, id: str) -> None:
        for parts, taken in zip(self.form.unique, self._taken, strict=True):
            if (key := _key(record, parts)) is not None:
                taken[key] = id

    def _forget(self, record: Json) -> None:
        id = str(at(record, self.form.identity))
        for parts, taken in zip(self.form.unique, self._taken, strict=True):
            if (key := _key(record, parts)) is not None and taken.get(key) == id:
                del taken[key]


class Store:
    """All collections of one mock."""

    def __init__(self, form: MockForm, *, count: int = 25, seed: int = 0) -> None:
        self.form = form
        self.synthesis = Synthesis(form.defs, seed)
        self.clock = Clock(after_newest(count))
        self.log: list[LogEntry] = []
        self.collections = {
            name: Collection(collection, self.synthesis, _wanted(form, name), self.clock)
            for name, collection in form.collections.items()
        }
        for collection in self.collections.values():
            collection.parents = self.collections
        self.seed(count)

    def seed(self, count: int) -> None:
        """Start over with `count` records in each collection that is seeded."""
        self.log.clear()
        for collection in self.collections.values():
            collection.clear()
        for name in self._in_order():
            if self.collections[name].form.seeded:
                self.collections[name].seed(count)
        self.clock.now = after_newest(count)

    def _in_order(self) -> list[str]:
        """Collections, those that others refer to first."""
        order: list[str] = []

        def place(name: str) -> None:
            if name not in order:
                for _, other in self.form.collections[name].references:
                    if other != name:
                        place(other)
                order.append(name)

        for name in self.collections:
            place(name)
        return order

    def note(
        self, operation: OperationForm, effect: Effect, id: str, record: Json, key: str | None, request: int
    ) -> None:
        """Write an effect into the log."""
        collection = str(operation.collection)
        self.log.append(
            LogEntry(
                number=len(self.log) + 1,
                operation=operation.id,
                effect=effect,
                collection=collection,
                id=id,
                at=self.clock.now.isoformat(),
                match=self.collections[collection].match(record),
                idempotency_key=key,
                request=request,
            )
        )


def _refer(record: Json, path: Path, identity: Json) -> None:
    """Put a name where a record refers to another one, in every item of a list, as text where a text stood."""
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        for position in range(len(record) if isinstance(record, list) else 0):
            if rest:
                _refer(record[position], rest, identity)
            else:
                record[position] = str(identity) if isinstance(record[position], str) else identity
    elif isinstance(record, dict) and record.get(key) is not None:
        if rest:
            _refer(record[key], rest, identity)
        else:
            record[key] = str(identity) if isinstance(record[key], str) else identity


_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def dumps(value: Json) -> str:
    """JSON text; a `Decimal` is a number with all its digits."""
    return _encode(value).decode()


def loads(raw: bytes | str) -> Json:
    """JSON → value; numbers with a fraction keep their digits. Raises ValueError."""
    return _decode(raw)


_MILLISECONDS = 1e11
"""A number above this counts milliseconds: in seconds it would be the year 5138."""


def comparable(value: Json) -> float | str:
    """A version as something that orders: a time or a number as seconds, other text as it is."""
    text = str(value)
    if re.fullmatch(r"\d+(\.\d+)?", text):
        number = float(text)
        return number / 1000 if number > _MILLISECONDS else number
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_COMPARE: dict[str, Callable[[str], str]] = {
    "trim": str.strip,
    "lower": str.lower,
    "casefold": str.casefold,
    "nfc": lambda text: unicodedata.normalize("NFC", text),
    "digits": lambda text: re.sub(r"\D", "", text),
}


def equal_form(value: Json, compare: tuple[str, ...]) -> str:
    text = str(value)
    for step in compare:
        text = _COMPARE[step](text)
    return text


def _key(record: Json, parts: tuple[Part, ...]) -> tuple[str, ...] | None:
    values = [at(record, part.path) for part in parts]
    if any(value is NOTHING or value is None for value in values):
        return None
    return tuple(equal_form(value, part.compare) for value, part in zip(values, parts, strict=True))


def _without(body: Json, paths: Sequence[Path]) -> Json:
    """A copy of the body without what the server sets."""
    body = deepcopy(body)
    for path in paths:
        remove(body, path)
    return body


def set_by_server(collection: Collection, body: Schema, synthesis: Synthesis) -> tuple[Path, ...]:
    """What only the server sets of a record that this body writes.

    A reply may call a field read-only (its form there is richer) that a body names all the same: then it is written.
    """
    identity = collection.form.identity
    return tuple(path for path in collection.server_only if path == identity or not _is_written(body, path, synthesis))


def unsayable(collection: Collection, body: Schema, synthesis: Synthesis) -> tuple[Path, ...]:
    """The fields of a record that a body which names its fields does not name: what replaces the rest leaves them as they are."""
    closed = synthesis.resolve(body)
    named = closed.get("properties")
    if not named or closed.get("additionalProperties"):
        return ()
    known = synthesis.resolve(collection.form.record).get("properties", {})
    return tuple((name,) for name in known if name not in named)


def _is_written(body: Schema, path: Path, synthesis: Synthesis) -> bool:
    parent = synthesis.schema_at(body, path[:-1])
    field = parent.get("properties", {}).get(path[-1])
    return isinstance(field, dict) and not field.get("readOnly")


def _read_only(schema: Json, synthesis: Synthesis, path: Path = ()) -> Iterator[Path]:
    if len(path) > 2:
        return
    for name, field_schema in synthesis.resolve(schema).get("properties", {}).items():
        if not isinstance(field_schema, dict):
            continue
        if field_schema.get("readOnly"):
            yield (*path, name)
        else:
            yield from _read_only(field_schema, synthesis, (*path, name))


def _wanted(form: MockForm, collection: str) -> tuple[Path, ...]:
    return tuple(
        path
        for stream in form.streams
        if stream.collection == collection
        for rule in stream.rules
        for path in rule.sources
    )
