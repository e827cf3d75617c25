"""A worker that is told to leave ends: soon when all is well, and within its bound whatever waits."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO

import pytest

from tests.cluster.conftest import Replicas
from tests.processes.world import whole
from tests.waiting import PATIENCE_S, wait_until

pytest.importorskip("dbos", reason="the extra `cluster` is not installed")

STUCK = """
import asyncio, faulthandler, sys, time
from runtime.cluster.worker import leave_when_told
from runtime.http.loops import run

arm = faulthandler.dump_traceback_later

def armed(*arguments, **options):
    arm(*arguments, **options)
    print("told", flush=True)

async def main():
    left = asyncio.Event()
    faulthandler.dump_traceback_later = armed  # the last that a signal does before the loop is asked
    leave_when_told(left.set, ended_s=float(sys.argv[2]))
    print("ready", flush=True)
    match sys.argv[1]:
        case "loop":
            while True:
                pass
        case "thread":
            await asyncio.to_thread(time.sleep, 3600)
        case "leaves":
            await left.wait()
            print("left", flush=True)
        case "drains":
            await left.wait()
            await asyncio.sleep(3600)

run(main())
"""


def told(how: str, *signals: signal.Signals, ended_s: float = 1.0, **environ: str) -> tuple[int, str, str]:
    """A process that is told to leave; its exit code and what it said."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        command = [sys.executable, "-c", STUCK, how, str(ended_s)]
        process = subprocess.Popen(command, stdout=out, stderr=err, env=whole(environ))

        def has_said(word: str) -> Callable[[], bool]:
            return lambda: word in _whole(out) or process.poll() is not None

        try:
            first, *more = signals
            wait_until(has_said("ready\n"))
            process.send_signal(first)
            wait_until(has_said("told\n"))  # two of one kind that come together are one
            for number in more:
                process.send_signal(number)
            return process.wait(PATIENCE_S), _whole(out), _whole(err)
        finally:
            process.kill()
            process.wait()


def _whole(file: IO[bytes]) -> str:
    """All that is in a file which a process writes; its place in it is the process's too, and stays."""
    return os.pread(file.fileno(), 1_000_000, 0).decode()


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a process on this event loop."""
    if request.param == "asyncio":
        return {}
    if importlib.util.find_spec("uvloop") is None:
        pytest.skip("uvloop does not run everywhere, and not here")
    return {"WIRE": "fast"}


def test_process_that_is_told_to_leave_is_asked_to(loop: dict[str, str]) -> None:
    assert told("leaves", signal.SIGTERM, ended_s=3600, **loop)[:2] == (0, "ready\ntold\nleft\n")
    assert told("leaves", signal.SIGINT, ended_s=3600, **loop)[:2] == (0, "ready\ntold\nleft\n")


@pytest.mark.parametrize("how", ["loop", "thread", "drains"])
def test_process_that_is_told_to_leave_ends_whatever_waits_and_says_where(how: str, loop: dict[str, str]) -> None:
    code, _, err = told(how, signal.SIGTERM, **loop)
    assert code == 1
    assert "Timeout" in err
    assert "runtime/http/loops.py" in err  # the main thread's lines


def test_process_that_is_told_twice_ends_at_once(loop: dict[str, str]) -> None:
    assert told("drains", signal.SIGTERM, signal.SIGTERM, ended_s=3600, **loop)[0] == 143
    assert told("loop", signal.SIGTERM, signal.SIGINT, ended_s=3600, **loop)[0] == 130


@pytest.mark.postgres
@pytest.mark.slow
def test_worker_that_is_told_to_leave_at_any_moment_ends_and_leaves_no_run_open(
    replicas_of: Callable[..., Replicas],
) -> None:
    """Three streams under a pace that makes them draw all the time; `LEAVES=60` for the long one."""
    times = int(os.environ.get("LEAVES", "4"))
    seed = int(os.environ.get("LEAVES_SEED", "11"))
    chance = random.Random(seed)
    world = replicas_of(customers=60)
    slowest = 0.0
    for number in range(times):
        world.set(put={str(each): {"last_name": f"Changed{number}"} for each in chance.sample(range(1, 61), 40)})
        worker = world.worker(
            f"w{number}", interval_s=1, RATE="200/10", SHAPE=chance.choice(("single", "find")), STREAMS="3"
        )
        time.sleep(chance.uniform(0.0, 2.5))
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_S) == 0, f"seed {seed}, number {number}:\n{world.said(f'w{number}')}"
        slowest = max(slowest, time.monotonic() - began)
        assert not [run for run in world.runs() if run["state"] == "running"]
    print(f"{times} times, the slowest took {slowest:.2f} s")
    assert world.query("select distinct state from shopify_credo.workers") == [("left",)]


def test_worker_names_its_bound_below_what_orchestrators_grant() -> None:
    from runtime.cluster.worker import DRAIN_S, ENDED_S

    assert DRAIN_S < ENDED_S < 30  # Kubernetes kills after 30 s, the package's compose.yaml after 60
