"""docs/simulation.md from what is kept: seeds that were played, faults that struck, what was found, mutants, failpoints.

`python -m tests.simulation.page` writes it; a test proves that it is what the results say.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.processes.failpoints import NAMES
from tests.simulation.many import FIRST, KEPT, PARTLY, load, load_beyond, load_failed
from tests.simulation.mutants import EXAMPLE, EXAMPLE_OF, MUTANTS, load_known
from tests.simulation.world import FAULTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "simulation.md"
HERE = Path(__file__).parent

DRAWN = {
    2: "as described above, but that an item that fails and one of which nobody learns came together by luck alone",
    3: "as described above",
}
"""How the stories of a long run were drawn, see `World`."""

INVARIANTS = {
    "I1": "nothing is lost: when the faults are over, each record is in the destination in its last state, or a dead letter or an"
    " unknown outcome says why not",
    "I2": "no second effect: one object for one record, counted in the destination; one request for one key",
    "I3": "nothing goes back to an older state",
    "I4": "the checkpoint passes no record whose fate is not on record, looked up after each commit that moves it",
    "I5": "bounds: requests at once, time, an end to everything",
    "I6": "reports are true: against the records handed out and the effects had; every run in the end says that it ended",
    "I7": "no secret in the database or a log line",
    "I8": "one holder: a lease is taken when it has ended, and whoever lost one moves no checkpoint and soon sends nothing",
}

TEXT = """\
# The simulator

<!-- Written by `python -m tests.simulation.page`; edit that. -->

`tests/simulation/` runs the real engine, sessions and state of a package between two made-up systems in virtual time. Clock, chance,
network and the moments at which a process dies come from one number, the seed: hours of outages pass in a twentieth of a second, and
a seed that fails fails again.

```
make simulate                          # 500 seeds, as in CI
make simulate SEEDS=20000 START=1
make simulate START=4711 SEEDS=1 TRACE=1
```

## One seed

1. A stream is drawn: paging, order, versions, filter, idempotency key, find, list, uniqueness, batches and how they answer, adoption,
   duplicates, kind of update, webhooks, sizes of groups, workers.
2. Some kinds of faults are drawn, and how often each strikes. Half of the seeds have few, so that one kind is not hidden by another.
   Some seeds in a row have one kind as their main fault, in a stream where it can strike, so that none is left to luck. Where that is a
   batch that is answered in part, one item fails, is sent again alone and is written, while nobody learns of another one: what settles
   the second under the batch's key must leave the first alone.
3. One or two replicas run the stream, resync, dry-run, read single records, carry out deliveries; records change, come and go.
4. The faults end. Runs go on until nothing is left to do, {quiet} at most.
5. An auditor compares both systems with the tables. It also looks on all the while: at each effect, request and commit.

It shares nothing with the engine but the tables' names: effects are counted where they happen, and what a checkpoint may pass is known
from the pages that were handed out.

| | the auditor holds |
| --- | --- |
{invariants}

Left out is one case that cannot be told apart from the outside. A write without an answer is repeated under its key while the key is
younger than 20 hours by the machine's clock, for vendors promise to know it for a day. When the machine is off for more than that day and
its clock is set back by a day meanwhile, nothing on the machine knows how old the key is: no row was written after it, and the first answer
that would show the vendor's date is the one to the repetition. By then the vendor's promise has ended, and a second object is made. Where a
look-up is declared it is used as soon as a key seems old, but here it does not seem old. A clock that is ahead, or that jumps while runs go
on so that the key lies in the future, is noticed, and the key is not trusted.

## Two systems that people change

Every seventh seed plays a stream that merges, mostly one that goes both ways, under the same faults: all strategies, fields with a rule of
their own, systems with and without ETags, single reads, keys, answers to updates. People change both sides while runs write to them, and
answer conflicts. Every value that somebody types is one that nobody typed before, so the auditor knows of each who made it and where it has
been seen:

* what a run writes over without the other side ever having had it is in the history, lost by the declared strategy, and is never taken
  where a person was to decide;
* a field that is decided by itself never goes back to a value that it had before;
* there is one record for one thing on each side, also where both had it before;
* when the faults are over, both sides say the same, or the conflict stands in the queue with both versions as they are; answers to it are
  carried out. A stream that goes one way does not see what people change at the destination alone: there an answer to the older version
  brings the queue up to date first;
* no ping-pong: runs soon find nothing to write, and then a run over everything finds nothing either.

