"""The queue of runs: DBOS on PostgreSQL, in a schema of its own beside the state's.

All that is DBOS's stands here. A run is a workflow of it; its input and its result are JSON.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import DBAPIError

from ..declare import Integration
from ..engine import RunRequest
from ..engine.opened import database_url
from ..errors import IntegrationError, RequestRefused
from ..settings import Settings
from ..state import LeaseHeld, StateError, StateUnavailable
from ..state.connect import session_options

try:
    from dbos import DBOS, DBOSClient, EnqueueOptions
    from dbos import Serializer as DbosSerializer
    from dbos import error as dbos_error
except ModuleNotFoundError:
    raise StateError("RUNNER=cluster needs the extra `cluster`") from None

FLOW = "1"
"""The form of what the queue carries. Workers of another form leave it alone, until none of them lives."""
QUEUE = "runs"
WORKFLOW = "run"
POLLED_S = 1.0
"""A worker that is free looks for a run so often."""
OPEN = ("ENQUEUED", "PENDING", "DELAYED")
ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
MANY = 1000


class RunQueued(LeaseHeld):
    """A run of the stream is waiting or under way already."""

    def __init__(self, stream: str) -> None:
        StateError.__init__(self, f"a run of {stream} is waiting or under way already")
        self.name = stream


class NoQueue(StateUnavailable):
    """No worker has made the queue's tables yet."""

    def __init__(self) -> None:
        super().__init__("the queue is not there yet: the first `worker` that starts makes it; try again in a moment")


