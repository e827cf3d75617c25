"""Holds what happened against the invariants: while it happens, and when the faults are over.

It believes neither the engine's reports nor its intentions: it counts effects at the destination, reads the tables on a
connection of its own, and knows from the source which records each process was given.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from runtime.engine import RunReport, RunRequest
from runtime.engine.requests import SETTLED, read_back
from runtime.state.rows import IntentRow
from tests.simulation.destination import Effect
from tests.simulation.shapes import STREAM
from tests.simulation.source import Page, State

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.simulation import Simulation

LEASE_S = 60.0
LONGEST_RUN_S = 4 * 3600.0
MOST_GATES = 60_000
MOST_ATTEMPTS = 5
"""To find out one unknown outcome, before a person is asked."""


class Auditor:
    """Of one seed."""

    lease_name = f"stream:{STREAM}"

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._world = simulation.world
        self._shape = simulation.world.shape
        self._connection: sqlite3.Connection | None = None
        self._point: tuple[Any, ...] | None = None
        self._token = 0
        self._token_since = 0.0
        self._expires_at = 0.0
        self._newest: dict[str, int] = {}
        self._made: Counter[tuple[str, int]] = Counter()
        self.sends = 0

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def is_in_pass(self) -> bool:
        """Whether the next run goes on where another ended."""
        return bool(self._rows("SELECT 1 FROM checkpoints WHERE cursor IS NOT NULL"))

    def _rows(self, query: str, *values: Any) -> list[Any]:
        if self._connection is None:
            self._connection = sqlite3.connect(self._simulation.states.file, isolation_level=None)
        return self._connection.execute(query, values).fetchall()

    # --- at the wire ---

    def sent(self, process: Process, side: str, request: httpx.Request) -> None:
        """A request leaves a process."""
        self.sends += 1
        world = self._world
        most = self._simulation.settings.options.max_concurrent
        if process.under_way[side] >= most:
            world.violate("I5", f"{process.name} has more than {most} requests under way to the {side}")
        if request.method == "GET":
            return
        # A holder that lost its lease may not know for a third of it, no longer.
        if process.token < self._token and world.now > self._token_since + LEASE_S / 3 + 1.0 and not process.resting:
            world.violate(
                "I8",
                f"{process.name} writes under token {process.token},"
                f" {world.now - self._token_since:.0f} s after {self._token} was given out",
            )

    def effect(self, effect: Effect) -> None:
        """Something changed in the destination."""
        world, shape = self._world, self._shape
        if effect.ext in self._newest and effect.rev < self._newest[effect.ext] and shape.mode == "upsert":
            world.violate("I3", f"record {effect.ext} went back from rev {self._newest[effect.ext]} to {effect.rev}")
        self._newest[effect.ext] = max(self._newest.get(effect.ext, 0), effect.rev)
        if shape.mode == "append":
            self._made[effect.ext, effect.rev] += 1
            if self._made[effect.ext, effect.rev] > 1:
                world.violate("I2", f"record {effect.ext} rev {effect.rev} was appended twice")
        elif effect.kind == "create" and (other := self._same_match(effect)) is not None:
            world.violate("I2", f"record {effect.ext} was made beside the object of record {other}, its duplicate")
        elif effect.kind == "create" and len(self._simulation.destination.live(effect.ext)) > 1:
            world.violate("I2", f"record {effect.ext} was made twice in the destination")

    def _same_match(self, effect: Effect) -> str | None:
        """Another record's object with the same match value, that the engine knows to be there."""
        if self._shape.match != "email":
            return None
        destination = self._simulation.destination
        email = str(destination.objects[effect.object].get("email") or "").lower()
        twins = {
            str(each["ext"])
            for each in destination.objects.values()
            if each.get("ext") not in (None, effect.ext) and str(each.get("email") or "").lower() == email
        }
        if not twins:
            return None
        links, _, intents = self._fates()
        return next((ext for ext in sorted(twins) if links.get(ext) and ext not in intents), None)

    # --- at the state ---

    def committed(self, process: Process) -> None:
        """A transaction that may have written is durable."""
        self._check_lease(process)
        self._check_point(process)

    def _check_lease(self, process: Process) -> None:
        world = self._world
        lease = self._rows("SELECT token, holder, expires_at FROM leases WHERE name = ?", self.lease_name)
        if lease:
            token, holder, expires_at = lease[0]
            if holder == process.name:
                process.token = max(process.token, token)
            if token != self._token:
                left_s = self._expires_at - process.clock.now()
                if 0 < left_s <= 3600.0:
                    world.violate("I8", f"{process.name} took the lease {left_s:.0f} s before it ended")
                self._token, self._token_since = token, world.now
            self._expires_at = expires_at

    def _check_point(self, process: Process) -> None:
        world = self._world
        point = self._rows("SELECT cursor, watermark, high, run_id, token FROM checkpoints WHERE stream = ?", STREAM)
        if not point or tuple(point[0]) == self._point:
            return
        before, self._point = self._point, tuple(point[0])
        cursor, watermark, _, _, token = point[0]
        if token < self._token:
            world.violate(
                "I8", f"{process.name} moved the checkpoint under token {token}, after {self._token} was given out"
            )
        if cursor is not None and (before is None or before[0] != cursor):
            self._check_passed(process, cursor.strip('"'))
        elif cursor is None and (before is None or before[1] != watermark) and watermark is not None:
            self._check_passed(process, None)

    def _check_passed(self, process: Process, cursor: str | None) -> None:
        """Every record on the pages before `cursor` has a durable fate."""
        pages = process.pages
        passed: list[tuple[int, int]] = []
        for page in pages:
            passed += page.states
            if cursor is not None and (cursor == page.mark or cursor.endswith(page.mark)):
                break
        self._check_fates(process, passed, f"the checkpoint moved to {cursor or 'the end'}")

    def _check_fates(self, process: Process, passed: list[tuple[int, int]], when: str) -> None:
        source = self._simulation.source
        links, letters, intents = self._fates()
        for number, rev in passed:
            ext = str(number)
            written = links.get(ext, 0)
            if written >= rev or ext in letters or ext in intents:
                continue
            if source.unnamed(number, rev) in letters:
                continue
            if self._is_left_out(number, links):
                continue
            self._world.violate(
                "I4", f"{when}, and record {number} rev {rev} has no durable fate (written: {written or 'never'})"
            )
            return

    def _fates(self) -> tuple[dict[str, int], dict[str, tuple[str, str]], set[str]]:
        digests = self._simulation.source.digests
        links = {}
        for source_id, digest in self._rows("SELECT source_id, hash FROM links WHERE stream = ?", STREAM):
            links[source_id] = digests.get(bytes(digest), ("", 0))[1]
        letters = {row[0]: (row[1], row[2]) for row in self._rows("SELECT source_id, stage, reason FROM dead_letters")}
        return links, letters, self._open_intents()

    def _open_intents(self) -> set[str]:
        found = set()
        for row in self._rows("SELECT id, stream, run_id, state, requests, made_at, attempts FROM intents"):
            for request in read_back(IntentRow(*row)):
                # What is known of a request that is kept for others is noted in it.
                found.update(item.source_id for item in request.items if item.hash != SETTLED)
        return found

    def _crashes(self) -> int:
        injected = self._world.injected
        return injected["crash"] + injected["crash-before-commit"] + injected["crash-after-commit"]

    def _is_left_out(self, number: int, links: dict[str, int]) -> bool:
        """Whether a rule of the stream leaves the record out: a duplicate, or one that exists and cannot be updated."""
        source, shape = self._simulation.source, self._shape
        states = source.states
        if shape.update == "none" and self._simulation.destination_had:
            return True
        if shape.duplicates != "first" or shape.match != "email":
            return False
        mine = source.emails.get(number, set())
        return number not in states or any(mine & theirs for other, theirs in source.emails.items() if other != number)

    # --- at the end of a run ---

    def _told_apart(self, pages: list[Page]) -> list[Page]:
        """Without a last page that is the one before it once more, where pages are numbered.

        A server that knows no page behind a short one answers so, and nobody can tell it from a list that moved on by just
        that much while it was read.
        """
        if self._shape.paging in ("page", "offset") and len(pages) > 1:
            before, last = pages[-2].states, pages[-1].states
            if before and len(before) == len(last) and before[0] == last[0]:
                return pages[:-1]
        return pages

    def reported(
        self, process: Process, request: RunRequest, report: RunReport, effects: list[Effect], *, is_calm: bool
    ) -> None:
        """A run ended and said what it did."""
        world, counts = self._world, report.counts
        clean = counts.dead == counts.unknown == counts.held == 0
        if report.state == "done" and not clean:
            world.violate("I6", f"`done` with {counts}")
        if report.state in ("done", "partial") and report.failure is not None:
            world.violate("I6", f"`{report.state}` with the failure {report.failure}")
        if report.state == "failed" and not report.error:
            world.violate("I6", "`failed` without a word")
        fates = counts.written + counts.unchanged + counts.skipped + counts.dead + counts.unknown + counts.held
        if counts.read != fates:
            world.violate("I6", f"the run equation does not hold: {counts}")
        most_dead = max(self._shape.dead_at_least, 0.1 * counts.read)
        if report.state in ("done", "partial") and not report.dry_run and counts.dead > most_dead:
            world.violate("I6", f"{counts.dead} dead letters of {counts.read} records did not stop the run")
        if report.seconds > LONGEST_RUN_S and not world.injected["pause"]:
            world.violate("I5", f"a run took {report.seconds:.0f} s")
        if report.kind in ("full", "incremental") and not report.dry_run and report.state in ("done", "partial"):
            given = [state for page in self._told_apart(process.pages) for state in page.states]
            is_cut = request.limit is not None or world.injected["source-cursor-forgotten"]
            if counts.fetched != len(given) and not is_cut:
                world.violate("I6", f"{len(given)} records were handed out and {counts.fetched} are reported")
            self._check_fates(process, given[: counts.fetched], f"a run reports `{report.state}`")
        touched = {effect.ext for effect in effects}
        most = counts.written + counts.unchanged + counts.dead + counts.unknown + counts.resolved
        in_doubt = touched & self._open_intents() if touched else set()
        if report.state == "done" and in_doubt:
            world.violate("I6", f"`done`, and nobody knows whether {', '.join(sorted(in_doubt))} was written")
        if report.state in ("done", "partial") and len(touched - in_doubt) > most:
            world.violate("I6", f"{len(touched)} records were written and {counts} is reported")
        if is_calm and not counts.resolved and report.state in ("done", "partial"):
            made = len({effect.ext for effect in effects if effect.kind == "create"})
            changed = len({effect.ext for effect in effects if effect.kind == "update"})
            if self._shape.mode == "upsert" and (counts.created, counts.updated) != (made, changed):
                world.violate("I6", f"{made} made and {changed} changed, reported as {counts}")
        if is_calm:
            row = self._rows("SELECT state, read, written, dead, unknown FROM runs WHERE id = ?", report.run_id)
            said = (report.state, counts.read, counts.written, counts.dead, counts.unknown)
            if not row or tuple(row[0]) != said:
                world.violate("I6", f"the run's row says {row} and its report {said}")

    # --- when the faults are over ---

    def check_end(self) -> None:
        """Everything has arrived, once, or somebody was told why not."""
        world, source, destination = self._world, self._simulation.source, self._simulation.destination
        links, letters, intents = self._fates()
        for number, state in source.states.items():
            ext = str(number)
            objects = destination.live(ext)
            if self._shape.mode == "upsert" and len(objects) > 1:
                world.violate("I2", f"record {ext} has {len(objects)} objects in the destination")
            if any(each["rev"] == state.rev for each in objects) or self._simulation.needs_person:
                continue
            if (why := self._reason(state, links, letters, intents)) is None:
                have = sorted(each["rev"] for each in objects)
                world.violate(
                    "I1",
                    f"record {ext} rev {state.rev} is not in the destination (it has {have}; dead letter:"
                    f" {letters.get(ext)}; link: rev {links.get(ext)})",
                )
            else:
                world.note("auditor", f"record {ext} rev {state.rev} is not there: {why}")
        self._check_secrets()
        running = self._rows("SELECT id FROM runs WHERE state = 'running'")
        if running:
            world.violate("I6", f"the runs {running} say that they are under way")

    def _reason(
        self, state: State, links: dict[str, int], letters: dict[str, tuple[str, str]], intents: set[str]
    ) -> str | None:
        """Why a record may rightly be missing, or None."""
        shape, destination, source = self._shape, self._simulation.destination, self._simulation.source
        ext = str(state.id)
        if ext in destination.taken_away:
            return "somebody removed it over there"
        knows = self._knows() and ext not in destination.untold
        if ext in intents and (not knows or self._may_clash(state)):
            return "unknown"
        letter = letters.get(ext)
        if letter is not None:
            stage, reason = letter
            if "needs the record as it is" in reason and self._may_clash(state):
                return f"dead: {reason}"
            if "cannot be found" in reason and not shape.can_find:
                return f"dead: {reason}"
            if state.is_bad or state.name == "refused":
                return f"dead: {reason}"
            if stage == "resolve":
                return f"unknown: {reason}" if not knows or self._has_asked_enough(ext) else None
            if shape.update == "none" and "no operation to update" in reason:
                return f"dead: {reason}"
            if "same match value" in reason or "several destination records" in reason or "exist" in reason:
                return f"dead: {reason}" if self._may_clash(state) else None
            if "cannot be found" in reason and (destination.injected_removal or self._may_clash(state)):
                return f"dead: {reason}"
            return None
        if source.unnamed(state.id, state.rev) in letters and (state.name == "poison" or self._crashes() >= 5):
            return "dead, without a name"
        return "left out by a rule" if self._is_left_out(state.id, links) else None

    def _has_asked_enough(self, ext: str) -> bool:
        """Whether a creation without a key was in doubt with each of the attempts that are stated (docs/reliability.md): the record was
        looked up, was not there, was sent again, and nobody learnt how that ended. A person is asked then, as stated; a process that
        ended with an attempt has made it."""
        attempts = self._simulation.destination.unanswered[ext] - 1 + self._crashes()
        return not self._shape.key and attempts >= MOST_ATTEMPTS

    def _knows(self) -> bool:
        """Whether every outcome could be found out: a key that is a day old, or seems so, proves nothing any more."""
        is_old = self._world.now > 18 * 3600 or self._world.injected["clock-jumps"]
        return self._shape.knows and (self._shape.can_find or not is_old)

    def _may_clash(self, state: State) -> bool:
        """Whether another record, now or before, or an object of somebody else, could have its match value."""
        shape = self._shape
        if shape.match == "none":
            return False
        if self._simulation.destination_had:
            return True
        if shape.match != "email":
            return False
        return bool(self._world.injected["source-same-match"] or self._world.injected["source-match-moves"])

    def _check_secrets(self) -> None:
        world = self._world
        file = self._simulation.states.file
        content = b"".join(each.read_bytes() for each in (file, Path(f"{file}-wal")) if each.exists())
        text = "\n".join(world.log_lines)
        for secret in world.secrets():
            if secret.encode() in content:
                world.violate("I7", "a secret stands in the database")
            if secret in text:
                world.violate("I7", "a secret stands in the logs")
