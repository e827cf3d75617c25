"""One process of the package: the real engine, on a clock, a wire and a state that can stop or end it at every await."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

import httpx
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from runtime.engine import Engine
from runtime.errors import TransportError
from runtime.http.session import Session, open_api
from runtime.http.wire import Body
from runtime.state import State
from tests.runtime.virtual_time import START_S
from tests.simulation.source import Page
from tests.simulation.world import Crash, World

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

T = TypeVar("T")
DEADLINE_S = 60.0


class Process:
    """What `kill -9` ends."""

    def __init__(self, simulation: Simulation, name: str) -> None:
        self.simulation = simulation
        self.world: World = simulation.world
        self.name = name
        self.dead = False
        self.paused_until = 0.0
        self.under_way = {"source": 0, "destination": 0}
        self.resting = True
        """Nothing is under way."""
        self.ended = asyncio.Event()
        self.pages: list[Page] = []
        """Pages that its run was handed."""
        self.token = 0
        """Of the lease that it holds or held last."""
        world = self.world
        self.clock = ProcessClock(self)
        self.state = simulation.states.take(self)
        self.source = self._session(simulation.integration.source, "source")
        self.destination = self._session(simulation.integration.destination, "destination")
        self.engine = Engine(
            simulation.integration,
            source=self.source,
            destination=self.destination,
            state=self.state,
            settings=simulation.settings,
            clock=self.clock,
            ids=world.new_id,
            holder=name,
        )

    def _session(self, api: Any, side: str) -> Session:
        return open_api(api, self.simulation.settings, transport=Wire(self, side), clock=self.clock)

    def note(self, what: str) -> None:
        """One line of the trace."""
        self.world.note(self.name, what)

    # --- where it may end or stop ---

    def check(self) -> None:
        """Nothing of a process that is gone goes on."""
        if self.dead:
            raise Crash

    def die(self, where: str) -> None:
        """`kill -9`."""
        self.note(f"KILLED {where}")
        self.dead = True
        self.ended.set()
        raise Crash

    def may_die(self, where: str) -> None:
        """A place where the process can end."""
        self.check()
        if self.world.happens("crash"):
            self.die(where)

    async def gate(self, where: str) -> None:
        """A place where the process can end, or stand still for a while without knowing."""
        self.may_die(where)
        world = self.world
        if world.happens("pause"):
            seconds = world.chance.choice([5.0, 45.0, 100.0, 500.0])
            self.paused_until = max(self.paused_until, world.now + seconds)
            self.note(f"PAUSED {where} for {seconds:.0f} s")
        if world.happens("stop-asked", 0.2):
            self.note("asked to stop")
            self.engine.stop()
        await self.awake()

    async def awake(self) -> None:
        """Wait until it runs again."""
        while (left := self.paused_until - self.world.now) > 0:
            await asyncio.sleep(left)
        self.check()


class ProcessClock:
    """What the process believes of time."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._loop = process.world.loop

    def monotonic(self) -> float:
        return self._loop.time()

    def now(self) -> float:
        return START_S + self._loop.time() + self._process.simulation.clock_off_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 1e-9))
        await self._process.awake()

    def random(self) -> float:
        return self._process.world.chance.random()


class Wire(httpx.AsyncBaseTransport):
    """The network between a process and one system. What was sent arrives, whatever becomes of the sender."""

    def __init__(self, process: Process, side: str) -> None:
        self._process = process
        self._side = side

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        process, world = self._process, self._process.world
        process.may_die(f"before {request.method} {request.url.path}")
        process.simulation.auditor.sent(process, self._side, request)
        arrived: asyncio.Future[tuple[int, dict[str, str], bytes] | TransportError] = world.loop.create_future()
        data = request.stream.data if isinstance(request.stream, Body) else b""
        process.under_way[self._side] += 1
        try:
            world.loop.call_later(
                world.chance.uniform(0.001, 0.05), self._arrive, request, data, arrived, process.pages
            )
            reply = await arrived
            await asyncio.sleep(world.chance.uniform(0.001, 0.05))
            await process.gate(f"after {request.method} {request.url.path}")
        finally:
            process.under_way[self._side] -= 1
        if isinstance(reply, TransportError):
            raise TransportError(str(reply), sent=reply.sent)
        status, headers, content = reply
        return httpx.Response(status, headers=headers, stream=Body(content))

    def _arrive(self, request: httpx.Request, data: bytes, arrived: asyncio.Future[Any], pages: list[Page]) -> None:
        simulation, name = self._process.simulation, self._process.name
        url = request.url
        path = url.path.removeprefix("/api")
        query = dict(parse_qsl(url.query.decode("ascii")))
        reply: Any
        try:
            reply = simulation.arrive(self._process, self._side, request, path, query, data, pages)
        except TransportError as error:
            reply = error
        shown = f"{reply[0]}" if isinstance(reply, tuple) else f"{reply}"
        simulation.world.note(self._side, f"{request.method} {path} from {name} -> {shown}")
        if not arrived.done():
            arrived.set_result(reply)


