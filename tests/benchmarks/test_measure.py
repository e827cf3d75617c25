"""What a command cost is what the kernel says, and what did not do its work has no figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measure import Command, Measured, Sample, Spread, Unfit, cpu_s, in_turn, ratio, run_once

_PYTHON = sys.executable
ROOT = Path(__file__).resolve().parents[2]


def python(code: str, **more: object) -> Command:
    return Command(name="it", argv=(_PYTHON, "-c", code), **more)  # type: ignore[arg-type]


def sample(cpu: float, failure: str | None = None) -> Sample:
    return Sample(cpu_s=cpu, wall_s=cpu, max_rss_mb=None, failure=failure)


def test_run_once_of_a_busy_process_counts_its_cpu_and_not_its_sleep():
    busy = "import time; end = time.process_time() + .15\nwhile time.process_time() < end: pass"
    assert run_once(python(busy)).cpu_s >= 0.15
    idle = run_once(python("import time; time.sleep(1)"))
    assert idle.wall_s >= 1 > idle.cpu_s


def test_run_once_counts_the_children_that_a_process_waited_for():
    inner = "import time; end = time.process_time() + .15\\nwhile time.process_time() < end: pass"
    outer = f'import subprocess, sys; subprocess.run([sys.executable, "-c", "{inner}"])'
    assert run_once(python(outer)).cpu_s >= 0.15


def test_run_once_sees_the_peak_of_memory_that_is_given_back():
    """By a process of its own: a peak below what the measuring process holds cannot be told, and this one may hold much.

    A shell stands between, for the kernel also counts as a process's own what its parent held when it was started.
    """
    inner = "x = bytearray(400 << 20); x[::4096] = b'1' * len(x[::4096]); del x"
    code = f"""if True:
        import sys
        from benchmarks.measure import Command, run_once
        print(run_once(Command(name="it", argv=(sys.executable, "-c", {inner!r}))).max_rss_mb)
    """
    command = ["sh", "-c", '"$0" -c "$1"; exit $?', _PYTHON, code]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 400 < float(said) < 500


def test_run_once_of_a_failing_process_keeps_its_last_words():
    failed = run_once(python("import sys; sys.exit('no such thing')"))
    assert failed.failure == "exit 1\nno such thing"


def test_run_once_past_its_time_limit_ends_the_process_and_its_children():
    slow = run_once(python("import subprocess; subprocess.run(['sleep', '60'])", timeout_s=0.5))
    assert slow.failure == "not done after 0 s"
    assert slow.wall_s < 60


def test_run_once_whose_check_objects_has_failed():
    def check(said: str) -> dict[str, float]:
        raise Unfit(f"said {said.strip()}")

    assert (run_once(python("print('hello')", check=check)).failure or "").startswith("said hello")


def test_in_turn_alternates_and_does_not_ask_again_what_failed():
    order: list[str] = []
    commands = [
        Command(name=name, argv=(_PYTHON, "-c", code), before=lambda name=name: order.append(name), max_runs=most)
        for name, code, most in (("a", "", None), ("b", "1 / 0", None), ("c", "", 1))
    ]
    measured = in_turn(commands, 3, say=lambda _: None)
    assert order == ["a", "b", "c", "a", "a"]
    assert [len(each.samples) for each in measured] == [3, 1, 1]


def test_ratio_is_taken_within_a_turn():
    """A turn in which everything is twice as slow does not change it."""
    base = Measured(python(""), [sample(1.0), sample(2.0), sample(1.0)])
    own = Measured(python(""), [sample(0.1), sample(0.2), sample(0.1)])
    assert ratio(own, base, cpu_s) == Spread(median=10, low=10, high=10)


def test_ratio_of_what_failed_is_none():
    assert ratio(Measured(python(""), [sample(1, "exit 1")]), Measured(python(""), [sample(1)]), cpu_s) is None


@pytest.mark.parametrize(("values", "median"), [((3.0, 1.0, 2.0), 2.0), ((1.0, 2.0), 1.5)])
def test_spread_has_the_middle_and_the_ends(values: tuple[float, ...], median: float):
    assert Spread.of(values) == Spread(median=median, low=min(values), high=max(values))
