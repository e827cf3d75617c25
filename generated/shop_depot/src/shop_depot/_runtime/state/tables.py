"""The tables of the state: what was read, what was written, what is under way and what could not be done.

Times are seconds since 1970 in UTC. One set of tables belongs to one integration: a SQLite file of its own, or a schema of
its own in PostgreSQL, so that several packages can share one database.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

SCHEMA_VERSION = 3
"""Of the definitions below. A change here needs a step in `migrations.py`."""


IS_OWED_ON = "length(hash) = 0 AND gone_at IS NULL"
IS_OWED_BACK = "length(destination_hash) = 0 AND gone_at IS NULL"
"""Of a link: the destination, or the source, is still to get what the other side has. As the indexes and their queries spell it."""


class Tables:
    """All tables, in `schema` (PostgreSQL) or without one (SQLite)."""

    def __init__(self, schema: str | None = None) -> None:
        self.schema = schema
        self.metadata = MetaData(schema=schema)
        number = BigInteger().with_variant(Integer, "sqlite")

        self.schema_version = Table(
            "schema_version",
            self.metadata,
            Column("version", Integer, primary_key=True),
            Column("applied_at", Float, nullable=False),
        )
        self.runs = Table(
            "runs",
            self.metadata,
            Column("id", Text, primary_key=True),
            Column("stream", Text, nullable=False),
            Column("kind", Text, nullable=False),  # full, incremental, ids, records
            Column("trigger", Text, nullable=False),  # cli, http, schedule, webhook, retry
            Column("state", Text, nullable=False),  # running, done, partial, failed, crashed
            Column("dry_run", Boolean, nullable=False, default=False),
            Column("parameters", Text, nullable=False, default="{}"),
            Column("started_at", Float, nullable=False),
            Column("ended_at", Float),
            Column("seconds", Float, nullable=False, default=0.0),
            Column("step", number, nullable=False, default=0),  # commits of this run; tells whether a commit took place
            Column("fetched", number, nullable=False, default=0),
            Column("read", number, nullable=False, default=0),
            Column("written", number, nullable=False, default=0),
            Column("created", number, nullable=False, default=0),
            Column("updated", number, nullable=False, default=0),
            Column("deleted", number, nullable=False, default=0),
            Column("unchanged", number, nullable=False, default=0),
            Column("skipped", number, nullable=False, default=0),
            Column("dead", number, nullable=False, default=0),
            Column("unknown", number, nullable=False, default=0),
            Column("held", number, nullable=False, default=0),
            Column("resolved", number, nullable=False, default=0),  # outcomes of earlier runs, found out by this one
            Column(
                "drift", number, nullable=False, default=0, server_default="0"
            ),  # replies and records not as described
            Column("failure", Text),
            Column("error", Text),
            Column("mapping", Text, nullable=False, default=""),
            Column("token", number, nullable=False, default=0),
            Column("partition", Text, nullable=False, default="", server_default=""),
            Column("holder", Text, nullable=False, default="", server_default=""),  # the process that carries it out
            Column("cancel_at", Float),  # when somebody asked it to end
            Column("restored", number, nullable=False, default=0, server_default="0"),  # put back by a rollback
            Column("rollback_of", Text),
            Column("sample", LargeBinary),  # what a dry run showed, sealed
            Index("runs_by_start", "stream", "started_at"),
        )
        self.drift = Table(
            "drift",
            self.metadata,
            Column("stream", Text, primary_key=True),
            Column("side", Text, primary_key=True),  # source, destination
            Column("path", Text, primary_key=True),  # field path as described; empty: the whole reply
            Column("kind", Text, primary_key=True),  # missing, string type, not JSON
            Column("times", number, nullable=False),
            Column("first_at", Float, nullable=False),
            Column("last_at", Float, nullable=False),
            Column("run_id", Text, nullable=False),  # the last one that saw it
        )
        self.checkpoints = Table(
            "checkpoints",
            self.metadata,
            Column("stream", Text, primary_key=True),
            Column("partition", Text, primary_key=True, default=""),
            Column("cursor", Text),  # of the page after the finished prefix; null when no pass is under way
            Column("since", Text),  # the filter of the pass under way
            Column("high", Text),  # highest version seen in the pass under way
            Column("ceiling", Float),  # the server's time at the start of the pass under way
            Column("watermark", Text),
            Column("mapping", Text, nullable=False, default=""),
            Column("crashes", Integer, nullable=False, default=0),  # starts that ended without saying so
            Column("suspect", Text),  # digest of the record that was being read when careful reading ended so
            Column("indexed_at", Float),  # when the destination's match values were read for `adopt: prefetch`
            Column("began_at", Float),  # when the pass under way began, by our clock
            Column("done_at", Float),  # of a part: when all of it had its fates; null while it is under way
            Column("reconciled_at", Float),  # when the last complete pass began whose deletes were carried out
            Column("run_id", Text),
            Column("token", number, nullable=False, default=0),
            Column("updated_at", Float, nullable=False),
        )
        self.links = Table(
            "links",
            self.metadata,
            Column("stream", Text, primary_key=True),
            Column("source_id", Text, primary_key=True),
            Column("destination_id", Text),
            Column("hash", LargeBinary, nullable=False),  # of the body last written; empty: to be written again
            Column("version", Text),
            Column("match", Text),
            Column("run_id", Text, nullable=False),
            Column("written_at", Float, nullable=False),
            Column("destination_hash", LargeBinary),  # of what it shows after our write; empty: the source is to get it
            Column("destination_version", Text),
            Column("base", LargeBinary),  # what both sides last agreed on (three-way merge)
            Column("gone_at", Float),  # when the source record was found deleted
            Index("links_by_destination", "destination_id"),
            # Nearly always empty: what one side of a pair is still to get is found without looking at all links.
            Index("links_owed_on", "stream", sqlite_where=text(IS_OWED_ON), postgresql_where=text(IS_OWED_ON)),
            Index("links_owed_back", "stream", sqlite_where=text(IS_OWED_BACK), postgresql_where=text(IS_OWED_BACK)),
        )
        # Match digests are as good as random: an index over them, kept row by row, would dirty a page for each row. So
        # new ones are appended to a log, and merged in order when there are many.
        self.matches = Table(
            "matches",
            self.metadata,
            Column("stream", Text, primary_key=True),
            Column("match", Text, primary_key=True),
            Column("source_id", Text, nullable=False),
            sqlite_with_rowid=False,
        )
        self.match_log = Table(
            "match_log",
            self.metadata,
            Column("id", number, primary_key=True, autoincrement=True),
            Column("stream", Text, nullable=False),
            Column("match", Text, nullable=False),
            Column("source_id", Text, nullable=False),
        )
        self.destination_index = Table(
            "destination_index",
            self.metadata,
            Column("stream", Text, primary_key=True),
            Column("match", Text, primary_key=True),
            Column("destination_id", Text, nullable=False),
            Column("several", Boolean, nullable=False, default=False),
        )
        self.intents = Table(
            "intents",
            self.metadata,
            Column("id", Text, primary_key=True),
            Column("stream", Text, nullable=False),
            Column("run_id", Text, nullable=False),
            Column("state", Text, nullable=False),  # sending, unknown
            Column("requests", LargeBinary, nullable=False),
            Column("made_at", Float, nullable=False),
            Column("attempts", Integer, nullable=False, default=0),
            Index("intents_by_stream", "stream", "made_at"),
        )
        self.dead_letters = Table(
            "dead_letters",
            self.metadata,
            Column("id", Text, primary_key=True),
            Column("stream", Text, nullable=False),
            Column("source_id", Text, nullable=False),
            Column("version", Text),
            Column("stage", Text, nullable=False),  # decode, map, match, send, resolve
            Column("failure", Text, nullable=False),
            Column("reason", Text, nullable=False),
            Column("payload", LargeBinary),
            Column("whole", Boolean, nullable=False, default=False),  # payload is what was read, nothing hidden or cut
            Column("attempts", Integer, nullable=False, default=1),
            Column("first_at", Float, nullable=False),
            Column("last_at", Float, nullable=False),
            Column("run_id", Text, nullable=False),
            Column("mapping", Text, nullable=False, default=""),
            Column("state", Text, nullable=False, default="open"),  # open, discarded
            UniqueConstraint("stream", "source_id", name="dead_letters_once"),
            Index("dead_letters_by_time", "stream", "state", "last_at"),
        )
        self.inbox = Table(
            "inbox",
            self.metadata,
            Column("id", number, primary_key=True, autoincrement=True),
            Column("stream", Text, nullable=False),
            Column("topic", Text, nullable=False),
            Column("delivery_id", Text, nullable=False),
            Column("body", LargeBinary, nullable=False),
            Column("received_at", Float, nullable=False),
            Column("state", Text, nullable=False, default="waiting"),  # waiting, done, dead, ignored
            Column("attempts", Integer, nullable=False, default=0),
            Column("done_at", Float),
            Column("run_id", Text),
            Column("error", Text),
            UniqueConstraint("stream", "delivery_id", name="inbox_once"),
            Index("inbox_by_state", "state", "id"),
        )
        self.leases = Table(
            "leases",
            self.metadata,
            Column("name", Text, primary_key=True),
            Column("holder", Text, nullable=False),
            Column("token", number, nullable=False),
            Column("expires_at", Float, nullable=False),
        )
        self.conflicts = Table(
            "conflicts",
            self.metadata,
            Column("id", Text, primary_key=True),
            Column("stream", Text, nullable=False),
            Column("source_id", Text, nullable=False),
            Column("destination_id", Text),
            Column("base", LargeBinary),
            Column("source", LargeBinary),
            Column("destination", LargeBinary),
            Column("fields", Text, nullable=False, default="[]"),
            Column("state", Text, nullable=False, default="open"),  # open, resolved
            Column("resolution", Text),
            Column("made_at", Float, nullable=False),
            Column("resolved_at", Float),
            Column("run_id", Text, nullable=False),
            Column("strategy", Text, nullable=False, default="", server_default=""),
            Column("source_version", Text),
            Column("destination_version", Text),
            Column("link_hash", LargeBinary),  # of the link when both sides were read
            Column("resolved_by", Text),
            Index("conflicts_by_state", "stream", "state", "made_at"),
        )
        self._history(number)
        self._operation(number)

    def _history(self, number: TypeEngine[int]) -> None:
        """What was done, and what waits."""
        # A creation is told by the link itself: the first change of a record names the run before it.
        self.changes = Table(
            "changes",
            self.metadata,
            Column("id", number, primary_key=True, autoincrement=True),
            Column("stream", Text, nullable=False),
            Column("source_id", Text, nullable=False),
            Column("destination_id", Text),
            Column("run_id", Text, nullable=False),
            Column("kind", Text, nullable=False),  # updated, deleted, soft_deleted, merged, restored, kept
            Column("at", Float, nullable=False),
            Column("mapping", Text, nullable=False, default=""),  # digest of the rules it was written by
            Column("reason", Text),
            Column("before_run", Text),  # the link as it was
            Column("before_at", Float),
            Column("before_hash", LargeBinary),
            Column("before_version", Text),
            Column("before", LargeBinary),  # the body to put back, sealed
            Column("loser", LargeBinary),  # what lost a conflict, sealed
            Index("changes_by_run", "run_id"),
            Index("changes_by_record", "stream", "source_id", "id"),
        )
        self.waiting = Table(
            "waiting",
            self.metadata,
            Column("stream", Text, primary_key=True),
            Column("source_id", Text, primary_key=True),
            Column("parent_stream", Text, nullable=False),
            Column("parent_id", Text, nullable=False),
            Column("payload", LargeBinary),  # the record as it was read, sealed
            Column("version", Text),
            Column("since_at", Float, nullable=False),
            Column("attempts", Integer, nullable=False, default=0),
            Column("run_id", Text, nullable=False),
            Index("waiting_by_parent", "parent_stream", "parent_id"),
        )
        self.seen = Table(  # what came in the complete pass that is under way
            "seen",
            self.metadata,
            Column("stream", Text, primary_key=True),
            Column("source_id", Text, primary_key=True),
            sqlite_with_rowid=False,
        )
        self.seals = Table(  # one row when what is stored is sealed: known bytes, to try the key on
            "seals",
            self.metadata,
            Column("id", Integer, primary_key=True, autoincrement=False),
            Column("canary", LargeBinary, nullable=False),
            Column("since_at", Float, nullable=False),
        )
        self.audit = Table(
            "audit",
            self.metadata,
            Column("id", number, primary_key=True, autoincrement=True),
            Column("at", Float, nullable=False),
            Column("actor", Text, nullable=False),
            Column("role", Text, nullable=False),
            Column("action", Text, nullable=False),
            Column("target", Text, nullable=False, default=""),
            Column("outcome", Text, nullable=False),
            Column("remote", Text, nullable=False, default=""),
            Index("audit_by_time", "at"),
        )

    def _operation(self, number: TypeEngine[int]) -> None:
        """What processes share."""
        self.tokens = Table(
            "tokens",
            self.metadata,
            Column("name", Text, primary_key=True),
            Column("access", LargeBinary),  # sealed
            Column("refresh", LargeBinary),  # sealed
            Column("expires_at", Float),
            Column("generation", number, nullable=False, default=0),
            Column("state", Text, nullable=False, default="ok"),  # ok, needs_sign_in
            Column("reason", Text),  # why somebody has to sign in
            Column("seed", Text, nullable=False, default=""),  # digests of the credential it began with
            Column("asked_at", Float),  # a refresh was sent and its reply is not stored
            Column("updated_at", Float, nullable=False),
        )
        self.budgets = Table(
            "budgets",
            self.metadata,
            Column("name", Text, primary_key=True),
            Column("tokens", Float, nullable=False),
            Column("updated_at", Float, nullable=False),
            Column("not_before", Float, nullable=False, default=0.0),
            Column("per_s", Float, nullable=False),
            Column("burst", Float, nullable=False),
        )
        self.alerts = Table(
            "alerts",
            self.metadata,
            Column("name", Text, primary_key=True),
            Column("state", Text, nullable=False),
            Column("text", Text, nullable=False, default=""),
            Column("changed_at", Float, nullable=False),
            Column("sent_at", Float),
        )
        self.ticks = Table(
            "ticks",
            self.metadata,
            Column("stream", Text, primary_key=True),
            Column("due_at", Float, nullable=False),  # the last due time that somebody took
            Column("taken_by", Text, nullable=False),
        )
        self.workers = Table(
            "workers",
            self.metadata,
            Column("id", Text, primary_key=True),
            Column("started_at", Float, nullable=False),
            Column("seen_at", Float, nullable=False),
            Column("version", Text, nullable=False),
            Column("state", Text, nullable=False, default="working"),
        )
