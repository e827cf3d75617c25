"""Who may run a stream: one holder at a time, with a token that grows, so that one who lost it can write nothing more."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from .database import Database
from .errors import LeaseHeld, LeaseLost
from .rows import Lease

LEASE_S = 60.0
"""A lease that nobody renewed for so long may be taken over."""

LONGEST_S = 3600.0
"""No lease may last longer (`LEASE_SECONDS`). One that seems to was taken before the clock was set back, and counts as run out:
should its holder live, its next write to the state fails."""


class Leases:
    """Rows of `leases`. Their time is the database's, so that replicas need not agree on theirs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.leases

    def acquire(self, name: str, holder: str, ttl_s: float = LEASE_S) -> Lease:
        """Take the lease when it is free or has run out.

        Raises:
            LeaseHeld: somebody else has it.
        """
        table = self._table
        taken: list[Lease] = []

        def transact(connection: Connection) -> Lease:
            taken.clear()
            now = self._database.server_now(connection)
            query = select(table).where(table.c.name == name).with_for_update()
            row = connection.execute(query).mappings().one_or_none()
            if row is not None and 0 < row["expires_at"] - now <= LONGEST_S:
                raise LeaseHeld(name, row["holder"], row["expires_at"] - now)
            token = 1 if row is None else row["token"] + 1
            values = {"holder": holder, "token": token, "expires_at": now + ttl_s}
            if row is None:
                connection.execute(insert(table).values(name=name, **values))
            else:
                connection.execute(update(table).where(table.c.name == name).values(values))
            taken.append(Lease(name=name, holder=holder, token=token, ttl_s=ttl_s))
            return taken[0]

        def is_taken(connection: Connection) -> bool:
            """Whether a commit whose answer was lost took place: then the lease is ours, and not held by another."""
            query = select(table.c.holder, table.c.token).where(table.c.name == name)
            return any(tuple(row) == (holder, taken[0].token) for row in connection.execute(query))

        try:
            return self._database.write(transact, is_done=is_taken)
        except IntegrityError:  # two replicas made the first row at the same moment
            return self._database.write(transact, is_done=is_taken)

    def renew(self, lease: Lease) -> None:
        """Hold the lease for another while.

        Raises:
            LeaseLost: another holder took over.
        """

        def transact(connection: Connection) -> None:
            until = self._database.server_now(connection) + lease.ttl_s
            if lease.over is not None:
                above = (self._table.c.name == lease.over.name, self._table.c.token == lease.over.token)
                if connection.execute(update(self._table).where(*above).values(expires_at=until)).rowcount != 1:
                    raise LeaseLost(lease.over.name)
            held = (self._table.c.name == lease.name, self._table.c.token == lease.token)
            if connection.execute(update(self._table).where(*held).values(expires_at=until)).rowcount != 1:
                raise LeaseLost(lease.name)

        self._database.write(transact)

    def release(self, lease: Lease) -> None:
        """Give the lease back. Does nothing when it was lost. The row stays, so that the token goes on growing."""
        held = (self._table.c.name == lease.name, self._table.c.token == lease.token)
        self._database.execute(update(self._table).where(*held).values(expires_at=0.0))

    def end(self, lease: Lease) -> None:
        """Give the lease back, and take it from all who work under it."""
        held = (self._table.c.name == lease.name, self._table.c.token == lease.token)
        self._database.execute(update(self._table).where(*held).values(expires_at=0.0, token=self._table.c.token + 1))

    def is_held(self, name: str) -> bool:
        """Whether somebody runs it now."""

        def transact(connection: Connection) -> bool:
            now = self._database.server_now(connection)
            query = select(func.max(self._table.c.expires_at)).where(self._table.c.name == name)
            return (connection.execute(query).scalar() or 0.0) > now

        return self._database.read(transact)