Known and left out: what is typed between a run's read and its write, in a system without ETags; a record that is made a second time
because the destination does not show it to a look-up yet and takes two of a kind; and, where nobody learnt how a write ended that was
carried out, what changed before the next run counts as changed by both: the strategy decides, and what loses is in the history.

## A seed that fails

The first line names the invariant and the record, the second the command that tells the story. Here an engine that is
broken on purpose, and sends writes again as if they were reads; read it from the end:

```
{example}
```

Times are seconds since the beginning. Each line names who did something: a process (`p0.3` is the third of replica 0, `q` runs after
the faults), the source, the destination, the auditor. `KILLED` and `PAUSED` say where. The first lines are the stream and the faults.
A fix is followed by the same seed, and by a test of its own in `tests/runtime/` where the case can be told in a few lines.

## What was played

{played}

{failed}

| kind of fault | times |
| --- | --: |
{faults}

## What it found

Each was a way to lose, double or misreport something, and each is mended:

| what happened | the engine | now |
| --- | --- | --- |
{findings}

## Engines that are broken on purpose

A simulator that lets a broken engine pass proves nothing. Each of these is the real engine with one function replaced, and each is
caught; `python -m tests.simulation.mutants` plays the seed that caught it, `--search` looks for the first one.

| mutant | what it does instead | seed | caught by |
| --- | --- | --: | --- |
{mutants}

## Deletes

Deletes have seeds of their own (`python -m tests.simulation.deletes --seeds 1000`): streams that ask for each missing record, that
believe a complete pass, or that follow tombstones, between sources that lose records or only seem to. The auditor holds **I9**: no run
deletes more than the brake allows unless a person released it, and nothing that is there where the source can be asked; when the faults
are over, both sides are the same, but for what a list hid from a stream that reads only changes: that is there after a run over
everything. An engine without the brake, one that does not ask, and one that forgets what came are caught in `test_deletes.py`.

{deletes}

## Real processes

Virtual time has no kernel. `tests/processes/` starts the sample package as a process, beside a process that is both of its APIs and
writes every effect into a file, and kills it with SIGKILL at each step, with its state in SQLite and in PostgreSQL (`test_kill.py`):

| failpoint | after the restart |
| --- | --- |
{failpoints}