class Gated:
    """The `Caller` of a process: work for the state is done at once, when the process is awake."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def call(self, work: Callable[[], T]) -> T:
        process = self._process
        await process.gate("before the state")
        found = work()
        await asyncio.sleep(0.001)
        await process.gate("after the state")
        return found

    def close(self) -> None:
        return


class States:
    """Keeps the costly part of `State`, its compiled statements, over seeds: all that one process knows is put back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / f"state-{os.getpid()}.db"
        self._template = self._make_template()
        self._free: list[State] = []
        self._owner: dict[int, Process] = {}
        self._used: list[State] = []

    def _make_template(self) -> bytes:
        path = self.folder / f"template-{os.getpid()}.db"
        path.unlink(missing_ok=True)
        state = State(f"sqlite:///{path}", name="simulated")
        state.prepare()
        state.close()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        content = path.read_bytes()
        for end in ("", "-wal", "-shm"):
            Path(f"{path}{end}").unlink(missing_ok=True)
        return content

    def begin(self) -> None:
        """A fresh database for a new seed."""
        for state in self._used:
            state._database._drop()
            self._free.append(state)
        self._used.clear()
        self._owner.clear()
        for end in ("-wal", "-shm"):
            Path(f"{self.file}{end}").unlink(missing_ok=True)
        self.file.write_bytes(self._template)

    def close(self) -> None:
        """Leave nothing behind."""
        self.begin()
        for state in self._free:
            state.close()
        for end in ("", "-wal", "-shm"):
            Path(f"{self.file}{end}").unlink(missing_ok=True)

    def take(self, process: Process) -> State:
        """The state as a new process opens it."""
        state = self._free.pop() if self._free else self._new()
        self._used.append(state)
        self._owner[id(state)] = process
        state.store.matches._logged.clear()
        state.store.matches._log_length = 0
        state._database._drop()
        state.call = Gated(process).call
        return state

    def give_back(self, state: State) -> None:
        """The process has ended: what it had not committed is undone by the database."""
        self._owner.pop(id(state), None)
        self._used.remove(state)
        state._database._drop()
        self._free.append(state)

    def _new(self) -> State:
        state = State(f"sqlite:///{self.file}", name="simulated")
        database = state._database
        key = id(state)
        plain = database._transaction

        @contextmanager
        def transaction(reading: bool) -> Iterator[Connection]:
            process = self._owner[key]
            process.check()
            world = process.world
            if world.now < process.simulation.state_down_until:
                raise _error("the connection is refused", lost=True)
            if world.happens("state-down", 0.2):
                process.simulation.state_down_until = world.now + world.chance.uniform(0.1, 30)
                raise _error("the connection is refused", lost=True)
            if world.happens("state-busy"):
                raise _error("database is locked")
            with plain(reading) as connection:
                yield connection
                if not reading:
                    if world.happens("crash-before-commit"):
                        process.die("in a transaction")
                    if world.happens("state-lost-before-commit"):
                        raise _error("the connection was lost", lost=True)
            if not reading:
                process.simulation.auditor.committed(process)
                if world.happens("crash-after-commit"):
                    process.die("after a commit")
                if world.happens("state-lost-at-commit"):
                    raise _error("the connection was lost", lost=True)

        database._transaction = transaction  # type: ignore[method-assign]
        database._pause = lambda seconds: None
        database.now = lambda: self._owner[key].clock.now()
        return state


def _error(words: str, *, lost: bool = False) -> OperationalError:
    return OperationalError("", {}, sqlite3.OperationalError(words), connection_invalidated=lost)
