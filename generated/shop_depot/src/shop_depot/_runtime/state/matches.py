"""Which source record a match value belongs to, kept so that a write costs little however many there are.

New pairs are appended to a log, which is also held in memory, and merged into the table in its own order when the log has
grown: sorted, many of them fall on one page. An owner counts only while its link still has that match value.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, select, true

from .connect import Statements
from .tables import Tables

MERGE_AT = 12_000
"""Pairs in the log when it is merged: more of them would fall on each page of the table, and take more memory until then."""


class Matches:
    """Rows of `matches` and `match_log`, and the log in memory."""

    def __init__(self, tables: Tables, sql: Statements) -> None:
        t, self._many = tables, sql.many
        self._logged: dict[str, dict[str, str]] = {}
        """Stream → match digest → source identity, as the log has it; only of streams that are being run."""
        self._log_length = 0
        self._was_merged = False
        """Whether the last `append` merged the log."""
        self._owners = sql.find((t.matches.c.match, t.matches.c.source_id), of="of", by=t.matches.c.match)
        self._log_of = sql.compile(
            select(t.match_log.c.match, t.match_log.c.source_id)
            .where(t.match_log.c.stream == bindparam("of"))
            .order_by(t.match_log.c.id),
            ("of",),
        )
        self._length = sql.compile(select(func.count()).select_from(t.match_log), ())
        self._append = sql.compile(
            t.match_log.insert().values({name: bindparam(name) for name in ("stream", "match", "source_id")}),
            ("stream", "match", "source_id"),
        )
        log = t.match_log.c
        names = ("stream", "match", "source_id")
        if sql.is_postgresql:
            # What is merged is what is deleted: another process may commit to the log between two statements.
            # One statement may touch a row once, so the last of several counts.
            taken = delete(t.match_log).returning(log.id, *[log[name] for name in names]).cte("taken")
            last = select(func.max(taken.c.id)).group_by(taken.c.stream, taken.c.match)
            in_order = select(*[taken.c[name] for name in names]).where(taken.c.id.in_(last))
            in_order = in_order.order_by(taken.c.stream, taken.c.match)
        else:  # nobody else writes meanwhile; the later one replaces the earlier
            in_order = select(*[log[name] for name in names]).where(true()).order_by(log.stream, log.match, log.id)
        merge = sql.insert(t.matches).from_select(names, in_order)
        merge = merge.on_conflict_do_update(
            index_elements=["stream", "match"], set_={"source_id": merge.excluded.source_id}
        )
        self._merge = sql.compile(merge, ())
        self._clear = None if sql.is_postgresql else sql.compile(delete(t.match_log), ())

    def forget(self, stream: str) -> None:
        """Read the log again before it is used: another process may have written."""
        self._logged.pop(stream, None)

    def owners(self, connection: Connection, stream: str, matches: Sequence[str]) -> dict[str, str]:
        """Match digest → the source record that was last seen with it; whether it still has it is to be looked up."""
        logged = self._log(connection, stream)
        found: dict[str, str] = dict(self._owners.rows(connection, (stream, self._many(matches))))
        for match in logged.keys() & matches:
            found[match] = logged[match]
        return found

    def append(self, connection: Connection, stream: str, pairs: Sequence[tuple[str, str]]) -> None:
        """Log new pairs; merge the log when it is long. Call `committed` or `forget` when the transaction has ended."""
        log = self._log(connection, stream)
        self._append.run_many(connection, [(stream, match, source_id) for match, source_id in pairs])
        log.update(pairs)
        self._was_merged = self._log_length + len(pairs) >= MERGE_AT
        if self._was_merged:
            self._merge.run_now(connection, ())
            if self._clear is not None:
                self._clear.run_now(connection, ())

    def committed(self, pairs: int) -> None:
        """So many pairs are durable, which `append` was given."""
        self._log_length += pairs
        # Not by its length: a log that others have filled may be longer, and not be merged.
        if pairs and self._was_merged:
            self._log_length = 0
            for logged in self._logged.values():
                logged.clear()

    def _log(self, connection: Connection, stream: str) -> dict[str, str]:
        logged = self._logged.get(stream)
        if logged is None:
            logged = self._logged[stream] = dict(self._log_of.rows(connection, (stream,)))
            self._log_length = self._length.rows(connection, ())[0][0]
        return logged
