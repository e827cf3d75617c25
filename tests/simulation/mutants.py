"""Engines that break one rule of delivery each, and the seeds that catch them.

    python -m tests.simulation.mutants            the known seed of each; ends with 1 when one gets away
    python -m tests.simulation.mutants --search   finds the first seed that catches each, and writes mutants.json

A simulator that lets a broken engine pass proves nothing about the one that ships. Each mutant is the real engine with one
function replaced; nothing else differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from sqlalchemy import select

from runtime import fence
from runtime.engine import batches, classify, earlier, merge_memory, passes, recover, suspects, versions, write
from runtime.engine.fates import Fates
from runtime.engine.groups import Groups
from runtime.engine.journal import Journal
from runtime.engine.merge import Base
from runtime.engine.requests import Request
from runtime.engine.run import Run
from runtime.engine.tally import Tally
from runtime.errors import IntegrationError
from runtime.http import sender
from runtime.redact import Redactor
from runtime.state import leases
from runtime.state.errors import LeaseLost
from runtime.state.leases import Leases
from runtime.state.ledger import DeadLetters
from runtime.state.merges import Merges
from runtime.state.rows import ConflictRow, Lease, Look, Outcomes
from runtime.state.store import Store
from tests.simulation.simulation import Runner
from tests.simulation.world import DRAW, story_of

merge_module = import_module("runtime.engine.merge")
KNOWN = Path(__file__).parent / "mutants.json"
EXAMPLE = Path(__file__).parent / "example.txt"
EXAMPLE_OF = "retry-writes-like-reads"
"""Whose story the page tells."""
MOST_SEEDS = 4000

Apply = Callable[[ExitStack], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken rule."""

    name: str
    rule: str
    """What it does instead."""
    apply: Apply
    story: str = "one"
    """Of the seeds that can catch it."""


MUTANTS: list[Mutant] = []


def mutant(rule: str, story: str = "one") -> Callable[[Apply], Apply]:
    """Register a function that breaks something until its stack is closed."""

    def register(apply: Apply) -> Apply:
        MUTANTS.append(Mutant(apply.__name__.replace("_", "-"), rule, apply, story))
        return apply

    return register


def swap(stack: ExitStack, owner: Any, name: str, new: Any) -> Any:
    """Replace an attribute; returns what was there."""
    old = getattr(owner, name)
    stack.enter_context(patch.object(owner, name, new))
    return old


# --- intents and keys ---


@mutant("writes down no intent")
def drop_the_intent(stack: ExitStack) -> None:
    swap(stack, Journal, "written_down", lambda self, requests: ())


@mutant("sends before the intent is committed")
def send_before_the_intent(stack: ExitStack) -> None:
    async def prepare(self: Any, items: Any) -> Any:
        matches = [item.match for item in items if item.match is not None] if self._stream.mode != "append" else ()
        look = Look(
            stream=self._stream.name,
            source_ids=[item.source_id for item in items],
            matches=matches,
            index=self._tools.index.is_used,
        )
        found = await self._journal.commit(look=look)
        renewed = classify.classify(self._stream, items, found, self._fates.unknown)
        requests = classify.requests_for(self._stream, items, self._ids, self._writer.batch_size)
        self._writer.sent_early = await send_all(self._writer, requests) if requests else None
        await self._journal.note(requests)
        return requests, renewed

    async def send(self: Any, requests: Any) -> Any:
        early, self.sent_early = getattr(self, "sent_early", None), None
        return early if early is not None else await send_all(self, requests)

    stack.enter_context(patch.object(write.Writer, "sent_early", None, create=True))
    send_all = swap(stack, write.Writer, "send_all", send)
    swap(stack, Groups, "_prepare", prepare)


@mutant("sends each attempt under a key of its own")
def new_key_at_each_attempt(stack: ExitStack) -> None:
    count = [0]

    async def exchange(self: Any, request: httpx.Request) -> Any:
        if "idempotency-key" in request.headers:
            count[0] += 1
            request.headers["idempotency-key"] = f"again-{count[0]}"
        return await plain(self, request)

    plain = swap(stack, sender.Sender, "_exchange", exchange)


