"""What came in a pass, what is gone, what waits for another record: the part of the state that streams with deletes and
with references to other streams need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, func, null, or_, select, update

from .connect import Statements
from .database import Database
from .rows import Gone, Link, Outcomes, Waiting
from .sealing import Sealer

ALIAS = "="
"""Behind a stream's name: links of records that are the same thing as another one of the stream, which was written."""
UNNAMED = ""
"""In `seen`: a record came that nobody can name."""


class PassEnd(NamedTuple):
    """What a complete pass has found, in numbers."""

    came: int
    """Records that came."""
    linked: int
    """Links whose source record is not known to be gone."""
    missing: int
    """Those of them that did not come."""
    is_whole: bool
    """Whether every record that came could be named."""


class Lifecycle:
    """Tables `seen` and `waiting`, and `gone_at` of links. Belongs to one thread."""

    def __init__(self, database: Database, sql: Statements, sealer: Sealer) -> None:
        self._database = database
        self._sql = sql
        self._sealer = sealer
        t = self._tables = database.tables
        self._put_seen = sql.compile(
            sql.insert(t.seen)
            .values(stream=bindparam("stream"), source_id=bindparam("source_id"))
            .on_conflict_do_nothing(),
            ("stream", "source_id"),
        )
        self._put_gone = sql.compile(
            update(t.links)
            .where(t.links.c.stream == bindparam("of"), t.links.c.source_id == bindparam("named"))
            .values(
                gone_at=bindparam("gone_at"),
                hash=bindparam("hash"),
                run_id=bindparam("run_id"),
                written_at=bindparam("written_at"),
                match=null(),
                base=null(),
                destination_hash=null(),
                destination_version=null(),
            ),
            Gone._fields,
        )
        gone = select(t.links.c.destination_id).where(
            t.links.c.stream == bindparam("of"), sql.is_one_of(t.links.c.source_id)
        )
        self._forget_aliases = sql.compile(
            delete(t.links).where(t.links.c.stream == bindparam("alias"), t.links.c.destination_id.in_(gone)),
            ("alias", "of", "many"),
        )
        names = Waiting._fields
        held = sql.insert(t.waiting).values({name: bindparam(name) for name in names} | {"attempts": 0})
        fresh = {n: held.excluded[n] for n in names if n not in ("stream", "source_id", "since_at")}
        self._put_waiting = sql.compile(
            held.on_conflict_do_update(
                index_elements=["stream", "source_id"], set_={**fresh, "attempts": t.waiting.c.attempts + 1}
            ),
            names,
        )
        self._release = sql.compile(
            delete(t.waiting).where(
                t.waiting.c.stream == bindparam("of"), sql.is_one_of(t.waiting.c.source_id)
            ),
            ("of", "many"),
        )  # fmt: skip

    def write(self, connection: Connection, outcomes: Outcomes) -> None:
        """The part of a commit that belongs here."""
        seen, name = self._tables.seen, outcomes.stream
        if outcomes.is_new_pass:
            connection.execute(delete(seen).where(seen.c.stream == name))
        self._put_seen.run_many(connection, [(name, source_id) for source_id in dict.fromkeys(outcomes.seen)])
        self._put_gone.run_many(connection, outcomes.gone)
        if outcomes.gone:
            self._forget_aliases.run(
                connection, (name + ALIAS, name, self._sql.many([row.named for row in outcomes.gone]))
            )
        seal = self._sealer.seal
        self._put_waiting.run_many(connection, [row._replace(payload=seal(row.payload)) for row in outcomes.waiting])
        if outcomes.released:
            self._release.run(connection, (name, self._sql.many(outcomes.released)))

    # --- deletes ---

    def pass_end(self, stream: str, began_at: float, *, links_of: str | None = None) -> PassEnd:
        """What a complete pass that began at `began_at` has found. A link that was written since then counts as having come.

        Args:
            links_of: The stream whose links these are, when `stream` goes back on them.
        """
        seen, links = self._tables.seen, self._tables.links
        of = links_of or stream
        linked = select(func.count()).select_from(links).where(links.c.stream == of, links.c.gone_at.is_(None))
        came = select(func.count()).select_from(seen).where(seen.c.stream == stream, seen.c.source_id != UNNAMED)
        unnamed = select(func.count()).select_from(seen).where(seen.c.stream == stream, seen.c.source_id == UNNAMED)
        missing = select(func.count()).select_from(links).where(*self._missing(stream, began_at, links_of))

        def read(connection: Connection) -> PassEnd:
            counts = [connection.execute(query).scalar_one() for query in (came, linked, missing, unnamed)]
            return PassEnd(counts[0], counts[1], counts[2], not counts[3])

        return self._database.read(read)

    def linked(self, stream: str) -> int:
        """How many links have a source record that is not known to be gone."""
        links = self._tables.links
        query = select(func.count()).select_from(links).where(links.c.stream == stream, links.c.gone_at.is_(None))
        return int(self._database.read(lambda connection: connection.execute(query).scalar_one()))

    def linked_from(self, stream: str, *, after: str, limit: int, links_of: str | None = None) -> list[str]:
        """Identities of links whose record is not known to be gone, in their order, from the one after `after` on."""
        c = self._tables.links.c
        here = c.source_id if links_of is None else c.destination_id
        query = select(here).where(c.stream == (links_of or stream), c.gone_at.is_(None), here > after)
        query = query.order_by(here).limit(limit)
        return list(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def missing(
        self, stream: str, began_at: float, *, after: str, limit: int, links_of: str | None = None
    ) -> list[Link]:
        """Links whose record did not come, in the order of their identities, from the one after `after` on.

        Of a stream that goes back they are as that one sees them: by the destination's identity.
        """
        c = self._tables.links.c
        here, there = (c.destination_id, c.source_id) if links_of is not None else (c.source_id, c.destination_id)
        query = (
            select(here, there, c.hash, c.version, c.match)
            .where(*self._missing(stream, began_at, links_of), here > after)
            .order_by(here)
            .limit(limit)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [Link(*row) for row in rows]

    def _missing(self, stream: str, began_at: float, links_of: str | None) -> tuple[Any, ...]:
        seen, links = self._tables.seen, self._tables.links
        here = links.c.source_id if links_of is None else links.c.destination_id
        came = exists().where(and_(seen.c.stream == stream, seen.c.source_id == here))
        is_linked = (links.c.stream == (links_of or stream), links.c.gone_at.is_(None), here.is_not(None))
        return *is_linked, links.c.written_at < began_at, ~came

    # --- waiting for others ---

    def parents(self, wanted: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], str]:
        """(stream, source identity) → destination identity, of those that have one.

        Args:
            wanted: Stream → source identities.
        """
        links = self._tables.links

        def read(connection: Connection) -> dict[tuple[str, str], str]:
            found: dict[tuple[str, str], str] = {}
            for stream, ids in wanted.items():
                for start in range(0, len(ids), 500):
                    query = (
                        select(links.c.source_id, links.c.destination_id)
                        .where(
                            links.c.stream.in_((stream, stream + ALIAS)),
                            links.c.source_id.in_(ids[start : start + 500]),
                            links.c.destination_id.is_not(None),
                            links.c.gone_at.is_(None),
                        )
                        .order_by(links.c.stream.desc())  # a link of its own wins over what it was an alias of
                    )
                    found.update(((stream, row[0]), row[1]) for row in connection.execute(query))
            return found

        return self._database.read(read)

    def _is_parent(self) -> ColumnElement[bool]:
        waiting, links = self._tables.waiting, self._tables.links
        stream = waiting.c.parent_stream
        return and_(
            or_(links.c.stream == stream, links.c.stream == stream + ALIAS), links.c.source_id == waiting.c.parent_id
        )

    def ready(self, stream: str, limit: int = 250) -> list[tuple[str, bytes]]:
        """(source identity, record as it was read) of held records whose parent has a link now, those that wait longest first."""
        waiting, links = self._tables.waiting, self._tables.links
        query = (
            select(waiting.c.source_id, waiting.c.payload)
            .join(links, self._is_parent())
            .where(waiting.c.stream == stream, links.c.destination_id.is_not(None), links.c.gone_at.is_(None))
            .order_by(waiting.c.since_at, waiting.c.source_id)
            .limit(limit)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [(row[0], self._sealer.open(bytes(row[1]))) for row in rows]

    def waits_for(self, parent_stream: str) -> list[str]:
        """Streams that hold records whose parent of this stream has a link now."""
        waiting, links = self._tables.waiting, self._tables.links
        query = (
            select(waiting.c.stream)
            .distinct()
            .join(links, self._is_parent())
            .where(
                waiting.c.parent_stream == parent_stream, links.c.destination_id.is_not(None), links.c.gone_at.is_(None)
            )
            .order_by(waiting.c.stream)
        )
        return list(self._database.read(lambda connection: connection.execute(query).scalars().all()))

    def held(self, stream: str) -> dict[str, Any]:
        """How many records of a stream are held, for which streams, and since when."""
        waiting = self._tables.waiting
        query = (
            select(waiting.c.parent_stream, func.count(), func.min(waiting.c.since_at))
            .where(waiting.c.stream == stream)
            .group_by(waiting.c.parent_stream)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {row[0]: {"records": row[1], "since": row[2]} for row in rows}

    def rewrite(self, stream: str, source_ids: Sequence[str]) -> None:
        """Have the next run write these records again, whatever was written before."""
        links = self._tables.links
        for start in range(0, len(source_ids), 500):
            chosen = (links.c.stream == stream, links.c.source_id.in_(source_ids[start : start + 500]))
            self._database.execute(update(links).where(*chosen).values(hash=b""))

    def bases(self, stream: str, source_ids: Sequence[str]) -> dict[str, bytes]:
        """What both sides last agreed on, where the stream keeps that."""
        links = self._tables.links
        found: dict[str, bytes] = {}
        for start in range(0, len(source_ids), 500):
            query = select(links.c.source_id, links.c.base).where(
                links.c.stream == stream,
                links.c.source_id.in_(source_ids[start : start + 500]),
                links.c.base.is_not(None),
            )
            rows = self._database.read(lambda connection, query=query: connection.execute(query).all())  # type: ignore[misc]
            found.update((row[0], self._sealer.open(bytes(row[1]))) for row in rows)
        return found

    def by_destination(self, stream: str, destination_ids: Sequence[str]) -> dict[str, tuple[str, bool]]:
        """Destination identity → source identity, and whether that is known to be gone."""
        links = self._tables.links
        found: dict[str, tuple[str, bool]] = {}
        for start in range(0, len(destination_ids), 500):
            query = select(links.c.destination_id, links.c.source_id, links.c.gone_at).where(
                links.c.stream == stream, links.c.destination_id.in_(destination_ids[start : start + 500])
            )
            rows = self._database.read(lambda connection, query=query: connection.execute(query).all())  # type: ignore[misc]
            found.update((row[0], (row[1], row[2] is not None)) for row in rows)
        return found
