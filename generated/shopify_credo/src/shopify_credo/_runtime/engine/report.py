"""What a run did, in numbers that add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..exits import EXIT_DONE, EXIT_INPUT, EXIT_PARTIAL


@dataclass(slots=True)
class Counts:
    """Fates of the records of a run. `fetched` may be ahead of `read` when a run was stopped in the middle of a page."""

    fetched: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    skipped: int = 0
    dead: int = 0
    unknown: int = 0
    held: int = 0
    read: int = 0
    resolved: int = 0
    """Outcomes of earlier runs that this one found out. They are not in the equation: they were read then."""
    drift: int = 0
    """Replies and records that were not as described. Not in the equation either: such a record is dead too."""
    restored: int = 0
    """Records that a rollback put back as they were."""

    @property
    def written(self) -> int:
        """Records that were written, of every kind."""
        return self.created + self.updated + self.deleted + self.restored

    def check(self) -> None:
        """Assert the run equation: every record that was read has exactly one fate."""
        fates = self.written + self.unchanged + self.skipped + self.dead + self.unknown + self.held
        assert self.read == fates, f"read {self.read} records and counted {fates} fates: {self}"

    def as_columns(self) -> dict[str, int]:
        """By the column names of the state."""
        return {
            "fetched": self.fetched, "read": self.read, "written": self.written, "created": self.created,
            "updated": self.updated, "deleted": self.deleted, "unchanged": self.unchanged, "skipped": self.skipped,
            "dead": self.dead, "unknown": self.unknown, "held": self.held, "resolved": self.resolved,
            "drift": self.drift, "restored": self.restored,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class RunReport:
    """The end of a run."""

    run_id: str
    stream: str
    kind: str
    state: str
    """done, partial (some records dead, unknown or held), failed."""
    dry_run: bool
    counts: Counts
    seconds: float
    failure: str | None = None
    error: str | None = None
    sample: list[dict[str, Any]] = field(default_factory=list)
    """Of a dry run: what would be written, field by field, for the first records. Of a rollback: what was left, and why."""

    @property
    def exit_code(self) -> int:
        """0 done, 1 failed, 3 partial."""
        return {"done": EXIT_DONE, "partial": EXIT_PARTIAL}.get(self.state, EXIT_INPUT)

    def to_json(self) -> dict[str, Any]:
        """As the CLI and the control API show it."""
        shown = run_json({
            **self.counts.as_columns(), "id": self.run_id, "stream": self.stream, "kind": self.kind, "state": self.state,
            "dry_run": self.dry_run, "seconds": self.seconds, "failure": self.failure, "error": self.error,
        })  # fmt: skip
        return {**shown, "sample": self.sample} if self.dry_run or self.sample else shown


def run_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A run, from its report or its row: the names that users know, beside the run equation."""
    shown: dict[str, Any] = {
        "run_id": row["id"],
        "stream": row["stream"],
        "kind": row["kind"],
        "state": row["state"],
        "dry_run": bool(row["dry_run"]),
        "fetched_from_source": row["fetched"],
        "transformed": row["read"] - row["dead"] - row["skipped"] if row["read"] else 0,
        "pushed_to_dest": row["written"],
        "failed": row["dead"],
        "sync_duration_seconds": round(row["seconds"], 3),
        "read": row["read"],
        "written": row["written"],
        "written_by_kind": {name: row[name] for name in ("created", "updated", "deleted", "restored")},
        "unchanged": row["unchanged"],
        "skipped": row["skipped"],
        "dead": row["dead"],
        "unknown": row["unknown"],
        "held": row["held"],
        "resolved": row["resolved"],
        "drift": row["drift"],
        "failure": row["failure"],
        "error": row["error"],
    }
    for name in ("trigger", "started_at", "ended_at", "parameters", "mapping", "holder", "cancel_at", "rollback_of"):
        if name in row:
            shown[name] = row[name]
    return shown
