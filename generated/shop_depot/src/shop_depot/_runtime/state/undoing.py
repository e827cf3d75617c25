"""What a run wrote, as a rollback of it needs it: each record once, with its link as it is now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, select

from .database import Database
from .rows import Link
from .sealing import Sealer

_LINK = ("destination_id", "hash", "version", "match", "gone_at", "run_id", "written_at", "base", "destination_hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """One record that a run wrote."""

    source_id: str
    destination_id: str | None
    kind: str
    """Of the run's last change; `created` where only the link tells of it."""
    change: int = 0
    """The run's first change of it."""
    at: float | None = None
    """When the run wrote it last; None where only the link tells."""
    is_creation: bool = False
    before: bytes | None = None
    before_hash: bytes | None = None
    before_version: str | None = None
    link: Link | None = None
    link_run: str | None = None
    link_at: float | None = None
    base: bytes | None = None
    destination_hash: bytes | None = None

    @property
    def is_deletion(self) -> bool:
        return self.kind == "deleted"

    @property
    def is_soft_deletion(self) -> bool:
        return self.kind == "soft_deleted"

    @property
    def match(self) -> str | None:
        return self.link.match if self.link is not None else None


class Undoings:
    """Reads `changes` and `links` of one run, a page at a time."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer
        self._changes = database.tables.changes
        self._links = database.tables.links

    def changes(self, stream: str, run_id: str, *, after: int, limit: int) -> list[Undo]:
        """Records that changes of the run tell of, by their first change."""
        c, earlier = self._changes.c, self._changes.alias("earlier").c
        repeats = exists().where(
            earlier.stream == c.stream, earlier.source_id == c.source_id, earlier.run_id == run_id, earlier.id < c.id
        )
        query = select(self._changes).where(c.run_id == run_id, c.stream == stream, c.id > after, ~repeats)

        def work(connection: Connection) -> list[Undo]:
            rows = connection.execute(query.order_by(c.id).limit(limit)).mappings().all()
            links = self._links_of(connection, stream, [row["source_id"] for row in rows])
            return [self._changed(connection, row, links.get(row["source_id"])) for row in rows]

        return self._database.read(work)

    def creations(self, stream: str, run_id: str, *, after: str, limit: int) -> list[Undo]:
        """Records that the run created and nobody wrote since."""
        c, links = self._changes.c, self._links.c
        told = exists().where(c.stream == links.stream, c.source_id == links.source_id, c.run_id == run_id)
        where = and_(links.stream == stream, links.run_id == run_id, links.source_id > after, ~told)
        query = select(links.source_id, *[links[name] for name in _LINK]).where(where)

        def work(connection: Connection) -> list[Undo]:
            rows = connection.execute(query.order_by(links.source_id).limit(limit)).mappings().all()
            return [self._undo(row, kind="created", is_creation=True) for row in rows]

        return self._database.read(work)

    def overwritten(self, stream: str, run_id: str) -> list[Undo]:
        """Records that the run created and another one has written since."""
        c, own = self._changes.c, self._changes.alias("own").c
        told = exists().where(own.stream == c.stream, own.source_id == c.source_id, own.run_id == run_id)
        query = select(c.source_id).where(c.stream == stream, c.before_run == run_id, c.run_id != run_id, ~told)

        def work(connection: Connection) -> list[Undo]:
            named = list(connection.execute(query.distinct().order_by(c.source_id)).scalars())
            links = self._links_of(connection, stream, named)
            return [self._undo(link, kind="created", is_creation=True) for link in links.values()]

        return self._database.read(work)

    # --- parts ---

    def _links_of(self, connection: Connection, stream: str, named: Sequence[str]) -> dict[str, RowMapping]:
        links = self._links.c
        found: dict[str, RowMapping] = {}
        for start in range(0, len(named), 500):
            is_one: ColumnElement[bool] = links.source_id.in_(named[start : start + 500])
            query = select(links.source_id, *[links[name] for name in _LINK]).where(links.stream == stream, is_one)
            found.update({row["source_id"]: row for row in connection.execute(query).mappings()})
        return found

    def _changed(self, connection: Connection, first: RowMapping, link: RowMapping | None) -> Undo:
        """From the first change of a record by the run, what was; from its last, what the run left."""
        c = self._changes.c
        of_record = (c.stream == first["stream"], c.source_id == first["source_id"], c.run_id == first["run_id"])
        query = select(c.kind, c.at, c.destination_id).where(*of_record).order_by(c.id.desc()).limit(1)
        last = connection.execute(query).mappings().one()
        more: dict[str, Any] = {
            "kind": last["kind"],
            "change": first["id"],
            "at": last["at"],
            # The run made it first, or anew: there was nothing in the destination before.
            "is_creation": first["before_run"] == first["run_id"] or first["kind"] == "created",
            "before": self._open(first["before"]),
            "before_hash": None if first["before_hash"] is None else bytes(first["before_hash"]),
            "before_version": first["before_version"],
        }
        if link is None:
            return Undo(source_id=first["source_id"], destination_id=last["destination_id"], **more)
        return self._undo(link, **more)

    def _undo(self, link: RowMapping, **more: Any) -> Undo:
        return Undo(
            source_id=link["source_id"],
            destination_id=link["destination_id"],
            link=Link(link["source_id"], *[link[name] for name in _LINK[:5]]),
            link_run=link["run_id"],
            link_at=link["written_at"],
            base=self._open(link["base"]),
            destination_hash=None if link["destination_hash"] is None else bytes(link["destination_hash"]),
            **more,
        )

    def _open(self, stored: bytes | None) -> bytes | None:
        return None if stored is None else self._sealer.open(bytes(stored))
