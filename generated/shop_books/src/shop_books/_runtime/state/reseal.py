"""Whether the key fits what is stored, and bringing what is stored under the newest key, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Column, Connection, Table, and_, delete, insert, select, update

from .database import Database
from .errors import KeyWrong
from .sealing import Plain, Sealed, Sealer

CANARY = b"the key fits"
TOGETHER = 200


class Seals:
    """The row of `seals`, and all columns that are sealed."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._table = database.tables.seals

    def columns(self) -> Iterator[Column[Any]]:
        """Every column that holds payloads or tokens."""
        t = self._database.tables
        yield from (t.links.c.base, t.intents.c.requests, t.dead_letters.c.payload, t.inbox.c.body)
        yield from (t.conflicts.c.base, t.conflicts.c.source, t.conflicts.c.destination)
        yield from (t.changes.c.before, t.changes.c.loser, t.waiting.c.payload)
        yield from (t.tokens.c.access, t.tokens.c.refresh, t.runs.c.sample)

    def check(self) -> None:
        """Try the key on what is stored; the first key of a state leaves its mark.

        Raises:
            KeyWrong: the state is sealed, and the key is missing or another one.
        """
        query = select(self._table.c.canary)
        canary = self._database.read(lambda connection: connection.execute(query).scalar())
        if canary is not None:
            if isinstance(self._sealer, Plain):
                raise KeyWrong("the state is sealed and STATE_KEY is not set: give the key it was sealed with")
            try:
                self._sealer.open(bytes(canary))
            except KeyWrong:
                raise KeyWrong(
                    "the state is sealed with a key that STATE_KEY does not have: put the old key behind the new one, "
                    "then `cleanup --reseal`"
                ) from None
        elif isinstance(self._sealer, Sealed):
            self._mark()

    def reseal(self) -> int:
        """Bring everything under the newest key. Can be stopped and begun again; returns how many values changed."""
        sealer = self._sealer
        if not isinstance(sealer, Sealed):
            raise KeyWrong("STATE_KEY is not set: there is nothing to seal with")
        count = self._each(sealer.is_newest, sealer.seal)
        self._mark()
        return count

    def unseal(self) -> int:
        """Store everything as it is from now on, once STATE_KEY is taken away; returns how many values changed."""
        count = self._each(lambda stored: self._sealer.open(stored) == stored, lambda data: data)
        self._database.execute(delete(self._table))
        return count

    def _mark(self) -> None:
        def transact(connection: Connection) -> None:
            connection.execute(delete(self._table))
            row = {"id": 1, "canary": self._sealer.seal(CANARY), "since_at": self._database.now()}
            connection.execute(insert(self._table).values(row))

        self._database.write(transact)

    def _each(self, is_right: Callable[[bytes], bool], make: Callable[[bytes], bytes]) -> int:
        return sum(self._column(column, is_right, make) for column in self.columns())

    def _column(self, column: Column[Any], is_right: Callable[[bytes], bool], make: Callable[[bytes], bytes]) -> int:
        table: Table = column.table
        keys = list(table.primary_key.columns)
        last: tuple[Any, ...] | None = None
        count = 0
        while True:
            query = select(*keys, column).where(column.is_not(None)).order_by(*keys).limit(TOGETHER)
            if last is not None:
                query = query.where(_after(keys, last))
            rows = self._database.read(lambda connection, query=query: connection.execute(query).all())  # type: ignore[misc]
            if not rows:
                return count
            last = tuple(rows[-1][:-1])
            changed = [(tuple(row[:-1]), bytes(row[-1])) for row in rows if not is_right(bytes(row[-1]))]

            def transact(connection: Connection, changed: list[tuple[tuple[Any, ...], bytes]] = changed) -> int:
                done = 0
                for values, stored in changed:
                    same = and_(*[key == value for key, value in zip(keys, values, strict=True)], column == stored)
                    made = {column.name: make(self._sealer.open(stored))}
                    done += connection.execute(update(table).where(same).values(made)).rowcount
                return done

            if changed:
                count += self._database.write(transact)


def _after(keys: list[Column[Any]], last: tuple[Any, ...]) -> Any:
    """Rows that come after one, by their keys."""
    clause: Any = None
    for key, value in reversed(list(zip(keys, last, strict=True))):
        clause = key > value if clause is None else (key > value) | ((key == value) & clause)
    return clause