@mutant("sends what has no known outcome again, without a look")
def blind_resend_of_an_unknown_outcome(stack: ExitStack) -> None:
    async def requests(self: Any, entry: Any) -> Any:
        return [], [
            Request(self._ids(), "update" if entry.request.kind == "update" else "create", [item])
            for item in entry.items
        ]

    swap(stack, recover.Recovery, "requests", requests)


@mutant("repeats a write without a key after an answer that may have come too late")
def retry_writes_like_reads(stack: ExitStack) -> None:
    swap(stack, sender, "may_resend", lambda method, error, *, repeatable: True)


@mutant("forgets which outcomes are unknown when the group ends")
def forget_the_unknown(stack: ExitStack) -> None:
    def outcomes(self: Any, *args: Any, **named: Any) -> Outcomes:
        found: Outcomes = plain(self, *args, **named)
        found.unknown = []
        return found

    plain = swap(stack, Fates, "outcomes", outcomes)


@mutant("takes a lost answer for a yes")
def unknown_is_done(stack: ExitStack) -> None:
    def is_unknown(self: Any, item: Any, error: IntegrationError) -> None:
        item.fate = "created"

    swap(stack, write.Writer, "_is_unknown", is_unknown)


@mutant("reads the results of a repeated batch for items that are settled")
def settle_items_twice(stack: ExitStack) -> None:
    def unresolved(rows: Any, links: Any) -> Any:
        found = plain(rows, links)
        for entry in found:
            for item in entry.request.items:
                item.fate = None
        return found

    plain = swap(stack, earlier, "unresolved", unresolved)


# --- checkpoint ---


@mutant("moves the cursor before the records behind it are written")
def move_the_cursor_early(stack: ExitStack) -> None:
    async def group(self: Any, raws: Any, page: Any) -> None:
        if page is not None:
            self._journal.pending = self._journal.pending or Outcomes(stream=self._stream.name)
            self._journal.pending.checkpoint = self._progress.after(page.next, is_last=page.next is None)
        await plain(self, raws, page)

    plain = swap(stack, Groups, "sync", group)


@mutant("moves the checkpoint in a transaction before that of the outcomes")
def checkpoint_apart_from_outcomes(stack: ExitStack) -> None:
    async def commit(self: Any, **named: Any) -> Any:
        pending = self.pending
        if pending is not None and pending.checkpoint is not None and pending.links:
            self.pending = Outcomes(stream=self._stream, checkpoint=pending.checkpoint)
            await plain(self)
            pending.checkpoint = None
            self.pending = pending
        return await plain(self, **named)

    plain = swap(stack, Journal, "commit", commit)


@mutant("takes nothing off the watermark")
def forget_the_overlap(stack: ExitStack) -> None:
    plain = versions.since_parameter
    swap(stack, passes, "since_parameter", lambda watermark, form, overlap_s: plain(watermark, form, 0))


@mutant("takes the watermark from our own clock")
def watermark_from_our_clock(stack: ExitStack) -> None:
    def watermark(self: Any, before: str | None) -> str | None:
        if self._high.version is None:
            return before
        return str(int(self.now)) if self._high.version.isdigit() else versions._iso(self.now)

    swap(stack, passes.Pass, "_watermark", watermark)


@mutant("takes a page that cannot be read for the last one")
def broken_page_ends_the_pass(stack: ExitStack) -> None:
    async def read_all(self: Any) -> None:
        try:
            await plain(self)
        except IntegrationError:
            self._journal.pending = None

    plain = swap(stack, Run, "_read_all", read_all)


# --- lease ---


@mutant("does not look at the token before it writes state")
def skip_the_fencing_check(stack: ExitStack) -> None:
    swap(stack, Store, "_hold", lambda self, connection, lease: None)


