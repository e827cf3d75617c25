"""What a package remembers between runs: links, checkpoints, intents, runs, dead letters, deliveries, leases.

Synchronous SQLAlchemy Core on one thread of its own; SQLite by default, PostgreSQL by URL.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .alerts import AlertRows
from .audit import Audit
from .budgets import Budgets
from .cleanup import Cleanup
from .database import Database
from .depths import Queues
from .errors import KeyWrong, LeaseHeld, LeaseLost, SchemaNewer, StateError, StateUnavailable
from .forgetting import Forgetting
from .history import History
from .leases import LEASE_S, Leases
from .ledger import DeadLetters, Drifts, Inbox, Runs
from .merges import Conflicts
from .partitions import Partitions
from .replicas import Ticks, Workers
from .reseal import Seals
from .sealing import Plain, Sealer
from .store import Store
from .thread import Caller, Inline, OneThread
from .tokens import Tokens
from .undoing import Undoings

__all__ = [
    "LEASE_S",
    "Caller",
    "Inline",
    "KeyWrong",
    "LeaseHeld",
    "LeaseLost",
    "OneThread",
    "Plain",
    "SchemaNewer",
    "Sealer",
    "State",
    "StateError",
    "StateUnavailable",
]


class State:
    """All of it. Its members are synchronous and belong to the thread of `call`."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        now: Callable[[], float] = time.time,
        caller: Caller | None = None,
        sealer: Sealer | None = None,
    ) -> None:
        self._database = Database(url, name=name, now=now)
        self._caller: Caller = caller or Inline()
        self.sealer: Sealer = sealer or Plain()
        self.store = Store(self._database, self.sealer)
        self.leases = Leases(self._database)
        self.runs = Runs(self._database)
        self.dead_letters = DeadLetters(self._database, self.sealer)
        self.drift = Drifts(self._database)
        self.inbox = Inbox(self._database, self.sealer)
        self.history = History(self._database, self.sealer)
        self.forgetting = Forgetting(self._database, self.sealer)
        self.cleanup = Cleanup(self._database)
        self.undoing = Undoings(self._database, self.sealer)
        self.audit = Audit(self._database)
        self.seals = Seals(self._database, self.sealer)
        self.budgets = Budgets(self._database)
        self.partitions = Partitions(self._database)
        self.workers = Workers(self._database)
        self.ticks = Ticks(self._database)
        self.caller = self._caller
        self.queues = Queues(self._database)
        self.alerts = AlertRows(self._database)
        self.tokens = Tokens(self._database, self.sealer)
        self.conflicts = Conflicts(self._database)
        self.call = self._caller.call

    @property
    def is_shared(self) -> bool:
        """Whether several machines can use it: PostgreSQL."""
        return self._database.is_postgresql

    def prepare(self) -> int:
        """Create or upgrade the tables; returns the schema version found before, 0 for a fresh database."""
        found = self._database.prepare()
        self.seals.check()
        return found

    def close(self) -> None:
        """Finish what was begun and close the connection."""
        self._caller.close()
        self._database.close()
