"""One record out of everything that is kept: links, letters, before-images, conflicts, deliveries, intents, history.

What is left is what other records need: a delivery's name, so that it does not come twice, without its body. Requests of which
the record was a part keep the others; a batch that is smaller than what was sent is never repeated under its key.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, or_, select, update

from .database import Database
from .lifecycle import ALIAS
from .sealing import Sealer

FORGOTTEN = "[forgotten]"
TOGETHER = 500
_TELLING = re.compile(r"@|(?:\d\D?){7}")
"""An address or a number that is hardly another's."""
HasRecord = Callable[[Mapping[str, Any]], bool]
"""Whether a delivery (`topic`, `body`) is about the record."""


class Forgetting:
    """Erases records from the tables."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._tables = database.tables

    def destination_of(self, stream: str, source_id: str) -> str | None:
        """What a record is called on the other side."""
        links = self._tables.links.c
        query = select(links.destination_id).where(links.stream == stream, links.source_id == source_id)
        found: str | None = self._database.read(lambda connection: connection.execute(query).scalar())
        return found

    def source_of(self, stream: str, destination_id: str) -> str | None:
        """The same, the other way."""
        links = self._tables.links.c
        query = select(links.source_id).where(links.stream == stream, links.destination_id == destination_id)
        found: str | None = self._database.read(lambda connection: connection.execute(query).scalar())
        return found

    def erase(self, stream: str, source_id: str, has_record: HasRecord) -> Counter[str]:
        """Erase one record of one stream; returns how many rows of what were erased or changed."""

        def transact(connection: Connection) -> Counter[str]:
            found: Counter[str] = Counter()
            texts = self._texts(connection, stream, source_id)
            found["deliveries"], bodies = self._deliveries(connection, stream, has_record)
            for body in bodies:
                texts |= _leaves(body)
            found["intents"] = self._intents(connection, stream, source_id, texts)
            found.update(self._rows(connection, stream, source_id))
            found["dead_letters"] += self._unnamed(connection, stream, texts)
            found["runs"] = self._runs(connection, stream, source_id, texts)
            self._messages(connection, texts)
            return +found

        return self._database.write(transact)

    def compact(self) -> bool:
        """Take what was erased out of the files too. False when somebody else is reading: then do it again later."""
        return self._database.compact()

    # --- parts ---

    def _texts(self, connection: Connection, stream: str, source_id: str) -> set[str]:
        """What the record says, as far as it is kept: to be looked for in messages."""
        t = self._tables
        texts: set[str] = set()
        for table, columns in (
            (t.links, ("base",)),
            (t.dead_letters, ("payload",)),
            (t.changes, ("before", "loser")),
            (t.conflicts, ("base", "source", "destination")),
            (t.waiting, ("payload",)),
        ):
            for row in connection.execute(
                select(*[table.c[name] for name in columns]).where(*_of(table, stream, source_id))
            ):
                for stored in row:
                    if stored is not None:
                        texts |= _leaves(self._sealer.open(bytes(stored)))
        return texts

    def _rows(self, connection: Connection, stream: str, source_id: str) -> Counter[str]:
        t, found = self._tables, Counter[str]()
        links = t.links.c
        query = select(links.destination_id).where(links.stream == stream, links.source_id == source_id)
        named = connection.execute(query).scalar()
        for table in (t.links, t.matches, t.match_log, t.dead_letters, t.changes, t.conflicts, t.waiting, t.seen):
            found[table.name] += connection.execute(delete(table).where(*_of(table, stream, source_id))).rowcount
        # The record as a duplicate of another is found by its own name, duplicates of the record by its destination.
        alias = and_(links.stream == stream + ALIAS, or_(links.source_id == source_id, links.destination_id == named))
        found["links"] += connection.execute(delete(t.links).where(alias)).rowcount
        children = and_(t.waiting.c.parent_stream == stream, t.waiting.c.parent_id == source_id)
        found["waiting"] += connection.execute(delete(t.waiting).where(children)).rowcount
        if named is not None:
            index = t.destination_index
            of_record = (index.c.stream == stream, index.c.destination_id == named)
            found["destination_index"] += connection.execute(delete(index).where(*of_record)).rowcount
        return found

    def _deliveries(self, connection: Connection, stream: str, has_record: HasRecord) -> tuple[int, list[bytes]]:
        inbox, last, bodies = self._tables.inbox, 0, list[bytes]()
        while True:
            query = select(inbox.c.id, inbox.c.topic, inbox.c.body, inbox.c.state)
            query = query.where(inbox.c.stream == stream, inbox.c.id > last).order_by(inbox.c.id).limit(TOGETHER)
            rows = connection.execute(query).mappings().all()
            if not rows:
                return len(bodies), bodies
            last = rows[-1]["id"]
            for row in rows:
                body = self._sealer.open(bytes(row["body"]))
                if not body or not has_record({"topic": row["topic"], "body": body}):
                    continue
                bodies.append(body)
                state = "ignored" if row["state"] == "waiting" else row["state"]
                values = {"body": b"", "state": state, "error": None}
                connection.execute(update(inbox).where(inbox.c.id == row["id"]).values(values))

    def _intents(self, connection: Connection, stream: str, source_id: str, texts: set[str]) -> int:
        intents, changed = self._tables.intents, 0
        query = select(intents.c.id, intents.c.requests).where(intents.c.stream == stream)
        for row in connection.execute(query).all():
            stored = _REQUESTS.decode(self._sealer.open(bytes(row.requests)))
            left, is_cut = [], False
            for request_id, kind, items in stored:
                others = [item for item in items if item[0] != source_id]
                for item in items:
                    if item[0] == source_id:
                        texts |= _leaves(bytes(item[6]))
                is_cut = is_cut or len(others) < len(items)
                if others:
                    left.append((request_id, kind, others))
            if not is_cut:
                continue
            changed += 1
            if left:
                # The vendor knows the key with another body: these are looked up, never repeated under it.
                values = {"requests": self._sealer.seal(_ENCODE(left)), "made_at": 0.0}
                connection.execute(update(intents).where(intents.c.id == row.id).values(values))
            else:
                connection.execute(delete(intents).where(intents.c.id == row.id))
        return changed

    def _unnamed(self, connection: Connection, stream: str, texts: Iterable[str]) -> int:
        """Letters of records that could not be named, and that say what this one says."""
        letters, count = self._tables.dead_letters, 0
        telling = [text for text in texts if _TELLING.search(text)]
        query = select(letters.c.id, letters.c.payload).where(
            letters.c.stream == stream, letters.c.source_id.startswith("unnamed-"), letters.c.payload.is_not(None)
        )
        for row in connection.execute(query).all() if telling else ():
            payload = self._sealer.open(bytes(row.payload)).decode("utf-8", "replace")
            if any(text in payload for text in telling):
                count += connection.execute(delete(letters).where(letters.c.id == row.id)).rowcount
        return count

    def _runs(self, connection: Connection, stream: str, source_id: str, texts: Iterable[str]) -> int:
        """What runs were asked for, what they showed."""
        runs, changed = self._tables.runs, 0
        asked = runs.c.parameters.contains(json.dumps(source_id), autoescape=True)
        query = select(runs.c.id, runs.c.parameters, runs.c.sample).where(
            runs.c.stream == stream, or_(asked, runs.c.sample.is_not(None))
        )
        for row in connection.execute(query).all():
            values: dict[str, Any] = {}
            parameters = json.loads(row.parameters)
            hidden = {name: _without(value, source_id) for name, value in parameters.items()}
            if hidden != parameters:
                values["parameters"] = json.dumps(hidden)
            if row.sample is not None:
                sample = msgspec.json.decode(self._sealer.open(bytes(row.sample)))
                kept = [entry for entry in sample if entry.get("source_id") != source_id]
                if len(kept) < len(sample):
                    values["sample"] = self._sealer.seal(msgspec.json.encode(kept))
            if values:
                changed += connection.execute(update(runs).where(runs.c.id == row.id).values(values)).rowcount
        return changed

    def _messages(self, connection: Connection, texts: Iterable[str]) -> None:
        """What vendors said about the record, in messages about other things."""
        t = self._tables
        for column in (t.runs.c.error, t.dead_letters.c.reason, t.inbox.c.error, t.alerts.c.text):
            table: Table = column.table
            [key] = table.primary_key.columns
            for text in texts:
                says: ColumnElement[bool] = column.contains(text, autoescape=True)
                for row in connection.execute(select(key, column).where(says)).all():
                    values = {column.name: row[1].replace(text, FORGOTTEN)}
                    connection.execute(update(table).where(key == row[0]).values(values))


_Raw = msgspec.Raw
_REQUESTS = msgspec.json.Decoder(list[tuple[str, str, list[tuple[str, _Raw, _Raw, _Raw, _Raw, _Raw, _Raw]]]])
"""As `engine.requests` writes them: (id, kind, items); an item begins with its name and ends with its body."""
_ENCODE = msgspec.json.Encoder().encode


def _of(table: Table, stream: str, source_id: str) -> Sequence[ColumnElement[bool]]:
    return table.c.stream == stream, table.c.source_id == source_id


def _without(value: Any, source_id: str) -> Any:
    if isinstance(value, list):
        return [FORGOTTEN if each == source_id else each for each in value]
    return FORGOTTEN if value == source_id else value


def _leaves(data: bytes) -> set[str]:
    """Texts inside stored bytes, long enough to be looked for."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return set()
    found: set[str] = set()
    queue = [value]
    while queue:
        each = queue.pop()
        if isinstance(each, dict):
            queue.extend(each.values())
        elif isinstance(each, list):
            queue.extend(each)
        elif isinstance(each, str) and len(each) >= 6:
            found.add(each)
    return found
