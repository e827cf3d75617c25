"""What both sides of a comparison have, in a temporary file, so that memory does not grow with it."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..hashing import decode_exact
from .items import Item


class Shelf:
    """What was read, what is to be written again, and what is to be asked for by name."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="verify-")
        self._file = sqlite3.connect(Path(self._folder.name) / "shelf", isolation_level=None, check_same_thread=False)
        self._file.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;"
            "CREATE TABLE there (id TEXT PRIMARY KEY, match TEXT, record BLOB, taken INTEGER DEFAULT 0) WITHOUT ROWID;"
            "CREATE TABLE here (id TEXT PRIMARY KEY) WITHOUT ROWID;"
            "CREATE TABLE mend (id TEXT PRIMARY KEY, record BLOB);"
            "CREATE TABLE gone (id TEXT, there INTEGER, PRIMARY KEY (id, there));"
        )

    def close(self) -> None:
        """Throw it away."""
        self._file.close()
        self._folder.cleanup()

    def put(self, rows: Iterable[tuple[str, str | None, bytes]]) -> None:
        """Keep records of the destination: identity, match digest, raw."""
        self._file.executemany("INSERT OR REPLACE INTO there (id, match, record) VALUES (?, ?, ?)", rows)

    def is_full(self) -> None:
        """All that the destination has was put. From here on it is found by match value without looking through all of it."""
        self._file.execute("CREATE INDEX IF NOT EXISTS matches ON there (match)")

    def take(self, named: Sequence[str]) -> dict[str, Any]:
        """Records by identity; they are led to from the source."""
        found: dict[str, Any] = {}
        for identity in named:
            row = self._file.execute("SELECT record FROM there WHERE id = ?", (identity,)).fetchone()
            if row is not None:
                found[identity] = decode_exact(row[0])
        self._file.executemany("UPDATE there SET taken = 1 WHERE id = ?", [(identity,) for identity in found])
        return found

    def by_match(self, digest: str) -> tuple[str | None, Any]:
        """A record by its match value: its identity and itself."""
        row = self._file.execute("SELECT id, record FROM there WHERE match = ?", (digest,)).fetchone()
        if row is None:
            return None, None
        return row[0], self.take([row[0]])[row[0]]

    def came(self, source_ids: Iterable[str]) -> None:
        """Source records that are there."""
        self._file.executemany("INSERT OR IGNORE INTO here VALUES (?)", [(each,) for each in source_ids])

    def has_come(self, source_id: str) -> bool:
        """Whether the source has it."""
        return self._file.execute("SELECT 1 FROM here WHERE id = ?", (source_id,)).fetchone() is not None

    def untouched(self, size: int) -> Iterable[list[str]]:
        """Identities of records that were not taken."""
        after = ""
        while True:
            query = "SELECT id FROM there WHERE taken = 0 AND id > ? ORDER BY id LIMIT ?"
            rows = [row[0] for row in self._file.execute(query, (after, size))]
            if not rows:
                return
            after = rows[-1]
            yield rows

    def twins(self) -> Iterable[list[str]]:
        """Identities of records that have one match value."""
        query = "SELECT match FROM there WHERE match IS NOT NULL GROUP BY match HAVING count(*) > 1 ORDER BY min(id)"
        for (digest,) in self._file.execute(query).fetchall():
            rows = self._file.execute("SELECT id FROM there WHERE match = ? ORDER BY id", (digest,)).fetchall()
            yield [row[0] for row in rows]

    def mend(self, item: Item) -> None:
        """To be written again."""
        self._file.execute("INSERT OR REPLACE INTO mend VALUES (?, ?)", (item.source_id, bytes(item.raw)))

    def note_gone(self, identity: str, *, there: bool = False) -> None:
        """To be asked for by name, at the source or at the destination."""
        self._file.execute("INSERT OR IGNORE INTO gone VALUES (?, ?)", (identity, there))

    def to_mend(self, size: int) -> list[tuple[str, bytes]]:
        """Some of what is to be written again; each is handed out once."""
        rows = self._file.execute("SELECT id, record FROM mend ORDER BY id LIMIT ?", (size,)).fetchall()
        self._file.executemany("DELETE FROM mend WHERE id = ?", [(row[0],) for row in rows])
        return rows

    def gone(self, size: int, *, there: bool = False) -> list[str]:
        """Some of what is to be asked for; each is handed out once."""
        query = "SELECT id FROM gone WHERE there = ? ORDER BY id LIMIT ?"
        rows = [row[0] for row in self._file.execute(query, (there, size))]
        self._file.executemany("DELETE FROM gone WHERE id = ? AND there = ?", [(each, there) for each in rows])
        return rows
