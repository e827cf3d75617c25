"""The hot path of a run: one hop and one transaction for a group of records.

Statements are built with SQLAlchemy Core, compiled once and run by the driver with plain tuples: per-row parameter handling
would cost more than the database does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal,
    literal_column,
    null,
    select,
    update,
)

from .connect import Statement, Statements
from .database import Database
from .errors import LeaseLost
from .lifecycle import Lifecycle
from .matches import Matches
from .merges import Merges
from .rows import (
    Checkpoint,
    Commit,
    DeadLetter,
    DriftRow,
    Found,
    IndexEntry,
    IntentRow,
    Lease,
    Link,
    Look,
    NewBase,
    NewChange,
    NewLink,
    Outcomes,
)
from .sealing import Plain, Sealer

COUNTS = (
    "fetched", "read", "written", "created", "updated", "deleted", "unchanged", "skipped", "dead", "unknown", "held",
    "resolved", "drift", "restored",
)  # fmt: skip
"""Columns of `runs` that a commit sets."""
_CHECKPOINT = (
    "stream", "partition", "cursor", "since", "high", "ceiling", "watermark", "mapping", "crashes", "suspect", "indexed_at",
    "began_at", "reconciled_at", "done_at", "run_id", "token", "updated_at",
)  # fmt: skip


class Store:
    """Links, intents, checkpoints and the commits of runs. Belongs to one thread."""

    def __init__(self, database: Database, sealer: Sealer | None = None) -> None:
        self.database = database
        self._sealer: Sealer = sealer or Plain()
        self._is_sealed = not isinstance(self._sealer, Plain)
        self._sql = Statements(database.dialect)
        self.matches = Matches(database.tables, self._sql)
        self.lifecycle = Lifecycle(database, self._sql, sealer or Plain())
        self.merges = Merges(database, self._sql)
        t = database.tables
        links, index = t.links.c, t.destination_index.c
        self._links_of = self._sql.find(
            (links.source_id, links.destination_id, links.hash, links.version, links.match, links.gone_at),
            of="stream",
            by=links.source_id,
        )
        self._index_of = self._sql.find((index.match, index.destination_id, index.several), of="stream", by=index.match)
        # Not by the stream too: SQLite would go through all links of it.
        self._linked_to = self._sql.compile(
            select(links.destination_id, links.stream, links.gone_at).where(self._sql.is_one_of(links.destination_id)),
            ("many",),
        )
        self._put_link = self._upsert(t.links, NewLink._fields, ("stream", "source_id"), gone_at=null())
        self._keep_link = self._upsert(
            t.links, NewLink._fields, ("stream", "source_id"), kept=("run_id", "written_at"), gone_at=null()
        )
        self._put_base = self._sql.compile(
            update(t.links)
            .where(t.links.c.stream == bindparam("of"), t.links.c.source_id == bindparam("named"))
            .values(
                base=bindparam("base"),
                destination_hash=bindparam("destination_hash"),
                destination_version=func.coalesce(bindparam("destination_version"), t.links.c.destination_version),
            ),
            ("base", "destination_hash", "destination_version", "of", "named"),
        )
        self._unlink = self._sql.compile(
            delete(t.links).where(t.links.c.stream == bindparam("of"), self._sql.is_one_of(t.links.c.source_id)),
            ("of", "many"),
        )
        self._put_change = self._change_statement(t.changes, t.links)
        self._is_cancelled = self._sql.compile(
            select(t.runs.c.cancel_at).where(t.runs.c.id == bindparam("run")), ("run",)
        )
        self._put_checkpoint = self._upsert(t.checkpoints, _CHECKPOINT, ("stream", "partition"))
        self._put_intent = self._sql.compile(t.intents.insert(), IntentRow._fields)
        self._end_intents = self._sql.compile(delete(t.intents).where(self._sql.is_one_of(t.intents.c.id)), ("many",))
        self._put_dead = self._dead_statement(t.dead_letters)
        self._put_drift = self._drift_statement(t.drift)
        self._clear_dead = self._sql.compile(
            delete(t.dead_letters).where(
                t.dead_letters.c.stream == bindparam("of"), self._sql.is_one_of(t.dead_letters.c.source_id)
            ),
            ("of", "many"),
        )
        self._count = self._sql.compile(
            update(t.runs)
            .where(t.runs.c.id == bindparam("run"))
            .values(step=bindparam("step"), **{name: bindparam(name) for name in COUNTS}),
            ("step", *COUNTS, "run"),
        )
        self._fence = self._fence_statement(t.leases)

    def commit(self, work: Commit) -> Found:
        """Write a group's outcomes; look up and write down the intents of the next, all in one transaction.

        Raises:
            LeaseLost: another holder took over; nothing of this commit was written.
        """
        runs = self.database.tables.runs

        def transact(connection: Connection) -> Found:
            self._hold(connection, work.lease)
            if work.outcomes is not None:
                self._write(connection, work, work.outcomes)
            found = self._find(connection, work.look) if work.look is not None else Found()
            intents = work.plan(found) if work.plan is not None else ()
            self._put_intent.run_many(connection, self._sealed_intents(intents))
            self._count.run_now(connection, (work.step, *[work.counts.get(name, 0) for name in COUNTS], work.run_id))
            is_cancelled = any(row[0] is not None for row in self._is_cancelled.rows(connection, (work.run_id,)))
            return replace(found, intents=intents, is_cancelled=is_cancelled)

        def is_done(connection: Connection) -> bool:
            return connection.execute(select(runs.c.step).where(runs.c.id == work.run_id)).scalar() == work.step

        pairs = work.outcomes.matches if work.outcomes is not None else []
        stream = work.outcomes.stream if work.outcomes is not None else ""
        try:
            found = self.database.write(transact, is_done=is_done)
        except BaseException:
            self.matches.forget(stream)
            raise
        self.matches.committed(len(pairs))
        return found

    def look(self, look: Look) -> Found:
        """Look up links without writing anything (dry runs)."""
        self.matches.forget(look.stream)
        return self.database.read(lambda connection: self._find(connection, look))

    def checkpoint(self, stream: str, partition: str = "") -> Checkpoint:
        """How far the stream has come, or one part of its pass; an empty checkpoint when it never ran."""
        table = self.database.tables.checkpoints
        query = select(table).where(table.c.stream == stream, table.c.partition == partition)
        row = self.database.read(lambda connection: connection.execute(query).mappings().one_or_none())
        if row is None:
            return Checkpoint(stream=stream, partition=partition)
        return Checkpoint(**{name: row[name] for name in Checkpoint.__dataclass_fields__})

    def has_links(self, stream: str) -> bool:
        """Whether anything was written for the stream yet."""
        links = self.database.tables.links
        query = select(literal(1)).select_from(links).where(links.c.stream == stream).limit(1)
        return self.database.read(lambda connection: connection.execute(query).scalar()) is not None

    def links_of(self, stream: str, source_ids: Sequence[str]) -> list[Link]:
        """The links of some source records."""
        look = Look(stream=stream, source_ids=source_ids)
        return list(self.look(look).links.values())

    def owner_of(self, stream: str, destination_id: str) -> str | None:
        """The source record that a destination record is linked to."""
        links = self.database.tables.links
        query = select(links.c.source_id, links.c.stream).where(links.c.destination_id == destination_id)
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return next((source_id for source_id, of in rows if of == stream), None)

    def written_at(self, stream: str, source_id: str) -> float | None:
        """When a source record was last written."""
        links = self.database.tables.links
        query = select(links.c.written_at).where(links.c.stream == stream, links.c.source_id == source_id)
        return self.database.read(lambda connection: connection.execute(query).scalar())

    def intents(self, stream: str) -> list[IntentRow]:
        """Requests of earlier runs whose outcome is not known, oldest first."""
        return self.database.read(lambda connection: self._intents(connection, stream))

    def take_intents(self, lease: Lease, stream: str, partition: str = "", *, attempts: int = 1) -> list[IntentRow]:
        """As `intents`, for the run that is to find out their outcomes; counts the attempt before it is made.

        Args:
            partition: Only those of earlier runs of this part; those of others may be under way.
            attempts: -1 takes back what was counted.
        """
        table, runs = self.database.tables.intents, self.database.tables.runs

        def transact(connection: Connection) -> list[IntentRow]:
            rows = self._intents(connection, stream)
            if rows and partition:
                mine = select(runs.c.id).where(runs.c.stream == stream, runs.c.partition == partition)
                ids = set(connection.execute(mine).scalars())
                rows = [row for row in rows if row.run_id in ids]
            if rows:
                self._hold(connection, lease)
                taken = table.c.id.in_([row.id for row in rows])
                connection.execute(update(table).where(taken).values(attempts=table.c.attempts + attempts))
            return rows

        return self.database.write(transact)

    def _intents(self, connection: Connection, stream: str) -> list[IntentRow]:
        table = self.database.tables.intents
        query = select(*[table.c[name] for name in IntentRow._fields]).where(table.c.stream == stream)
        rows = [IntentRow(*row) for row in connection.execute(query.order_by(table.c.made_at, table.c.id)).all()]
        return [row._replace(requests=self._sealer.open(row.requests)) for row in rows] if self._is_sealed else rows

    def put_index(self, lease: Lease, stream: str, entries: Iterable[tuple[str, str]], *, first: bool) -> None:
        """Remember destination records by match digest; one that several records have is marked.

        Args:
            lease: Proves that this run may write.
            entries: (match digest, destination identity).
            first: Forget what was remembered before.
        """
        table = self.database.tables.destination_index
        insert = self._sql.insert(table)
        put = insert.on_conflict_do_update(
            index_elements=["stream", "match"],
            set_={
                "several": case((table.c.destination_id == insert.excluded.destination_id, table.c.several), else_=True)
            },
        )
        rows = [
            {"stream": stream, "match": match, "destination_id": identity, "several": False}
            for match, identity in entries
        ]

        def transact(connection: Connection) -> None:
            self._hold(connection, lease)
            if first:
                connection.execute(delete(table).where(table.c.stream == stream))
            if rows:
                connection.execute(put, rows)

        self.database.write(transact)

    # --- inside a transaction ---

    def _hold(self, connection: Connection, lease: Lease) -> None:
        if lease.over is not None:
            self._hold(connection, lease.over)  # first: its row makes the parts' transactions follow one another
        until = lease.ttl_s if self.database.is_postgresql else self.database.now() + lease.ttl_s
        if self._fence.run_now(connection, (until, lease.name, lease.token)) != 1:
            raise LeaseLost(lease.name)

    def _write(self, connection: Connection, work: Commit, outcomes: Outcomes) -> None:
        self._put_dead.run_many(connection, self._sealed_letters(outcomes.dead))
        if outcomes.merged is not None:
            self.merges.write(connection, outcomes.merged)
        self._put_change.run_many(connection, self._sealed_changes(outcomes.changes))  # before the links change
        self._put_link.run_many(connection, outcomes.links)
        self._keep_link.run_many(connection, outcomes.kept)
        self._put_base.run_many(connection, self._sealed_bases(outcomes.bases))
        if outcomes.unlinked:
            self._unlink.run_now(connection, (outcomes.stream, self._sql.many(outcomes.unlinked)))
        if outcomes.matches:
            self.matches.append(connection, outcomes.stream, outcomes.matches)
        if outcomes.cleared:
            self._clear_dead.run_now(connection, (outcomes.stream, self._sql.many(outcomes.cleared)))
        if outcomes.finished:
            self._end_intents.run_now(connection, (self._sql.many(outcomes.finished),))
        self._put_intent.run_many(connection, self._sealed_intents(outcomes.unknown))
        self._put_drift.run_many(connection, outcomes.drift)
        if outcomes.is_new_pass or outcomes.seen or outcomes.gone or outcomes.waiting or outcomes.released:
            self.lifecycle.write(connection, outcomes)
        if outcomes.aliases:
            self._put_link.run_many(connection, outcomes.aliases)
        if (point := outcomes.checkpoint) is not None:
            values = [getattr(point, name) for name in _CHECKPOINT[2:-3]]
            row = (point.stream, point.partition, *values, work.run_id, work.lease.token, self.database.now())
            self._put_checkpoint.run_now(connection, row)

    def _find(self, connection: Connection, look: Look) -> Found:
        if not look.beside:
            return self._found(connection, look)
        self.matches.forget(look.stream)  # other replicas add to them
        others = [row for row in self._intents(connection, look.stream) if row.run_id != look.beside]
        return replace(self._found(connection, look), in_flight=others)

    def _found(self, connection: Connection, look: Look) -> Found:
        links = self._links(connection, look, look.source_ids)
        known = self.merges.known(connection, look) if look.merges else {}
        if not look.matches:
            return Found(links=links, known=known)
        owners = self._owners(connection, look, links)
        index: dict[str, IndexEntry] = {}
        if look.index:
            entries = self._index_of.rows(connection, (look.stream, self._sql.many(look.matches)))
            linked = self._linked(connection, look, [row[1] for row in entries]) if entries else set()
            index = {row[0]: IndexEntry(row[1], bool(row[2]), row[1] in linked) for row in entries}
        return Found(links=links, owners=owners, index=index, known=known)

    def _linked(self, connection: Connection, look: Look, named: Sequence[str]) -> set[str]:
        """Which of these records of the written side are linked to one of the other side."""
        name = look.links_of or look.stream
        if look.merges == "backward":
            rows = self._links_of.rows(connection, (name, self._sql.many(named)))
            return {row[0] for row in rows if row[1] is not None and row[5] is None}
        found = self._linked_to.rows(connection, (self._sql.many(named),))
        return {identity for identity, stream, gone_at in found if stream == name and gone_at is None}

    def _links(self, connection: Connection, look: Look, ids: Sequence[str]) -> dict[str, Link]:
        if look.merges == "backward":
            return self.merges.links_back(connection, look, ids)
        rows = self._links_of.rows(connection, (look.stream, self._sql.many(ids)))
        return {row[0]: Link(*row) for row in rows}

    def _owners(self, connection: Connection, look: Look, links: dict[str, Link]) -> dict[str, str]:
        """Match digest → the source record whose link has it now."""
        found = self.matches.owners(connection, look.stream, look.matches)
        elsewhere = [owner for owner in found.values() if owner not in links]
        if elsewhere:
            links = {**links, **self._links(connection, look, elsewhere)}
        return {
            match: owner
            for match, owner in found.items()
            if (link := links.get(owner)) is not None and link.match == match
        }

    # --- sealing ---

    def _sealed_intents(self, rows: Sequence[IntentRow]) -> Sequence[IntentRow]:
        return [row._replace(requests=self._sealer.seal(row.requests)) for row in rows] if self._is_sealed else rows

    def _sealed_letters(self, rows: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        return [row._replace(payload=self._seal(row.payload)) for row in rows] if self._is_sealed else rows

    def _sealed_bases(self, rows: Sequence[NewBase]) -> Sequence[NewBase]:
        return [row._replace(base=self._seal(row.base)) for row in rows] if self._is_sealed else rows

    def _sealed_changes(self, rows: Sequence[NewChange]) -> Sequence[NewChange]:
        if not self._is_sealed:
            return rows
        return [row._replace(before=self._seal(row.before), loser=self._seal(row.loser)) for row in rows]

    def _seal(self, data: bytes | None) -> bytes | None:
        return None if data is None else self._sealer.seal(data)

    # --- statements ---

    def _change_statement(self, table: Table, links: Table) -> Statement:
        names = NewChange._fields[:-1]
        kinds: dict[str, Any] = {"at": Float, "before": LargeBinary, "loser": LargeBinary}
        given: list[ColumnElement[Any]] = [cast(bindparam(name), kinds.get(name, Text)) for name in names]
        base = case((cast(bindparam("with_base"), Integer) == 1, links.c.base), else_=null())
        given[names.index("before")] = func.coalesce(cast(bindparam("before"), LargeBinary), base)
        was = {"before_run": "run_id", "before_at": "written_at", "before_hash": "hash", "before_version": "version"}
        one = select(literal_column("1").label("one")).subquery("one")
        link = and_(links.c.stream == bindparam("stream"), links.c.source_id == bindparam("source_id"))
        query = select(*given, *[links.c[name] for name in was.values()]).select_from(one.outerjoin(links, link))
        return self._sql.compile(self._sql.insert(table).from_select([*names, *was], query), NewChange._fields)

    def _upsert(
        self, table: Table, names: Sequence[str], key: Sequence[str], *, kept: Sequence[str] = (), **always: Any
    ) -> Statement:
        """`kept` columns of a row that is there stay as they are."""
        insert = self._sql.insert(table).values({name: bindparam(name) for name in names})
        fresh = {name: insert.excluded[name] for name in names if name not in key and name not in kept} | always
        return self._sql.compile(insert.on_conflict_do_update(index_elements=list(key), set_=fresh), names)

    def _dead_statement(self, table: Table) -> Statement:
        names = DeadLetter._fields
        insert = self._sql.insert(table).values({n: bindparam(n) for n in names} | {"state": "open"})
        again = insert.on_conflict_do_update(
            index_elements=["stream", "source_id"],
            set_={
                name: insert.excluded[name]
                for name in names
                if name not in ("id", "stream", "source_id", "first_at", "attempts")
            }
            | {
                "attempts": table.c.attempts + 1,
                # What a person discarded stays discarded until the record changes.
                "state": case((table.c.version == insert.excluded.version, table.c.state), else_="open"),
            },
        )
        return self._sql.compile(again, names)

    def _drift_statement(self, table: Table) -> Statement:
        names = DriftRow._fields
        insert = self._sql.insert(table).values({name: bindparam(name) for name in names})
        again = insert.on_conflict_do_update(
            index_elements=["stream", "side", "path", "kind"],
            set_={
                "times": table.c.times + insert.excluded.times,
                "last_at": insert.excluded.last_at,
                "run_id": insert.excluded.run_id,
            },
        )
        return self._sql.compile(again, names)

    def _fence_statement(self, table: Table) -> Statement:
        until: ColumnElement[Any] = bindparam("until")
        if self.database.is_postgresql:
            until = func.extract("epoch", func.clock_timestamp()) + bindparam("until")
        held = (table.c.name == bindparam("lease"), table.c.token == bindparam("held"))
        return self._sql.compile(update(table).where(*held).values(expires_at=until), ("until", "lease", "held"))