@mutant("goes on when the lease is lost")
def ignore_a_lost_lease(stack: ExitStack) -> None:
    def renew(self: Leases, lease: Lease) -> None:
        try:
            plain(self, lease)
        except LeaseLost:
            return

    plain = swap(stack, Leases, "renew", renew)
    swap(stack, fence.Fence, "check", lambda self: None)


@mutant("starts while another run holds the lease")
def take_a_held_lease(stack: ExitStack) -> None:
    swap(stack, leases, "LONGEST_S", -1.0)


# --- records ---


@mutant("makes a second object for one match value")
def skip_the_duplicates_check(stack: ExitStack) -> None:
    swap(stack, classify, "refuse_duplicate", lambda *_: None)


@mutant("keeps no dead letters")
def drop_dead_letters(stack: ExitStack) -> None:
    def outcomes(self: Any, *args: Any, **named: Any) -> Outcomes:
        found: Outcomes = plain(self, *args, **named)
        found.dead = []
        return found

    plain = swap(stack, Fates, "outcomes", outcomes)


@mutant("takes all items of an answered batch for written")
def ignore_the_fate_of_items(stack: ExitStack) -> None:
    swap(stack, batches.Results, "is_ok", lambda self, result: True)


@mutant("reads results by their place, whatever their index says")
def results_by_place(stack: ExitStack) -> None:
    def places(self: Any, results: Sequence[Any]) -> list[int]:
        return list(range(len(results)))

    swap(stack, batches.Results, "_by_index", places)


# --- reports and bounds ---


@mutant("counts what is unchanged as created")
def count_wrong(stack: ExitStack) -> None:
    def count(self: Any, *args: Any) -> None:
        before = self.counts.unchanged
        plain(self, *args)
        self.counts.created += self.counts.unchanged - before
        self.counts.unchanged = before

    plain = swap(stack, Tally, "count", count)


@mutant("reports done whatever is left behind")
def always_done(stack: ExitStack) -> None:
    from runtime.engine import engine

    swap(stack, engine, "_is_clean", lambda counts: True)


@mutant("has no brake: dead letters never stop a run")
def no_brake_on_dead_letters(stack: ExitStack) -> None:
    swap(stack, Tally, "judge", lambda self, more=0: None)


@mutant("reads a record that ends the process at every start")
def forget_what_is_deadly(stack: ExitStack) -> None:
    swap(stack, suspects, "CRASHES", 10**9)
    swap(stack, DeadLetters, "named_for", lambda self, stream, reason: set())


@mutant("hides no secrets")
def no_redaction(stack: ExitStack) -> None:
    swap(stack, Redactor, "text", lambda self, text: text)
    swap(
        stack,
        Redactor,
        "excerpt",
        lambda self, raw, limit=500: raw[:limit].decode() if isinstance(raw, bytes) else raw[:limit],
    )


# --- merges ---


@mutant("lets the other side win than the strategy says", "pair")
def merge_takes_the_wrong_side(stack: ExitStack) -> None:
    other = {"source": "destination", "destination": "source", None: None}
    swap(stack, merge_module, "_winner", lambda strategy, newer: other[winner(strategy, newer)])


winner = merge_module._winner


@mutant("decides by itself what waits for a person", "pair")
def nobody_is_asked(stack: ExitStack) -> None:
    swap(stack, merge_module, "_winner", lambda strategy, newer: winner(strategy, newer) or "source")


@mutant("takes its own write, when it comes back, for a change", "pair")
def echo_is_a_change(stack: ExitStack) -> None:
    known = swap(
        stack, merge_module, "_state", lambda name, base, a, b: replace(known(name, base, a, b), by_destination=True)
    )


@mutant("keeps nothing of what a decision took away", "pair")
def forget_what_lost(stack: ExitStack) -> None:
    swap(stack, merge_memory.MergeMemory, "losing", lambda self, requests: [])

    def tell(self: Any, item: Any, decision: Any, *more: Any) -> None:
        if decision.merged is not None:
            decision.merged = replace(decision.merged, lost={})
        before(self, item, decision, *more)

    before = swap(stack, merge_memory.MergeMemory, "_tell", tell)


