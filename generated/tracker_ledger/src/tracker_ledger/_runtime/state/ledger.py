"""What people and monitors ask the state: runs, dead letters, conflicts, waiting deliveries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from .database import Database
from .errors import StateError
from .sealing import Plain, Sealer

Shown: TypeAlias = "dict[str, Any]"
"""A row as it is shown: column → value."""


class Runs:
    """Rows of `runs`: one for each execution of a stream."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.runs

    def start(
        self,
        run_id: str,
        *,
        stream: str,
        kind: str,
        trigger: str,
        parameters: Mapping[str, object],
        dry_run: bool,
        mapping: str,
        token: int,
        holder: str = "",
        rollback_of: str | None = None,
        partition: str = "",
    ) -> None:
        """Open a run. One of the stream, or of the part, that says `running` under an older lease has crashed: it is closed."""
        table = self._table
        now = self._database.now()
        row = {
            "id": run_id, "stream": stream, "kind": kind, "trigger": trigger, "state": "running", "dry_run": dry_run,
            "parameters": json.dumps(parameters), "started_at": now, "mapping": mapping, "token": token,
            "holder": holder, "rollback_of": rollback_of, "partition": partition,
        }  # fmt: skip
        # The lease of a part is held: whoever ran the part before does so no more.
        older = table.c.partition == partition if partition else table.c.token < token
        stale = (table.c.stream == stream, table.c.state == "running", older, table.c.id != run_id)

        def transact(connection: Connection) -> None:
            if not dry_run:
                connection.execute(update(table).where(*stale).values(state="crashed", ended_at=now))
            connection.execute(insert(table).values(row))

        begun = select(table.c.id).where(table.c.id == run_id)
        try:
            self._database.write(transact, is_done=lambda connection: connection.execute(begun).scalar() is not None)
        except IntegrityError:
            raise StateError(f"run {run_id} is on record already") from None

    def put_cancelled(
        self,
        run_id: str,
        *,
        stream: str,
        kind: str,
        trigger: str,
        parameters: Mapping[str, object],
        dry_run: bool,
        mapping: str,
    ) -> bool:
        """Put a run on record that is cancelled before it begins. False when it has begun."""
        now = self._database.now()
        row = {
            "id": run_id, "stream": stream, "kind": kind, "trigger": trigger, "state": "cancelled", "dry_run": dry_run,
            "parameters": json.dumps(parameters), "started_at": now, "ended_at": now, "cancel_at": now, "mapping": mapping,
            "failure": "cancelled", "error": "the run was cancelled before a worker took it; `runs resume` starts it",
        }  # fmt: skip
        try:
            self._database.execute(insert(self._table).values(row))
        except IntegrityError:
            return False
        return True

    def end(
        self,
        run_id: str,
        *,
        state: str,
        counts: Mapping[str, int],
        seconds: float,
        failure: str | None,
        error: str | None,
        sample: bytes | None = None,
    ) -> None:
        """Close a run with its final counts; `sample` is what it showed, sealed.

        One that somebody else has closed, because it was taken for dead, stays as it is: what this process counted since is
        not on record.
        """
        values: dict[str, object] = {
            **counts, "state": state, "failure": failure, "error": error, "seconds": seconds, "ended_at": self._database.now(),
            "sample": sample,
        }  # fmt: skip
        query = update(self._table).where(self._table.c.id == run_id, self._table.c.state == "running").values(values)
        self._database.execute(query)

    def cancel(self, run_id: str) -> bool:
        """Ask a run to end at its next safe place, whichever process carries it out. False when it is not under way."""
        table = self._table
        query = update(table).where(table.c.id == run_id, table.c.state == "running")
        return self._database.execute(query.values(cancel_at=self._database.now())) == 1

    def is_cancelled(self, run_id: str) -> bool:
        """Whether somebody asked it to end."""
        query = select(self._table.c.cancel_at).where(self._table.c.id == run_id)
        return self._database.read(lambda connection: connection.execute(query).scalar()) is not None

    def stays_cancelled(self, run_id: str) -> bool:
        """Whether a run that another one is to go on for was asked to end; then that is how it ended."""
        table = self._table
        query = update(table).where(table.c.id == run_id, table.c.cancel_at.is_not(None))
        unheard = query.where(table.c.state.in_(("running", "stopped", "crashed")))
        error = "the run was cancelled, and its worker left before it heard of it; `runs resume` goes on from its checkpoint"
        ended = func.coalesce(table.c.ended_at, self._database.now())
        self._database.execute(unheard.values(state="cancelled", failure="cancelled", error=error, ended_at=ended))
        asked = select(table.c.id).where(table.c.id == run_id, table.c.cancel_at.is_not(None))
        return self._database.read(lambda connection: connection.execute(asked).scalar()) is not None

    def usual_length(self, stream: str, kind: str) -> int | None:
        """Records that the last complete run of this kind read."""
        table = self._table
        query = (
            select(table.c.read)
            .where(
                table.c.stream == stream, table.c.kind == kind, table.c.state.in_(("done", "partial")), table.c.read > 0
            )
            .order_by(table.c.started_at.desc())
            .limit(1)
        )
        found: int | None = self._database.read(lambda connection: connection.execute(query).scalar())
        return found

    def get(self, run_id: str) -> Shown | None:
        """One run."""
        query = select(self._table).where(self._table.c.id == run_id)
        row = self._database.read(lambda connection: connection.execute(query).mappings().one_or_none())
        return None if row is None else _run(row)

    def attempts(self, run_id: str) -> list[str]:
        """The runs that were started for one order of a queue, the first one first: `ID`, `ID.2`, `ID.3`."""
        table = self._table
        mine = or_(table.c.id == run_id, table.c.id.startswith(f"{run_id}.", autoescape=True))
        query = select(table.c.id).where(mine, table.c.partition == "").order_by(table.c.started_at)
        return list(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def taken_over(self, run_id: str, by: str) -> None:
        """Say of a run that ended without a word who goes on from its checkpoint."""
        query = update(self._table).where(self._table.c.id == run_id, self._table.c.state == "running")
        error = f"its worker ended without a word; {by} goes on from its checkpoint"
        self._database.execute(query.values(state="crashed", ended_at=self._database.now(), error=error))

    def latest(self, stream: str | None = None, limit: int = 20) -> list[Shown]:
        """Runs, newest first."""
        query = select(self._table).order_by(self._table.c.started_at.desc()).limit(limit)
        if stream is not None:
            query = query.where(self._table.c.stream == stream)
        return [_run(row) for row in self._database.read(lambda connection: connection.execute(query).mappings().all())]


def _run(row: RowMapping) -> Shown:
    return {**row, "parameters": json.loads(row["parameters"])}


class DeadLetters:
    """Rows of `dead_letters`: records that could not be synced, with the reason."""

    def __init__(self, database: Database, sealer: Sealer | None = None) -> None:
        self._database = database
        self._sealer: Sealer = sealer or Plain()
        self._table = database.tables.dead_letters

    def latest(self, stream: str | None = None, *, state: str = "open", limit: int = 50) -> list[Shown]:
        """Dead letters without their payloads, newest first."""
        table = self._table
        columns = [column for column in table.c if column.name != "payload"]
        query = select(*columns).where(table.c.state == state).order_by(table.c.last_at.desc(), table.c.id).limit(limit)
        if stream is not None:
            query = query.where(table.c.stream == stream)
        return [dict(row) for row in self._database.read(lambda connection: connection.execute(query).mappings().all())]

    def get(self, letter_id: str) -> Shown | None:
        """One dead letter with its payload."""
        query = select(self._table).where(self._table.c.id == letter_id)
        row = self._database.read(lambda connection: connection.execute(query).mappings().one_or_none())
        if row is None:
            return None
        payload = row["payload"]
        return {**row, "payload": None if payload is None else self._sealer.open(bytes(payload))}

    def discard(self, letter_ids: Sequence[str]) -> int:
        """Say that these need no attention any more. They stay on file; a newer version of the record opens them again."""
        query = update(self._table).where(self._table.c.id.in_(letter_ids), self._table.c.state == "open")
        return self._database.execute(query.values(state="discarded"))

    def named_for(self, stream: str, reason: str) -> set[str]:
        """The source identities of dead letters, discarded ones too, whose reason begins so."""
        table = self._table
        query = select(table.c.source_id).where(table.c.stream == stream, table.c.reason.startswith(reason))
        return set(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def open_count(self, stream: str | None = None) -> int:
        """How many wait for attention."""
        query = select(func.count()).select_from(self._table).where(self._table.c.state == "open")
        if stream is not None:
            query = query.where(self._table.c.stream == stream)
        return int(self._database.read(lambda connection: connection.execute(query).scalar_one()))


class Drifts:
    """Rows of `drift`: where replies were not as described, how often, and when."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table = database.tables.drift

    def latest(self, stream: str | None = None, limit: int = 50) -> list[Shown]:
        """The ways in which replies differ, the last seen first."""
        table = self._table
        query = select(table).order_by(table.c.last_at.desc(), table.c.path, table.c.kind).limit(limit)
        if stream is not None:
            query = query.where(table.c.stream == stream)
        return [dict(row) for row in self._database.read(lambda connection: connection.execute(query).mappings().all())]


class Inbox:
    """Rows of `inbox`: webhook deliveries, stored before they are acknowledged."""

    def __init__(self, database: Database, sealer: Sealer | None = None) -> None:
        self._database = database
        self._sealer: Sealer = sealer or Plain()
        self._table = database.tables.inbox

    def put(self, deliveries: Sequence[Mapping[str, object]]) -> None:
        """Store deliveries durably. One that came before (same stream and delivery identity) is left as it is."""
        make = postgresql.insert if self._database.is_postgresql else sqlite.insert
        query = make(self._table).on_conflict_do_nothing(index_elements=["stream", "delivery_id"])
        rows: list[dict[str, Any]] = [{"received_at": self._database.now(), **delivery} for delivery in deliveries]
        if not isinstance(self._sealer, Plain):
            for row in rows:
                row["body"] = self._sealer.seal(row["body"])
        self._database.execute(query, rows)

    def waiting(
        self, stream: str, limit: int = 250, *, only: Sequence[int] | None = None, without: Sequence[int] = ()
    ) -> list[Shown]:
        """Deliveries of a stream that were not carried out yet, oldest first: all, some, or all but some."""
        table = self._table
        query = (
            select(table).where(table.c.stream == stream, table.c.state == "waiting").order_by(table.c.id).limit(limit)
        )
        if only is not None:
            query = query.where(table.c.id.in_(only))
        if without:
            query = query.where(table.c.id.not_in(without))
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [{**row, "body": self._sealer.open(bytes(row["body"]))} for row in rows]

    def end(self, ids: Sequence[int], *, state: str, run_id: str | None = None, error: str | None = None) -> None:
        """Say what became of deliveries: `done`, `dead` or `ignored`."""
        values = {"state": state, "run_id": run_id, "error": error, "done_at": self._database.now()}
        query = update(self._table).where(self._table.c.id.in_(ids)).values(values)
        self._database.execute(query)

    def tried(self, ids: Sequence[int], more: int = 1) -> None:
        """Count one more attempt, before it is made; or take back one that was none."""
        query = update(self._table).where(self._table.c.id.in_(ids)).values(attempts=self._table.c.attempts + more)
        self._database.execute(query)

    def counts(self) -> dict[str, int]:
        """Deliveries by state."""
        query = select(self._table.c.state, func.count()).group_by(self._table.c.state)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {row[0]: row[1] for row in rows}

    def forget_before(self, moment: float) -> int:
        """Delete what was carried out before `moment`; keep it longer than a vendor goes on delivering."""
        query = delete(self._table).where(self._table.c.state != "waiting", self._table.c.received_at < moment)
        return self._database.execute(query)
