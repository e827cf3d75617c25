"""`vitesse build` of several integrations: order, failures, shares, stops. Each is compiled in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.shared import REPOSITORY
from tests.waiting import PATIENCE_S, wait_until
from vitesse.cli.group import run

EXAMPLES = REPOSITORY / "examples"
NAMES = ("shopify_credo", "tracker_ledger")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with two integrations that compile and, between them by name, one that does not."""
    folder = tmp_path / "integrations"
    for name in NAMES:
        shutil.copytree(EXAMPLES / name, folder / name)
    (folder / "stale").mkdir()
    (folder / "stale" / "integration.yaml").write_text("vitesse: 1\nname: stale\n")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, dict[str, bytes]]:
    """Each example as it is compiled by itself."""
    out = tmp_path_factory.mktemp("alone")
    assert all(run(["build", str(EXAMPLES / name), "--out", str(out)]) == 0 for name in NAMES)
    return {name: files(out / name) for name in NAMES}


@pytest.fixture
def other_worker(tmp_path, monkeypatch):
    """Let another module do the workers' work: `use(text)`."""
    boot = tmp_path / "modules"
    boot.mkdir()
    monkeypatch.syspath_prepend(str(boot))
    import vitesse.workflow.pool as pool

    ask_all = pool.ask_all

    def use(text: str) -> None:
        (boot / "other_worker.py").write_text(text)
        monkeypatch.setattr(
            pool, "ask_all", lambda requests, *, worker, jobs: ask_all(requests, worker="other_worker", jobs=jobs)
        )

    return use