With an idempotency key (single and in batches), and with a find instead of a key in a destination that would take duplicates: every
contact is there once. With neither, what was in flight stays unknown, is told, and is not sent again. Nothing whose outcome is on record
is sent again; what was in flight goes under its old key. The same folder sends SIGTERM once and twice, kills a service between its 2xx
and the work, fills the disk, makes it read-only, holds SQLite's write lock, damages, cuts and ages the file, kills a migration, starts
four processes at once, stops PostgreSQL with `-m immediate` in a loop, ends its connections, and goes back to older state
([reliability.md](reliability.md) lists them by fault).
"""


def rows(lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def example(known: dict[str, Any]) -> str:
    """What a seed that fails looks like: of an engine that repeats writes as if they were reads."""
    lines = [line[:130].rstrip() for line in EXAMPLE.read_text("utf-8").splitlines()]
    head = f"seed {known['seed']}: {known['what']}\n  replay: make simulate START={known['seed']} SEEDS=1 TRACE=1\n  …"
    return "\n".join((head, *lines))


def findings() -> list[dict[str, str]]:
    """What was found, as it is kept."""
    found: list[dict[str, str]] = json.loads((HERE / "findings.json").read_text("utf-8"))
    return found


def played(kept: dict[str, Any], what: str) -> str:
    """One long run in numbers."""
    first = ", ".join(f"{first:,}–{last:,}" for first, last in kept["ranges"])
    commits = ", ".join(f"`{each}`" for each in kept["commits"])
    return (
        f"* {kept['seeds']:,} seeds ({first}) at {commits}, {what}: {kept['runs']:,} runs, {kept['records']:,} records,"
        f" {kept['requests']:,} requests, {kept['effects']:,} effects, {kept['virtual_s'] / 86400:,.0f} days of virtual time in"
        f" {kept['cpu_s'] / 60:.0f} minutes of CPU; {failed_of(kept)}"
    )


def failed_of(kept: dict[str, Any]) -> str:
    """How many seeds of a run failed, and which."""
    named = ", ".join(str(each["seed"]) for each in kept["failed"])
    return f"{len(kept['failed'])} failed ({named})." if named else "none failed."


def all_played() -> str:
    """The long runs, newest first."""
    lines = [played(load(FIRST), "one stream alone, no main faults")]
    if (kept := load())["seeds"]:
        lines.insert(0, played(kept, DRAWN[kept["draw"]]))
    if (kept := load(PARTLY))["seeds"]:
        lines.insert(0, played(kept, "those whose main fault is that batches are answered in part"))
    parents = json.loads((HERE / "parents.json").read_text("utf-8"))
    lines.insert(
        len(lines) - 1,
        f"* {parents['seeds']:,} seeds of two streams that refer to each other (`python -m tests.simulation.parents`):"
        f" {parents['runs']:,} runs, {parents['records']:,} records; {parents['failed']} failed.",
    )
    return "\n".join(lines)


def failed_line() -> str:
    """What became of all seeds that failed."""
    mended = load_failed()
    told = (
        f"What {len(mended)} of the seeds that failed in long runs showed is mended, in the engine or in the auditor, and they are played"
        " again with every run of the tests, drawn as they were then."
    )
    known = {(one["seed"], one["draw"]) for one in mended}
    still = [
        f"* {one['seed']}: {one['what']}"
        for kept in (load(), load(PARTLY))
        for one in kept["failed"]
        if (one["seed"], kept["draw"]) not in known
    ]
    told = "\n".join((f"{told} These are open:", "", *still)) if still else told
    beyond = load_beyond()
    mended = [one for one in mended if any(first <= one["seed"] <= last for first, last in beyond["ranges"])]
    seeds = sum(last - first + 1 for first, last in beyond["ranges"])
    ranges = ", ".join(f"{first:,}–{last:,}" for first, last in beyond["ranges"])
    lines = [f"* {one['seed']}: {one['what']}. {one['why'][0].upper()}{one['why'][1:]}." for one in beyond["open"]]
    return "\n".join((
        told,
        "",
        f"{seeds:,} seeds past those ({ranges}) were played while what they showed was being mended, each seed once: {len(mended)}"
        f" that failed are mended (among those above), {len(lines)} {'is' if len(lines) == 1 else 'are'} open. The tests hold that what"
        " is open still fails, so that a mend is noticed:",
        "",
        *lines,
    ))  # fmt: skip


def render() -> str:
    """The page."""
    from tests.simulation.simulation import MOST_QUIET_RUNS

    known = load_known()
    injected = sum((Counter(load(file)["injected"]) for file in (FIRST, KEPT, PARTLY)), Counter())
    return TEXT.format(
        quiet=MOST_QUIET_RUNS,
        invariants=rows([[name, text] for name, text in INVARIANTS.items()]),
        example=example(known[EXAMPLE_OF]),
        played=all_played(),
        failed=failed_line(),
        faults=rows([[f"`{name}`", f"{injected.get(name, 0):,}"] for name in FAULTS]),
        findings=rows([[each["what"], each["did"], each["now"]] for each in findings()]),
        mutants=rows([
            [f"`{one.name}`", one.rule, str(known[one.name]["seed"]), f"{known[one.name]['invariant']}: {told(known[one.name]['what'])}"]
            for one in MUTANTS
            if one.name in known
        ]),
        deletes=deletes_line(),
        failpoints=rows([[f"`{name}`", what_follows(name)] for name in NAMES]),
    )  # fmt: skip


def deletes_line() -> str:
    """What the seeds of deletes came to."""
    kept = json.loads((HERE / "deletes.json").read_text())
    counts = kept["counts"]
    faults = ", ".join(
        f"{name} {counts[name]:,}" for name in counts if name not in ("none", "deleted", "stopped by the brake")
    )
    return (
        f"{kept['seeds']:,} seeds from {kept['start']} on, {kept['failed']} failed, {kept['cpu_s'] / 60:.0f} minutes of CPU: "
        f"{counts['deleted']:,} deletes, {counts['stopped by the brake']:,} runs stopped by the brake; passes under faults: {faults}."
    )


def told(what: str) -> str:
    """A violation without its number, short enough for a table."""
    return what.partition(": ")[2].replace("|", "/")[:110]


def what_follows(name: str) -> str:
    """What the next run does after a kill there."""
    return {
        "before-send": "repeats what was written down, under its key",
        "after-send": "repeats what was written down, under its key; the destination answers as before",
        "before-checkpoint": "finds nothing of that transaction, and repeats under the old keys",
        "in-checkpoint": "finds nothing of that transaction, and repeats under the old keys",
        "after-checkpoint": "goes on with the next page",
        "in-dead-letter": "writes the dead letter once",
        "in-migration": "does the step whole",
    }.get(name, "reads the page again")


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