class Order(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What the queue carries of a run."""

    run_id: str
    stream: str
    trigger: str
    since: str | None = None
    ids: list[str] = []
    limit: int | None = None
    dry_run: bool = False
    resync: bool = False
    keep: bool = False
    allow_deletes: bool = False
    gone: list[str] = []
    resumed: str | None = None
    only_held: bool = False
    partition: str = ""
    """`help`: take parts of the run `resumed`, under this token of its stream's lease."""
    token: int = 0

    @classmethod
    def of(cls, request: RunRequest) -> Order:
        """Raises `RequestRefused` for what only the process at hand can do."""
        if request.records or request.only_settle or request.settled or request.not_there or request.answers:
            raise RequestRefused("records at hand are not sent through the queue")
        assert request.run_id is not None
        return cls(
            run_id=request.run_id,
            stream=request.stream,
            trigger=request.trigger,
            since=request.since,
            ids=list(request.ids),
            limit=request.limit,
            dry_run=request.dry_run,
            resync=request.resync,
            keep=request.keep,
            allow_deletes=request.allow_deletes,
            gone=list(request.gone),
            resumed=request.resumed,
            only_held=request.only_held,
        )

    def request(self, run_id: str) -> RunRequest:
        """What the engine is asked for."""
        return RunRequest(
            stream=self.stream,
            trigger=self.trigger,  # type: ignore[arg-type]
            run_id=run_id,
            since=self.since,
            ids=tuple(self.ids),
            limit=self.limit,
            dry_run=self.dry_run,
            resync=self.resync,
            keep=self.keep,
            allow_deletes=self.allow_deletes,
            gone=tuple(self.gone),
            resumed=self.resumed,
            only_held=self.only_held,
        )


class JsonOnly(DbosSerializer):
    """JSON in the queue's tables: what is read there can run nothing, and anybody can read it."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=_shown, separators=(",", ":"))

    def deserialize(self, serialized_data: str) -> Any:
        found = json.loads(serialized_data)
        if isinstance(found, dict) and found.keys() == {"failed"}:
            return IntegrationError(str(found["failed"]))
        return found

    def name(self) -> str:
        return "json"


def _shown(value: object) -> object:
    if isinstance(value, BaseException):
        # Words of an error that is not ours may quote a record; the log, which hides what is to be hidden, has them.
        words = f": {value}"[:2000] if isinstance(value, IntegrationError) else ""
        return {"failed": f"{type(value).__name__}{words}"}
    if isinstance(value, tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no place in the queue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A run in the queue."""

    id: str
    order: Order | None
    state: str
    worker: str | None
    flow: str | None
    result: Any = None


class Queue:
    """The queue of one integration. All its methods block."""

    def __init__(self, url: str, *, name: str, connections: int, flow: str) -> None:
        self.flow = flow
        self.app = _app_name(name)
        self.schema = re.sub(r"[^a-z0-9_]", "_", name.lower())[:57] + "_queue"
        self.engine = _engine(url, connections)
        self.serializer = JsonOnly()
        self._client: DBOSClient | None = None
        self._worker: str | None = None

    # --- who only asks ---

    @property
    def client(self) -> DBOSClient:
        """Talks to the tables; takes no work."""
        if self._client is None:
            self._client = DBOSClient(
                system_database_engine=self.engine,
                dbos_system_schema=self.schema,
                serializer=self.serializer,
                application_name=self.app,
                use_listen_notify=False,
                retry_connection_errors=False,
                lazy=True,
            )
        return self._client

    def put(self, order: Order, *, beside: bool = False) -> str:
        """Let a worker carry out a run. One that was put before, by its `run_id`, is not put again.

        Args:
            beside: Also while the stream has a run in the queue.

        Raises:
            RunQueued: the stream has a run in the queue; dry runs may be many.
        """
        options: EnqueueOptions = {
            "workflow_name": WORKFLOW,
            "queue_name": QUEUE,
            "workflow_id": order.run_id,
            "app_version": self.flow,
        }
        if not order.dry_run and not beside:
            options["deduplication_id"] = f"{order.stream}/{order.partition}" if order.partition else order.stream
        run_id: str = self._asked(lambda: self._put(options, order))
        return run_id

    def _put(self, options: EnqueueOptions, order: Order) -> str:
        try:
            handle: Any = self.client.enqueue(options, msgspec.to_builtins(order))
        except dbos_error.DBOSQueueDeduplicatedError:
            raise RunQueued(order.stream) from None
        return str(handle.get_workflow_id())

    def find(self, run_id: str) -> Placed | None:
        """A run by its identity."""
        rows = self._asked(lambda: self.client.list_workflows(workflow_ids=[run_id]))
        return self._placed(rows[0]) if rows else None

    def open(self) -> list[Placed]:
        """Runs that wait or are under way."""
        rows = self._asked(lambda: self.client.list_workflows(status=list(OPEN), load_output=False, limit=MANY))
        return [self._placed(row) for row in rows]

    def wait(self, run_id: str, timeout_s: float) -> Placed | None:
        """Until the run has ended; as it is then, or as it stands after so long."""
        until = time.monotonic() + timeout_s
        while True:
            found = self.find(run_id)
            if found is None or found.state in ENDED or time.monotonic() >= until:
                return found
            time.sleep(0.25)

    def put_back(self, run_ids: list[str]) -> None:
        """Let another worker go on with these. Who carries one out now can no longer say how it ended."""
        if run_ids:
            self._asked(lambda: self.client.resume_workflows(run_ids, queue_name=QUEUE))

    def cancel(self, run_ids: list[str]) -> None:
        """Take these out."""
        if run_ids:
            self._asked(lambda: self.client.cancel_workflows(run_ids))

    def forget_before(self, moment: str) -> int:
        """Delete what ended before a moment (ISO 8601)."""

        def forget() -> int:
            rows = self.client.list_workflows(
                status=list(ENDED), completed_before=moment, load_input=False, load_output=False, limit=MANY
            )
            self.client.delete_workflows([row.workflow_id for row in rows])
            return len(rows)

        total = 0
        while count := self._asked(forget):
            total += count
        return total

    def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            self._client.destroy()
        self.engine.dispose()

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except DBAPIError as error:
            words = " ".join(str(error.orig).split())[:200]
            if getattr(error.orig, "sqlstate", None) in ("42P01", "42703", "3F000"):
                raise NoQueue from error
            raise StateUnavailable(f"the queue does not answer as it should: {words}") from error

    def _placed(self, row: Any) -> Placed:
        given = row.input["args"][0] if row.input and row.input.get("args") else None
        order: Order | None
        try:
            order = None if given is None else msgspec.convert(given, Order)
        except msgspec.ValidationError:
            order = None
        return Placed(
            id=row.workflow_id,
            order=order,
            state=row.status,
            worker=row.executor_id,
            flow=row.app_version,
            result=row.output,
        )

    # --- who works ---

    def launch(self, worker: str, carry_out: Callable[[str, Order], dict[str, Any]], *, at_once: int) -> None:
        """Take runs from the queue from now on; `carry_out(run identity, order)` is called in threads.

        The tables must be made or brought up to date by one replica at a time: hold a lock.
        """
        quiet()
        DBOS(
            config={
                "name": self.app,
                "system_database_engine": self.engine,
                "dbos_system_schema": self.schema,
                "executor_id": worker,
                "application_version": self.flow,
                "serializer": self.serializer,
                "use_listen_notify": False,
                "run_migrations": True,
                "log_level": "WARNING",
                "enable_otlp": False,
            }
        )
        quiet()

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1000)
        def run(given: dict[str, Any]) -> dict[str, Any]:
            assert DBOS.workflow_id is not None
            return carry_out(DBOS.workflow_id, msgspec.convert(given, Order))

        DBOS.launch()
        quiet()
        DBOS.register_queue(QUEUE, worker_concurrency=at_once, polling_interval_sec=POLLED_S)
        self._worker = worker

    def stop(self, wait_s: int) -> None:
        """Take nothing more; return when what was taken has ended, or after so long."""
        if self._worker is not None:
            DBOS.destroy(workflow_completion_timeout_sec=wait_s)
            self._worker = None


def queue_of(integration: Integration, settings: Settings) -> Queue:
    """The queue of an integration, not connected yet."""
    url = database_url(integration, settings)
    return Queue(url, name=integration.name, connections=settings.options.database_pool_size, flow=FLOW)


class _Scarce(logging.Filter):
    """Lets one text through once in ten seconds: an outage of the database is not worth a thousand lines."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text, now = str(record.msg)[:80], time.monotonic()
        if now - self._last.get(text, float("-inf")) < 10.0:
            return False
        if len(self._last) > 1000:
            self._last.clear()
        self._last[text] = now
        return True


_SCARCE = _Scarce()


def quiet() -> None:
    """Let DBOS log through our handlers, which hide secrets, and not through its own."""
    logger = logging.getLogger("dbos")
    logger.handlers.clear()
    logger.addHandler(logging.NullHandler())  # it makes one of its own where there is none
    logger.propagate = True
    logger.setLevel(logging.WARNING)
    if _SCARCE not in logger.filters:
        logger.addFilter(_SCARCE)


def _app_name(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", name.lower())[:200].ljust(3, "-")


def _engine(url: str, connections: int) -> SqlEngine:
    parsed = make_url(url)
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise StateError("RUNNER=cluster needs PostgreSQL: a SQLite file is for one machine; set DATABASE_URL")
    parsed, options = session_options(parsed)
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_size=max(2, connections),
        max_overflow=0,
        pool_timeout=30,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={"connect_timeout": 10, **options},
    )