ECHO = """
import json, sys
def main():
    for line in sys.stdin:
        print(json.dumps({'result': {'package': json.loads(line)['target'], 'state': 'unchanged'}}), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_folder_of_integrations_is_built_in_order_and_one_that_fails_stops_no_other(
    home, alone, tmp_path, capfd, jobs
):
    """Exit code 3; what was built is byte for byte what each gives alone, whatever worked beside it."""
    out = tmp_path / "out"
    assert run(["build", str(home), "--out", str(out), "--jobs", str(jobs), "--json"]) == 3
    said = capfd.readouterr()
    results = json.loads(said.out)
    assert [(Path(result["package"]).name, result["state"]) for result in results] == [
        ("shopify_credo", "written"),
        ("stale", "failed"),
        ("tracker_ledger", "written"),
    ]
    assert {found["code"] for found in results[1]["diagnostics"]} == {"V004"}
    assert "error[V004]" in said.err
    assert {name: files(out / name) for name in NAMES} == alone


@pytest.mark.slow
def test_a_second_build_of_several_changes_nothing_and_says_so(home, tmp_path, capfd):
    shutil.rmtree(home / "stale")
    out = tmp_path / "out"
    assert run(["build", str(home), "--out", str(out)]) == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    capfd.readouterr()
    assert run(["build", *(str(home / name) for name in reversed(NAMES)), "--out", str(out)]) == 0
    said = capfd.readouterr().err.splitlines()
    assert [line.rsplit("/")[-1] for line in said[:2]] == ["tracker_ledger: unchanged", "shopify_credo: unchanged"]
    assert said[2:] == ["2 integrations: 2 unchanged"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_when_all_fail_the_exit_code_is_1(home, tmp_path, capfd):
    shutil.copytree(home / "stale", home / "older")
    assert run(["build", str(home / "older"), str(home / "stale"), "--out", str(tmp_path)]) == 1
    assert "2 integrations: 2 failed" in capfd.readouterr().err


def test_each_share_is_built_by_itself(home, tmp_path, capfd, other_worker):
    """Two machines build all of it between them, each in the order that it was given."""
    other_worker(ECHO)
    names = [home / name for name in ("stale", *NAMES)]
    shares = []
    for shard in ("1/2", "2/2"):
        assert run(["build", *map(str, names), "--shard", shard, "--out", str(tmp_path), "--json"]) == 0
        shares.append([Path(one["integration"]).name for one in json.loads(capfd.readouterr().out)])
    assert shares == [["tracker_ledger", "shopify_credo"][::-1], ["stale"]]


def test_a_share_without_integrations_is_done(home, tmp_path, capfd):
    """More machines than integrations is no failure."""
    assert run(["build", str(home), "--shard", "9/9", "--out", str(tmp_path)]) == 0
    assert "none in this share" in capfd.readouterr().err


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1/0", "x", "1", "1/2/3", "-1/2", "1.5/2", "", "/", "１/2"])
def test_a_share_that_makes_no_sense_is_usage(home, shard, capfd):
    assert run(["build", str(home), "--shard", shard]) == 2
    assert "--shard" in capfd.readouterr().err


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_a_number_of_jobs_that_makes_no_sense_is_usage(home, jobs, capfd):
    assert run(["build", str(home), "--jobs", jobs]) == 2
    assert "--jobs" in capfd.readouterr().err


def test_two_of_one_name_are_usage_and_one_named_twice_is_built_once(home, tmp_path, capfd):
    """Neither would know which package is its own."""
    other = tmp_path / "other" / "stale"
    shutil.copytree(home / "stale", other)
    assert run(["build", str(home), str(other)]) == 2
    assert "have the same name" in capfd.readouterr().err
    assert run(["build", str(other), str(tmp_path / "other"), str(other), "--json"]) == 1
    assert "error[V004]" in capfd.readouterr().err


def test_a_process_that_is_killed_fails_its_integration_alone(home, tmp_path, capfd, other_worker):
    """V014, and the others are built on."""
    other_worker(
        "import json, os, sys\n"
        "def main():\n"
        "    for line in sys.stdin:\n"
        "        if 'shopify' in json.loads(line)['folder']:\n"
        "            os.kill(os.getpid(), 9)\n"
        "        print(json.dumps({'result': {'package': 'p', 'state': 'unchanged'}}), flush=True)\n"
    )
    assert run(["build", str(home), "--out", str(tmp_path), "--jobs", "1", "--json"]) == 3
    said = capfd.readouterr()
    assert [result["state"] for result in json.loads(said.out)] == ["failed", "unchanged", "unchanged"]
    assert "error[V014]: the process that built `shopify_credo` ended by signal 9" in said.err


def test_a_bug_of_ours_in_one_build_is_told_as_one_and_the_others_are_built(home, tmp_path, capfd, other_worker):
    """Exit code 70, with the trace; what a library prints meanwhile disturbs nothing."""
    other_worker(
        "from vitesse.cli import build, worker\n"
        "def build_one(folder, target, **_):\n"
        "    print('noise')\n"
        "    if folder.name == 'stale':\n"
        "        raise RuntimeError('boom')\n"
        "    return build.Built(result={'package': str(target), 'state': 'unchanged'})\n"
        "build.build_one = build_one\n"
        "main = worker.main\n"
    )
    assert run(["build", str(home), "--out", str(tmp_path), "--json"]) == 70
    said = capfd.readouterr()
    assert [one["state"] for one in json.loads(said.out)] == ["unchanged", "internal error", "unchanged"]
    assert "internal error: RuntimeError: boom" in said.err
    assert "Traceback" in said.err


def test_a_worker_that_grew_large_is_replaced(home, tmp_path, capfd, other_worker):
    """Memory does not grow with the number of integrations."""
    other_worker(
        "import json, os, sys\n"
        "def main():\n"
        "    for line in sys.stdin:\n"
        "        result = {'package': str(os.getpid()), 'state': 'unchanged'}\n"
        "        print(json.dumps({'result': result, 'peak_mib': 1000}), flush=True)\n"
    )
    assert run(["build", str(home), "--out", str(tmp_path), "--jobs", "1", "--json"]) == 0
    assert len({one["package"] for one in json.loads(capfd.readouterr().out)}) == 3


@pytest.mark.slow
def test_check_of_a_folder_of_integrations_says_of_each_whether_it_holds(home, tmp_path, capfd):
    """Exit code 1 when one does not; a share of them for each machine."""
    out = tmp_path / "out"
    assert run(["build", str(home), "--out", str(out)]) == 3
    capfd.readouterr()
    assert run(["check", str(home), "--out", str(out), "--json"]) == 1
    found = {Path(one["integration"]).name: one["holds"] for one in json.loads(capfd.readouterr().out)}
    assert found == {"shopify_credo": True, "stale": False, "tracker_ledger": True}
    assert run(["check", str(home), "--out", str(out), "--shard", "2/3"]) == 1
    said = capfd.readouterr()
    assert "error[V004]" in said.err
    assert said.err.endswith("stale: does not hold\n")
    assert run(["check", str(home), "--out", str(out), "--shard", "1/3"]) == 0
    assert "shopify_credo: holds" in capfd.readouterr().out


def test_a_bug_of_ours_in_one_check_is_told_as_one(home, tmp_path, capfd, other_worker):
    other_worker(
        "from vitesse.cli import check, worker\n"
        "def check_one(request):\n"
        "    raise RuntimeError('boom')\n"
        "check.check_one = check_one\n"
        "main = worker.main\n"
    )
    assert run(["check", str(home), "--out", str(tmp_path)]) == 70
    assert "internal error: RuntimeError: boom" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_the_workers_and_leaves_no_half_file(home, alone, tmp_path):
    """Exit code 130; every file that stands there is as a whole build writes it."""
    for number in range(6):
        shutil.copytree(home / "shopify_credo", home / f"more_{number}")
    out = tmp_path / "out"
    for name in ("zz_held_0", "zz_held_1"):  # whoever comes to these waits: it is not over before it is told to stop
        shutil.copytree(home / "shopify_credo", home / name)
        (out / name).mkdir(parents=True)
        os.mkfifo(out / name / "vitesse.lock")
    command = [sys.executable, "-m", "vitesse", "build", str(home), "--out", str(out), "--jobs", "2"]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(REPOSITORY / "compiler")}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    process.stderr.readline()
    workers = wait_until(lambda: len(found := children(process.pid)) == 2 and found)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert errors.endswith("stopped\n")
    assert "Traceback" not in errors
    wait_until(lambda: not any(map(is_alive, workers)))
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []
    for folder in out.iterdir():
        found = {path: content for path, content in files(folder).items() if path != "vitesse.lock"}
        assert found.items() <= alone[folder.name if folder.name in alone else "shopify_credo"].items()


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that has ended meanwhile
            found += [int(each) for each in (task / "children").read_text().split()]
    return found


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
