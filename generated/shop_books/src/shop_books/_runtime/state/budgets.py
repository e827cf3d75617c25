"""How many requests an API still allows, as one row that all replicas draw from.

The row is a token bucket on the database's clock. It may be overdrawn: what is drawn ahead of its time comes with the moment
from which it may be used, so that all replicas together keep to the pace, however unevenly they draw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from .database import Database

T = TypeVar("T")
RECOVERED_PER_S = 1.05
"""A pace that was lowered after refusals grows by this factor each second, up to what is declared."""
LONGEST_AHEAD_S = 1.0
"""Nothing is drawn that could be used only later than this: who waits so long asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is declared of an API: `per_s` tokens a second up to `burst`. 0: only its pauses are shared."""

    per_s: float
    burst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What a draw gave. Times are seconds from the moment of the draw."""

    count: int
    first_in_s: float
    """When the first token may be used."""
    spent: float
    """How many tokens the bucket lacks now for the next one to be had at once."""
    per_s: float
    """The pace at which the others follow the first one."""
    at: float
    """The row's time after the draw: proves, when tokens are given back, that nobody drew since."""
    pause_s: float
    """How long nobody may ask."""

    def due_in_s(self, index: int) -> float:
        """When the token of this number may be used."""
        if not self.per_s:
            return self.first_in_s
        return max(0.0, (self.spent - self.count + index + 1) / self.per_s)


class Budgets:
    """Rows of `budgets`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.budgets

    def draw(self, name: str, terms: Terms, wanted: int, *, at_most: float | None = None) -> Draw:
        """Take up to `wanted` tokens.

        Args:
            at_most: What the API itself says is left now.
        """
        table = self._table

        def transact(connection: Connection) -> Draw:
            row = self._row(connection, name, terms)
            now = self._database.server_now(connection)
            elapsed = now - row["updated_at"]
            per_s = min(terms.per_s, row["per_s"] * RECOVERED_PER_S ** max(0.0, elapsed))
            tokens = min(terms.burst, row["tokens"] + elapsed * per_s)
            if at_most is not None:
                tokens = min(tokens, at_most)
            pause_s = max(0.0, row["not_before"] - now)
            count = wanted
            if not terms.per_s or (1 - tokens) / per_s > LONGEST_AHEAD_S:
                count = 0
            values = {"tokens": tokens - count, "updated_at": now, "per_s": per_s, "burst": terms.burst}
            connection.execute(update(table).where(table.c.name == name).values(values))
            first = max(pause_s, (1 - tokens) / per_s if per_s else 0.0, 0.0)
            return Draw(count=count, first_in_s=first, spent=count - tokens, per_s=per_s, at=now, pause_s=pause_s)

        return self._once_more(transact)

    def give_back(self, name: str, at: float, count: int) -> None:
        """Give back the last `count` tokens of the draw that was made `at`, unless somebody has drawn since."""
        table = self._table
        query = update(table).where(table.c.name == name, table.c.updated_at == at)
        self._database.execute(query.values(tokens=table.c.tokens + count))

    def pause(self, name: str, terms: Terms, seconds: float, *, slower: float = 1.0) -> float:
        """Nobody may ask for so long; then one by one. Returns how long the pause lasts now.

        Args:
            slower: Factor for the pace, unless a pause is on already.
        """
        table = self._table

        def transact(connection: Connection) -> float:
            row = self._row(connection, name, terms)
            now = self._database.server_now(connection)
            until = max(row["not_before"], now + seconds)
            values: dict[str, float] = {"not_before": until}
            if until > row["not_before"]:
                values |= {"tokens": 1.0, "updated_at": until}  # one at its end, the others paced
            if row["not_before"] <= now:
                values["per_s"] = max(row["per_s"] * slower, min(1 / 60, terms.per_s))
            connection.execute(update(table).where(table.c.name == name).values(values))
            return until - now

        return self._once_more(transact)

    def pause_s(self, name: str) -> float:
        """How long nobody may ask; only looks."""

        def transact(connection: Connection) -> float:
            now = self._database.server_now(connection)
            until = connection.execute(select(self._table.c.not_before).where(self._table.c.name == name)).scalar()
            return max(0.0, (until or 0.0) - now)

        return self._database.read(transact)

    def _row(self, connection: Connection, name: str, terms: Terms) -> dict[str, float]:
        row = connection.execute(select(self._table).where(self._table.c.name == name).with_for_update())
        found = row.mappings().one_or_none()
        if found is not None:
            return dict(found)
        now = self._database.server_now(connection)
        fresh = {
            "tokens": terms.burst,
            "updated_at": now,
            "not_before": 0.0,
            "per_s": terms.per_s,
            "burst": terms.burst,
        }
        connection.execute(insert(self._table).values(name=name, **fresh))
        return fresh

    def _once_more(self, transact: Callable[[Connection], T]) -> T:
        try:
            return self._database.write(transact)
        except IntegrityError:  # two replicas made the row at the same moment
            return self._database.write(transact)
