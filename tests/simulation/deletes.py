"""Seeds of a source that loses records, or only seems to: what is deleted at the destination, and that it is never many by mistake (I9).

A family of its own beside the other seeds, on the fakes of the engine's tests. Each seed draws how records are found gone, a few
rounds of true changes, and faults of both sides: empty and shrunken lists, passes that are cut, records that nobody can name, a source
that does not answer for single records, deletes whose answer is lost.

    python -m tests.simulation.deletes --seeds 2000 [--start 1] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx

from runtime.declare import Deletes
from runtime.engine.deletes import GONE_AT_LEAST
from tests.runtime.engine.conftest import World
from tests.runtime.engine.test_deletes import HARD, NO_GET, TOMBSTONE
from tests.runtime.fakes import Shopify

FORMS: dict[str, dict[str, Any]] = {"asked": HARD, "believed": NO_GET, "tombstone": TOMBSTONE}
FAULTS = (
    "none",
    "empty list",
    "shrunken list",
    "cut pass",
    "nameless record",
    "no single records",
    "lost deletes",
    "refused deletes",
)
DAY_S = 86_400


class Violation(AssertionError):
    """A rule of delivery that was broken."""


class Play:
    """One seed."""

    def __init__(self, seed: int, folder: Path, counts: Counter[str]) -> None:
        self.chance = random.Random(seed)
        self.counts = counts
        self.form = self.chance.choice(list(FORMS))
        self.changes = dict(FORMS[self.form])
        self.brake = self.chance.choice([0.05, 0.2, 0.5])
        declared: Deletes = self.changes["deletes"]
        self.changes["deletes"] = Deletes(
            mode="hard", found_by=declared.found_by, tombstone=declared.tombstone, brake=self.brake
        )
        self.world = World(f"sqlite:///{folder / f'{seed}.db'}")
        self.world.shopify = Shopify(self.chance.randint(12, 60))
        self.world.shopify.page_size = self.chance.randint(4, 25)
        self.next = len(self.world.shopify.customers) + 1
        self.gone: set[str] = set()
        """Addresses of records that were truly deleted at the source."""
        self.hidden: set[str] = set()
        """Addresses of records that a list left out, or brought without what names them."""

    async def run(self) -> None:
        """Play it; raises `Violation`."""
        await self._sync("none")
        for _ in range(self.chance.randint(3, 6)):
            self._change()
            await self._sync(self.chance.choice(FAULTS))
        for _ in range(3):
            await self._sync("none", allow_deletes=True)
        if self.form == "tombstone":
            # Only what changed is read there. A list that answers 200 and leaves a change out, or does not say whose it is, cannot
            # be told from a true one, and the watermark passes the change: it comes again when the record changes once more, or
            # when everything is read. Everything else has to be right already.
            live, there = self._sides()
            if wrong := sorted(set((live - there) + (there - live)) - self.hidden):
                raise Violation(f"I1, I2: {wrong} differ, and no list hid them")
            await self._sync("none", allow_deletes=True, resync=True)
        live, there = self._sides()
        if there != live:
            raise Violation(
                f"I1, I2: the destination has {there.total()} contacts, the source {live.total()} customers"
            )
        self.world.state.close()

    def _sides(self) -> tuple[Counter[str], Counter[str]]:
        """Addresses that are to be there, and those that are."""
        customers = self.world.shopify.customers.values()
        live = Counter(each["email"].lower() for each in customers if not each.get("deleted_at"))
        return live, Counter(each["email"].lower() for each in self.world.credo.contacts.values())

    def _hide(self, records: Iterable[dict[str, Any]]) -> None:
        self.hidden.update(each["email"].lower() for each in records)

    def _change(self) -> None:
        customers, chance = self.world.shopify.customers, self.chance
        live = [number for number, each in customers.items() if not each.get("deleted_at")]
        share = chance.choice([0.0, 0.02, 0.1, 0.4, 1.0])
        for number in [each for each in live if chance.random() < share]:
            self.gone.add(customers[number]["email"].lower())
            if self.form == "tombstone":
                self.world.shopify.put(number, deleted_at="2026-01-01T00:00:00Z")
            else:
                del customers[number]
        for _ in range(chance.randint(0, 4)):
            self.world.shopify.put(self.next)
            self.next += 1
        for number in list(customers)[: chance.randint(0, 3)]:
            if not customers[number].get("deleted_at"):
                self.world.shopify.put(number, first_name=f"Changed{chance.randint(1, 99)}")

    async def _sync(self, fault: str, **request: Any) -> None:
        world = self.world
        self.counts[fault] += 1
        self._put(fault)
        linked = len(world.credo.contacts)
        before = len(world.credo.effects)
        world.clock.moment += 2 * DAY_S
        report = await world.sync(changes=self.changes, **request)
        world.shopify.fail, world.credo.fail, world.credo.lose = [], [], []
        deleted = [email.lower() for kind, email in world.credo.effects[before:] if kind == "delete"]
        self.counts["deleted"] += len(deleted)
        self.counts["stopped by the brake"] += report.state == "failed" and "linked" in (report.error or "")
        if not request.get("allow_deletes"):
            linked += sum(
                kind == "create" for kind, _ in world.credo.effects[before:]
            )  # they are linked when it is judged
            allowed = max(GONE_AT_LEAST, self.brake * linked)
            if len(deleted) > allowed:
                raise Violation(f"I9: {len(deleted)} of {linked} deleted under {fault!r}, {allowed:.0f} are allowed")
        if self.form != "believed" and (wrong := set(deleted) - self.gone):
            raise Violation(f"I9: {len(wrong)} records that are there were deleted under {fault!r}")
        told = (
            report.counts.deleted + report.counts.resolved
        )  # deletes of earlier runs whose answer was lost are resolved
        if fault == "none" and report.state == "done" and told < len(deleted):
            raise Violation(f"I6: {len(deleted)} deleted and {told} counted")

    def _put(self, fault: str) -> None:
        chance, shopify, credo = self.chance, self.world.shopify, self.world.credo
        match fault:
            case "empty list":

                def empty(response: httpx.Response) -> httpx.Response:
                    self._hide(response.json()["customers"])
                    return httpx.Response(200, json={"customers": []})

                shopify.fail.append(_listing(empty, shopify))
            case "shrunken list":
                keep = chance.random()

                def shrink(response: httpx.Response) -> httpx.Response:
                    records = response.json()["customers"]
                    left = [each for each in records if chance.random() < keep]
                    self._hide(each for each in records if each not in left)
                    return httpx.Response(200, json={"customers": left}, headers=response.headers_kept)  # type: ignore[attr-defined]

                shopify.fail.append(_listing(shrink, shopify))
            case "cut pass":
                pages = iter([*[False] * chance.randint(0, 3), *[True] * 1000])
                shopify.fail.append(
                    lambda request: (
                        httpx.Response(503) if request.url.path.endswith("/customers.json") and next(pages) else None
                    )
                )
            case "nameless record":

                def spoil(response: httpx.Response) -> httpx.Response:
                    records = response.json()["customers"]
                    if records:
                        self._hide(records[:1])
                        records[0] = {**records[0], "id": None}
                    return httpx.Response(200, json={"customers": records}, headers=response.headers_kept)  # type: ignore[attr-defined]

                shopify.fail.append(_listing(spoil, shopify))
            case "no single records":
                shopify.fail.append(
                    lambda request: None if request.url.path.endswith("/customers.json") else httpx.Response(503)
                )
            case "lost deletes":
                credo.lose += [lambda request: request.method == "DELETE"] * chance.randint(1, 4)
            case "refused deletes":
                left = iter([True] * chance.randint(1, 5))
                credo.fail.append(
                    lambda request: httpx.Response(500) if request.method == "DELETE" and next(left, False) else None
                )


def _listing(change: Callable[[httpx.Response], httpx.Response], shopify: Shopify) -> Any:
    """The list's true answer, changed on the way."""

    def answer(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/customers.json"):
            return None
        response = shopify._list(request)
        response.headers_kept = {k: v for k, v in response.headers.items() if k in ("link", "date")}  # type: ignore[attr-defined]
        return change(response)

    return answer


def play(seed: int, folder: Path, counts: Counter[str]) -> str | None:
    """Play one seed; the violation in words, or None."""
    try:
        asyncio.run(Play(seed, folder, counts).run())
    except Violation as violation:
        return str(violation)
    return None


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write what it came to there too")
    asked = parser.parse_args()
    logging.disable(logging.ERROR)
    counts: Counter[str] = Counter()
    failed, began = 0, time.process_time()
    for seed in range(asked.start, asked.start + asked.seeds):
        with tempfile.TemporaryDirectory() as folder:
            if (violation := play(seed, Path(folder), counts)) is not None:
                failed += 1
                print(f"seed {seed}: {violation}; again: python -m tests.simulation.deletes --seeds 1 --start {seed}")
    cpu_s = round(time.process_time() - began)
    print(f"{asked.seeds} seeds, {failed} failed, {cpu_s} s CPU; {dict(counts)}")
    if asked.json is not None:
        kept = {
            "start": asked.start,
            "seeds": asked.seeds,
            "failed": failed,
            "cpu_s": cpu_s,
            "counts": dict(sorted(counts.items())),
        }
        asked.json.write_text(json.dumps(kept, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
