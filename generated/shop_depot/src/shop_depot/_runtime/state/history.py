"""The ledger of rows: what was written, when, by which run, by which rules, and what it replaced.

`changes` has a row for every write but the first; that one is told by the link itself, or by what the first change says was
there before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, select

from .database import Database
from .lifecycle import ALIAS
from .sealing import Sealer

Entry = dict[str, Any]
"""One write: column → value."""

_SHOWN = (
    "id",
    "stream",
    "source_id",
    "destination_id",
    "run_id",
    "kind",
    "at",
    "mapping",
    "reason",
    "before_run",
    "before_at",
)


class History:
    """Reads `changes`, `links` and `runs` together."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._changes = database.tables.changes
        self._links = database.tables.links
        self._runs = database.tables.runs

    def of_record(self, stream: str, source_id: str, *, limit: int = 1000, certain_s: float = 0.0) -> list[Entry]:
        """Every write of one record, newest first.

        Args:
            certain_s: Moment before which changes may have been cleaned up; a first write before it may be an update.
        """
        c, links = self._changes.c, self._links.c

        def work(connection: Connection) -> list[Entry]:
            found = self._changed(connection, and_(c.stream == stream, c.source_id == source_id), limit)
            first = self._first(found, certain_s)
            if first is None and not found:
                rows = self._created(connection, and_(links.stream == stream, links.source_id == source_id), 1)
                return self._told(connection, [_certain(row, certain_s) for row in rows])
            return self._told(connection, [*found, *([first] if first is not None else [])])

        return self._database.read(work)

    def of_run(self, run_id: str, *, limit: int = 1000) -> list[Entry]:
        """What one run wrote, newest first."""
        c, links = self._changes.c, self._links.c

        def work(connection: Connection) -> list[Entry]:
            found = self._changed(connection, c.run_id == run_id, limit)
            found += self._created(connection, links.run_id == run_id, limit)
            found += self._overwritten(connection, c.before_run == run_id, limit)
            return self._told(connection, _newest(found, limit))

        return self._database.read(work)

    def latest(self, stream: str | None = None, *, limit: int = 50, certain_s: float = 0.0) -> list[Entry]:
        """The last writes of a stream, or of all, newest first."""
        c, links = self._changes.c, self._links.c
        of_changes = c.stream == stream if stream is not None else c.stream.is_not(None)
        of_links = links.stream == stream if stream is not None else links.stream.is_not(None)

        def work(connection: Connection) -> list[Entry]:
            found = self._changed(connection, of_changes, limit)
            found += self._created(connection, of_links, limit)
            found += self._overwritten(connection, and_(of_changes, c.before_run.is_not(None)), limit)
            return self._told(connection, [_certain(row, certain_s) for row in _newest(found, limit)])

        return self._database.read(work)

    def change(self, change_id: int) -> Entry | None:
        """One change with what it replaced and what lost, opened."""
        query = select(self._changes).where(self._changes.c.id == change_id)

        def work(connection: Connection) -> Entry | None:
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                return None
            opened = {name: self._open(row[name]) for name in ("before", "loser")}
            [told] = self._told(connection, [{**{name: row[name] for name in _SHOWN}, "keeps": True}])
            return {**told, **opened}

        return self._database.read(work)

    def _open(self, stored: bytes | None) -> bytes | None:
        return None if stored is None else self._sealer.open(bytes(stored))

    # --- parts ---

    def _changed(self, connection: Connection, where: ColumnElement[bool], limit: int) -> list[Entry]:
        c = self._changes.c
        keeps = (c.before.is_not(None) | c.loser.is_not(None)).label("keeps")
        query = (
            select(*[c[name] for name in _SHOWN], keeps).where(where).order_by(c.at.desc(), c.id.desc()).limit(limit)
        )
        return [{**row, "keeps": bool(row["keeps"])} for row in connection.execute(query).mappings()]

    def _created(self, connection: Connection, where: ColumnElement[bool], limit: int) -> list[Entry]:
        """First writes that are the last ones too: links that no change tells of."""
        c, links = self._changes.c, self._links.c
        told = exists().where(c.stream == links.stream, c.source_id == links.source_id, c.run_id == links.run_id)
        query = select(links.stream, links.source_id, links.destination_id, links.run_id, links.written_at).where(
            where, ~told, ~links.stream.endswith(ALIAS)
        )
        rows = connection.execute(query.order_by(links.written_at.desc(), links.source_id).limit(limit)).all()
        return [_creation(*row) for row in rows]

    def _overwritten(self, connection: Connection, where: ColumnElement[bool], limit: int) -> list[Entry]:
        """First writes that a change came after."""
        c, earlier = self._changes.c, self._changes.alias("earlier").c
        told = exists().where(
            earlier.stream == c.stream,
            earlier.source_id == c.source_id,
            earlier.run_id == c.before_run,
            earlier.id < c.id,
        )
        query = select(c.stream, c.source_id, c.destination_id, c.before_run, c.before_at).where(where, ~told)
        rows = connection.execute(query.order_by(c.before_at.desc(), c.id).limit(limit)).all()
        return [_creation(*row) for row in rows]

    def _first(self, found: list[Entry], certain_s: float) -> Entry | None:
        """What was there before the first change that is known."""
        if not found or found[-1]["before_run"] is None:
            return None
        row = found[-1]
        made = _creation(row["stream"], row["source_id"], row["destination_id"], row["before_run"], row["before_at"])
        return _certain(made, certain_s)

    def _told(self, connection: Connection, found: Iterable[Entry]) -> list[Entry]:
        """With what is known of the runs: why it was written, and by which rules."""
        found = list(found)
        runs = self._runs
        names = list({row["run_id"] for row in found})
        known: dict[str, Any] = {}
        for start in range(0, len(names), 500):
            query = select(runs.c.id, runs.c.trigger, runs.c.kind, runs.c.mapping, runs.c.rollback_of)
            part = query.where(runs.c.id.in_(names[start : start + 500]))
            known.update({each["id"]: each for each in connection.execute(part).mappings()})
        entries = []
        for row in found:
            run: Mapping[str, Any] = known.get(row["run_id"], {})
            entries.append({
                "change": row["id"],
                "at": row["at"],
                "stream": row["stream"],
                "source_id": row["source_id"],
                "destination_id": row["destination_id"],
                "kind": row["kind"],
                "run_id": row["run_id"],
                "trigger": run.get("trigger"),
                "run_kind": run.get("kind"),
                "rollback_of": run.get("rollback_of"),
                "mapping": row["mapping"] or run.get("mapping"),
                "reason": row["reason"],
                "keeps_before": row["keeps"],
            })  # fmt: skip
        return entries


def _creation(stream: str, source_id: str, destination_id: str | None, run_id: str, at: float) -> Entry:
    return {
        "id": None, "stream": stream, "source_id": source_id, "destination_id": destination_id, "run_id": run_id,
        "kind": "created", "at": at, "mapping": "", "reason": None, "before_run": None, "before_at": None, "keeps": False,
    }  # fmt: skip


def _certain(row: Entry, certain_s: float) -> Entry:
    return (
        {**row, "kind": "written"} if row["kind"] == "created" and row["id"] is None and row["at"] < certain_s else row
    )


def _newest(found: list[Entry], limit: int) -> list[Entry]:
    return sorted(found, key=lambda row: (-row["at"], -(row["id"] or 0), row["source_id"]))[:limit]
