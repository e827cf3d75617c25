"""Seeds of two streams of which one refers to the other: what a child's parent is called over there is written into the child.

    python -m tests.simulation.parents --seeds 500 [--start 1] [--trace] [--json FILE]

Children are read before, after and beside their parents, name parents that come later or never, and change them. The auditor holds:

    I2  a child is written with the name of the parent that it has in that state, and that parent is there; each child once
    I3  a child never goes back to an older state
    I1  when the faults are over, a child whose parent is there is there in its last state, under it; one whose parent is not is held,
        or a dead letter says so, as the stream declares

A parent that was made without learning what it is called (a batch without results, an empty reply) has a link without a name: when it is
read again it is looked up by its match value, and its children, held until then, follow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from runtime.declare import Find, Integration, Match, Operation, Stream
from runtime.engine import RunReport, RunRequest
from runtime.links import linked
from tests.simulation.auditor import Auditor
from tests.simulation.destination import Destination, Effect
from tests.simulation.process import Process
from tests.simulation.shapes import STREAM, Body, Thing, integration_of, to_body
from tests.simulation.simulation import MOST_QUIET_RUNS, Runner, Simulation
from tests.simulation.source import Page, Source, State

KIDS = "kids"
LEFT_OUT = (
    "source-same-match", "source-match-moves", "source-vanishes", "source-stale-read", "source-poison-record",
    "destination-had-it", "destination-had-it-twice", "destination-loses-object", "clock-jumps",
)  # fmt: skip
"""Kinds that the other seeds play."""


def to_kid(thing: Thing) -> Body:
    """The address of a child is the number of its parent."""
    body = to_body(thing)
    body.email = linked(str(thing.email), stream=STREAM)
    return body


@dataclass(slots=True)
class KidSource(Source):
    """The children, and which parent each had in which state."""

    parents: dict[tuple[int, int], str] = field(default_factory=dict)
    most: int = 1

    def digest(self, state: State) -> bytes:
        """Where every new state passes: a child gets its parent, one that is there, comes later, or never does."""
        if (state.id, state.rev) not in self.parents:
            old = self.parents.get((state.id, state.rev - 1))
            is_kept = old is not None and self.world.chance.random() < 0.7
            state.email = old if is_kept and old is not None else str(self.world.chance.randint(1, self.most + 3))
            self.parents[state.id, state.rev] = state.email
        return b""


def _renamed(operation: Operation, old: str, new: str) -> Operation:
    path = operation.path.replace(old, new)
    return replace(operation, id=f"{operation.method} {path}", path=path)


def integration_with_kids(plain: Integration, parents: Any) -> Integration:
    """The stream of the other seeds, and one that refers to it."""
    [things] = plain.streams
    to, by_ext = things.destination, (Match(source=lambda t: str(t.id), destination=("ext",)),)
    assert to.update is not None
    assert to.find is not None
    assert things.source.get is not None
    kids: Stream[Any, Any] = replace(
        things,
        name=KIDS,
        map=to_kid,
        lookups=(STREAM,),
        parents=parents,
        match=by_ext,
        source=replace(
            things.source,
            list=_renamed(things.source.list, "/things", "/kids"),
            get=_renamed(things.source.get, "/things", "/kids"),
        ),
        destination=replace(
            to,
            create=_renamed(to.create, "/items", "/subs"),
            update=_renamed(to.update, "/items", "/subs"),
            get=None if to.get is None else _renamed(to.get, "/items", "/subs"),
            list=None if to.list is None else _renamed(to.list, "/items", "/subs"),
            find=Find(operation=_renamed(to.find.operation, "/items", "/subs"), parameters=(("ext", "ext"),)),
            batch=None
            if to.batch is None
            else replace(to.batch, operation=_renamed(to.batch.operation, "/items", "/subs")),
        ),
    )
    return replace(plain, streams=(things, kids))


class ParentAuditor(Auditor):
    """Of one seed."""

    def committed(self, process: Process) -> None:
        return

    def sent(self, process: Process, side: str, request: httpx.Request) -> None:
        self.sends += 1

    def effect(self, effect: Effect) -> None:
        """A parent was written."""
        if len(self._simulation.destination.live(effect.ext)) > 1:
            self._world.violate("I2", f"parent {effect.ext} was made twice")

    def kid(self, effect: Effect) -> None:
        """A child was written."""
        story, world = self._simulation, self._world
        assert isinstance(story, ParentSimulation)
        written = story.subs.objects[effect.object]
        parent = story.kids.parents[int(effect.ext), effect.rev]
        owner = story.destination.objects.get(str(written.get("email")))
        if owner is None or owner.get("ext") != parent:
            what = f"child {effect.ext} rev {effect.rev} of parent {parent} was written under {written.get('email')}: {owner}"
            world.violate("I2", what)
        if len(story.subs.live(effect.ext)) > 1:
            world.violate("I2", f"child {effect.ext} was made twice")
        if effect.rev < self._newest.get(effect.ext, 0):
            world.violate("I3", f"child {effect.ext} went back to rev {effect.rev}")
        self._newest[effect.ext] = max(effect.rev, self._newest.get(effect.ext, 0))

    def reported(
        self, process: Process, request: RunRequest, report: RunReport, effects: list[Effect], *, is_calm: bool
    ) -> None:
        counts = report.counts
        fates = counts.written + counts.unchanged + counts.skipped + counts.dead + counts.unknown + counts.held
        if counts.read != fates:
            self._world.violate("I6", f"the run equation does not hold: {counts}")
        if report.state == "done" and counts.dead + counts.unknown + counts.held:
            self._world.violate("I6", f"`done` with {counts}")

    def check_end(self) -> None:
        story, world = self._simulation, self._world
        assert isinstance(story, ParentSimulation)
        waiting = {
            row[0]: row[1] for row in self._rows("SELECT source_id, parent_id FROM waiting WHERE stream = ?", KIDS)
        }
        letters = {row[0] for row in self._rows("SELECT source_id FROM dead_letters WHERE stream = ?", KIDS)}
        dead_parents = {row[0] for row in self._rows("SELECT source_id FROM dead_letters WHERE stream = ?", STREAM)}
        links = dict(self._rows("SELECT source_id, destination_id FROM links WHERE stream = ?", STREAM))
        for state in story.kids.states.values():
            ext, parent = str(state.id), state.email
            is_here = any(each["rev"] == state.rev for each in story.subs.live(ext))
            if is_here or story.needs_person:
                continue
            if ext in letters and (state.is_bad or state.name == "refused" or story.parents == "dead"):
                continue
            if self._crashes() >= 5 and letters - {str(each) for each in story.kids.states}:
                continue  # ends that struck at it again and again: a dead letter without a name
            # A parent whose last state cannot be mapped is not looked up, should nobody know yet what it is called.
            is_there = parent in links and (links[parent] is not None or parent not in dead_parents)
            if not is_there and ext in waiting and story.parents != "dead":
                if waiting[ext] != parent:
                    world.violate("I6", f"child {ext} is said to wait for {waiting[ext]}, and its parent is {parent}")
                continue
            world.violate(
                "I1",
                f"child {ext} rev {state.rev} of parent {parent} ({links.get(parent, 'not there')}) is not there:"
                f" {story.subs.live(ext)}; waiting: {waiting.get(ext)}; dead: {ext in letters}",
            )
        for ext in waiting:
            if links.get(waiting[ext]) is not None:
                world.violate("I1", f"child {ext} still waits for {waiting[ext]}, which is there")
        self._check_secrets()


class ParentSimulation(Simulation):
    """One seed."""

    auditor: ParentAuditor

    def make_systems(self) -> None:
        world, shape, chance = self.world, self.world.shape, self.world.chance
        for kind in LEFT_OUT:
            world.faults.pop(kind, None)
        shape.mode, shape.webhooks, shape.get, shape.dead_at_least = "upsert", False, True, 10
        shape.match, shape.find, shape.unique, shape.adopt = "ext", True, False, "on_conflict"
        shape.update = "merge" if shape.update == "none" else shape.update
        shape.paging = "cursor" if shape.paging in ("link", "next_url") else shape.paging
        self.parents = chance.choice(["wait", "wait", "fetch", "fetch", "dead"])
        self.integration = integration_with_kids(integration_of(shape), self.parents)
        self.source, self.destination = Source(world), Destination(world)
        self.kids, self.subs = KidSource(world), Destination(world)
        self.auditor = ParentAuditor(self)
        self.destination.on_effect = self.auditor.effect
        self.subs.on_effect = self.auditor.kid

    def arrive(
        self,
        process: Process,
        side: str,
        request: httpx.Request,
        path: str,
        query: dict[str, str],
        data: bytes,
        pages: list[Page],
    ) -> Any:
        is_kid = path.startswith(("/kids", "/subs"))
        path = path.replace("/kids", "/things").replace("/subs", "/items")
        if side == "source":
            return (self.kids if is_kid else self.source).answer(process.name, path, query, [])
        system = self.subs if is_kid else self.destination
        return system.answer(process.name, request.method, path, query, request.headers, data)

    def _begin(self) -> None:
        chance = self.world.chance
        self.world.note("world", f"parents: {self.parents}")
        for _ in range(chance.randint(1, 6)):
            self.source.add()
        for _ in range(chance.randint(1, 8)):
            self.kids.most = len(self.source.states)
            self.kids.add()

    async def _stir(self, length_s: float) -> None:
        world = self.world
        until = world.now + length_s
        while world.now < until and not self._is_over():
            await asyncio.sleep(world.chance.uniform(length_s / 20, length_s / 3))
            self.source.stir(world.chance.randint(0, 2))
            self.kids.most = len(self.source.states)
            self.kids.stir(world.chance.randint(0, 3))

    def _draw_request(self) -> RunRequest:
        chance = self.world.chance
        plain = RunRequest(stream=chance.choice([STREAM, KIDS, KIDS]))
        draw = chance.random()
        if draw < 0.85:
            return plain
        return replace(plain, resync=True) if draw < 0.93 else replace(plain, dry_run=True)

    async def _settle(self) -> None:
        world = self.world
        world.quiet = True
        self.state_down_until = self.destination.down_until = self.subs.down_until = 0.0
        self.destination._busy.clear()
        self.subs._busy.clear()
        await asyncio.sleep(60.0)
        world.note("world", "QUIET")
        process = self._start("q")
        try:
            still = 0
            for number in range(MOST_QUIET_RUNS):
                before = len(self.destination.effects) + len(self.subs.effects)
                is_well = True
                for name in (KIDS, STREAM):
                    again = replace(RunRequest(stream=name), resync=number == 2)  # what stood at the edge of a page
                    report = await self._run(process, again, is_calm=True)
                    if self._is_over():
                        return
                    is_well = is_well and report is not None and report.state in ("done", "partial")
                    if report is None:
                        await asyncio.sleep(70.0)
                    elif report.failure == "systematic":
                        self.needs_person = True
                        return
                    is_well = is_well and report is not None and not report.counts.resolved
                await asyncio.sleep(70.0)
                after = len(self.destination.effects) + len(self.subs.effects)
                still = still + 1 if is_well and after == before else 0
                if still and number > 3:
                    return
            world.violate("I5", f"after {MOST_QUIET_RUNS} rounds without faults there is still something to write")
        finally:
            self._end(process)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--json", type=Path, help="write what it came to there too")
    asked = parser.parse_args()
    runner, injected, kept = Runner(), Counter[str](), Counter[str]()
    cpu_s = 0.0
    try:
        for seed in range(asked.start, asked.start + asked.seeds):
            result = runner.play(seed, keep_trace=asked.trace, story=ParentSimulation)
            injected += result.injected
            kept.update(runs=result.runs, records=result.records, effects=result.effects, failed=not result.is_well)
            cpu_s += result.cpu_s
            if asked.trace:
                print("\n".join(result.trace))
            if not result.is_well:
                print(f"seed {seed}: {result.violations[0]}")
                print(f"  replay: python -m tests.simulation.parents --start {seed} --seeds 1 --trace")
    finally:
        runner.close()
    told = {"start": asked.start, "seeds": asked.seeds, "cpu_s": round(cpu_s), **kept, "faults": sum(injected.values())}
    print(told)
    if asked.json is not None:
        asked.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    return 1 if kept["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
