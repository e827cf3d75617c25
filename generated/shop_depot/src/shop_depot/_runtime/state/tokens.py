"""Access tokens that are fetched: one row for each API that signs in with OAuth2.

A row's `generation` grows with each token that is stored, and a token is stored only over the generation that it was fetched
for: whoever lost the lock meanwhile overwrites nothing. That a refresh was asked for is stored before it is asked, so that a
process that ends between the server's reply and our storing leaves a trace.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Update, select, update

from .connect import Statements
from .database import Database
from .sealing import Sealer


class TokenRow(NamedTuple):
    """What is known of one API's tokens."""

    name: str
    access: str | None = None
    refresh: str | None = None
    expires_at: float | None = None
    """None: the server did not say."""
    generation: int = 0
    """0: none was ever stored."""
    needs_sign_in: bool = False
    reason: str | None = None
    seed: str = ""
    """Digests of the credential that the chain began with."""
    asked_at: float | None = None
    """A refresh was sent at this time, and what came of it is not stored."""
    updated_at: float = 0.0


class Tokens:
    """Rows of `tokens`; access and refresh tokens are sealed."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._table = database.tables.tokens
        self._sql = Statements(database.dialect)

    def get(self, name: str) -> TokenRow:
        """The row, or an empty one."""
        query = select(self._table).where(self._table.c.name == name)
        row = self._database.read(lambda connection: connection.execute(query).mappings().one_or_none())
        if row is None:
            return TokenRow(name)
        return TokenRow(
            name=name,
            access=self._opened(row["access"]),
            refresh=self._opened(row["refresh"]),
            expires_at=row["expires_at"],
            generation=row["generation"],
            needs_sign_in=row["state"] == "needs_sign_in",
            reason=row["reason"],
            seed=row["seed"],
            asked_at=row["asked_at"],
            updated_at=row["updated_at"],
        )

    def asked(self, name: str, at: float) -> None:
        """A refresh is about to be sent."""
        insert = self._sql.insert(self._table).values(name=name, asked_at=at, updated_at=at)
        self._database.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"asked_at": at}))

    def not_asked(self, name: str, generation: int) -> None:
        """The refresh was answered, and it gave and took nothing."""
        self._database.execute(self._row(name, generation).values(asked_at=None))

    def keep(self, name: str, generation: int, row: TokenRow) -> bool:
        """Store a token over `generation`. False when another one was stored meanwhile: then that one counts."""
        values = {
            "access": self._sealed(row.access),
            "refresh": self._sealed(row.refresh),
            "expires_at": row.expires_at,
            "generation": generation + 1,
            "state": "ok",
            "reason": None,
            "seed": row.seed,
            "asked_at": None,
            "updated_at": row.updated_at,
        }
        return self._database.execute(self._row(name, generation).values(values)) == 1

    def refuse(self, name: str, generation: int, *, reason: str, seed: str, at: float) -> bool:
        """The server refuses: somebody has to sign in. False when a token was stored meanwhile."""
        values = {
            "access": None, "state": "needs_sign_in", "reason": reason, "seed": seed, "asked_at": None, "updated_at": at
        }  # fmt: skip
        return self._database.execute(self._row(name, generation).values(values)) == 1

    def sign_in(self, name: str, *, refresh: str, seed: str, at: float) -> None:
        """Begin a new chain with this refresh token, whatever there was."""
        values = {
            "access": None, "refresh": self._sealed(refresh), "expires_at": None, "state": "ok", "reason": None,
            "seed": seed, "asked_at": None, "updated_at": at,
        }  # fmt: skip
        insert = self._sql.insert(self._table).values(name=name, generation=1, **values)
        grown = {**values, "generation": self._table.c.generation + 1}
        self._database.execute(insert.on_conflict_do_update(index_elements=["name"], set_=grown))

    def _row(self, name: str, generation: int) -> Update:
        return update(self._table).where(self._table.c.name == name, self._table.c.generation == generation)

    def _sealed(self, text: str | None) -> bytes | None:
        return None if text is None else self._sealer.seal(text.encode())

    def _opened(self, stored: bytes | None) -> str | None:
        return None if stored is None else self._sealer.open(bytes(stored)).decode()
