"""Who may run a stream: one holder at a time, with a token that grows, so that one who lost it can write nothing more."""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from .database import Database
from .errors import LeaseHeld, LeaseLost
from .rows import Lease

LEASE_S = 60.0
"""A lease that nobody renewed for so long may be taken over."""


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

        def transact(connection: Connection) -> Lease:
            now = self._database.server_now(connection)
            query = select(table).where(table.c.name == name).with_for_update()
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                connection.execute(insert(table).values(name=name, holder=holder, token=1, expires_at=now + ttl_s))
                return Lease(name=name, holder=holder, token=1, ttl_s=ttl_s)
            if row["expires_at"] > now:
                raise LeaseHeld(name, row["holder"], row["expires_at"] - now)
            token = row["token"] + 1
            values = {"holder": holder, "token": token, "expires_at": now + ttl_s}
            connection.execute(update(table).where(table.c.name == name).values(values))
            return Lease(name=name, holder=holder, token=token, ttl_s=ttl_s)

        try:
            return self._database.write(transact)
        except LeaseHeld:
            raise
        except IntegrityError:  # two replicas made the first row at the same moment
            return self._database.write(transact)

    def renew(self, lease: Lease) -> None:
        """Hold the lease for another while.

        Raises:
            LeaseLost: another holder took over.
        """

        def transact(connection: Connection) -> None:
            until = self._database.server_now(connection) + lease.ttl_s
            held = (self._table.c.name == lease.name, self._table.c.token == lease.token)
            if connection.execute(update(self._table).where(*held).values(expires_at=until)).rowcount != 1:
                raise LeaseLost(lease.name)

        self._database.write(transact)

    def release(self, lease: Lease) -> None:
        """Give the lease back. Does nothing when it was lost. The row stays, so that the token goes on growing."""
        held = (self._table.c.name == lease.name, self._table.c.token == lease.token)
        self._database.execute(update(self._table).where(*held).values(expires_at=0.0))

    def is_held(self, name: str) -> bool:
        """Whether somebody runs it now."""

        def transact(connection: Connection) -> bool:
            now = self._database.server_now(connection)
            query = select(func.max(self._table.c.expires_at)).where(self._table.c.name == name)
            return (connection.execute(query).scalar() or 0.0) > now

        return self._database.read(transact)