@mutant("writes what was held, and forgets what is owed to the source", "pair")
def owe_nothing(stack: ExitStack) -> None:
    swap(stack, Base, "encode", lambda self: encode(replace(self, to_source=frozenset())))
    swap(stack, Merges, "owed", lambda self, stream, *, back, limit=1000: [])


encode = Base.encode


@mutant("sends an update without an answer again, whatever stands there now", "pair")
def resend_a_merge_blindly(stack: ExitStack) -> None:
    async def requests(self: Any, entry: Any) -> Any:
        self._merges = False
        return await before(self, entry)

    before = swap(stack, recover.Recovery, "requests", requests)


@mutant("leaves a conflict in the queue as it was found first, whatever the sides have come to", "pair")
def leave_the_queue_as_it_was(stack: ExitStack) -> None:
    def put(self: Any, connection: Any, row: ConflictRow) -> None:
        c = self._database.tables.conflicts.c
        query = select(c.id).where(c.stream == row.stream, c.source_id == row.source_id, c.state == "open")
        if connection.execute(query).first() is None:
            before(self, connection, row)

    before = swap(stack, Merges, "_put_conflict", put)


@contextmanager
def applied(one: Mutant) -> Iterator[None]:
    """The engine is broken inside."""
    with ExitStack() as stack:
        one.apply(stack)
        yield


@dataclass(frozen=True, slots=True)
class Caught:
    """How a mutant was found out."""

    seed: int
    invariant: str
    what: str
    trace: tuple[str, ...]
    """The last lines of the story."""


def hunt(runner: Runner, one: Mutant, seeds: Sequence[int], *, draw: int = DRAW) -> Caught | None:
    """The first of the seeds that catches it. `draw`: see `World`."""
    with applied(one):
        for seed in seeds:
            result = runner.play(seed, draw=draw)
            if not result.is_well:
                what = result.violations[0].splitlines()[0][:200]
                at = next(place for place, line in enumerate(result.trace) if "VIOLATION" in line)
                return Caught(seed, result.invariants[0], what, tuple(result.trace[max(0, at - 11) : at + 1]))
    return None


def load_known() -> dict[str, dict[str, Any]]:
    """Mutant → how it was caught last."""
    known: dict[str, dict[str, Any]] = json.loads(KNOWN.read_text("utf-8")) if KNOWN.exists() else {}
    return known


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--only")
    arguments = parser.parse_args()
    runner, known, got_away = Runner(), load_known(), 0
    try:
        for one in MUTANTS:
            if arguments.only and arguments.only != one.name:
                continue
            own = [seed for seed in range(1, MOST_SEEDS) if story_of(seed) == one.story]
            seeds = own if arguments.search else [known[one.name]["seed"]] if one.name in known else []
            draw = known[one.name]["draw"] if one.name in known and not arguments.search else DRAW
            caught = hunt(runner, one, seeds, draw=draw)
            if caught is None:
                got_away += 1
                print(f"{one.name}: GOT AWAY", flush=True)
                known.pop(one.name, None) if arguments.search else None
                continue
            print(f"{one.name}: seed {caught.seed}: {caught.what}", flush=True)
            known[one.name] = {"seed": caught.seed, "draw": draw, "invariant": caught.invariant, "what": caught.what}
            if arguments.search and one.name == EXAMPLE_OF:
                EXAMPLE.write_text("\n".join(caught.trace) + "\n", "utf-8")
    finally:
        runner.close()
    if arguments.search:
        ordered = {one.name: known[one.name] for one in MUTANTS if one.name in known}
        KNOWN.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{len(MUTANTS)} mutants, {got_away} got away")
    return 1 if got_away else 0


if __name__ == "__main__":
    sys.exit(main())
