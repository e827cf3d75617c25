"""Places where a process of the sample kills itself, as by `kill -9`: no handler runs, nothing is flushed.

The runtime has no hooks for this: its functions are wrapped in the process under test. Each place is one step of the delivery
rules: fetch → transform → intent committed → send → reply → outcome and checkpoint in one transaction → next group.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection

from runtime.engine.items import Reader
from runtime.fence import Fence
from runtime.http.sender import Sender
from runtime.http.session import Session
from runtime.state import LeaseLost, migrations
from runtime.state.database import Database
from runtime.state.leases import Leases
from runtime.state.replicas import Workers
from runtime.state.rows import Lease
from runtime.state.store import Store

NAMES = (
    "after-fetch",
    "after-transform",
    "before-send",
    "after-send",
    "before-checkpoint",
    "in-checkpoint",
    "after-checkpoint",
    "in-dead-letter",
    "in-migration",
)
"""after-send: the reply is here and nothing of it is on record. before-checkpoint: links and dead letters of the group are
written, the checkpoint is not. in-checkpoint: all is written and not committed."""


class Failpoint:
    """One place; the process dies when it is passed for the `times`th time."""

    def __init__(self, name: str, times: int) -> None:
        self.name = name
        self.left = times

    def passed(self, name: str) -> None:
        """Die, if it is time."""
        if name == self.name:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def deadly(mapping: Callable[[Any], Any], identity: str) -> Callable[[Any], Any]:
    """A mapping that ends the process at one record."""

    def mapped(record: Any) -> Any:
        if str(record.id) == identity:
            os.kill(os.getpid(), signal.SIGKILL)
        return mapping(record)

    return mapped


def install(text: str | None) -> None:
    """Wrap what `NAME` or `NAME:TIMES` needs; nothing for None."""
    if not text:
        return
    name, _, times = text.partition(":")
    if name not in NAMES:
        raise SystemExit(f"there is no failpoint {name}; there is {', '.join(NAMES)}")
    point = Failpoint(name, int(times or 1))
    _in_reading(point)
    _in_sending(point)
    _in_state(point)
    _in_migration(point)


def unfence() -> None:
    """Break all that keeps a process which lost its lease from going on: an audit that sees nothing then proves nothing."""
    plain = Leases.renew

    def renew(self: Leases, lease: Lease) -> None:
        with suppress(LeaseLost):
            plain(self, lease)

    def beat(self: Workers, identity: str, proof: float, state: str = "working") -> bool:
        return True

    Store._hold = lambda self, connection, lease: None  # type: ignore[method-assign, assignment]
    Leases.renew = renew  # type: ignore[method-assign]
    Fence.check = lambda self: None  # type: ignore[method-assign]
    Workers.beat = beat  # type: ignore[method-assign]


def _in_reading(point: Failpoint) -> None:
    pages, read = Session.pages, Reader.read

    async def counted(self: Session, *args: Any, **options: Any) -> AsyncIterator[Any]:
        async for page in pages(self, *args, **options):
            point.passed("after-fetch")
            yield page

    def transformed(self: Reader[Any, Any], raws: Any) -> Any:
        found = read(self, raws)
        point.passed("after-transform")
        return found

    Session.pages = counted  # type: ignore[method-assign]
    Reader.read = transformed  # type: ignore[method-assign]


def _in_sending(point: Failpoint) -> None:
    exchange = Sender._exchange

    async def sent(self: Sender, request: Any) -> Any:
        if request.method == "GET":
            return await exchange(self, request)
        point.passed("before-send")
        response = await exchange(self, request)
        point.passed("after-send")
        return response

    Sender._exchange = sent  # type: ignore[method-assign]


def _in_state(point: Failpoint) -> None:
    write, transaction = Store._write, Database._transaction
    state: dict[str, bool] = {}

    class Watching:
        """The statement of the checkpoint or of the dead letters, with the failpoint before or after it."""

        def __init__(self, inner: Any, name: str, *, before: bool) -> None:
            self.inner, self.name, self.before = inner, name, before

        def run_now(self, connection: Connection, row: Any) -> Any:
            state["has_checkpoint"] = True
            if self.before:
                point.passed(self.name)
            return self.inner.run_now(connection, row)

        def run_many(self, connection: Connection, rows: Any) -> None:
            self.inner.run_many(connection, rows)
            if rows:
                point.passed(self.name)

    def written(self: Store, connection: Connection, work: Any, outcomes: Any) -> None:
        if not isinstance(self._put_checkpoint, Watching):
            self._put_checkpoint = Watching(self._put_checkpoint, "before-checkpoint", before=True)  # type: ignore[assignment]
            self._put_dead = Watching(self._put_dead, "in-dead-letter", before=False)  # type: ignore[assignment]
        state["has_checkpoint"] = False
        write(self, connection, work, outcomes)

    @contextmanager
    def committed(self: Database, reading: bool) -> Iterator[Connection]:
        state["has_checkpoint"] = False
        with transaction(self, reading) as connection:
            yield connection
            if state["has_checkpoint"]:
                point.passed("in-checkpoint")
        if state["has_checkpoint"]:
            point.passed("after-checkpoint")

    Store._write = written  # type: ignore[method-assign]
    Database._transaction = committed  # type: ignore[method-assign]


def _in_migration(point: Failpoint) -> None:
    steps: dict[int, Callable[..., None]] = {}

    def dying(step: Callable[..., None]) -> Callable[..., None]:
        def stepped(*args: Any) -> None:
            step(*args)
            point.passed("in-migration")

        return stepped

    for version, step in migrations.STEPS.items():
        steps[version] = dying(step)
    migrations.migrate.__kwdefaults__["steps"] = steps
